"""Which columns are rates, and so have an interval for noise and sampling: `interval_combined`.

A rate is a count over a count or over a number of a public table, times and plus plain numbers, or a sum of such over
rows of a release. Its caveats say how the interval was made.
"""

from __future__ import annotations

import dataclasses
from decimal import Decimal
from pathlib import Path

import pytest

from tests.factories.catalogues import made_up
from trustquery.catalogue import ColumnType
from trustquery.codelists import PublicColumn, PublicTable, PublicTables
from trustquery.language import compile_query
from trustquery.outputs import Estimate, Table, read
from trustquery.planning import compile_plan

AGES = [*(f"{age}-{age + 4}" for age in range(0, 90, 5)), "90+"]
ESP = [5000, 5500, 5500, 5500, 6000, 6000, 6500, 7000, 7000, 7000, 7000, 6500, 6000, 5500, 5000, 4000, 2500, 1500, 1000]
PEOPLE = [
    2833,
    2880,
    2931,
    3010,
    3277,
    3402,
    3355,
    3190,
    3021,
    2874,
    2950,
    3105,
    2811,
    2432,
    2190,
    1733,
    1204,
    702,
    391,
]
EVENTS = [4, 4, 5, 5, 6, 8, 9, 10, 12, 14, 18, 22, 27, 33, 41, 50, 61, 75, 90]
PUBLIC = PublicTables(
    [
        PublicTable(
            "population",
            1,
            "People by age",
            "made up",
            (
                PublicColumn("age_band", ColumnType.TEXT, "age"),
                PublicColumn("people", ColumnType.INTEGER, "people"),
                PublicColumn("weight", ColumnType.NUMBER, "weight"),
            ),
            tuple((age, people, str(weight)) for age, people, weight in zip(AGES, PEOPLE, ESP, strict=True)),
        ),
        PublicTable(
            "side",
            1,
            "Two sides of each sex",
            "made up",
            (PublicColumn("sex", ColumnType.TEXT, "sex"), PublicColumn("side", ColumnType.INTEGER, "side")),
            (("F", 1), ("F", 2), ("M", 1), ("M", 2)),
        ),
    ]
)
RELEASE = (
    "(SELECT age_band(2020 - born) AS band, sex, count(*) AS n, count(*) FILTER (WHERE alive) AS a, "
    "count(DISTINCT pid) AS p FROM person GROUP BY ALL) r"
)
JOINED = f"{RELEASE} JOIN population w ON w.age_band = r.band"
FLAG = "count(*) FILTER (WHERE flag)"

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "read-a-noisy-table.md"

