"""The data: one seeded hospital, prepared and encrypted as a node does, its columns read into memory once."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from node_agent.config import EngineConfig
from node_agent.engines.columns import Columns
from node_agent.engines.duckdb import DuckDBEngine
from node_agent.engines.names import COUNT, ORDER, PERSON, H, U
from node_agent.engines.order import Task
from node_agent.engines.processes import Processes
from node_agent.sources.building import Building
from node_agent.sources.prepare import build
from node_agent.sources.sealed import path_of, read_columns, write_table
from node_agent.sources.store import Store
from trustquery.catalogue import Catalogue, ColumnType, load
from trustquery.codelists import PublicColumn, PublicTable, PublicTables, shipped
from trustquery.identity import new_secret
from trustquery.synthetic import generate

__all__ = ["AREAS", "CATALOGUE", "Files", "Hospital", "areas", "files", "make", "public"]

CATALOGUE = "nhs-episodes"
TABLES = ("person", "admission", "diagnosis")
AREAS = 33_000
MEASURED = ("admission_date", "discharge_date", "admission_method", "treatment_function", "length_of_stay")
FURTHER = "0123456789ABC"


def areas() -> PublicTable:
    """As many small areas as England has; the made-up patients live in some of them."""
    codes = tuple((f"E01{1000 + place:06}",) for place in range(AREAS))
    column = PublicColumn("code", ColumnType.TEXT, "code of the area")
    return PublicTable("areas", 1, "Small areas", "made up", (column,), codes)


def public() -> PublicTables:
    """The tables that ship, and the small areas."""
    return shipped().with_more([areas()])


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
        return DuckDBEngine(self.store, limits, self.catalogue, self.processes, self.key, public(), everybody=True)

    def tables(self, task: Task, rows: int | None = None) -> dict[str, pa.Table]:
        """The columns that a task reads; of the first people alone, whose admissions are about so many."""
        found = self.columns.tables(self.store.folder, self.store.seal(self.key), task.reads, everybody=True)
        return found if rows is None else _first(found, rows)


def _first(tables: Mapping[str, pa.Table], rows: int) -> dict[str, pa.Table]:
    index = {name: table.column(PERSON).combine_chunks().to_numpy() for name, table in tables.items()}
    longest = max(index.values(), key=len)
    person = longest[min(rows, len(longest)) - 1]
    return {
        name: table.slice(0, int(np.searchsorted(index[name], person, side="right"))) for name, table in tables.items()
    }


def _more_codes(path: Path) -> None:
    """Give each code one of thirteen further characters: the generator has 119 codes, a hospital some 1,500."""
    table = pq.read_table(path)
    further = np.array(list(FURTHER))[
        (table["spell_id"].to_numpy() * 31 + table["position"].to_numpy() * 7) % len(FURTHER)
    ]
    codes = pc.binary_join_element_wise(table["icd10"], pa.array(further), "")
    pq.write_table(table.set_column(table.column_names.index("icd10"), "icd10", codes), path)


@dataclass(frozen=True)
class Files:
    """A prepared table as a file, encrypted and plain: seconds to write and read it, and its bytes."""

    writing: tuple[float, float]
    reading: tuple[float, float]
    size: tuple[int, int]


def files(hospital: Hospital, folder: Path) -> Files:
    """Write ten columns of the admissions again, encrypted and plain in turn, and read them; medians of three."""
    table = "admission"
    names = [PERSON, U, H, ORDER, COUNT, *MEASURED]
    whole = read_columns(hospital.store.folder, CATALOGUE, table, names, hospital.store.seal(hospital.key))
    few = [field.name for field in whole.schema if pa.types.is_dictionary(field.type)]
    plain_text = pa.table(
        [
            column.cast(pa.string()) if name in few else column
            for name, column in zip(names, whole.columns, strict=True)
        ],
        names=names,
    )
    seals = (hospital.store.seal(hospital.key), replace(hospital.store.seal(hospital.key), key=None))
    times: dict[tuple[str, int], list[float]] = {}
    for _ in range(3):
        for at, seal in enumerate(seals):
            (folder / str(at)).mkdir(exist_ok=True)
            started = time.perf_counter()
            write_table(folder / str(at), CATALOGUE, table, plain_text.to_reader(), seal, few)
            middle = time.perf_counter()
            read_columns(folder / str(at), CATALOGUE, table, names, seal)
            times.setdefault(("writing", at), []).append(middle - started)
            times.setdefault(("reading", at), []).append(time.perf_counter() - middle)
    sizes = tuple(path_of(folder / str(at), CATALOGUE, table).stat().st_size for at in (0, 1))
    found = {key: statistics.median(values) for key, values in times.items()}
    return Files(
        (found["writing", 0], found["writing", 1]), (found["reading", 0], found["reading", 1]), (sizes[0], sizes[1])
    )


def make(folder: Path, *, episodes: int, seed: int, tables: Sequence[str] = TABLES, threads: int = 2) -> Hospital:
    """Generate the raw files and prepare them."""
    generate(folder / "raw", seed=seed, episodes=episodes, trusts=["RX1"])
    catalogue = load(CATALOGUE)
    raw, key = folder / "raw" / "RX1", new_secret(32)
    for path in raw.iterdir():
        if path.stem not in tables:
            path.unlink()
    if "diagnosis" in tables:
        _more_codes(raw / "diagnosis.parquet")
    jobs = [(CATALOGUE, table, raw / f"{table.name}.parquet") for table in catalogue.tables if table.name in tables]
    (folder / "store").mkdir()
    building = Building.begin(folder / "store", jobs, encrypted=True)
    return Hospital(catalogue, raw, building.finish(build(jobs, building, key=key, threads=threads)), key)
