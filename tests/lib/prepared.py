"""Rows as Python values, prepared by the node's own code and asked with the engine's own SQL, without a child process.

The child costs a quarter of a second a query. Here the same statements run on the same prepared file in this process,
so that thousands of generated cases are affordable; ``through_child`` takes the real way for a few of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from node_agent.config import EngineConfig
from node_agent.engines.blocks import block_queries, grow
from node_agent.engines.child import DISABLED_OPTIMIZERS
from node_agent.engines.duckdb import DuckDBEngine, public_rows
from node_agent.engines.rows import rows_query
from node_agent.sources.prepare import build
from node_agent.sources.store import Store, TableReport
from trustquery.catalogue import Catalogue, ColumnType, Table
from trustquery.codelists import PublicTables, shipped
from trustquery.model import Query
from trustquery.planning import Plan
from trustquery.planning.checker import pinned_tables

__all__ = ["ARROW_TYPES", "Prepared", "Rows", "prepared", "write_parquet"]

Rows = Mapping[str, Sequence[Mapping[str, Any]]]
"""Catalogue table name to rows."""

ARROW_TYPES = {
    ColumnType.INTEGER: pa.int64(),
    ColumnType.NUMBER: pa.float64(),
    ColumnType.TEXT: pa.string(),
    ColumnType.DATE: pa.date32(),
    ColumnType.TIMESTAMP: pa.timestamp("us"),
    ColumnType.BOOLEAN: pa.bool_(),
}
RANK_KEY = bytes(range(32))
DATA_VERSION = 3


def write_parquet(path: Path, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """One table's rows as a Parquet file."""
    columns = {
        column.name: pa.array([row[column.name] for row in rows], ARROW_TYPES[column.type]) for column in table.columns
    }
    pq.write_table(pa.table(columns), path)


@dataclass(frozen=True)
class Prepared:
    """One prepared database, open for reading."""

    catalogue: Catalogue
    database: Path
    connection: duckdb.DuckDBPyConnection
    reports: tuple[TableReport, ...]
    public: PublicTables

    def vector(self, query: Query, plan: Plan, public: PublicTables | None = None) -> list[int]:
        """The engine's exact vector, in this process; ``public`` in place of the public tables at hand."""
        self._rows(query, public)
        vector = [0] * plan.length
        for block, statement in zip(plan.blocks, block_queries(query, plan), strict=True):
            for cell, value in self.connection.execute(statement).fetchall():
                assert 0 <= cell < block.length
                vector[block.offset + cell] = value
            grow(vector, block)
        return vector

    def counts(self, query: Query, plan: Plan) -> dict[str, int]:
        """The engine's exact counts by label, for keys found in the data, in this process."""
        self._rows(query)
        [statement] = block_queries(query, plan)
        return dict(sorted(self.connection.execute(statement).fetchall()))

    def _rows(self, query: Query, public: PublicTables | None = None) -> None:
        tables = pinned_tables(query, self.catalogue, public or self.public)
        self.connection.execute("DROP TABLE IF EXISTS _rows")
        for pin in query.read_inputs:
            table = public_rows(tables.public.pinned(pin))
            self.connection.execute(f'DROP TABLE IF EXISTS "{table["name"]}"')
            self.connection.execute(table["statement"], table["values"])
        self.connection.execute(rows_query(query, tables))

    def through_child(self, query: Query, plan: Plan) -> list[int]:
        """The engine's exact vector, the way a node gets it."""
        return self.engine().vector(query, plan)

    def engine(self) -> DuckDBEngine:
        """The engine as a node has it, with its child process."""
        tables = frozenset(report.table for report in self.reports)
        store = Store(DATA_VERSION, self.database, {self.catalogue.id: tables})
        return DuckDBEngine(store, EngineConfig(), self.catalogue, self.public)

    def ranks(self, table: str) -> list[tuple[Any, ...]]:
        """All columns of one prepared table, sorted."""
        name = f"{self.catalogue.id}/{table}"
        return sorted(self.connection.table(f'"{name}"').fetchall(), key=repr)


@contextmanager
def prepared(
    folder: Path, catalogue: Catalogue, tables: Rows, public: PublicTables | None = None
) -> Iterator[Prepared]:
    """Write the rows as Parquet, prepare them as a refresh does, and open the result; the files go at the end."""
    jobs = []
    for name, rows in tables.items():
        table = catalogue.table(name)
        assert table is not None
        path = folder / f"{name}.parquet"
        write_parquet(path, table, rows)
        jobs.append((catalogue.id, table, path))
    database = folder / "data.duckdb"
    database.unlink(missing_ok=True)
    reports = build(jobs, database, rank_key=RANK_KEY, data_version=DATA_VERSION, threads=1)
    config: dict[str, str | bool | int | float | list[str]] = {
        "threads": "1",
        "disabled_optimizers": DISABLED_OPTIMIZERS,
    }
    with duckdb.connect(str(database), read_only=True, config=config) as connection:
        yield Prepared(catalogue, database, connection, tuple(reports), public if public is not None else shipped())
    database.unlink()
