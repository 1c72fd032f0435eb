"""Grouping keys: where their public values come from, and which cell a row falls in.

A key has a list of values that is known before any data are read, and two more cells: *other* for a value that is not
on the list, *missing* for none. All cells are released, whether or not anybody is in them.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from node_agent.engines.sql import FEW
from tests.factories.catalogues import made_up
from tests.lib.examples import Example, check, compiled
from tests.lib.prepared import DATA_VERSION, RANK_KEY, prepared
from tests.lib.text_tables import read_rows
from trustquery.model import ColumnRef
from trustquery.planning import compile_plan
from trustquery.reference import evaluate

DAYS = """
| pid | day        |
|-----|------------|
| 1   | 2019-12-29 |
| 2   | 2019-12-30 |
| 3   | 2019-12-31 |
| 4   | 2020-01-01 |
| 5   | 2020-01-05 |
| 6   | 2020-01-06 |
| 7   |            |
"""
MOMENTS = """
| pid | at                         |
|-----|----------------------------|
| 1   | 2019-12-31T23:59:59.999999 |
| 2   | 2020-01-01T00:00:00        |
| 3   | 2020-01-31T23:59:59.999999 |
| 4   | 2020-02-01T00:00:00        |
| 5   | 2020-02-01T00:00:00.000001 |
"""
AGES = """
| pid | born |
|-----|------|
| 1   | 2021 |
| 2   | 2020 |
| 3   | 2016 |
| 4   | 2015 |
| 5   | 1931 |
| 6   | 1930 |
| 7   | 1900 |
| 8   |      |
"""

EXAMPLES = [
    Example(
        "A column with a declared list of values",
        "SELECT kind, count(*) AS n FROM event GROUP BY kind",
        """
        | kind    | n |
        |---------|---|
        | 1       | 1 |
        | -3      | 1 |
        | other   | 1 |
        | missing | 1 |
        """,
        {
            "event": """
            | pid | kind |
            |-----|------|
            | 1   | 1    |
            | 2   | -3   |
            | 3   | 99   |
            | 4   |      |
            """
        },
    ),
    Example(
        "A value that is called other is not the other cell",
        "SELECT drug, count(*) AS n FROM dose GROUP BY drug",
        """
        | drug    | n |
        |---------|---|
        | other   | 1 |
        |         | 1 |
        | other   | 1 |
        | missing | 1 |
        """,
        {
            "dose": """
            | pid | drug         |
            |-----|--------------|
            | a   | other        |
            | b   | ''           |
            | c   | paracetamol  |
            | d   |              |
            """
        },
    ),
    Example(
        "Bands are closed below and open above",
        "SELECT band(born, 1931, 2016, 2020) AS b, count(*) AS n FROM person GROUP BY b",
        """
        | b         | n |
        |-----------|---|
        | <1931     | 2 |
        | 1931-2015 | 2 |
        | 2016-2019 | 1 |
        | 2020+     | 2 |
        | missing   | 1 |
        """,
        {"person": AGES},
    ),
    Example(
        "Five-year ages: below 0 is missing, 90 and over is one band",
        "SELECT age_band(2020 - born) AS age, count(*) AS n FROM person GROUP BY age",
        """
        | age     | n |
        |---------|---|
        | 0-4     | 2 |
        | 5-9     | 1 |
        | 85-89   | 1 |
        | 90+     | 2 |
        | missing | 2 |
        """,
        {"person": AGES},
    ),
    Example(
        "A condition",
        "SELECT born < 1950 AS old, count(*) AS n FROM person GROUP BY old",
        """
        | old     | n |
        |---------|---|
        | true    | 3 |
        | false   | 4 |
        | missing | 1 |
        """,
        {"person": AGES},
    ),
    Example(
        "CASE with whole numbers as results",
        "SELECT CASE WHEN born < 1950 THEN 1 WHEN born >= 2020 THEN 2 END AS g, count(*) AS n FROM person GROUP BY g",
        """
        | g       | n |
        |---------|---|
        | 1       | 3 |
        | 2       | 2 |
        | missing | 3 |
        """,
        {"person": AGES},
    ),
    Example(
        "Weeks begin on Monday, also across the end of a year",
        "SELECT date_trunc('week', day) AS w, count(*) AS n FROM event "
        "WHERE day >= DATE '2019-12-29' AND day < DATE '2020-01-07' GROUP BY w",
        """
        | w          | n |
        |------------|---|
        | 2019-12-23 | 1 |
        | 2019-12-30 | 4 |
        | 2020-01-06 | 1 |
        """,
        {"event": DAYS},
    ),
    Example(
        "A range with < leaves its last day out",
        "SELECT day, count(*) AS n FROM event WHERE day >= DATE '2019-12-30' AND day < DATE '2020-01-01' GROUP BY day",
        """
        | day        | n |
        |------------|---|
        | 2019-12-30 | 1 |
        | 2019-12-31 | 1 |
        """,
        {"event": DAYS},
    ),
    Example(
        "BETWEEN holds both its ends",
        "SELECT day, count(*) AS n FROM event WHERE day BETWEEN DATE '2019-12-30' AND DATE '2020-01-01' GROUP BY day",
        """
        | day        | n |
        |------------|---|
        | 2019-12-30 | 1 |
        | 2019-12-31 | 1 |
        | 2020-01-01 | 1 |
        """,
        {"event": DAYS},
    ),
    Example(
        "A range of days over timestamps ends before midnight of the day that < names",
        "SELECT date_trunc('month', at) AS m, count(*) AS n FROM event "
        "WHERE at >= DATE '2020-01-01' AND at < DATE '2020-02-01' GROUP BY m",
        """
        | m          | n |
        |------------|---|
        | 2020-01-01 | 2 |
        """,
        {"event": MOMENTS},
    ),
    Example(
        "BETWEEN two days over timestamps holds midnight of the last day, and nothing after it",
        "SELECT CAST(at AS DATE) AS d, count(*) AS n FROM event "
        "WHERE at BETWEEN DATE '2020-01-31' AND DATE '2020-02-01' GROUP BY d",
        """
        | d          | n |
        |------------|---|
        | 2020-01-31 | 1 |
        | 2020-02-01 | 1 |
        """,
        {"event": MOMENTS},
    ),
    Example(
        "A range of timestamps",
        "SELECT date_trunc('day', at) AS d, count(*) AS n FROM event "
        "WHERE at > TIMESTAMP '2019-12-31 23:00:00' AND at <= TIMESTAMP '2020-01-01 00:00:00' GROUP BY d",
        """
        | d          | n |
        |------------|---|
        | 2019-12-31 | 1 |
        | 2020-01-01 | 1 |
        """,
        {"event": MOMENTS},
    ),
    Example(
        "Years of a range",
        "SELECT year(day) AS y, count(*) AS n FROM event "
        "WHERE day >= DATE '2019-01-01' AND day < DATE '2021-01-01' GROUP BY y",
        """
        | y    | n |
        |------|---|
        | 2019 | 3 |
        | 2020 | 3 |
        """,
        {"event": DAYS},
    ),
    Example(
        "Two keys: every pair of values is a cell",
        "SELECT alive, sex, count(*) AS n FROM person GROUP BY alive, sex",
        """
        | alive   | sex     | n |
        |---------|---------|---|
        | true    | F       | 1 |
        | true    | missing | 1 |
        | missing | other   | 1 |
        """,
        {
            "person": """
            | pid | sex | alive |
            |-----|-----|-------|
            | 1   | F   | true  |
            | 2   |     | true  |
            | 3   | X   |       |
            """
        },
    ),
]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.title)
def test_keys(example: Example, tmp_path: Path) -> None:
    check(example, tmp_path)


@pytest.mark.parametrize(
    ("key", "where", "values"),
    [
        (
            "date_trunc('week', day)",
            "day BETWEEN DATE '2020-12-31' AND DATE '2021-01-04'",
            ["2020-12-28", "2021-01-04"],
        ),
        ("date_trunc('week', day)", "day >= DATE '2020-12-31' AND day < DATE '2021-01-04'", ["2020-12-28"]),
        (
            "date_trunc('month', day)",
            "day >= DATE '2020-01-31' AND day <= DATE '2020-02-29'",
            ["2020-01-01", "2020-02-01"],
        ),
        ("date_trunc('month', day)", "day >= DATE '2020-01-01' AND day < DATE '2020-02-01'", ["2020-01-01"]),
        (
            "date_trunc('quarter', day)",
            "DATE '2019-12-31' <= day AND DATE '2020-04-01' > day",
            ["2019-10-01", "2020-01-01"],
        ),
        ("date_trunc('year', at)", "at >= DATE '2019-12-31' AND at < TIMESTAMP '2020-01-01 00:00:00'", ["2019-01-01"]),
        (
            "date_trunc('year', at)",
            "at >= DATE '2019-12-31' AND at < TIMESTAMP '2020-01-01 00:00:01'",
            ["2019-01-01", "2020-01-01"],
        ),
        ("day", "day = DATE '2020-02-29'", ["2020-02-29"]),
        ("CAST(at AS DATE)", "at >= DATE '2020-02-28' AND at < DATE '2020-03-01'", ["2020-02-28", "2020-02-29"]),
        ("year(day)", "day >= DATE '2019-06-01' AND day < DATE '2022-01-01'", [2019, 2020, 2021]),
        ("quarter(day)", "true", [1, 2, 3, 4]),
        ("isodow(day)", "true", [1, 2, 3, 4, 5, 6, 7]),
        ("hour(at)", "true", list(range(24))),
        ("band(size, -1, 0, 5)", "true", ["<-1", "-1", "0-4", "5+"]),
        ("flag", "true", [True, False]),
        ("coalesce(kind, 0)", "true", [1, 2, -3, 0]),
        ("CASE WHEN flag THEN 'b' ELSE 'a' END", "true", ["b", "a"]),
    ],
)
def test_the_values_of_a_key_are_public_and_in_order(key: str, where: str, values: list[object]) -> None:
    sql = f"SELECT {key} AS k, count(*) FROM event WHERE {where} GROUP BY k"
    _, plan = compiled(Example("", sql, ""))
    assert list(plan.axes[0].values) == values
    assert plan.cells == len(values) + 2


def test_the_whole_calendar_is_in_reach_and_no_more() -> None:
    for first, last, unit, count in [
        ("0001-01-01", "9999-12-31", "year", 9999),
        ("9999-12-01", "9999-12-31", "month", 1),
        ("9999-12-31", "9999-12-31", "day", 1),
        ("0001-01-01", "0001-01-03", "week", 1),
    ]:
        where = f"day BETWEEN DATE '{first}' AND DATE '{last}'"
        sql = f"SELECT date_trunc('{unit}', day) AS k, count(*) FROM event WHERE {where} GROUP BY k"
        _, plan = compiled(Example("", sql, ""))
        assert len(plan.axes[0].values) == count


@pytest.mark.parametrize("size", [FEW - 1, FEW, FEW + 1, 300])
def test_a_long_list_of_values_is_looked_up_like_a_short_one(size: int, tmp_path: Path) -> None:
    """Rows at both ends of the list, beyond them, and without a value; two keys at once."""
    query, _ = compiled(Example("", "SELECT kind, count(*) FROM event GROUP BY kind", ""))
    longer = dataclasses.replace(query.keys[0], expression=ColumnRef("event", "size"), values=tuple(range(size)))
    query = dataclasses.replace(query, keys=(longer, query.keys[0]))
    plan = compile_plan(query, made_up())
    drawn_rows = "\n".join(
        f"| {person} | {value} | 2 |" for person, value in enumerate([0, 1, size - 1, size, -1, "", 2**62])
    )
    tables: dict[str, list[dict[str, Any]]] = {"person": [], "dose": []}
    tables["event"] = read_rows(f"| pid | size | kind |\n{drawn_rows}", made_up().tables[1])
    expected = [0] * plan.length
    for cell, count in [(0, 1), (1, 1), (size - 1, 1), (size, 3), (size + 1, 1)]:
        expected[cell * 5 + 1] = count
    assert evaluate(query, made_up(), tables, rank_key=RANK_KEY, data_version=DATA_VERSION) == expected
    with prepared(tmp_path, made_up(), tables) as store:
        assert store.vector(query, plan) == expected
