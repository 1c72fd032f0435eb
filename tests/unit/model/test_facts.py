"""What is known of an expression before data are read: type, interval, values, and whether it depends on the person."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest

from tests.factories.catalogues import made_up
from trustquery.catalogue import ColumnType
from trustquery.codelists import PublicTables
from trustquery.language import compile_query
from trustquery.language.types import Info
from trustquery.model.facts import infer
from trustquery.model.scope import Tables, rows_of
from trustquery.model.terms import Bound


def facts(expression: str) -> Info:
    """Facts of an expression over an event, its person and a dose."""
    sql = f"SELECT count({expression}) FROM event e JOIN person p ON p.pid = e.pid JOIN dose d ON d.pid = e.pid"
    query = compile_query(sql, made_up(), epsilon=Decimal(1))
    scope = rows_of(query.relation, Tables(made_up(), PublicTables()), lambda *_, **__: pytest.fail("a problem")).scope
    argument = query.aggregates[0].argument
    assert argument is not None
    return infer(argument, scope, lambda *_, **__: pytest.fail("a problem"))


INTERVALS = [
    ("e.size", -5, 5, True),
    ("e.amount", 0, 100, False),
    ("e.cost", None, None, False),
    ("e.size + e.amount", -5, 105, False),
    ("e.size + e.size", -10, 10, True),
    ("e.size - e.amount", -105, 5, False),
    ("e.size * e.size", -25, 25, True),
    ("e.size * e.cost", None, None, False),
    ("e.amount / 4", 0, 25, False),
    ("e.amount / e.size", None, None, False),
    ("e.amount / (e.size + 6)", 0, 100, False),
    ("e.amount / -2", -50, 0, False),
    ("- e.amount", -100, 0, False),
    ("abs(e.size)", 0, 5, True),
    ("abs(e.size + 10)", 5, 15, True),
    ("abs(e.cost)", None, None, False),
    ("floor(e.amount / 3)", 0, 33, True),
    ("floor(e.cost)", None, None, True),
    ("clamp(e.cost, -1, 1)", -1, 1, False),
    ("clamp(e.size, 0, 100)", 0, 5, True),
    ("clamp(e.size, 10, 100)", 10, 10, True),
    ("clamp(e.size, 0, 2.5)", 0, Fraction(5, 2), False),
    ("coalesce(e.size, 7)", -5, 7, True),
    ("coalesce(e.size, e.cost)", None, None, False),
    ("CASE WHEN e.flag THEN e.size ELSE 0.5 END", -5, 5, False),
    ("CASE WHEN e.flag THEN 2 END", 2, 2, True),
    ("nullif(e.size, 0)", -5, 5, True),
    ("year(e.day)", 1, 9999, True),
    ("hour(e.at)", 0, 23, True),
    ("date_diff('day', e.day, e.at)", None, None, True),
    ("e.size // 2", -2, 2, True),
    ("e.amount // e.size", None, None, True),
    ("e.amount // 3", 0, 33, True),
    ("e.size % 3", -2, 2, True),
    ("e.amount % 3", 0, 3, False),
    ("e.amount % e.cost", 0, 100, False),
    ("e.cost % 7", -7, 7, False),
    ("e.cost % e.cost", None, None, False),
    ("ceil(e.amount / 3)", 0, 34, True),
    ("round(e.amount / 3)", 0, 33, True),
    ("round(e.amount / 3, 1)", 0, Fraction(333, 10), False),
    ("round(e.size / 2)", -3, 3, True),
    ("sign(e.cost)", -1, 1, True),
    ("sqrt(e.amount)", 0, 10, False),
    ("sqrt(e.size + 7)", 1, 4, False),
    ("sqrt(e.cost)", 0, None, False),
    ("greatest(e.size, e.amount)", 0, 100, False),
    ("greatest(e.cost, 0)", 0, None, False),
    ("least(e.size, e.amount)", -5, 5, False),
    ("least(e.cost, 9)", None, 9, False),
    ("least(greatest(e.cost, 0), 9)", 0, 9, False),
    ("CAST(e.amount / 3 AS INTEGER)", 0, 33, True),
    ("CAST(e.code AS INTEGER)", None, None, True),
    ("CAST(e.flag AS INTEGER)", 0, 1, True),
    ("CAST(e.size AS DOUBLE)", -5, 5, True),
    ("CAST(e.code AS DOUBLE)", None, None, False),
    ("CAST(e.flag AS DOUBLE)", 0, 1, True),
    ("minute(e.at)", 0, 59, True),
    ("hour_of_week(e.at)", 1, 168, True),
    ("week(e.day)", 1, 53, True),
    ("dayofyear(e.day)", 1, 366, True),
    ("age_years(e.day, e.at)", 0, None, True),
    ("overlap_days(e.day, e.at, e.day, e.at)", 0, None, True),
    ("overlap_days(e.day, e.at, DATE '2020-02-01', DATE '2020-03-01')", 0, 29, True),
    ("overlap_days(DATE '2020-02-01', DATE '2020-01-01', e.day, e.at)", 0, 0, True),
    ("date_diff('week', e.day, e.at)", None, None, True),
    ("length(e.code)", 0, None, True),
    ("length(d.drug)", 0, 7, True),
    ("2020 - p.born", -10, 120, True),
    ("0.1 + 0.2", Fraction(3, 10), Fraction(3, 10), False),
]


@pytest.mark.parametrize(("expression", "lo", "hi", "whole"), INTERVALS)
def test_intervals(expression: str, lo: Fraction | int | None, hi: Fraction | int | None, whole: bool) -> None:
    found = facts(expression)
    assert (found.lo, found.hi, found.integral) == (lo, hi, whole)


VALUES = [
    ("e.kind", (1, 2, -3)),
    ("e.code", None),
    ("e.flag", (True, False)),
    ("e.size > 1", (True, False)),
    ("band(e.cost, 0, 1, 5)", ("<0", "0", "1-4", "5+")),
    ("quarter(e.day)", (1, 2, 3, 4)),
    ("year(e.day)", None),
    ("left(d.drug, 1)", ("a", "o", "")),
    ("right(d.drug, 2)", ("in", "er", "")),
    ("substr(d.drug, 2, 2)", ("sp", "th", "")),
    ("upper(d.drug)", ("ASPIRIN", "OTHER", "")),
    ("lower(e.code)", None),
    ("trim(d.drug)", ("aspirin", "other", "")),
    (
        "p.sex || '/' || d.drug",
        ("F/aspirin", "F/other", "F/", "M/aspirin", "M/other", "M/", "é/aspirin", "é/other", "é/"),
    ),
    ("p.sex || e.code", None),
    ("length(d.drug)", (7, 5, 0)),
    ("least(e.kind, 1)", (1, -3)),
    ("greatest(e.kind, e.size)", None),
    ("sign(e.cost)", (-1, 0, 1)),
    ("CAST(e.kind AS INTEGER)", (1, 2, -3)),
    ("CAST(e.flag AS INTEGER)", (0, 1)),
    ("hour_of_week(e.at)", tuple(range(1, 169))),
    ("minute(e.at)", tuple(range(60))),
    ("week(e.day)", tuple(range(1, 54))),
    ("e.code LIKE 'E%'", (True, False)),
    ("CASE WHEN e.flag THEN 'b' ELSE 'a' END", ("b", "a")),
    ("CASE WHEN e.flag THEN 2 WHEN e.size > 1 THEN 1 ELSE 2 END", (2, 1)),
    ("CASE WHEN e.flag THEN 1 ELSE 2.5 END", None),
    ("CASE WHEN e.flag THEN e.kind ELSE 0 END", (1, 2, -3, 0)),
    ("CASE WHEN e.flag THEN e.code ELSE 'a' END", None),
    ("coalesce(d.drug, 'none')", ("aspirin", "other", "", "none")),
    ("e.kind + 1", None),
]


@pytest.mark.parametrize(("expression", "values"), VALUES)
def test_public_values(expression: str, values: tuple[object, ...] | None) -> None:
    assert facts(expression).values == values


PERSON = [
    ("p.sex", True),
    ("p.born + 1", True),
    ("1", True),
    ("e.kind", False),
    ("p.born + e.size", False),
    ("CASE WHEN e.flag THEN p.sex END", False),
    ("coalesce(p.sex, 'x')", True),
    ("band(e.size, 0)", False),
    ("date_diff('day', p.joined, e.day)", False),
    ("p.joined + INTERVAL 1 YEAR", True),
    ("age_years(p.joined, e.day)", False),
    ("round(e.cost, 1)", False),
    ("p.sex LIKE 'F%'", True),
]


@pytest.mark.parametrize(("expression", "alone"), PERSON)
def test_what_depends_on_the_person_alone(expression: str, alone: bool) -> None:
    assert facts(expression).person_only is alone


TYPES = [
    ("e.size + e.size", ColumnType.NUMBER),
    ("coalesce(e.size, e.total)", ColumnType.INTEGER),
    ("coalesce(e.size, e.cost)", ColumnType.NUMBER),
    ("coalesce(e.day, e.at)", ColumnType.TIMESTAMP),
    ("CAST(e.at AS DATE)", ColumnType.DATE),
    ("date_trunc('month', e.at)", ColumnType.DATE),
    ("month(e.day)", ColumnType.INTEGER),
    ("left(e.code, 2)", ColumnType.TEXT),
    ("e.day + 30", ColumnType.DATE),
    ("e.day + INTERVAL 1 MONTH", ColumnType.DATE),
    ("e.day + INTERVAL 1 HOUR", ColumnType.TIMESTAMP),
    ("e.at - INTERVAL 1 MONTH", ColumnType.TIMESTAMP),
    ("coalesce(e.day, e.at) + INTERVAL 1 DAY", ColumnType.TIMESTAMP),
    ("coalesce(e.day, NULL) + 1", ColumnType.DATE),
    ("CASE WHEN e.flag THEN e.day END - DATE '2020-01-01'", ColumnType.NUMBER),
    ("greatest(e.day, p.joined) - 1", ColumnType.DATE),
    ("last_day(e.at) + 1", ColumnType.DATE),
    ("CAST(e.code AS TIMESTAMP)", ColumnType.TIMESTAMP),
    ("CAST(e.code AS INTEGER)", ColumnType.INTEGER),
    ("greatest(e.size, e.cost)", ColumnType.NUMBER),
    ("least(e.day, e.at)", ColumnType.TIMESTAMP),
    ("e.code || 'x'", ColumnType.TEXT),
    ("e.code IS DISTINCT FROM 'x'", ColumnType.BOOLEAN),
    ("e.flag IS NULL", ColumnType.BOOLEAN),
]


@pytest.mark.parametrize(("expression", "type"), TYPES)
def test_types(expression: str, type: ColumnType) -> None:
    assert facts(expression).type is type


DEFAULTS = [
    ("SELECT count(*) FROM event", 1, 4),  # one cell holds what would else be spread over two
    ("SELECT kind, count(*) FROM event GROUP BY kind", 2, 2),
    ("SELECT sex, count(*) FROM person GROUP BY sex", 1, 1),
    ("SELECT p.sex, count(*) FROM event e JOIN person p USING (pid) GROUP BY 1", 1, 4),  # all rows fall in one cell
    ("SELECT e.kind, count(*) FROM event e JOIN dose d USING (pid) GROUP BY 1", 3, 2),
    ("SELECT p.sex, count(*) FROM event e LEFT JOIN person p USING (pid) GROUP BY 1", 1, 4),
    # Missing for some of a person's events and there for others, so that a person may be in two cells.
    ("SELECT p.sex, count(*) FROM event e LEFT JOIN person p ON p.pid = e.pid AND e.flag GROUP BY 1", 2, 2),
    ("SELECT p.sex, count(*) FROM event e JOIN person p ON p.pid = e.pid AND e.flag GROUP BY 1", 1, 4),
    ("SELECT e.kind, p.sex, count(*) FROM event e JOIN person p USING (pid) GROUP BY 1, 2", 2, 2),
]


@pytest.mark.parametrize(("sql", "groups", "rows"), DEFAULTS)
def test_default_contribution_bounds(sql: str, groups: int, rows: int) -> None:
    query = compile_query(sql, made_up(), epsilon=Decimal(1))
    assert query.terms[0].bound == Bound("rows", groups, rows)
