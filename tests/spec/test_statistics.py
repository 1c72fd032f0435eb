"""Variance, quantiles, histograms and survival tables: exact before noise, on every evaluator.

A result without noise is what the formulas give of the exact bounded figures; with noise each figure moves by its own.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lib.examples import Example, check, compiled
from trustquery.planning.plan import SIGMA_UNIT

EVENTS = """
| pid | kind | size | amount | cost | flag  |
|-----|------|------|--------|------|-------|
| 1   | 1    | 1    | 10     | 0.5  | true  |
| 2   | 1    | 2    | 20     | 1.0  | false |
| 3   | 1    | 4    | 30     | 1.5  | true  |
| 4   | 2    | -5   | 100    | 9.0  | true  |
| 5   | 2    | 5    | 0      | -1.0 | false |
| 6   | 2    |      |        |      | true  |
"""
EXAMPLES = [
    Example(
        "The sample variance and standard deviation divide by n - 1; missing values are left out",
        "SELECT kind, var_samp(size) AS v, round(stddev_samp(amount), 1) AS s FROM event "
        "GROUP BY kind HAVING count(size) > 0",
        """
        | kind | v   | s      |
        |------|-----|--------|
        | 1    | 7/3 | 10     |
        | 2    | 50  | 707/10 |
        """,
        {"event": EVENTS},
    ),
    Example(
        "A variance of one value, or of none, has no value; variance and stddev are the same functions",
        "SELECT kind, variance(size) AS v, stddev(size) AS s FROM event WHERE size = 5 GROUP BY kind",
        """
        | kind    | v    | s    |
        |---------|------|------|
        | 1       | none | none |
        | 2       | none | none |
        | -3      | none | none |
        | other   | none | none |
        | missing | none | none |
        """,
        {"event": EVENTS},
    ),
    Example(
        "Quantiles of whole numbers are whole numbers: the smallest at which the share is reached",
        "SELECT median(size) AS m, quantile_cont(size, 0.25) AS q, quantile_cont(size, 1) AS most FROM event",
        """
        | m | q | most |
        |---|---|------|
        | 2 | 1 | 5    |
        """,
        {"event": EVENTS},
    ),
    Example(
        "WITHIN GROUP is another spelling; FILTER says which rows",
        "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY size) AS one, "
        "median(size) FILTER (WHERE kind = 1) AS two FROM event",
        """
        | one | two |
        |-----|-----|
        | 2   | 2   |
        """,
        {"event": EVENTS},
    ),
    Example(
        "Quantiles of other numbers are linear inside one of 128 bins over the bounds",
        "SELECT round(median(amount), 2) AS m FROM event WHERE kind = 1",
        """
        | m       |
        |---------|
        | 498/25  |
        """,
        {"event": EVENTS},
    ),
    Example(
        "A histogram has a row for each bin of each cell, with the user's edges: half-open, and open at both ends",
        "SELECT histogram(cost, [0, 1, 1.5]) AS h FROM event",
        """
        | h_bin    | h |
        |----------|---|
        | <0       | 1 |
        | [0, 1)   | 1 |
        | [1, 1.5) | 1 |
        | >=1.5    | 2 |
        """,
        {"event": EVENTS},
    ),
    Example(
        "Without edges the bins come from the bounds: one a whole number; keys and counts stand beside it",
        "SELECT kind, histogram(clamp(size, 0, 2)) FILTER (WHERE size IS NOT NULL) AS h, count(*) AS n FROM event "
        "GROUP BY kind HAVING n > 0",
        """
        | kind | h_bin | h | n |
        |------|-------|---|---|
        | 1    | 0     | 0 | 3 |
        | 1    | 1     | 1 | 3 |
        | 1    | 2     | 2 | 3 |
        | 2    | 0     | 1 | 3 |
        | 2    | 1     | 0 | 3 |
        | 2    | 2     | 1 | 3 |
        """,
        {"event": EVENTS},
    ),
    Example(
        "Whole numbers between whole edges are named by what they hold",
        "SELECT histogram(size, [0, 3, 4]) AS h FROM event",
        """
        | h_bin | h |
        |-------|---|
        | <0    | 1 |
        | 0-2   | 2 |
        | 3     | 0 |
        | >=4   | 2 |
        """,
        {"event": EVENTS},
    ),
    Example(
        "Survival: at risk at the start of each bin, events in it, and the share without event at its end",
        "SELECT survival(amount, flag, [10, 20, 30]) AS s FROM event",
        """
        | s_bin    | s_at_risk | s_events | s_survival |
        |----------|-----------|----------|------------|
        | <10      | 5         | 0        | 1          |
        | [10, 20) | 4         | 1        | 3/4        |
        | [20, 30) | 3         | 0        | 3/4        |
        | >=30     | 2         | 2        | 0          |
        """,
        {"event": EVENTS},
    ),
    Example(
        "An event that is not known is neither an event nor a censored time: the row is left out",
        "SELECT survival(size, nullif(flag, false)) AS s FROM event WHERE size BETWEEN 1 AND 2 ORDER BY s_bin LIMIT 1",
        """
        | s_bin | s_at_risk | s_events | s_survival |
        |-------|-----------|----------|------------|
        | -5    | 1         | 0        | 1          |
        """,
        {"event": EVENTS},
    ),
    Example(
        "A histogram keeps the same rows as a count: the R of lowest rank in the G cells of lowest rank",
        "SELECT kind, count(size) AS n, histogram(size, [0]) AS h FROM event GROUP BY kind HAVING n > 0",
        """
        | kind | n | h_bin | h |
        |------|---|-------|---|
        | 1    | 2 | <0    | 0 |
        | 1    | 2 | >=0   | 2 |
        """,
        {
            "event": """
            | pid | kind | size |
            |-----|------|------|
            | 1   | 1    | 1    |
            | 1   | 1    | 2    |
            | 1   | 1    | 3    |
            """
        },
        max_groups_per_person=1,
        max_rows_per_group=2,
    ),
]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.title)
def test_statistics(example: Example, tmp_path: Path) -> None:
    check(example, tmp_path)


@pytest.mark.parametrize(("groups", "rows"), [(1, 1), (2, 3), (3, 5)])
def test_a_histogram_costs_g_times_r_squared(groups: int, rows: int) -> None:
    """privacy-rules.md section 1: A = 1 and R, not √R, however many bins there are."""
    query, plan = compiled(
        Example("", "SELECT kind, histogram(size) AS h FROM event GROUP BY kind", "", {}, groups, rows)
    )
    (block,) = plan.blocks
    assert block.l2_sensitivity_squared == groups * rows**2
    assert block.length == 5 * 11
    assert (block.lo, block.hi) == (1, 1)
    assert block.rho_nano * 2 * (block.sigma / SIGMA_UNIT) ** 2 >= 1e9 * block.l2_sensitivity_squared * (1 - 1e-9)
    assert query.aggregates[0].bins is not None


def test_a_variance_is_taken_around_a_point_near_where_hospital_measures_lie() -> None:
    """An eighth of the way up from 1900 to 2030: people's totals stay small, and with them what bounds must allow."""
    _, plan = compiled(Example("", "SELECT var_samp(born) AS v FROM person", "", {}))
    assert [(block.kind, block.lo, block.hi) for block in plan.blocks] == [
        ("count", 1, 1),
        ("sum", -114, 114),
        ("sum", 0, 114**2),
    ]


def test_quantiles_of_one_thing_share_one_histogram() -> None:
    _, plan = compiled(
        Example("", "SELECT median(size) AS a, quantile_cont(size, 0.25) AS b, histogram(size) AS c FROM event", "", {})
    )
    assert [block.kind for block in plan.blocks] == ["histogram"]
