"""The default engine: DuckDB in a child process over one version of the prepared store."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from node_agent.config import EngineConfig
from node_agent.engines.blocks import block_queries, grow
from node_agent.engines.relation_sql import create_public, public_name
from node_agent.engines.rows import rows_query
from node_agent.engines.sql import CELL_LIMIT, H, U
from node_agent.sources.store import Store
from trustquery.catalogue import Catalogue, ColumnType
from trustquery.codelists import PublicTable, PublicTables, shipped
from trustquery.errors import TrustQueryError
from trustquery.model import Query
from trustquery.model.unknown import MAX_UNKNOWN_KEYS, check_label
from trustquery.planning import Plan
from trustquery.planning.checker import pinned_tables

__all__ = ["DuckDBEngine", "public_rows"]

SQL_TYPES = {
    ColumnType.INTEGER: "BIGINT",
    ColumnType.NUMBER: "DOUBLE",
    ColumnType.TEXT: "VARCHAR",
    ColumnType.DATE: "DATE",
    ColumnType.TIMESTAMP: "TIMESTAMP",
    ColumnType.BOOLEAN: "BOOLEAN",
}
T = TypeVar("T")
CHILD = "node_agent.engines.child"
_ENVIRONMENT = {"LC_ALL": "C.UTF-8", "TZ": "UTC"}


@dataclass(frozen=True)
class DuckDBEngine:
    """A snapshot: it answers from the version of the store it was made with, whatever a refresh does meanwhile."""

    store: Store
    limits: EngineConfig
    catalogue: Catalogue
    public: PublicTables = field(default_factory=shipped)

    @property
    def data_version(self) -> int:
        """Counter of the prepared data in use."""
        return self.store.data_version

    def tables(self, dataset: str) -> frozenset[str]:
        """Catalogue tables of a dataset that this trust holds."""
        return self.store.dataset_tables.get(dataset, frozenset())

    def vector(self, query: Query, plan: Plan) -> list[int]:
        """The exact bounded vector, computed in a child process of its own.

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
        tables = pinned_tables(query, self.catalogue, self.public)
        job = {
            "database": str(self.store.database),
            "public": [public_rows(tables.public.pinned(pin)) for pin in query.read_inputs],
            "rows": rows_query(query, tables),
            "blocks": block_queries(query, plan),
            "memory_mb": self.limits.memory_mb,
            "cpu_seconds": self.limits.cpu_seconds,
            "seconds": self.limits.seconds,
            "threads": self.limits.threads,
        }
        try:
            done = subprocess.run(
                [sys.executable, "-I", "-m", CHILD],
                input=json.dumps(job).encode(),
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                timeout=self.limits.seconds,
                env=_ENVIRONMENT,
                check=True,
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise TrustQueryError("internal-fault", incident="engine") from error
        return done.stdout


def public_rows(table: PublicTable) -> dict[str, Any]:
    """A public table as the child makes it: the statement, and its values bound, a list for each column."""
    columns: list[tuple[str, str, list[Any]]] = [
        (column.name, SQL_TYPES[column.type], [row[place] for row in table.rows])
        for place, column in enumerate(table.columns)
    ]
    columns.append((U, "BIGINT", list(table.ranks)))
    columns.append((H, "BIGINT", list(range(1, len(table.rows) + 1))))
    return {
        "name": public_name(table.id),
        "statement": create_public(table.id, [(name, kind) for name, kind, _ in columns]),
        "values": [values for _, _, values in columns],
    }


def _read(reader: Callable[[bytes, Plan], T], output: bytes, plan: Plan) -> T:
    try:
        return reader(output, plan)
    except (struct.error, UnicodeDecodeError) as error:
        raise TrustQueryError("internal-fault", incident="engine") from error


def _labelled(output: bytes, plan: Plan) -> dict[str, int]:
    """The child's (integer, label) pairs of a thresholded release."""
    (count,) = struct.unpack_from("<q", output)
    position, found = 8, dict[str, int]()
    for _ in range(count):
        value, length = struct.unpack_from("<qq", output, position)
        position += 16 + length
        label = output[position - length : position].decode()
        check_label(label)
        found[label] = value
    sound = position == len(output) and len(found) == count <= MAX_UNKNOWN_KEYS and len(plan.blocks) == 1
    if not sound or any(not 0 < value <= CELL_LIMIT for value in found.values()):
        raise TrustQueryError("internal-fault", incident="engine")
    return found


def _dense(output: bytes, plan: Plan) -> list[int]:
    """The child's (place, integer) pairs as the plan's vector; cells, and bins of cells, without rows are 0."""
    vector = [0] * plan.length
    position = 0
    for block in plan.blocks:
        (count,) = struct.unpack_from("<q", output, position)
        position += 8
        for _ in range(count):
            cell, value = struct.unpack_from("<qq", output, position)
            position += 16
            if not 0 <= cell < block.length or abs(value) > CELL_LIMIT:
                raise TrustQueryError("internal-fault", incident="engine")
            vector[block.offset + cell] = value
        grow(vector, block)
    if position != len(output):
        raise TrustQueryError("internal-fault", incident="engine")
    return vector
