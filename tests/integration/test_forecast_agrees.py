"""What was forecast before the run against what the run shows: the spread of the noise, and what bounds cut off.

Made-up admissions of one trust, prepared as a node does; profiles are asked for on the way that every question takes,
and the forecast knows nothing else.
"""

from __future__ import annotations

import dataclasses
import math
import statistics
from decimal import Decimal

import pytest

from tests.lib.prepared import Prepared, built
from trustquery.catalogue import load
from trustquery.codelists import shipped
from trustquery.forecast.choose import choose_terms
from trustquery.forecast.profiles import Profiles, read_profile
from trustquery.forecast.questions import ProfileQuestion, profile_query
from trustquery.language import compile_query
from trustquery.model import Query
from trustquery.outputs import Estimate, read
from trustquery.planning import Plan, compile_plan
from trustquery.privacy.noise import add_noise
from trustquery.synthetic import generate

CATALOGUE = load("nhs-episodes")
DRAWS = 60
ASKED = (
    ProfileQuestion("admission", "rows"),
    ProfileQuestion("admission", "distinct", "admission_date"),
    ProfileQuestion("admission", "total", "length_of_stay"),
    ProfileQuestion("admission", "value", "length_of_stay"),
)
MONTHS = "admission_date BETWEEN DATE '2020-01-01' AND DATE '2024-12-31'"
QUESTIONS = {
    "rows": "SELECT count(*) AS n FROM admission",
    "rows by month": (
        f"SELECT date_trunc('month', admission_date) AS m, count(*) AS n FROM admission WHERE {MONTHS} GROUP BY 1"
    ),
    "days by month": (
        "SELECT date_trunc('month', admission_date) AS m, sum(length_of_stay) AS n FROM admission "
        f"WHERE {MONTHS} GROUP BY 1"
    ),
    "mean stay": "SELECT p.sex, avg(length_of_stay) AS n FROM admission a JOIN person p USING (person_id) GROUP BY 1",
}


@pytest.fixture(scope="module")
def trust(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    folder = tmp_path_factory.mktemp("trust")
    generate(folder / "raw", seed=11, episodes=200_000, trusts=["RX1"])
    tables = [table for table in CATALOGUE.tables if table.name in ("person", "admission")]
    jobs = [(CATALOGUE.id, table, folder / "raw" / "RX1" / f"{table.name}.parquet") for table in tables]
    return Prepared(CATALOGUE, built(folder / "store", jobs), shipped())


@pytest.fixture(scope="module")
def profiles(trust: Prepared) -> Profiles:
    found = {}
    for question in ASKED:
        _, query = profile_query(question, CATALOGUE)
        plan = compile_plan(query, CATALOGUE)
        found[question] = read_profile(question, CATALOGUE, add_noise(trust.vector(query, plan), plan), 1)
    return Profiles(found)


def figures(query: Query, plan: Plan, vector: list[int], *, exact: bool = False) -> list[float]:
    """The estimates of the column ``n``, the cells other and missing left out."""
    # Bounds as wide as for the truth would drown a mean; its exact vector is read as if there were no noise.
    blocks = tuple(dataclasses.replace(block, sigma=0) if exact else block for block in plan.blocks)
    table = read(query, dataclasses.replace(plan, blocks=blocks), vector, 1, CATALOGUE)
    place = [column.name for column in table.columns].index("n")
    rows = [row for row in table.rows if all(getattr(cell, "kind", "value") == "value" for cell in row)]
    return [cell.value for row in rows if isinstance(cell := row[place], Estimate) and cell.value is not None]


@pytest.mark.parametrize("name", QUESTIONS)
def test_the_spread_and_the_cut_off_are_as_forecast(name: str, trust: Prepared, profiles: Profiles) -> None:
    base = compile_query(QUESTIONS[name], CATALOGUE, epsilon=Decimal(1))
    choice = choose_terms(base, CATALOGUE, profiles, trusts=1)
    [told] = choice.forecast.outputs
    query, plan = choice.query, compile_plan(choice.query, CATALOGUE)
    exact = trust.vector(query, plan)
    drawn = [figures(query, plan, add_noise(exact, plan)) for _ in range(DRAWS)]
    cells = [list(cell) for cell in zip(*drawn, strict=False)]
    spread = math.sqrt(statistics.fmean(statistics.variance(cell) for cell in cells))
    forecast = told.half_width / 1.959963984540054
    # A sum's spread is the plan's; a mean's also hangs on how many rows a cell has, which is forecast as well.
    allowed = 0.15 if told.name == "n" and "mean" not in name else 0.6
    assert abs(spread / forecast - 1) < allowed + 3 / math.sqrt(2 * DRAWS * len(cells)), (spread, forecast)

    unbounded = compile_query(
        QUESTIONS[name], CATALOGUE, epsilon=Decimal(1), max_groups_per_person=1000, max_rows_per_group=5000
    )
    wide = compile_plan(unbounded, CATALOGUE)
    truth = statistics.fmean(figures(unbounded, wide, trust.vector(unbounded, wide), exact=True))
    kept = statistics.fmean(figures(query, plan, exact, exact=True))
    assert told.cut_off is not None
    assert abs((1 - kept / truth) - told.cut_off) < 0.12, (1 - kept / truth, told.cut_off)


def test_chosen_bounds_are_closer_than_the_catalogues(trust: Prepared, profiles: Profiles) -> None:
    """Days by month: the total error, noise and cut-off, against the truth."""
    base = compile_query(QUESTIONS["days by month"], CATALOGUE, epsilon=Decimal(1))
    unbounded = compile_query(
        QUESTIONS["days by month"], CATALOGUE, epsilon=Decimal(1), max_groups_per_person=1000, max_rows_per_group=5000
    )
    wide = compile_plan(unbounded, CATALOGUE)
    truth = figures(unbounded, wide, trust.vector(unbounded, wide), exact=True)
    errors = {}
    for name, query in {"catalogue": base, "chosen": choose_terms(base, CATALOGUE, profiles, trusts=1).query}.items():
        plan = compile_plan(query, CATALOGUE)
        found = figures(query, plan, add_noise(trust.vector(query, plan), plan))
        errors[name] = math.sqrt(statistics.fmean((a - b) ** 2 for a, b in zip(found, truth, strict=True)))
    assert errors["chosen"] < errors["catalogue"] / 5, errors
