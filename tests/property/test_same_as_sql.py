"""What we accept means what DuckDB itself would take it to mean: precedence, NULLs, and every construct.

Texts without parentheses around their parts are compiled by us and run as written by DuckDB on plain rows, with bounds
that nobody reaches. Rows are tame here (no NaN, no infinity, small numbers): on those our total functions and SQL's own
agree by definition. Functions that are ours alone are left out (``clamp``, ``band``, ``hour_of_week`` …), and the few
that the manual says to differ: ``greatest`` and ``least`` of NULL, ``concat`` of NULL, weeks in ``date_diff``.
"""

from __future__ import annotations

import datetime
import random
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import duckdb
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.factories.catalogues import made_up
from tests.lib.prepared import DATA_VERSION, RANK_KEY
from tests.property.budgets import examples
from trustquery.catalogue import ColumnType, Role
from trustquery.errors import TrustQueryError
from trustquery.language import compile_query
from trustquery.reference import evaluate

TAME: dict[ColumnType, list[Any]] = {
    ColumnType.INTEGER: [-3, -1, 0, 1, 2, 3, None],
    ColumnType.NUMBER: [-1.5, -1.0, 0.0, 0.5, 1.0, 2.0, None],
    ColumnType.TEXT: ["", "a", "b", "ab", "B", None],
    ColumnType.DATE: [datetime.date(2020, 1, 1), datetime.date(2020, 2, 29), datetime.date(2019, 12, 31), None],
    ColumnType.TIMESTAMP: [datetime.datetime(2020, 1, 1), datetime.datetime(2020, 2, 29, 23, 59, 59), None],
    ColumnType.BOOLEAN: [True, False, None],
}
NUMBERS = [
    "kind",
    "size",
    "amount",
    "cost",
    "total",
    "0",
    "1",
    "2.5",
    "-1",
    "- cost",
    "NULL",
    'hour("at")',
    "month(day)",
    "week(day)",
    "dayofyear(day)",
    'minute("at")',
    "length(code)",
    "sign(cost)",
    "ceil(cost)",
    "round(cost)",
    "CAST(cost AS INTEGER)",
    "CAST(flag AS INTEGER)",
    "(kind // 2)",  # of fractions DuckDB keeps a fraction, and ours does not
    "size % 2",
    "day - DATE '2020-01-01'",
    "date_diff('month', day, \"at\")",
]
TEXTS = ["code", "'a'", "''", "'B'", "left(code, 1)", "right(code, 1)", "substr(code, 2, 1)", "NULL"]
TEXTS += ["code || 'b'", "upper(code)", "lower(code)", "trim(code)"]
DATES = [
    "day",
    'CAST("at" AS DATE)',
    "DATE '2020-01-01'",
    "date_trunc('month', day)",
    "date_trunc('week', \"at\")",
    '"at"',
    "day + INTERVAL 1 MONTH",
    '"at" - INTERVAL 30 MINUTE',
    "day + 1",
    "day - 30",
    "last_day(day)",
    "CAST(day AS TIMESTAMP)",
]
FLAGS = ["flag", "true", "false", "NULL", "starts_with(code, 'a')", "code LIKE 'a%'", "code NOT LIKE '_b'"]
FLAGS += ["contains(code, 'b')", "ends_with(code, 'b')", "kind IS DISTINCT FROM size", "code IS NOT DISTINCT FROM 'a'"]


def tame_rows(seed: int) -> list[dict[str, Any]]:
    """Sixty events of sixty people."""
    source = random.Random(seed)
    table = made_up().table("event")
    assert table is not None
    rows = [{column.name: source.choice(TAME[column.type]) for column in table.columns} for _ in range(60)]
    # A sum holds every value to the catalogue's bounds, which SQL knows nothing of: amounts are from 0 to 100.
    within = [source.choice([0.0, 0.5, 1.0, 2.0, None]) for _ in rows]
    return [row | {"pid": place, "amount": within[place]} for place, row in enumerate(rows)]


ROWS = tame_rows(7)


@pytest.fixture(scope="module")
def plain() -> Iterator[duckdb.DuckDBPyConnection]:
    """The rows as an ordinary table."""
    types = {ColumnType.INTEGER: "BIGINT", ColumnType.NUMBER: "DOUBLE", ColumnType.TEXT: "VARCHAR"}
    table = made_up().table("event")
    assert table is not None
    columns = ", ".join(
        f'"{column.name}" {types.get(column.type, str(column.type).upper())}' for column in table.columns
    )
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE event ({columns})")
        places = ", ".join("?" for _ in table.columns)
        connection.executemany(f"INSERT INTO event VALUES ({places})", [list(row.values()) for row in ROWS])
        yield connection


