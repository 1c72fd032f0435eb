"""A mask that picks one person, times a column, averaged over everybody: a person read off a mean, as it were.

A mask by an identifier is refused on the text. A mask by attributes cannot be told from an honest question, and is
answered with the noise that the plan claims and the ledger charges. The attacker here knows everything but the value:
that the mask picks exactly one person, the bounds, the scale, and the exact number of people behind the mean.

A release is a fresh one each time, charged in full. Each statistical check fails by chance with a probability of at
most FALSE_ALARM, from the law itself.
"""

from __future__ import annotations

import datetime
import math
import random
from decimal import Decimal
from typing import Any

import pytest

from audits.statistics import binomial_range, chi_square_range
from tests.factories.catalogues import made_up
from trustquery.errors import TrustQueryError
from trustquery.language import compile_query
from trustquery.planning import Plan, compile_plan
from trustquery.planning.plan import SIGMA_UNIT
from trustquery.privacy.noise import add_noise
from trustquery.reference import evaluate

FALSE_ALARM = 1e-6
PEOPLE, MASKS = 400, 120
EPSILON = "3"
RHO_CAP_NANO = 500_000_000
"""What a trust may spend on everybody in a year, in the tests' policy: rho 0.5. One person's mask gets all of it."""
LOW, HIGH = -10, 10

BY_IDENTIFIER = {
    "the person key": "CASE WHEN pid = 3 THEN score ELSE 0 END",
    "the person key in a list": "CASE WHEN pid IN (3) THEN score ELSE 0 END",
    "the person key, disguised": "CASE WHEN pid % 400 = 3 THEN score ELSE 0 END",
    "an NHS number": "CASE WHEN nhs_number = '9434765919' THEN score ELSE 0 END",
    "part of an NHS number": "CASE WHEN starts_with(nhs_number, '943476591') THEN score ELSE 0 END",
    "the row of another table": "CASE WHEN ward_id = 3 THEN score ELSE 0 END",
    "multiplied": "CAST(pid = 3 AS INTEGER) * score",
    "a number in a row of everybody": "CASE WHEN row_number() OVER (ORDER BY born) = 3 THEN score ELSE 0 END",
}


@pytest.mark.acceptance("PRV-02")
@pytest.mark.parametrize("name", BY_IDENTIFIER)
def test_a_mask_by_an_identifier_is_refused_on_the_text(name: str) -> None:
    one = BY_IDENTIFIER[name]
    for sql in (f"SELECT avg(clamp({one}, -10, 10)) FROM person", f"SELECT avg({one}) FROM person"):
        with pytest.raises(TrustQueryError) as caught:
            compile_query(sql, made_up(), epsilon=Decimal(1))
        assert caught.value.code in ("query-column-forbidden", "query-form-unsupported")


def everybody() -> list[dict[str, Any]]:
    """People who differ in their first day, so that each is picked by one condition; scores are whole."""
    source = random.Random(2)
    first = datetime.date(2020, 1, 1)
    return [
        {
            "pid": pid,
            "sex": source.choice("FM"),
            "born": source.randrange(1930, 2010),
            "score": float(source.randint(LOW, HIGH)),
            "joined": first + datetime.timedelta(days=pid),
            "seen": datetime.datetime(2020, 1, 1),
            "alive": True,
            "ward_id": pid,
            "nhs_number": str(pid),
        }
        for pid in range(PEOPLE)
    ]


ROWS = everybody()


FORMS = ("choice", "product", "filter", "where")


def mask(row: dict[str, Any], form: str) -> tuple[Plan, list[int]]:
    """The question that picks one person by attributes, its plan, and the exact vector."""
    told = f"joined = DATE '{row['joined']}' AND sex = '{row['sex']}' AND born = {row['born']}"
    sql = {
        "choice": f"SELECT avg(clamp(CASE WHEN {told} THEN score ELSE 0 END, {LOW}, {HIGH})) FROM person",
        "product": f"SELECT avg(clamp(CAST({told} AS INTEGER) * score, {LOW}, {HIGH})) FROM person",
        "filter": f"SELECT avg(clamp(score, {LOW}, {HIGH})) FILTER (WHERE {told}) FROM person",
        "where": f"SELECT avg(clamp(score, {LOW}, {HIGH})) FROM person WHERE {told}",
    }[form]
    query = compile_query(sql, made_up(), epsilon=Decimal(EPSILON))
    plan = compile_plan(query, made_up())
    tables: dict[str, list[dict[str, Any]]] = {"person": ROWS, "event": [], "dose": []}
    return plan, evaluate(query, made_up(), tables, rank_key=bytes(32), data_version=1)


