"""Intervals hold what they say: measured by simulation, through the language, the shipped noise and the reader.

Each query has a cell, or a group of cells, for every day of some years, so that one draw of a vector's noise gives
thousands of samples. ``interval`` is measured with the same bounded data every day: it must hold the figure that the
data would give without noise. ``interval_combined`` is measured with data drawn anew every day from a known rate
(seeded; the noise is not): it must hold that rate.

Coverage must be at least 94 % of the 95 promised, within what chance allows: each column's false alarms are at most
FALSE_ALARM, from the binomial law. Nor may an interval be much wider than the errors are: its half-width is compared
with the size that 95 in 100 errors stay below, read as high as chance at the same rate allows. Figures without a value
claim nothing, so the data are clear of that.
"""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from audits.statistics import binomial_range
from tests.factories.catalogues import made_up
from trustquery.catalogue import ColumnType
from trustquery.codelists import PublicColumn, PublicTable, PublicTables, shipped
from trustquery.language import compile_query
from trustquery.model import Query
from trustquery.outputs import Estimate, Table, own_cells, read
from trustquery.planning import Plan, compile_plan
from trustquery.privacy.noise import add_noise

FALSE_ALARM = 1e-7
LEAST = 0.94
TRUSTS = ("A", "B")


def population() -> PublicTables:
    columns = (
        PublicColumn("kind", ColumnType.INTEGER, "kind"),
        PublicColumn("people", ColumnType.INTEGER, "people"),
        PublicColumn("weight", ColumnType.NUMBER, "weight"),
    )
    rows = ((1, 4_000, "0.5"), (2, 2_500, "0.3"), (-3, 1_000, "0.2"))
    return shipped().with_more([PublicTable("population", 1, "People by kind", "made up", columns, rows)])


PUBLIC = population()


def asked(sql: str, years: int, epsilon: str = "1") -> tuple[Query, Plan]:
    """A query by day, ``{range}`` in it for the days, and its plan; of no years, of one day."""
    last = f"{1999 + years}-12-31" if years else "2000-01-01"
    text = sql.replace("{range}", f"day BETWEEN DATE '2000-01-01' AND DATE '{last}'")
    query = compile_query(text, made_up(), epsilon=Decimal(epsilon), public=PUBLIC, trusts=TRUSTS)
    return query, compile_plan(query, made_up(), PUBLIC)


@dataclass
class Found:
    """What was seen of one column: error and half-width of each figure with a value, and how many held the truth."""

    errors: list[float] = dataclasses.field(default_factory=list)
    halves: list[float] = dataclasses.field(default_factory=list)
    held: int = 0

    def add(self, value: float, ends: tuple[float, float], truth: float) -> None:
        self.errors.append(abs(value - truth))
        self.halves.append((ends[1] - ends[0]) / 2)
        slack = 1e-9 * max(1.0, abs(truth))
        self.held += ends[0] - slack <= truth <= ends[1] + slack

    @property
    def share(self) -> float:
        return self.held / len(self.errors)

    def spare(self, grain: float = 0.0) -> float:
        """How much wider the intervals are, at least, than the size that 95 in 100 errors stay below.

        That size is at most the error whose place is the binomial's upper end, but for one time in FALSE_ALARM.
        """
        place = min(binomial_range(len(self.errors), 0.95, FALSE_ALARM)[1], len(self.errors) - 1)
        return statistics.median(self.halves) / max(sorted(self.errors)[place], grain)

    def check(self, spare: float, grain: float = 0.0) -> None:
        assert len(self.errors) > 1_000
        assert self.held >= binomial_range(len(self.errors), LEAST, FALSE_ALARM)[0], self.share
        assert self.spare(grain) <= spare


def estimates(table: Table) -> Iterator[tuple[str, int, Estimate]]:
    """Column, row and cell of every estimate."""
    for place, row in enumerate(table.rows):
        for column, cell in zip(table.columns, row, strict=True):
            if isinstance(cell, Estimate):
                yield column.name, place, cell


# -- noise ---------------------------------------------------------------------------------------------------------

Run = Sequence[float]
"""One day's values of one block, in the statistic's own unit, ``other`` and ``missing`` of further keys included."""


