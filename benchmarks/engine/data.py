"""The data: one seeded hospital, prepared and encrypted as a node does, its columns read into memory once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa

from node_agent.config import EngineConfig
from node_agent.engines.columns import Columns
from node_agent.engines.duckdb import DuckDBEngine
from node_agent.engines.names import PERSON
from node_agent.engines.order import Task
from node_agent.engines.processes import Processes
from node_agent.sources.building import Building
from node_agent.sources.prepare import build
from node_agent.sources.store import Store
from trustquery.catalogue import Catalogue, ColumnType, load
from trustquery.codelists import PublicColumn, PublicTable, PublicTables, shipped
from trustquery.identity import new_secret
from trustquery.synthetic import generate

__all__ = ["AREAS", "CATALOGUE", "Hospital", "make", "public"]

CATALOGUE = "nhs-episodes"
TABLES = ("person", "admission", "diagnosis")
AREAS = 33_000


def public() -> PublicTables:
    """The tables that ship, and as many small areas as England has; the made-up patients live in some of them."""
    codes = tuple((f"E01{1000 + place:06}",) for place in range(AREAS))
    column = PublicColumn("code", ColumnType.TEXT, "code of the area")
    return shipped().with_more([PublicTable("areas", 1, "Small areas", "made up", (column,), codes)])


@dataclass
class Hospital:
    """A trust with prepared data."""

    catalogue: Catalogue
    raw: Path
    store: Store
    key: bytes
    processes: Processes = field(default_factory=Processes)
    columns: Columns = field(default_factory=Columns)

    def engine(self, limits: EngineConfig) -> DuckDBEngine:
        """The engine as a node has it, its processes and all."""
        return DuckDBEngine(self.store, limits, self.catalogue, self.processes, self.key, public())

    def tables(self, task: Task, rows: int | None = None) -> dict[str, pa.Table]:
        """The columns that a task reads; of the first people alone, whose admissions are about so many."""
        found = self.columns.tables(self.store.folder, self.store.seal(self.key), task.reads)
        return found if rows is None else _first(found, rows)


def _first(tables: Mapping[str, pa.Table], rows: int) -> dict[str, pa.Table]:
    index = {name: table.column(PERSON).combine_chunks().to_numpy() for name, table in tables.items()}
    longest = max(index.values(), key=len)
    person = longest[min(rows, len(longest)) - 1]
    return {
        name: table.slice(0, int(np.searchsorted(index[name], person, side="right"))) for name, table in tables.items()
    }


def make(folder: Path, *, episodes: int, seed: int, tables: Sequence[str] = TABLES, threads: int = 2) -> Hospital:
    """Generate the raw files and prepare them."""
    generate(folder / "raw", seed=seed, episodes=episodes, trusts=["RX1"])
    catalogue = load(CATALOGUE)
    raw, key = folder / "raw" / "RX1", new_secret(32)
    for path in raw.iterdir():
        if path.stem not in tables:
            path.unlink()
    jobs = [(CATALOGUE, table, raw / f"{table.name}.parquet") for table in catalogue.tables if table.name in tables]
    (folder / "store").mkdir()
    building = Building.begin(folder / "store", jobs, encrypted=True)
    return Hospital(catalogue, raw, building.finish(build(jobs, building, key=key, threads=threads)), key)