RATES = [
    (f"SELECT {FLAG} / count(*) AS x FROM event", "proportion rows"),
    ("SELECT count(DISTINCT pid) FILTER (WHERE flag) / count(DISTINCT pid) AS x FROM event", "proportion"),
    (f"SELECT round(100.0 * {FLAG} / count(*), 1) AS x FROM event", "proportion rows"),
    (f"SELECT 1 - {FLAG} / count(*) AS x FROM event", "proportion rows"),
    (f"SELECT least(clamp({FLAG} / count(*), 0, 1), 0.5) AS x FROM event", "proportion rows"),
    (f"SELECT CASE WHEN count(*) > 9 THEN {FLAG} / count(*) END AS x FROM event", "proportion rows"),
    (f"SELECT coalesce(nullif({FLAG} / count(*), 0), 1) AS x FROM event", "proportion rows"),
    ("SELECT count(size) / count(*) AS x FROM event", "proportion rows"),
    ("SELECT count(*) FILTER (WHERE size > 2) / count(size) AS x FROM event", "proportion rows"),
    ("SELECT count(size) / count(*) FILTER (WHERE size IS NOT NULL) AS x FROM event", "proportion rows"),
    (
        "SELECT count(*) FILTER (WHERE kind = 1 AND flag) / count(*) FILTER (WHERE flag) AS x FROM event",
        "proportion rows",
    ),
    (
        "SELECT count(*) FILTER (WHERE kind IN (1, 2)) / count(*) FILTER (WHERE kind IN (2, -3, 1)) AS x FROM event",
        "proportion rows",
    ),
    ("SELECT count(*) / count(DISTINCT pid) AS x FROM event", "rate rows"),
    (f"SELECT 12 * {FLAG} / count(DISTINCT pid) AS x FROM event", "rate rows"),
    ("SELECT count(DISTINCT pid) / count(*) AS x FROM event", "ratio rows"),
    (f"SELECT count(*) / {FLAG} AS x FROM event", "ratio rows"),
    ("SELECT count(*) FILTER (WHERE kind = 1) / count(*) FILTER (WHERE kind = 2) AS x FROM event", "ratio rows"),
    # In an outer SELECT.
    (f"SELECT a / n AS x FROM {RELEASE}", "proportion rows"),
    (f"SELECT 1000 * n / people AS x FROM {JOINED}", "rate rows"),
    (f"SELECT n * (1000 / people) AS x FROM {JOINED}", "rate rows"),
    (f"SELECT p / people * weight AS x FROM {JOINED}", "rate"),
    (f"SELECT sum(n / people * weight) AS x FROM {JOINED}", "rate sum rows"),
    (f"SELECT sex, sum(p / people * weight) / sum(weight) AS x FROM {JOINED} GROUP BY sex", "rate sum"),
    (f"SELECT sum(n * weight / people) AS x FROM {JOINED}", "rate sum rows"),
    (f"SELECT sum(a / n * weight) AS x FROM {JOINED}", "proportion sum rows"),
    (f"SELECT avg(a / n) AS x FROM {RELEASE}", "proportion sum rows"),
    (f"SELECT sum(n) / sum(people) AS x FROM {JOINED}", "rate rows"),
    (f"SELECT sum(a) / sum(n) AS x FROM {RELEASE}", "proportion rows"),
    (f"SELECT sum(a) FILTER (WHERE sex = 'F') / sum(n) AS x FROM {RELEASE}", "proportion rows"),
    (f"SELECT sum(a) / sum(n) FILTER (WHERE sex = 'F') AS x FROM {RELEASE}", "ratio rows"),
    (f"SELECT sum(CASE WHEN sex = 'F' THEN a ELSE 0 END) / sum(n) AS x FROM {RELEASE}", "proportion rows"),
    (f"SELECT sum(a) / sum(CASE WHEN sex = 'F' THEN n ELSE 0 END) AS x FROM {RELEASE}", "ratio rows"),
    (f"SELECT x FROM (SELECT x, band FROM (SELECT a / n AS x, band FROM {RELEASE}) s) t ORDER BY x", "proportion rows"),
    (f"SELECT sum(x) AS x FROM (SELECT a / n AS x, sex FROM {RELEASE}) s GROUP BY sex", "proportion sum rows"),
]
NOT_RATES = [
    "SELECT count(*) AS x FROM event",
    "SELECT count(*) / 2 AS x FROM event",
    f"SELECT count(*) - {FLAG} AS x FROM event",
    "SELECT avg(size) AS x FROM event",
    "SELECT sum(size) / count(*) AS x FROM event",
    "SELECT median(size) AS x FROM event",
    "SELECT histogram(size) AS x FROM event",
    "SELECT 1 / count(*) AS x FROM event",
    f"SELECT ({FLAG} + 1) / count(*) AS x FROM event",
    f"SELECT sqrt({FLAG} / count(*)) AS x FROM event",
    f"SELECT ({FLAG} / count(*)) / (count(size) / count(*)) AS x FROM event",
    f"SELECT {FLAG} / count(*) + count(size) / count(*) AS x FROM event",
    f"SELECT n * weight AS x FROM {JOINED}",
    f"SELECT sum(n * weight) / 100000.0 AS x FROM {JOINED}",
    f"SELECT people / n AS x FROM {JOINED}",
    f"SELECT max(a / n) AS x FROM {RELEASE}",
    f"SELECT count(a / n) AS x FROM {RELEASE}",
    f"SELECT weight / people AS x FROM {JOINED}",
]


