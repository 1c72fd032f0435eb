"""The default engine: DuckDB and a compiled kernel, in a process of its own, over one version of the prepared store."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from node_agent.config import EngineConfig
from node_agent.engines.blocks import grow
from node_agent.engines.order import Order
from node_agent.engines.processes import Processes
from node_agent.engines.sql import CELL_LIMIT
from node_agent.engines.task import task_of
from node_agent.sources.store import ListUsed, Store
from trustquery.catalogue import Catalogue
from trustquery.codelists import PublicTables, shipped
from trustquery.errors import TrustQueryError
from trustquery.identity.strict_json import read_json
from trustquery.model import Query
from trustquery.model.unknown import MAX_KEY_BYTES, MAX_UNKNOWN_KEYS, check_label
from trustquery.planning import Plan
from trustquery.planning.checker import pinned_tables

__all__ = ["DuckDBEngine"]

T = TypeVar("T")
_LABELS = MAX_UNKNOWN_KEYS * (6 * (MAX_KEY_BYTES + 1) + 32)
"""Bytes of the longest sound JSON of counts by label: every byte of a label as an escape, a count, punctuation."""


@dataclass(frozen=True)
class DuckDBEngine:
    """A snapshot: it answers from the version of the store it was made with, whatever a refresh does meanwhile.

    Attributes:
        processes: where queries run.
        key: what the store's files are encrypted with; None where they are plain.
        everybody: whether rows of people whom a list of opt-outs excludes are read too: for made-up data, and where
            the permit names a legal basis.
    """

    store: Store
    limits: EngineConfig
    catalogue: Catalogue
    processes: Processes
    key: bytes | None = None
    public: PublicTables = field(default_factory=shipped)
    everybody: bool = field(kw_only=True)

    @property
    def data_version(self) -> int:
        """Counter of the prepared data in use."""
        return self.store.data_version

    def tables(self, dataset: str) -> frozenset[str]:
        """Catalogue tables of a dataset that this trust holds."""
        return self.store.dataset_tables.get(dataset, frozenset())

    @property
    def opt_outs(self) -> tuple[ListUsed, ...]:
        """The lists of opt-outs that every scan applies; none where everybody is read, or where there are no lists."""
        return () if self.everybody else self.store.opt_outs.get(self.catalogue.id, ())

    def vector(self, query: Query, plan: Plan) -> list[int]:
        """The exact bounded vector, computed in a process of its own.

        Raises:
            TrustQueryError: ``internal-fault`` for every failure: killed, too slow, too large, or broken.
        """
        return _read(_dense, self._run(query, plan), plan)

    def counts(self, query: Query, plan: Plan) -> dict[str, int]:
        """The exact bounded counts by label, for a plan whose keys are found in the data.

        Raises:
            TrustQueryError: ``internal-fault``, as ``vector``; and for more keys than one release may have.
        """
        return _read(_labelled, self._run(query, plan), plan)

    def _run(self, query: Query, plan: Plan) -> bytes:
        task = task_of(query, plan, pinned_tables(query, self.catalogue, self.public), self.limits)
        seal, limits = self.store.seal(self.key), self.limits
        order = Order(task, self.store.folder, seal, limits.cpu_seconds, limits.cache_mb, self.everybody)
        return self.processes.run(order, 8 + (_LABELS if plan.has_unknown_keys else 8 * plan.length))


def _read(reader: Callable[[bytes, Plan], T], output: bytes, plan: Plan) -> T:
    try:
        return reader(output, plan)
    except ValueError as error:
        raise TrustQueryError("internal-fault", incident="engine") from error


def _labelled(output: bytes, plan: Plan) -> dict[str, int]:
    """The counts by label of a thresholded release."""
    found = read_json(output)
    sound = isinstance(found, dict) and len(found) <= MAX_UNKNOWN_KEYS and len(plan.blocks) == 1
    if not sound or any(type(value) is not int or not 0 < value <= CELL_LIMIT for value in found.values()):
        raise TrustQueryError("internal-fault", incident="engine")
    for label in found:
        check_label(label)
    return dict(sorted(found.items()))


def _dense(output: bytes, plan: Plan) -> list[int]:
    """The plan's vector; the higher nodes of trees are sums of what is below."""
    found = np.frombuffer(output, "<i8")
    if len(found) != plan.length or np.any(np.abs(found) > CELL_LIMIT):
        raise TrustQueryError("internal-fault", incident="engine")
    vector: list[int] = found.tolist()
    for block in plan.blocks:
        grow(vector, block)
    return vector
