"""How a merged vector is read: estimates, their 95 % intervals, and the cells that are no value."""

from __future__ import annotations

import dataclasses
import math
from decimal import Decimal

import pytest

from audits.statistics import binomial_range
from tests.factories.catalogues import made_up
from trustquery.errors import TrustQueryError
from trustquery.language import compile_query
from trustquery.model import Query
from trustquery.outputs import Estimate, KeyCell, read
from trustquery.outputs.reading import Z95, ratio
from trustquery.planning import Plan, compile_plan
from trustquery.privacy.noise import add_noise

FALSE_ALARM = 1e-7
"""Of one test that the noise makes fail although the code is right."""


def asked(sql: str, epsilon: str = "1") -> tuple[Query, Plan]:
    query = compile_query(sql, made_up(), epsilon=Decimal(epsilon))
    return query, compile_plan(query, made_up())


def wide(days: int, what: str) -> tuple[Query, Plan]:
    """One cell a day over ``days`` days, so that one draw of noise gives as many samples."""
    last = f"DATE '2000-01-01' AND DATE '{2000 + days // 366}-12-31'"
    return asked(f"SELECT day, {what} FROM event WHERE day BETWEEN {last} GROUP BY day")


def estimates(query: Query, plan: Plan, merged: list[int], trusts: int) -> list[Estimate]:
    table = read(query, plan, merged, trusts, made_up())
    return [cell for row in table.rows for cell in row if isinstance(cell, Estimate)]


@pytest.mark.parametrize("trusts", [1, 4])
def test_the_interval_of_a_count_covers_it_95_times_in_100(trusts: int) -> None:
    """Merged over k trusts, the noise of k trusts is in it. False alarms: FALSE_ALARM, from the binomial law."""
    query, plan = wide(2000, "count(*) AS n")
    truth = [7] * plan.length
    merged = [0] * plan.length
    for _ in range(trusts):
        merged = [one + other for one, other in zip(merged, add_noise(truth, plan), strict=True)]
    found = estimates(query, plan, merged, trusts)
    covered = sum(
        cell.low <= 7 * trusts <= cell.high for cell in found if cell.low is not None and cell.high is not None
    )
    # The noise is on whole numbers, so that the interval's true level is that of the whole numbers inside it.
    sigma = plan.blocks[0].sigma_float * math.sqrt(trusts)
    first = found[0]
    assert first.value is not None
    assert first.high is not None
    level = math.erf((math.floor(first.high - first.value) + 0.5) / sigma / math.sqrt(2))
    assert 0.95 <= level <= 0.96
    low, high = binomial_range(len(found), level, FALSE_ALARM)
    assert low <= covered <= high


@pytest.mark.parametrize(
    ("top", "bottom"),
    [(3000, 1000), (0, 1000), (-5000, 900), (40_000, 600)],
)
def test_the_interval_of_a_ratio_covers_it_95_times_in_100(top: int, bottom: int) -> None:
    """Fieller's interval, where the denominator is clear of zero. False alarms: FALSE_ALARM."""
    query, plan = wide(2000, "avg(clamp(cost, -100, 100)) AS mean")
    scale = 2 ** plan.blocks[0].fraction_bits
    truth = [top * scale] * plan.cells + [bottom] * plan.cells
    found = estimates(query, plan, add_noise(truth, plan), 1)
    known = [cell for cell in found if cell.value is not None]
    assert len(known) == len(found)
    covered = sum(
        cell.low <= top / bottom <= cell.high for cell in known if cell.low is not None and cell.high is not None
    )
    low, high = binomial_range(len(found), 0.95, FALSE_ALARM)
    assert low <= covered <= high


def test_a_ratio_over_about_nothing_has_no_value() -> None:
    """A threshold: told from zero at 95 % means above Z95 standard deviations."""
    edge = Z95 * 10
    assert ratio((5, 1), (edge * 0.999, 10)) == Estimate(None)
    assert ratio((5, 1), (edge, 10)) == Estimate(None)
    assert ratio((5, 1), (edge * 1.001, 10)).value is not None
    assert ratio((5, 1), (0, 10)) == Estimate(None)
    assert ratio((5, 1), (-1000, 10)) == Estimate(None)


def test_a_ratios_interval_holds_its_value_and_is_the_known_one() -> None:
    """Worked by hand for s = 10 ± 1, n = 5 ± 0.5 and z = 1.96: (50 ± sqrt(2500 - 24.040·96.158)) / 24.040."""
    found = ratio((10, 1), (5, 0.5))
    assert found.value == 2
    assert found.low == pytest.approx(1.5090, abs=1e-4)
    assert found.high == pytest.approx(2.6508, abs=1e-4)


def test_every_cell_is_a_row_in_order_with_other_and_missing() -> None:
    query, plan = asked("SELECT sex, alive, count(*) AS n FROM person GROUP BY sex, alive")
    table = read(query, plan, list(range(plan.length)), 2, made_up())
    keys = [tuple(cell.text for cell in row if isinstance(cell, KeyCell)) for row in table.rows]
    sexes, states = ["F", "M", "é", "other", "missing"], ["true", "false", "other", "missing"]
    assert keys == [(sex, state) for sex in sexes for state in states]
    assert [row[2].value for row in table.rows if isinstance(row[2], Estimate)] == list(range(20))
    first = table.rows[0][0]
    assert isinstance(first, KeyCell)
    assert first == KeyCell("value", "F", "Female")


def test_estimates_are_not_clamped_and_large_integers_are_read() -> None:
    query, plan = asked("SELECT count(*) AS n FROM person")
    (negative,) = estimates(query, plan, [-12], 1)
    (large,) = estimates(query, plan, [2**64], 200)
    assert negative.value == -12
    assert large.value == 2.0**64


def test_columns_say_what_to_know_about_them() -> None:
    query, plan = asked("SELECT sex, count(DISTINCT pid) AS people, avg(score) AS mean FROM person GROUP BY sex")
    columns = read(query, plan, [0] * plan.length, 1, made_up()).columns
    assert [(column.name, column.kind, column.type) for column in columns] == [
        ("sex", "key", "text"),
        ("people", "estimate", "number"),
        ("mean", "estimate", "number"),
    ]
    assert columns[1].caveats == ("noise-only-interval", "person-counted-once-per-trust", "contribution-bounded")
    assert columns[2].caveats == ("noise-only-interval", "contribution-bounded")


@pytest.mark.parametrize(("length", "trusts"), [(0, 1), (2, 1), (1, 0), (1, -1)])
def test_a_vector_that_does_not_fit_the_plan_is_refused(length: int, trusts: int) -> None:
    query, plan = asked("SELECT count(*) AS n FROM person")
    with pytest.raises(TrustQueryError) as caught:
        read(query, plan, [0] * length, trusts, made_up())
    assert caught.value.problem.fields == {"incident": "merged-shape"}


def test_another_plan_is_not_read_by_mistake() -> None:
    query, plan = asked("SELECT sex, count(*) AS n FROM person GROUP BY sex")
    longer = dataclasses.replace(plan, blocks=plan.blocks * 2)
    with pytest.raises(TrustQueryError):
        read(query, longer, [0] * plan.length, 1, made_up())
