"""The lists of governance people on a node's disk: the first as it was made, each later one as it was signed.

``startup/governance.json`` is written once, by ``tq-node config init``; later lists are ``policy/people/*.dsse``. Which
of them is in force the ledger says, by hash, so a file that somebody puts in its place counts for nothing.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from node_agent.budget.book import BookReader, Pin
from node_agent.policy_store.files import replace_file
from trustquery.errors import TrustQueryError
from trustquery.identity import Envelope, GovernanceList, canonical

__all__ = ["Lists", "load_governance", "save_governance"]


def save_governance(path: Path, listed: GovernanceList) -> None:
    """Write the first list; an existing one is never overwritten.

    Raises:
        TrustQueryError: ``config-exists``.
    """
    if path.exists():
        raise TrustQueryError("config-exists", path=path)
    path.write_bytes(canonical.encode(listed.model_dump(mode="json")) + b"\n")


def load_governance(path: Path) -> GovernanceList:
    """Read the first list.

    Raises:
        TrustQueryError: ``config-missing``, ``config-invalid``.
    """
    try:
        return GovernanceList.model_validate_json(path.read_bytes())
    except FileNotFoundError as error:
        raise TrustQueryError(
            "config-missing", path=path, instead="name two governance people: `tq-node config people PERSON PERSON`"
        ) from error
    except (OSError, ValidationError) as error:
        raise TrustQueryError(
            "config-invalid", place=str(path.name), problem="the governance list is not valid"
        ) from error


class Lists:
    """Every list there ever was at one node, each as the ledger knows it.

    Args:
        first: the first list's file.
        folder: where later ones are.
        node: this node's name.
        book: what is in force.
    """

    def __init__(self, first: Path, folder: Path, node: str, book: BookReader) -> None:
        self._first = first
        self._folder = folder
        self._node = node
        self._book = book

    def file(self, version: int) -> Path:
        """Where a list is kept."""
        return self._first if version == 1 else self._folder / f"{version:08d}.dsse"

    def keep(self, listed: GovernanceList, data: bytes) -> None:
        """Keep a signed list; it counts once the ledger names it."""
        replace_file(self.file(listed.version), data)

    def present(self) -> GovernanceList:
        """The list in force.

        Before the ledger has seen any, the one that the home was made with: it is trusted on first use.

        Raises:
            TrustQueryError: ``config-missing``, ``config-invalid``, ``policy-signature``.
        """
        pin = self._book.in_force("governance", self._node)
        return self._read(pin) if pin is not None else load_governance(self._first)

    def version(self, version: int) -> GovernanceList:
        """A list that is or was in force.

        Raises:
            TrustQueryError: as ``present``.
        """
        for pin in self._book.versions("governance", self._node):
            if pin.version == version:
                return self._read(pin)
        if version == 1:
            # A ledger from before lists were entered in it.
            return load_governance(self._first)
        raise TrustQueryError("policy-signature", document="governance list", problem="the ledger does not know it")

    def _read(self, pin: Pin) -> GovernanceList:
        if pin.version == 1:
            found = load_governance(self._first)
        else:
            try:
                found = GovernanceList.from_payload(
                    Envelope.decode(self.file(pin.version).read_bytes(), kind=GovernanceList.KIND).payload
                )
            except OSError as error:
                raise TrustQueryError("config-missing", path=self.file(pin.version), instead="restore it") from error
        if found.sha256 != pin.sha256:
            raise TrustQueryError(
                "policy-signature", document="governance list", problem="it is not the one that the ledger names"
            )
        return found
