"""What the question specifications share: the data, the oracle, every evaluator, and the comparison of their tables."""

from __future__ import annotations

import dataclasses
import datetime
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from demo.omop import find_csv, split
from tests.lib.prepared import DATA_VERSION, RANK_KEY, Prepared, Rows, prepared
from tools.question_specs import Asked, read_tables
from trustquery.catalogue import Catalogue, ColumnType, load
from trustquery.codelists import PublicColumn, PublicTable, PublicTables, shipped
from trustquery.language import compile_query
from trustquery.model import Query
from trustquery.outputs import Estimate, KeyCell, Table, read
from trustquery.outputs.profiles import NONE, Profile
from trustquery.planning import Plan, compile_plan
from trustquery.reference import evaluate
from trustquery.synthetic import generate
from trustquery.synthetic.generator import DUCKDB_TYPES

__all__ = ["Answer", "Figure", "World", "answer_of", "differences", "non_zero", "opened", "public_tables"]

SEED = 27
EPISODES = 2000
TRUSTS = tuple(f"R{number}" for number in range(10))
"""Ten small trusts whose rows lie in one database, so that every region and board has patients."""
EPSILON = Decimal(100)

Figure = float | None
Rows_ = Mapping[tuple[str, ...], Mapping[str, Any]]


# --- public tables --------------------------------------------------------------------------------------------------


@cache
def public_tables() -> PublicTables:
    """Those that ship, those of ``tables/*.csv``, and the small areas of the generator."""
    return shipped().with_more([*read_tables(), _small_areas()])


def _small_areas() -> PublicTable:
    """Six hundred areas around each of ten trusts, as the generator numbers them."""
    codes = [f"E01{1000 * home + place:06}" for home in range(1, 11) for place in range(600)]
    column = PublicColumn("code", ColumnType.TEXT, "code of the area")
    return PublicTable(
        "lsoa_2011", 1, "Small areas of the made-up data", "made up", (column,), tuple((code,) for code in codes)
    )


def _public(asked: Asked) -> list[PublicTable]:
    found = [public_tables().get(name) for name in asked.public]
    return [table for table in found if table is not None]


# --- data -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class World:
    """One catalogue's data, raw and prepared.

    Attributes:
        rows: as Python values, for the reference evaluator.
        node: the same rows as a node prepares them.
        raw: a plain DuckDB database of the raw files, which knows nothing of us.
    """

    catalogue: Catalogue
    rows: Rows
    node: Prepared
    raw: duckdb.DuckDBPyConnection

    def compiled(self, asked: Asked) -> tuple[Query, Plan]:
        """The model and plan."""
        public: dict[str, Any] = {"public": public_tables()} if asked.public else {}
        query = compile_query(
            asked.sql,
            self.catalogue,
            epsilon=EPSILON,
            max_groups_per_person=asked.max_groups_per_person,
            max_rows_per_group=asked.max_rows_per_group,
            **public,
        )
        return query, compile_plan(query, self.catalogue, **public)

    def by_reference(self, asked: Asked, query: Query) -> list[int]:
        """The plain Python evaluator's vector."""
        public: dict[str, Any] = {"public": public_tables()} if asked.public else {}
        return evaluate(query, self.catalogue, self.rows, rank_key=RANK_KEY, data_version=DATA_VERSION, **public)

    def by_duckdb(self, asked: Asked, query: Query, plan: Plan) -> list[int]:
        """The engine's vector."""
        public: dict[str, Any] = {"public": public_tables()} if asked.public else {}
        return self.node.vector(query, plan, **public)

    def table(self, asked: Asked, query: Query, plan: Plan, vector: Sequence[int], *, profile: Profile = NONE) -> Table:
        """The vector as an analyst reads it, as if there had been next to no noise."""
        public: dict[str, Any] = {"public": public_tables()} if asked.public else {}
        return read(query, _quiet(plan), vector, 1, self.catalogue, **public, profile=profile)

    def oracle(self, asked: Asked) -> Answer:
        """The oracle's answer."""
        return self._answer(asked, asked.oracle, as_written=True)

    def plain_sql(self, asked: Asked) -> Answer:
        """The query itself, run by DuckDB on the raw files with our functions as macros.

        DuckDB knows no public domains: a key's value that the oracle does not name belongs to its cell "other".
        """
        known = [set(values) for values in zip(*self.oracle(asked).rows, strict=True)]
        found = self._answer(asked, asked.sql, as_written=False)
        rows = {
            tuple(value if value in values else "<other>" for value, values in zip(key, known, strict=True)): row
            for key, row in found.rows.items()
        }
        assert len(rows) == len(found.rows), "two values lie outside a domain: the query cannot be compared so"
        return Answer(found.keys, rows)

    def _answer(self, asked: Asked, sql: str, *, as_written: bool) -> Answer:
        for table in _public(asked):
            _load_public(self.raw, table)
        cursor = self.raw.execute(sql)
        names = [column[0] for column in cursor.description or ()]
        found = cursor.fetchall()
        keys = [name for name in names if name in self._keys(asked)]
        rows: dict[tuple[str, ...], dict[str, Any]] = {}
        for row in found:
            named = dict(zip(names, row, strict=True))
            key = tuple(named.pop(name) if as_written else key_text(named.pop(name)) for name in keys)
            assert key not in rows, f"the oracle gives {key} twice"
            rows[key] = named
        return Answer(tuple(keys), rows)

    def _keys(self, asked: Asked) -> set[str]:
        """Names of the oracle's text columns."""
        described = self.raw.execute(f"DESCRIBE {asked.oracle}").fetchall()
        return {name for name, kind, *_ in described if kind == "VARCHAR"}