@pytest.fixture(scope="module")
def attack() -> tuple[Plan, int, list[tuple[float, list[int], list[list[int]]]]]:
    """The plan, the releases for each mask that the budget pays, and each mask's secret, exact vector and answers."""
    found = []
    for place, row in enumerate(random.Random(3).sample(ROWS, MASKS)):
        plan, exact = mask(row, FORMS[place % len(FORMS)])
        releases = RHO_CAP_NANO // plan.rho_nano
        found.append((row["score"], exact, [add_noise(exact, plan) for _ in range(releases)]))
    return plan, releases, found


Attack = tuple[Plan, int, list[tuple[float, list[int], list[list[int]]]]]


@pytest.mark.acceptance("PRV-02")
def test_without_noise_every_mask_would_be_read_off(attack: Attack) -> None:
    """The attack is a good one: the exact sum is the person's value."""
    plan, releases, masks = attack
    assert len(masks) == MASKS
    assert releases >= 3
    assert all(read_off([exact], plan) == secret for secret, exact, _ in masks)


@pytest.mark.acceptance("PRV-02")
@pytest.mark.parametrize("place", [0, 1])
def test_every_mask_is_answered_with_the_claimed_noise(place: int, attack: Attack) -> None:
    """The sum of squares of discrete Gaussians at these sigmas is a chi-square to within 1e-50 (Poisson summation)."""
    plan, releases, masks = attack
    block = plan.blocks[place]
    sigma = block.sigma / SIGMA_UNIT
    # What is claimed is what is charged: rho covers the squared sensitivity over twice the variance.
    assert block.l2_sensitivity_squared / (2 * sigma**2) <= block.rho_nano / 1e9
    errors = [answer[place] - exact[place] for _, exact, answers in masks for answer in answers]
    low, high = chi_square_range(len(errors), FALSE_ALARM)
    assert low < sum(error * error for error in errors) / sigma**2 < high
    # Half the noise, or an average that a trust had made of two answers, would be seen.
    assert len(errors) / 4 < len(errors) / 2 < low
    # Averaged over all that the budget pays, the variance shrinks by the number of releases and by no more.
    means = [sum(answer[place] - exact[place] for answer in answers) / releases for _, exact, answers in masks]
    low, high = chi_square_range(MASKS, FALSE_ALARM)
    assert low < sum(mean * mean for mean in means) * releases / sigma**2 < high


@pytest.mark.acceptance("PRV-02")
@pytest.mark.parametrize("averaged", [False, True])
def test_no_more_masks_are_read_off_than_chance_allows(averaged: bool, attack: Attack) -> None:
    """Rounding to the nearest whole score is right as often as the noise lies within a half, and no more often."""
    plan, releases, masks = attack
    used = releases if averaged else 1
    block = plan.blocks[0]
    # Errors are sums of ``used`` discrete Gaussians on multiples of 1/256: at this sigma a normal to within 1e-9.
    spread = block.sigma / SIGMA_UNIT / 2**block.fraction_bits / math.sqrt(used)
    chance = math.erf(0.5 / spread / math.sqrt(2))
    hits = sum(read_off(answers[:used], plan) == secret for secret, _, answers in masks)
    low, high = binomial_range(MASKS, chance, FALSE_ALARM)
    assert low <= hits <= high
    # Somebody who asks nothing and says any of the 21 scores is right more often.
    assert chance < 1 / (HIGH - LOW + 1)


def read_off(answers: list[list[int]], plan: Plan) -> float:
    """The attacker's best guess of a whole number from the noised sums, averaged."""
    total = sum(answer[0] for answer in answers)
    return math.floor(total / len(answers) / (1 << plan.blocks[0].fraction_bits) + 0.5)