@dataclass(frozen=True)
class Case:
    """A query by day and one day's values of each of its blocks.

    Attributes:
        spare: how much wider than the errors an interval may be.
        grain: the errors are at least this, where figures come in steps.
    """

    name: str
    sql: str
    values: Sequence[Run]
    years: int = 6
    spare: float = 1.3
    grain: float = 0.0
    epsilon: str = "1"


def vector_of(plan: Plan, values: Sequence[Run]) -> list[int]:
    """The same values every day."""
    found: list[int] = []
    for block, run in zip(plan.blocks, values, strict=True):
        days, rest = divmod(block.length, len(run))
        assert rest == 0
        found += [round(value * 2**block.fraction_bits) for value in run] * days
    return found


def without_noise(case: Case) -> list[dict[str, float | None]]:
    """The figures of one day, row by row."""
    query, plan = asked(case.sql, 0, case.epsilon)
    plan = dataclasses.replace(plan, blocks=tuple(dataclasses.replace(block, sigma=0) for block in plan.blocks))
    table = read(query, plan, vector_of(plan, case.values), 1, made_up(), PUBLIC)
    # That day, *other* and *missing* have the same rows each.
    rows: list[dict[str, float | None]] = [{} for _ in range(len(table.rows) // 3)]
    for name, place, cell in estimates(table):
        rows[place % len(rows)][name] = cell.value
    return rows


def around(middle: Run) -> Run:
    """Values of a key's listed cells, with nobody in *other* and *missing*."""
    return [*middle, 0, 0]


def falling(places: int, people: float, mean: float) -> Run:
    """A skewed histogram: most in the first bins, few far away."""
    shares = [(1 - 1 / mean) ** place for place in range(places)]
    return [round(people * share / sum(shares)) for share in shares]


BY_DAY = "FROM event WHERE {range} GROUP BY day"
BY_KIND = f"(SELECT day, kind, count(*) FILTER (WHERE flag) AS a, count(*) AS n {BY_DAY}, kind) r"
COUNTED = f"(SELECT day, kind, count(*) AS n {BY_DAY}, kind) r JOIN population w ON w.kind = r.kind"
BY_AGE = (
    "(SELECT day, age_band(2020 - born) AS band, count(*) FILTER (WHERE flag) AS a, count(*) AS n "
    "FROM event JOIN person USING (pid) WHERE {range} GROUP BY ALL) r JOIN esp2013 w ON w.age_band = r.band"
)
AGES = [4, 4, 5, 5, 6, 8, 9, 10, 12, 14, 18, 22, 27, 33, 41, 50, 61, 75, 90]
QUANTILES = f"SELECT day, median(size) AS m, quantile_cont(size, 0.1) AS low, quantile_cont(size, 0.9) AS high {BY_DAY}"
AMOUNTS = f"SELECT day, median(amount) AS m, quantile_cont(amount, 0.9) AS high {BY_DAY}"
CASES = [
    Case("count", f"SELECT day, count(*) AS n, 1000.0 * n / 7 AS scaled, -n + 3 AS turned {BY_DAY}", [[120]]),
    Case(
        "noise of a step or two",
        "SELECT day, count(DISTINCT pid) FILTER (WHERE flag) AS a, count(DISTINCT pid) AS n, n - a AS d, a + n AS s, "
        f"100.0 * n AS per, a / n AS r {BY_DAY}",
        [[13], [40]],
        spare=1.6,
        epsilon="14",
    ),
    Case("sum", f"SELECT day, sum(amount) AS s, sum(size) AS t {BY_DAY}", [[5_100.25], [-40]]),
    Case(
        "difference, ratio and rate per 1,000",
        f"SELECT day, count(*) FILTER (WHERE flag) AS a, count(*) AS n, n - a AS d, a / n AS r, 1000.0 * a / n AS per, "
        f"1 - a / n AS rest, n / a AS other {BY_DAY}",
        [[160], [240]],
    ),
    Case("a small numerator", f"SELECT day, count(*) FILTER (WHERE flag) / count(*) AS r {BY_DAY}", [[2], [150]]),
    Case("mean", f"SELECT day, avg(size) AS m, avg(amount) AS a {BY_DAY}", [[90], [300], [9_000], [300]]),
    Case("a mean of few", f"SELECT day, avg(size) AS m {BY_DAY}", [[-60], [130]]),
    Case("variance", f"SELECT day, var_samp(size) AS v, stddev_samp(size) AS s {BY_DAY}", [[900], [-700], [9_000]]),
    Case("variance of few", f"SELECT day, var_samp(size) AS v {BY_DAY}", [[200], [100], [1_500]]),
    Case(
        "sqrt, abs, round and clamp",
        "SELECT day, count(*) AS n, sqrt(n) AS a, abs(n - 100) AS b, abs(n - 200) AS c, round(n / 3.0, 0) AS d, "
        f"clamp(n, 0, 101) AS e {BY_DAY}",
        [[100]],
    ),
    Case(
        "greatest and least",
        "SELECT day, greatest(count(*), 100) AS a, least(count(*), 130) AS b, "
        "greatest(count(*), count(size), count(amount)) AS c, least(count(*), count(size), count(amount)) AS d "
        f"{BY_DAY}",
        [[110], [110], [112]],
    ),
    Case(
        "one ratio over, less and times another",
        "SELECT day, count(*) FILTER (WHERE flag) / count(*) AS p, count(size) / count(amount) AS q, "
        f"p / q AS over, p - q AS less, p * q AS times, 1 / p AS turned {BY_DAY}",
        [[220], [350], [260], [330]],
    ),
    Case(
        "sums, means, largest and smallest of cells",
        "SELECT day, sum(n) AS s, avg(n) AS m, max(n) AS most, min(n) AS fewest, sum(a) / sum(n) AS r, "
        f"sum(a / n) FILTER (WHERE kind > 0) AS sums FROM {BY_KIND} GROUP BY day",
        [around([110, 150, 90]), around([300, 310, 290])],
    ),
    Case(
        "the largest of many that are the same",
        f"SELECT day, max(n) AS most, min(n) AS fewest FROM {BY_AGE} GROUP BY day",
        [around([0] * 19), around([70] * 19)],
        years=3,
        spare=2,
    ),
    Case(
        "a rate standardised with a public population",
        f"SELECT day, sum(n * w.weight / w.people) * 1000 AS rate FROM {COUNTED} GROUP BY day",
        [around([60, 12, 7])],
    ),
    Case(
        "a rate standardised with the European Standard Population",
        "SELECT day, sum(n * w.weight) / 100000.0 AS rate, sum(a / n * w.weight) / 100000.0 AS share "
        f"FROM {BY_AGE} GROUP BY day",
        [around(AGES), around([400] * 19)],
        years=3,
        epsilon="2",
    ),
    Case(
        "survival",
        f"SELECT day, survival(amount, flag, [10, 20, 30]) AS s {BY_DAY}",
        [[300, 250, 200, 30], [100, 100, 120, 300]],
        years=3,
        epsilon="2",
    ),
    Case(
        "survival with nothing happening for long",
        f"SELECT day, survival(amount, flag, [{', '.join(map(str, range(7, 91, 7)))}]) AS s {BY_DAY}",
        [[40] * 4 + [0] * 9, [24] * 4 + [40] * 8 + [350]],
        years=3,
        epsilon="2",
    ),
    # A quantile's interval does not go inside a bin, and holds at least 95 %: more where values are tied.
    Case("quantiles of few", QUANTILES, [falling(11, 250, 3)], years=3, spare=2, grain=1),
    Case("quantiles of many", QUANTILES, [falling(11, 20_000, 3)], years=3, grain=1),
    Case("one value for most", QUANTILES, [[0, 0, 700, 0, 0, 0, 150, 0, 0, 0, 150]], years=3, spare=2.5, grain=1),
    Case("two far ends", QUANTILES, [[500, 0, 0, 0, 0, 0, 0, 0, 0, 0, 480]], years=3, spare=2, grain=1),
    Case("numbers spread evenly", QUANTILES, [[100] * 11], years=3, spare=1.6, grain=1),
    Case("fine bins, few", AMOUNTS, [falling(128, 1_200, 9)], years=3, spare=3, grain=1),
    Case("fine bins, many", AMOUNTS, [falling(128, 90_000, 9)], years=3, spare=1.6, grain=1),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_interval_holds_the_figure_without_noise(case: Case) -> None:
    query, plan = asked(case.sql, case.years, case.epsilon)
    exact = without_noise(case)
    # Rows of one day share noise, so that each is judged by itself.
    columns: dict[tuple[str, int], Found] = {}
    table = read(query, plan, add_noise(vector_of(plan, case.values), plan), 1, made_up(), PUBLIC)
    for name, place, cell in estimates(table):
        row = place % len(exact)
        truth = exact[row][name]
        if cell.value is not None and truth is not None and cell.low is not None and cell.high is not None:
            columns.setdefault((name, row), Found()).add(cell.value, (cell.low, cell.high), truth)
    for found in columns.values():
        found.check(case.spare, case.grain)


def test_the_interval_of_a_figure_by_trust_is_that_of_the_trusts_own_noise() -> None:
    query, plan = asked(
        f"SELECT day, trust, count(*) FILTER (WHERE flag) AS a, count(*) AS n, a / n AS r {BY_DAY}, trust", 5
    )
    truths = {"A": {"a": 170, "n": 260}, "B": {"a": 230, "n": 410}}
    width = plan.axes[1].cells
    vectors = {}
    for place, (trust, truth) in enumerate(truths.items()):
        vector = [0] * plan.length
        for block, value in zip(plan.blocks, truth.values(), strict=True):
            vector[block.offset + place : block.offset + block.length : width] = [value] * (block.length // width)
        vectors[trust] = add_noise(vector, plan)
    columns: dict[str, Found] = {}
    table = read(query, plan, own_cells(plan, vectors), 1, made_up(), answered=TRUSTS)
    for name, place, cell in estimates(table):
        truth = truths[TRUSTS[place % 2]]
        expected = truth[name] if name in truth else truth["a"] / truth["n"]
        if cell.value is not None and cell.low is not None and cell.high is not None:
            columns.setdefault(name, Found()).add(cell.value, (cell.low, cell.high), expected)
    for found in columns.values():
        found.check(1.3)


# -- noise and sampling --------------------------------------------------------------------------------------------

Counts = Sequence[np.ndarray[Any, Any]]
"""Of each block: days times the cells of a day."""
Draw = Callable[[np.random.Generator, int], Counts]


@dataclass(frozen=True)
class Sampled:
    """A query by day, how a day's data are drawn, and the rates that they are drawn from, by column.

    ``alone`` is the largest share of intervals for the noise alone that may hold the rate: few, where sampling matters.
    """

    name: str
    sql: str
    draw: Draw
    rates: dict[str, float]
    years: int = 6
    spare: float = 1.3
    epsilon: str = "1"
    alone: float | None = None


def among(people: Sequence[float], shares: Sequence[float]) -> Draw:
    """Poisson numbers of people in each cell, and how many of them have something."""

    def draw(source: np.random.Generator, days: int) -> Counts:
        below = source.poisson(people, (days, len(people)))
        return source.binomial(below, shares), below

    return draw


def apart(*means: Sequence[float]) -> Draw:
    """Poisson counts of each block and cell, none of which knows of another."""
    return lambda source, days: [source.poisson(mean, (days, len(mean))) for mean in means]


def per_person(people: float, events: float) -> Draw:
    """Events of a Poisson number of people."""

    def draw(source: np.random.Generator, days: int) -> Counts:
        below = source.poisson(people, (days, 1))
        return source.poisson(events * below), below

    return draw


SHARE = f"SELECT day, count(*) FILTER (WHERE flag) / count(*) AS r {BY_DAY}"
STANDARD = (
    "SELECT day, sum(n * w.weight / w.people) * 1000 AS r, 1000 * sum(n) / sum(w.people) AS crude "
    f"FROM {COUNTED} GROUP BY day"
)
AGED = f"SELECT day, sum(a / n * w.weight) / 100000.0 AS r, sum(a) / sum(n) AS crude FROM {BY_AGE} GROUP BY day"
ESP = [5000, 5500, 5500, 5500, 6000, 6000, 6500, 7000, 7000, 7000, 7000, 6500, 6000, 5500, 5000, 4000, 2500, 1500, 1000]
ILL = [0.002, 0.002, 0.004, 0.01, 0.02, 0.02, 0.03, 0.04, 0.05, 0.07, 0.1, 0.12, 0.16, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45]
SAMPLED = [
    Sampled("a share of few", SHARE, among([150], [0.03]), {"r": 0.03}),
    Sampled("a share of many", SHARE, among([40_000], [0.4]), {"r": 0.4}, alone=0.8),
    Sampled("nearly all of many", SHARE, among([5_000], [0.98]), {"r": 0.98}),
    Sampled("a share with little noise", SHARE, among([60], [0.2]), {"r": 0.2}, epsilon="40", alone=0.6),
    Sampled("a few with little noise", SHARE, among([120], [0.04]), {"r": 0.04}, epsilon="40", alone=0.7),
    Sampled(
        "a share of people, in other words",
        "SELECT day, count(DISTINCT pid) FILTER (WHERE flag) AS a, count(DISTINCT pid) AS n, round(100.0 * a / n, 2) "
        f"AS per, 1 - a / n AS rest, CASE WHEN n > 10 THEN least(a / n, 0.9) END AS few {BY_DAY}",
        among([3_000], [0.3]),
        {"per": 30.0, "rest": 0.7, "few": 0.3},
        epsilon="3",
        alone=0.8,
    ),
    Sampled(
        "events of each person",
        f"SELECT day, count(*) / count(DISTINCT pid) AS r {BY_DAY}",
        per_person(900, 1.5),
        {"r": 1.5},
    ),
    Sampled(
        "events over a population",
        f"SELECT day, 1000 * n / people AS r FROM {COUNTED} WHERE r.kind = 2",
        apart([0, 9, 0, 0, 0]),
        {"r": 3.6},
    ),
    Sampled(
        "many events over a population",
        f"SELECT day, 1000 * n / people AS r FROM {COUNTED} WHERE r.kind = 2",
        apart([0, 2_000, 0, 0, 0]),
        {"r": 800},
        alone=0.7,
    ),
    Sampled(
        "two counts that know nothing of each other",
        f"SELECT day, count(*) FILTER (WHERE flag) / count(*) FILTER (WHERE kind = 1) AS r {BY_DAY}",
        apart([700], [400]),
        {"r": 1.75},
        epsilon="2",
        alone=0.93,
    ),
    Sampled(
        "a standardised rate of few", STANDARD, apart(around([4, 3, 1])), {"r": 1.06, "crude": 8 / 7.5}, epsilon="6"
    ),
    Sampled(
        "a standardised rate of many",
        STANDARD,
        apart(around([900, 400, 300])),
        {"r": 220.5, "crude": 1_600 / 7.5},
        alone=0.8,
    ),
    Sampled(
        "a standardised share",
        AGED,
        among(around([400] * 19), around(ILL)),
        {
            "r": sum(share * weight for share, weight in zip(ILL, ESP, strict=True)) / 100_000,
            "crude": sum(ILL) / 19,
        },
        years=3,
        epsilon="2",
    ),
]


@pytest.mark.parametrize("case", SAMPLED, ids=lambda case: case.name)
def test_the_combined_interval_holds_the_rate_that_the_data_come_from(case: Sampled) -> None:
    query, plan = asked(case.sql, case.years, case.epsilon)
    source = np.random.default_rng(20261122)
    days = plan.axes[0].cells
    truth = [int(count) for block in case.draw(source, days) for count in block.ravel()]
    wide, narrow = {name: Found() for name in case.rates}, {name: Found() for name in case.rates}
    for name, _, cell in estimates(read(query, plan, add_noise(truth, plan), 1, made_up(), PUBLIC)):
        if name in case.rates and cell.value is not None and cell.low is not None and cell.high is not None:
            assert cell.combined is not None
            wide[name].add(cell.value, cell.combined, case.rates[name])
            narrow[name].add(cell.value, (cell.low, cell.high), case.rates[name])
    for name, found in wide.items():
        found.check(case.spare)
        if case.alone is not None:
            alone = narrow[name]
            assert alone.held <= binomial_range(len(alone.errors), case.alone, FALSE_ALARM)[1], alone.share