def _quiet(plan: Plan) -> Plan:
    """The plan with next to no noise, so that a ratio over one person is read like any other."""
    return dataclasses.replace(plan, blocks=tuple(dataclasses.replace(block, sigma=1) for block in plan.blocks))


@contextmanager
def opened(catalogue: str, folder: Path) -> Iterator[World]:
    """A catalogue's world, below ``folder``."""
    files = _nhs_files(folder) if catalogue == "nhs-episodes" else _omop_files(folder)
    found = load(catalogue)
    raw = duckdb.connect()
    for table in found.tables:
        paths = [str(path) for path in sorted(files.glob(f"*/{table.name}.parquet"))]
        raw.execute(f"CREATE TABLE {table.name} AS FROM read_parquet($paths)", {"paths": paths})
    for statement in [*_oracle_macros(found), *_our_macros()]:
        raw.execute(statement)
    rows = {table.name: _rows(raw, table.name) for table in found.tables}
    home = folder / "node"
    home.mkdir()
    with raw, prepared(home, found, rows) as node:
        yield World(found, rows, node, raw)


def _nhs_files(folder: Path) -> Path:
    generate(folder / "raw", seed=SEED, episodes=EPISODES, trusts=TRUSTS, workers=1)
    return folder / "raw"


def _omop_files(folder: Path) -> Path:
    """One of the demonstration's four trusts."""
    split(find_csv(), folder / "all", ("A", "B", "C", "D"))
    (folder / "raw").mkdir()
    (folder / "all" / "A").rename(folder / "raw" / "A")
    return folder / "raw"


