"""The lists of this moment, for a refresh of the prepared data: who may be in what is answered."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from node_agent.config import Home, NodeConfig, NumbersConfig
from node_agent.optout.people import numbers_of
from node_agent.optout.vault import Vault
from node_agent.sources.allowing import Allowed
from trustquery.errors import TrustQueryError

__all__ = ["Current", "current_lists", "open_vault"]


def open_vault(home: Home, config: NodeConfig) -> Vault:
    """The lists of a node's home.

    Raises:
        TrustQueryError: ``config-missing``, ``config-key-file``, ``optout-list-damaged``.
    """
    return Vault(home.optout, home.secret(config.optout.key_file))


@contextlib.contextmanager
def current_lists(home: Home, config: NodeConfig) -> Iterator[Current | None]:
    """The lists of this moment, for a refresh; None where ``node.toml`` says nothing of NHS numbers.

    Raises:
        TrustQueryError: as ``open_vault``.
    """
    if not config.nhs_numbers:
        yield None
        return
    vault = open_vault(home, config)
    try:
        # One refresh at a time: a running node makes them too.
        with vault.alone():
            yield Current(vault, config.nhs_numbers, home.resolve)
    finally:
        vault.close()


@dataclass(frozen=True)
class Current:
    """Implements ``node_agent.sources.allowing.OptOuts``.

    A person is allowed who has one verified NHS number, on the national allow-list, that is on no Type 1 list, and
    whose key is on no local list. Whatever cannot be told of a person excludes them.
    """

    vault: Vault
    numbers: Sequence[NumbersConfig]
    resolve: Callable[[str], Path]

    def allowed(self, dataset: str, people: Sequence[str]) -> Allowed | None:
        """Who may be in what is answered, by their local keys; None without a national list, or without numbers.

        Raises:
            TrustQueryError: ``optout-list-damaged``, ``optout-numbers``; ``optout-busy``: a list was
                replaced meanwhile.
        """
        used = self.vault.used(dataset)
        kinds = {item.kind for item in used}
        if "national" not in kinds or dataset not in {item.dataset for item in self.numbers}:
            return None
        usable = self.vault.entries("national")
        if "type-1" in kinds:
            usable -= self.vault.entries("type-1")
        objected = self.vault.entries("local", dataset) if "local" in kinds else frozenset()
        number = numbers_of(self.numbers, dataset, self.resolve)
        found = [number.get(person) in usable and person not in objected for person in people]
        if self.vault.used(dataset) != used:
            raise TrustQueryError("optout-busy")
        return Allowed(used, found)