def table_of(sql: str, values: dict[int, list[int]] | None = None) -> Table:
    """The table of a vector without noise; all 1,000 where no values are given for a block."""
    query = compile_query(sql, made_up(), epsilon=Decimal(1), public=PUBLIC)
    plan = compile_plan(query, made_up(), PUBLIC)
    plan = dataclasses.replace(plan, blocks=tuple(dataclasses.replace(block, sigma=0) for block in plan.blocks))
    merged = [1000] * plan.length
    for place, found in (values or {}).items():
        block = plan.blocks[place]
        merged[block.offset : block.offset + block.length] = found
    return read(query, plan, merged, 1, made_up(), PUBLIC)


@pytest.mark.parametrize(("sql", "how"), RATES)
def test_a_rate_says_how_its_interval_was_made(sql: str, how: str) -> None:
    table = table_of(sql)
    (column,) = [column for column in table.columns if column.name == "x"]
    assert column.rate
    made = [caveat.removeprefix("combined-") for caveat in column.caveats if caveat.startswith("combined-")]
    assert " ".join(made) == how
    assert all(f"| `{caveat}` |" in PAGE.read_text() for caveat in column.caveats)
    place = table.columns.index(column)
    cells = [cell for row in table.rows if isinstance(cell := row[place], Estimate) and cell.value is not None]
    assert cells
    assert all(cell.combined is not None for cell in cells)


@pytest.mark.parametrize("sql", NOT_RATES)
def test_other_columns_have_one_interval(sql: str) -> None:
    table = table_of(sql)
    assert not any(column.rate for column in table.columns)
    assert all(cell.combined is None for row in table.rows for cell in row if isinstance(cell, Estimate))


def ends(sql: str, values: dict[int, list[int]]) -> tuple[float, float, float]:
    """Value and combined interval of the one figure that a query gives, without noise."""
    ((cell,),) = table_of(sql, values).rows
    assert isinstance(cell, Estimate)
    assert cell.value is not None
    assert cell.combined is not None
    assert cell.low == cell.high == cell.value
    return (cell.value, *cell.combined)


def test_without_noise_the_methods_are_those_of_public_health_practice() -> None:
    """Printed by PHStatsMethods 0.1.16 of the Department of Health and Social Care."""
    share = ends(
        "SELECT 100.0 * count(DISTINCT pid) FILTER (WHERE flag) / count(DISTINCT pid) AS x FROM event",
        {0: [65], 1: [6561]},
    )
    assert share == pytest.approx((0.9907026367931717, 0.7780931441768106, 1.2606683348359264), rel=1e-9)
    by_age = "(SELECT age_band(2020 - born) AS band, count(*) AS n FROM person GROUP BY ALL) r"
    joined = f"{by_age} JOIN population w ON w.age_band = r.band"
    rate = ends(f"SELECT 1000 * n / 6561 * weight / weight AS x FROM {joined} WHERE band = '0-4'", {0: [65] + [0] * 20})
    assert rate == pytest.approx((9.907026367931717, 7.6456618976466135, 12.627516925154676), rel=1e-9)
    standard = ends(f"SELECT sum(n / people * weight) AS x FROM {joined}", {0: [*EVENTS, 7, 8]})
    assert standard == pytest.approx((1106.7346070870599, 1010.8916786800855, 1209.1861485794866), rel=1e-9)


def test_a_sum_of_rates_of_the_same_people_has_no_combined_interval() -> None:
    """A join that gives each cell twice: the same rate twice is followed, two rates of one cell are not."""
    doubled = f"{RELEASE} JOIN side s ON s.sex = r.sex"
    same = f"SELECT sum(CASE WHEN side = 1 THEN a / n ELSE 2 * (a / n) END) AS x FROM {doubled}"
    (one,) = table_of(f"SELECT 3 * sum(a / n) AS x FROM {RELEASE} WHERE sex IN ('F', 'M')").rows[0]
    (other,) = table_of(same).rows[0]
    assert isinstance(one, Estimate)
    assert isinstance(other, Estimate)
    assert other.combined == pytest.approx(one.combined)
    mixed = table_of(f"SELECT sum(CASE WHEN side = 1 THEN a / n ELSE p / n END) AS x FROM {doubled}")
    assert mixed.columns[0].rate
    (cell,) = mixed.rows[0]
    assert isinstance(cell, Estimate)
    assert (cell.value is not None, cell.combined) == (True, None)
