"""Made-up hospital data in the shape of the catalogue ``nhs-episodes``, for demos, tests and benchmarks.

Nobody's data went into it: distributions were chosen by hand to look like an English acute trust. DuckDB makes all rows
from the SQL files beside this module; Python only hands out the work. Every value is a hash of (seed, what it is, which
row), so the same seed gives the same bytes whatever the number of workers.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from types import MappingProxyType

import duckdb

from trustquery.catalogue import ColumnType, Table, load
from trustquery.errors import TrustQueryError

__all__ = ["DUCKDB_TYPES", "Summary", "generate"]

CATALOGUE = "nhs-episodes"
MAX_EPISODES = 20_000_000
MAX_TRUSTS = 100

DUCKDB_TYPES: Mapping[ColumnType, str] = MappingProxyType(
    {
        ColumnType.INTEGER: "BIGINT",
        ColumnType.NUMBER: "DOUBLE",
        ColumnType.TEXT: "VARCHAR",
        ColumnType.DATE: "DATE",
        ColumnType.TIMESTAMP: "TIMESTAMP",
        ColumnType.BOOLEAN: "BOOLEAN",
    }
)
"""The DuckDB (and, through it, Parquet) type of each catalogue type."""

# In order: each builds tables that the next reads. The share is how far along the whole each one brings us.
_STEPS = (("cases", 0.01), ("setup", 0.01), ("lists", 0.02), ("people", 0.08), ("spell", 0.2), ("pathway", 0.22))

Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class Summary:
    """What was written.

    Attributes:
        people: distinct people behind the records of all trusts.
        people_elsewhere: those with a record at two trusts or more.
        rows: rows by trust and table.
    """

    seed: int
    episodes: int
    trusts: tuple[str, ...]
    people: int
    people_elsewhere: int
    rows: Mapping[str, Mapping[str, int]]

    def total(self, table: str) -> int:
        """Rows of one table over all trusts."""
        return sum(tables[table] for tables in self.rows.values())


def generate(
    destination: Path,
    *,
    seed: int,
    episodes: int,
    trusts: Sequence[str],
    progress: Progress | None = None,
    workers: int | None = None,
) -> Summary:
    """Write one folder per trust, holding one Parquet file per table of the catalogue.

    Args:
        destination: folder to fill; made if missing. A trust's folder must not be there yet.
        seed: 0 to 2^63 - 1; the same seed and sizes give the same bytes.
        episodes: admissions over all trusts, exactly, 1 to 20,000,000; other tables follow in proportion.
        trusts: codes such as ``RX1``, 1 to 100, all different; a person's index number starts with its trust's code.
        progress: called with a label and the share done, 0 to 1, from the calling thread.
        workers: threads to use; as many as there are processors when not given. Changes speed only.

    Raises:
        TrustQueryError: ``usage-invalid`` for sizes or codes out of range, ``config-exists`` for a folder in the way.
    """
    _check(seed, episodes, trusts)
    for trust in trusts:
        if (destination / trust).exists():
            raise TrustQueryError("config-exists", path=str(destination / trust))
    report = progress or _ignore
    tables = load(CATALOGUE).tables
    # One thread per query and several queries at a time: the rows of a query then have one order, and its file one
    # layout, without giving up the second processor.
    with duckdb.connect(config={"threads": 1}) as connection:
        _set_variables(connection, seed, episodes, trusts)
        for step, share in _STEPS:
            connection.execute(_sql(step))
            report(f"making {step}", share)
        people, elsewhere = connection.execute(_sql("summary")).fetchall()[0]
        for trust in trusts:
            (destination / trust).mkdir(parents=True)
        rows: dict[str, dict[str, int]] = {trust: {} for trust in trusts}
        pen = _Pen(connection, seed, episodes, trusts)
        with ThreadPoolExecutor(workers or os.cpu_count() or 1) as pool:
            jobs = {
                pool.submit(pen.write, number, table, destination / trust / f"{table.name}.parquet"): (
                    trust,
                    table.name,
                )
                for number, trust in enumerate(trusts)
                for table in tables
            }
            for done, job in enumerate(as_completed(jobs), start=1):
                trust, name = jobs[job]
                rows[trust][name] = job.result()
                report(f"{trust}: {name}", _STEPS[-1][1] + (1 - _STEPS[-1][1]) * done / len(jobs))
    ordered = {trust: MappingProxyType({table.name: rows[trust][table.name] for table in tables}) for trust in trusts}
    return Summary(seed, episodes, tuple(trusts), people, elsewhere, MappingProxyType(ordered))


class _Pen:
    """Writes tables, one DuckDB cursor for each thread, since variables belong to a cursor."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, seed: int, episodes: int, trusts: Sequence[str]) -> None:
        self._connection = connection
        self._settings = (seed, episodes, trusts)
        self._mine = threading.local()

    def write(self, trust_no: int, table: Table, path: Path) -> int:
        """Write one table of one trust; returns its rows."""
        cursor: duckdb.DuckDBPyConnection | None = getattr(self._mine, "cursor", None)
        if cursor is None:
            cursor = self._mine.cursor = self._connection.cursor()
            _set_variables(cursor, *self._settings)
            cursor.execute(_sql("lists"))
        cursor.execute("SET VARIABLE trust_no = $number", {"number": trust_no})
        relation = cursor.sql(_sql(table.name))
        found = dict(zip(relation.columns, map(str, relation.types), strict=True))
        wanted = {column.name: DUCKDB_TYPES[column.type] for column in table.columns}
        if list(found.items()) != list(wanted.items()):
            raise AssertionError(
                f"sql/{table.name}.sql and the catalogue differ: {set(found.items()) ^ set(wanted.items())}"
            )
        relation.write_parquet(str(path), compression="zstd")
        count: int = cursor.execute("SELECT count(*) FROM read_parquet($path)", {"path": str(path)}).fetchall()[0][0]
        return count


def _set_variables(connection: duckdb.DuckDBPyConnection, seed: int, episodes: int, trusts: Sequence[str]) -> None:
    connection.execute("SET VARIABLE seed = $seed::BIGINT", {"seed": seed})
    connection.execute("SET VARIABLE episodes = $episodes::BIGINT", {"episodes": episodes})
    connection.execute("SET VARIABLE trusts = $trusts::VARCHAR[]", {"trusts": list(trusts)})


def _sql(name: str) -> str:
    return (resources.files("trustquery.synthetic") / "sql" / f"{name}.sql").read_text(encoding="utf-8")


def _check(seed: int, episodes: int, trusts: Sequence[str]) -> None:
    if not 0 <= seed < 2**63:
        raise TrustQueryError("usage-invalid", place="seed", problem="the seed must be from 0 to 2^63 - 1")
    if not 1 <= episodes <= MAX_EPISODES:
        raise TrustQueryError("usage-invalid", place="episodes", problem=f"episodes must be from 1 to {MAX_EPISODES:,}")
    if not 1 <= len(trusts) <= MAX_TRUSTS or len(set(trusts)) != len(trusts):
        raise TrustQueryError("usage-invalid", place="trusts", problem=f"name 1 to {MAX_TRUSTS} trusts, each once")
    # The code becomes a folder's name and the start of every index number, hence nothing but capitals and digits.
    wrong = [trust for trust in trusts if not re.fullmatch(r"[A-Z0-9]{1,6}", trust)]
    if wrong:
        raise TrustQueryError(
            "usage-invalid", place="trusts", problem=f"{wrong[0]!r} is not a code of 1 to 6 capitals and digits"
        )


def _ignore(label: str, share: float) -> None:
    """Progress that nobody asked for."""
