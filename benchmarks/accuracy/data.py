"""The data: one seeded hospital (or several), its raw tables for the truth, its prepared store for us."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb

from benchmarks.accuracy.metric import Cells, cells_of
from benchmarks.accuracy.questions import MACROS, Question
from node_agent.config import EngineConfig
from node_agent.engines.duckdb import DuckDBEngine
from node_agent.engines.processes import Processes
from node_agent.sources.building import Building
from node_agent.sources.prepare import build
from trustquery.catalogue import Catalogue, load
from trustquery.synthetic import generate

__all__ = ["CATALOGUE", "Raw", "Skew", "make", "raw", "stores"]

CATALOGUE = "nhs-episodes"
LIMITS = EngineConfig(memory_mb=8_192, cpu_seconds=600, seconds=600)


@dataclass(frozen=True)
class Skew:
    """Rows of one table a person, of people who have any.

    Attributes:
        lost: share of the rows that five a person leave out.
    """

    table: str
    rows: int
    people: int
    median: float
    p90: float
    p99: float
    largest: int
    lost: float


def make(folder: Path, *, episodes: int, trusts: Sequence[str], seed: int) -> None:
    """Generate the raw files of each trust below ``folder``; those that are there already are kept."""
    if not all((folder / trust).is_dir() for trust in trusts):
        generate(folder, seed=seed, episodes=episodes, trusts=trusts)


def stores(folder: Path, work: Path, trusts: Sequence[str], tables: Sequence[str]) -> list[DuckDBEngine]:
    """Prepare each trust's tables as a refresh does; the engine is the one a node has, process and all."""
    catalogue, processes = load(CATALOGUE), Processes()
    found = []
    for trust in trusts:
        named = [table for table in catalogue.tables if table.name in tables]
        jobs = [(CATALOGUE, table, folder / trust / f"{table.name}.parquet") for table in named]
        place = work / f"{trust}-store"
        place.mkdir()
        building = Building.begin(place, jobs, encrypted=False)
        store = building.finish(build(jobs, building, key=None))
        found.append(DuckDBEngine(store, LIMITS, catalogue, processes, everybody=True))
    return found


class Raw:
    """Plain DuckDB over the raw files of all trusts together: the truth, and the peer's tables."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def truth(self, question: Question) -> Cells:
        """The exact answer, nothing bounded."""
        return cells_of(self._connection.execute(question.sql).fetchall(), question.keys)

    def flat(self, question: Question, path: Path) -> None:
        """Write the peer's table of one question."""
        self._connection.sql(question.peer.flat).write_parquet(str(path))

    def skew(self, table: str) -> Skew:
        """How unequal people's rows are."""
        [row] = self._connection.execute(
            "WITH per AS (SELECT count(*) AS n FROM query_table($table) GROUP BY person_id) "
            "SELECT sum(n), count(*), median(n), quantile_cont(n, 0.9), quantile_cont(n, 0.99), max(n), "
            "1 - sum(least(n, 5)) / sum(n) FROM per",
            {"table": table},
        ).fetchall()
        rows, people, median, p90, p99, largest, lost = row
        return Skew(table, int(rows), people, median, p90, p99, largest, lost)


@contextmanager
def raw(folder: Path, trusts: Sequence[str], catalogue: Catalogue) -> Iterator[Raw]:
    """Open the raw files of these trusts, one view a table."""
    with duckdb.connect(config={"threads": 2}) as connection:
        for macro in MACROS:
            connection.execute(macro)
        for table in catalogue.tables:
            paths = [str(folder / trust / f"{table.name}.parquet") for trust in trusts]
            connection.read_parquet(paths).create_view(table.name)
        yield Raw(connection)
