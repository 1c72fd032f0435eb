"""Rows as Python values, prepared by the node's own code and asked with the engine's own, without a process of its own.

Here the same job runs in this process, so that thousands of generated cases are affordable; ``through_child`` takes the
real way for a few of them.
"""

from __future__ import annotations

import atexit
import dataclasses
import functools
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as pe

from node_agent.config import EngineConfig
from node_agent.engines.blocks import grow
from node_agent.engines.columns import Columns
from node_agent.engines.duckdb import DuckDBEngine
from node_agent.engines.execute import run
from node_agent.engines.processes import Processes
from node_agent.engines.routes import Way
from node_agent.engines.settings import DISABLED_OPTIMIZERS, opened
from node_agent.engines.task import ARROW_TYPES, task_of
from node_agent.sources.building import Building, Job
from node_agent.sources.prepare import build
from node_agent.sources.sealed import ALLOWED, PEOPLE, path_of, read_columns, write_table
from node_agent.sources.store import Store
from trustquery.catalogue import Catalogue, Table
from trustquery.codelists import PublicTables, shipped
from trustquery.identity import new_secret, write_private_file
from trustquery.model import Query
from trustquery.planning import Plan
from trustquery.planning.checker import pinned_tables

__all__ = ["ARROW_TYPES", "KEY", "Prepared", "Rows", "built", "prepared", "processes", "stored_rows", "write_parquet"]

Rows = Mapping[str, Sequence[Mapping[str, Any]]]
"""Catalogue table name to rows."""

RANK_KEY = bytes(range(32))
KEY = bytes(range(32, 64))
DATA_VERSION = 3


def write_parquet(path: Path, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """One table's rows as a Parquet file."""
    columns = {
        column.name: pa.array([row[column.name] for row in rows], ARROW_TYPES[column.type]) for column in table.columns
    }
    pq.write_table(pa.table(columns), path)


LIMITS = EngineConfig(threads=1)
FEW_ROWS = 2_000


@dataclass(frozen=True)
class Prepared:
    """One prepared version of the data."""

    catalogue: Catalogue
    store: Store
    public: PublicTables
    columns: Columns = field(default_factory=Columns)
    everybody: bool = True

    def vector(
        self,
        query: Query,
        plan: Plan,
        public: PublicTables | None = None,
        way: Way = "by-value",
    ) -> list[int]:
        """The engine's exact vector, in this process.

        Args:
            public: in place of the public tables at hand.
            way: as for ``routes``.
        """
        found = self._run(query, plan, public, way)
        assert not isinstance(found, dict)
        vector = [value for block in found for value in block.tolist()]
        for block in plan.blocks:
            grow(vector, block)
        return vector

    def counts(self, query: Query, plan: Plan, way: Way = "by-value") -> dict[str, int]:
        """The engine's exact counts by label, for keys found in the data, in this process."""
        found = self._run(query, plan, None, way)
        assert isinstance(found, dict)
        return dict(sorted(found.items()))

    def _run(self, query: Query, plan: Plan, public: PublicTables | None, way: Way) -> Any:
        tables = pinned_tables(query, self.catalogue, public or self.public)
        task = task_of(query, plan, tables, LIMITS, way)
        held = self.columns.tables(self.store.folder, self.store.seal(KEY), task.reads, everybody=self.everybody)
        # Few rows at a time where there are few, so that there are several parts.
        at_a_time = 50 if sum(table.num_rows for table in held.values()) < FEW_ROWS else task.job.rows_at_a_time
        job = dataclasses.replace(task.job, rows_at_a_time=at_a_time)
        with opened() as connection:
            return run(connection, job, held, task.public)

    def without(self, *keys: str) -> Prepared:
        """The same version with a list that excludes these people, as scans apply it."""
        folder, dataset, seal = self.store.folder, self.catalogue.id, self.store.seal(KEY)
        people = read_columns(folder, dataset, PEOPLE, ["_key"], seal).column("_key").to_pylist()
        batch = pa.record_batch({"allowed": pa.array([person not in keys for person in people], pa.bool_())})
        write_table(folder, dataset, ALLOWED, pa.RecordBatchReader.from_batches(batch.schema, [batch]), seal)
        return dataclasses.replace(self, columns=Columns(), everybody=False)

    def through_child(self, query: Query, plan: Plan) -> list[int]:
        """The engine's exact vector, the way a node gets it."""
        return self.engine().vector(query, plan)

    def engine(self) -> DuckDBEngine:
        """The engine as a node has it, with its processes."""
        return DuckDBEngine(
            self.store, EngineConfig(), self.catalogue, processes(), KEY, self.public, everybody=self.everybody
        )

    def ranks(self, table: str) -> list[tuple[Any, ...]]:
        """All columns of one prepared table, people by their keys, sorted."""
        return sorted((tuple(row.values()) for row in self.rows(table)), key=repr)

    def rows(self, table: str) -> list[dict[str, Any]]:
        """The rows of one prepared table as they stand, people by their keys."""
        return stored_rows(self.store, self.catalogue.id, table)

    @functools.cached_property
    def connection(self) -> duckdb.DuckDBPyConnection:
        """DuckDB, set as in the engine, over the prepared tables, people by their keys."""
        connection = duckdb.connect(config={"threads": "1", "disabled_optimizers": DISABLED_OPTIMIZERS})
        for table in self.store.dataset_tables[self.catalogue.id]:
            connection.register(f"{self.catalogue.id}/{table}", stored_table(self.store, self.catalogue.id, table))
        return connection


def stored_rows(store: Store, dataset: str, table: str) -> list[dict[str, Any]]:
    """The rows of a stored table as they stand, people by their keys."""
    found: list[dict[str, Any]] = stored_table(store, dataset, table).to_pylist()
    return found


def stored_table(store: Store, dataset: str, table: str) -> pa.Table:
    """A stored table, people by their keys."""
    seal = store.seal(KEY)

    def whole(name: str) -> pa.Table:
        key = pe.create_decryption_properties(seal.key_of(dataset, name), aad_prefix=seal.name_of(dataset, name))
        with pq.ParquetFile(path_of(store.folder, dataset, name), decryption_properties=key) as source:
            return read_columns(store.folder, dataset, name, source.schema_arrow.names, seal)

    keys, found = whole(PEOPLE).column("_key"), whole(table)
    return found.set_column(found.column_names.index("_p"), "_p", keys.take(found.column("_p").combine_chunks()))


@functools.cache
def processes() -> Processes:
    """One warm parent for the tests of a process."""
    found = Processes()
    atexit.register(found.close)
    return found


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
    store = built(folder / "store", jobs)
    try:
        yield Prepared(catalogue, store, public if public is not None else shipped())
    finally:
        shutil.rmtree(folder / "store")


def built(folder: Path, jobs: Sequence[Job], *, version: int = DATA_VERSION, rank_key: bytes = RANK_KEY) -> Store:
    """Prepare these tables, with the tests' own keys."""
    folder.mkdir(exist_ok=True)
    building = Building(folder / f"v{version}.building", version, True)
    building.folder.mkdir()
    write_private_file(building.folder / "rank.key", rank_key)
    write_private_file(building.folder / "salt", new_secret(16))
    building.start(jobs)
    return building.finish(build(jobs, building, key=KEY, threads=1))