@st.composite
def numbers(draw: st.DrawFn) -> str:
    words = [draw(st.sampled_from(NUMBERS))]
    for _ in range(draw(st.integers(0, 2))):
        words += [draw(st.sampled_from(["+", "-", "*"])), draw(st.sampled_from(NUMBERS))]
    return " ".join(words)


@st.composite
def comparisons(draw: st.DrawFn) -> str:
    kind = draw(st.sampled_from([numbers(), st.sampled_from(TEXTS), st.sampled_from(DATES), st.sampled_from(FLAGS)]))
    left, right, third = draw(kind), draw(kind), draw(kind)
    literal = {"0": "0", "'": "'a'"}.get(left[0], "1")
    return draw(
        st.sampled_from(
            [
                *(f"{left} {operator} {right}" for operator in ("=", "<>", "!=", "<", "<=", ">", ">=")),
                f"{left} IS NULL",
                f"{left} IS NOT NULL",
                f"{left} BETWEEN {right} AND {third}",
                f"{left} NOT BETWEEN {right} AND {third}",
                f"{left} IN ({literal}, {literal})",
                f"{left} NOT IN ({literal})",
                f"coalesce({left}, {right}) = {third}",
                f"nullif({left}, {right}) IS NULL",
                f"CASE {left} WHEN {right} THEN flag ELSE true END",
                f"CASE WHEN {left} = {right} THEN {third} END IS NULL",
                f"if({left} < {right}, flag, false)",
                left,
            ]
        )
    )


@st.composite
def conditions(draw: st.DrawFn) -> str:
    words = [draw(comparisons())]
    for _ in range(draw(st.integers(0, 3))):
        words += [
            draw(st.sampled_from(["AND", "OR"])),
            draw(st.sampled_from(["", "", "NOT ", "NOT NOT "])) + draw(comparisons()),
        ]
    if draw(st.integers(0, 3)) == 3:
        place = draw(st.integers(0, len(words) // 2)) * 2
        words[place:] = ["(" + " ".join(words[place:]) + ")"]
    text = " ".join(words)
    return draw(
        st.sampled_from([text, f"NOT {text}", f"({text}) IS TRUE", f"({text}) IS NOT FALSE", f"({text}) IS NULL"])
    )


def ours(sql: str) -> list[int]:
    """The exact vector of our reading of the text; a text with a type error is no example."""
    try:
        query = compile_query(sql, made_up(), epsilon=Decimal(1), max_rows_per_group=1000)
    except TrustQueryError as error:
        assume(error.code not in ("query-type", "query-literal", "query-syntax"))
        raise
    rows = {"event": ROWS, "person": [], "dose": []}
    return evaluate(query, made_up(), rows, rank_key=RANK_KEY, data_version=DATA_VERSION)


@examples(ci=60, full=5_000)
@given(condition=conditions())
def test_a_condition(condition: str, plain: duckdb.DuckDBPyConnection) -> None:
    sql = (
        f"SELECT count(*), count(*) FILTER (WHERE {condition}), count(CASE WHEN {condition} THEN 1 END) "
        f"FROM event WHERE {condition}"
    )
    counts = ours(sql)
    try:
        found = plain.execute(sql).fetchall()
    except duckdb.ParserException:  # LIKE and BETWEEN side by side: our parser reads more than DuckDB's
        assume(False)
    assert counts == list(found[0]), sql


@examples(ci=60, full=5_000)
@given(number=numbers(), bounds=st.sampled_from(["-2, 3", "0, 1", "-1, 100"]))
def test_a_number(number: str, bounds: str, plain: duckdb.DuckDBPyConnection) -> None:
    low, high = bounds.split(", ")
    (total,) = ours(f"SELECT sum(clamp({number}, {low}, {high})) FROM event")
    clamped = f"CASE WHEN v IS NULL THEN NULL ELSE greatest({low}, least({high}, v)) END"
    statement = f"SELECT sum({clamped}) FROM (SELECT {number} AS v FROM event)"
    ((found,),) = plain.execute(statement).fetchall()
    # Tame values are multiples of 1/256 or whole, so that fixed point is exact at either precision.
    assert total in (float(found or 0), 256 * float(found or 0)), statement


def test_columns_used_here_are_there() -> None:
    table = made_up().table("event")
    assert table is not None
    assert {column.type for column in table.columns if column.role is not Role.PERSON_KEY} == set(ColumnType)