def _rows(raw: duckdb.DuckDBPyConnection, name: str) -> list[dict[str, Any]]:
    cursor = raw.execute(f"FROM {name}")
    names = [column[0] for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _load_public(raw: duckdb.DuckDBPyConnection, table: PublicTable) -> None:
    """A public table beside the raw files, once."""
    if raw.execute("FROM duckdb_tables() WHERE table_name = $name", {"name": table.id}).fetchall():
        return
    text = pa.table(
        {column.name: [str(row[place]) for row in table.rows] for place, column in enumerate(table.columns)}
    )
    columns = ", ".join(
        f"CAST({column.name} AS {DUCKDB_TYPES[column.type]}) AS {column.name}" for column in table.columns
    )
    raw.register("given", text)
    raw.execute(f"CREATE TABLE {table.id} AS SELECT {columns} FROM given")
    raw.unregister("given")


def _oracle_macros(catalogue: Catalogue) -> Iterator[str]:
    """Small conveniences of the oracles, from the catalogue's text and plain arithmetic alone."""
    listed = {
        column.name: [item.value for item in column.domain]
        for table in catalogue.tables
        for column in table.columns
        if column.domain and column.type is ColumnType.TEXT
    }
    yield "CREATE TABLE domain (column_name VARCHAR, code VARCHAR)"
    for name, values in listed.items():
        rows = ", ".join(f"('{name}', '{value}')" for value in values)
        yield f"INSERT INTO domain VALUES {rows}"
    yield (
        "CREATE MACRO coded(x, column_name) AS CASE WHEN x IS NULL THEN '<missing>'"
        " WHEN (column_name, x) IN (FROM domain) THEN x ELSE '<other>' END"
    )
    yield (
        "CREATE MACRO five_years(age) AS CASE WHEN age < 0 OR age IS NULL THEN '<missing>' WHEN age >= 90 THEN '90+'"
        " ELSE printf('%d-%d', age // 5 * 5, age // 5 * 5 + 4) END"
    )


def _our_macros() -> Iterator[str]:
    """The functions that DuckDB does not have, as the manual describes them."""
    yield "CREATE MACRO clamp(x, lo, hi) AS CASE WHEN x < lo THEN lo WHEN x > hi THEN hi ELSE x END"
    yield "CREATE MACRO age_band(x) AS CASE WHEN x < 0 THEN NULL ELSE five_years(x) END"
    yield ("CREATE MACRO overlap_days(a, b, c, d) AS greatest(0, date_diff('day', if(a > c, a, c), if(b < d, b, d)))")
    forms = []
    for count in range(1, 9):
        edges = [f"e{place}" for place in range(count)]
        inner = "".join(
            f" WHEN x < {high} THEN {low} || '-' || ({high} - 1)" for low, high in itertools.pairwise(edges)
        )
        form = f"CASE WHEN x < e0 THEN '<' || e0{inner} WHEN x >= {edges[-1]} THEN {edges[-1]} || '+' END"
        forms.append(f"(x, {', '.join(edges)}) AS {form}")
    yield f"CREATE MACRO band {', '.join(forms)}"


# --- tables ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Answer:
    """Rows by key, in order: names of the keys, and figures by name. A figure may be a list of numbers."""

    keys: tuple[str, ...]
    rows: Rows_


def key_text(value: object) -> str:
    """A key as the oracles write it."""
    if value is None:
        return "<missing>"
    if isinstance(value, datetime.datetime):
        return value.date().isoformat()
    if isinstance(value, datetime.date):
        return value.isoformat()
    return str(value).lower() if isinstance(value, bool) else str(value)


def answer_of(table: Table) -> Answer:
    """A read table in the form of the oracles."""
    keys = tuple(column.name for column in table.columns if column.kind == "key")
    rows: dict[tuple[str, ...], dict[str, Any]] = {}
    for row in table.rows:
        named = dict(zip((column.name for column in table.columns), row, strict=True))
        cells = [cell for cell in row if isinstance(cell, KeyCell)]
        key = tuple(cell.text if cell.kind == "value" else f"<{cell.kind}>" for cell in cells)
        assert key not in rows, f"two rows are {key}"
        rows[key] = {name: cell for name, cell in named.items() if name not in keys}
    return Answer(keys, rows)


def differences(asked: Asked, found: Answer, oracle: Answer) -> list[str]:
    """What is not as the oracle says, a line each; a cell that the oracle does not name must be empty."""
    said = []
    if set(found.keys) != set(oracle.keys):
        return [f"keys {found.keys}, the oracle's {oracle.keys}"]
    order = [oracle.keys.index(name) for name in found.keys]
    wanted = {tuple(key[place] for place in order): row for key, row in oracle.rows.items()}
    said += [f"{key}: not in the table" for key in wanted if key not in found.rows]
    if asked.ordered and list(found.rows) != list(wanted):
        said.append(f"order {list(found.rows)}, the oracle's {list(wanted)}")
    for key, row in found.rows.items():
        for name, cell in row.items():
            problem = _differs(cell, name, wanted.get(key), asked.tolerance.get(name, 0.0))
            if problem:
                said.append(f"{key}, {name}: {problem}")
    return said


def _differs(cell: Any, name: str, wanted: Mapping[str, Any] | None, tolerance: float) -> str:
    if wanted is None:
        # Nobody is in the cell: counts and sums are 0, and a ratio over nobody has no value.
        held = [number for number in numbers(cell) if number not in (0, None)]
        return f"{held}, and the oracle has no such cell" if held else ""
    if f"{name}__low" in wanted:
        low, high = float(wanted[f"{name}__low"]) - tolerance, float(wanted[f"{name}__high"]) + tolerance
        value = numbers(cell)[0]
        return "" if value is not None and low <= value <= high else f"{value}, not from {low} to {high}"
    if isinstance(wanted[name], dict):
        parts = ((part, getattr(cell, part), expected) for part, expected in wanted[name].items())
        pairs = [(numbers(found), numbers(expected)) for _, found, expected in parts]
    else:
        pairs = [(numbers(cell), numbers(wanted[name]))]
    same = all(
        len(found) == len(expected) and all(map(_close, found, expected, [tolerance] * len(found)))
        for found, expected in pairs
    )
    return "" if same else "; ".join(f"{found}, the oracle's {expected}" for found, expected in pairs)


def _close(found: Figure, expected: Figure, tolerance: float) -> bool:
    if found is None or expected is None:
        return found is expected
    return math.isclose(found, expected, rel_tol=1e-9, abs_tol=max(tolerance, 1e-9))


def numbers(cell: Any) -> list[Figure]:
    """The numbers in a cell, in order: one for an estimate, several for a list or a histogram."""
    if cell is None or isinstance(cell, Estimate):
        return [cell.value if cell is not None else None]
    if isinstance(cell, int | float | Decimal):
        return [float(cell)]
    if isinstance(cell, Mapping):
        return numbers(list(cell.values()))
    if isinstance(cell, list | tuple):
        return [number for part in cell for number in numbers(part)]
    if dataclasses.is_dataclass(cell):
        parts = [getattr(cell, item.name) for item in dataclasses.fields(cell)]
        return [number for part in parts if isinstance(part, Estimate | tuple) for number in numbers(part)]
    return []


def non_zero(answer: Answer) -> float:
    """Share of numbers that are neither 0 nor missing, over the rows whose keys all have a value."""
    held = [
        number not in (0, None)
        for key, row in answer.rows.items()
        if not {"<other>", "<missing>"} & set(key)
        for cell in row.values()
        for number in numbers(cell)
    ]
    return sum(held) / len(held)
