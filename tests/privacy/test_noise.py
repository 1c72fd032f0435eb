"""The noise that is added: the exact discrete Gaussian, on whole numbers, fresh each time, and never less than charged.

Nothing here is seeded. Each statistical test fails by chance with a probability of at most FALSE_ALARM, from the law of
its statistic: chi-square where every bin is expected to hold at least 50 draws, and the normal limit of a mean of many
thousand independent products. A forked process is in tests/security/test_randomness.py; releases on data are in
test_releases.py.
"""

from __future__ import annotations

import dataclasses
import math
from collections import Counter

import pytest

from tests.factories.plans import count_plan
from tests.lib.statistics import chi_square_range, chi_square_tail, discrete_gaussian
from trustquery.errors import TrustQueryError
from trustquery.planning import Plan
from trustquery.planning.plan import SIGMA_UNIT
from trustquery.privacy.budget import charge_nano
from trustquery.privacy.noise import CELL_LIMIT, add_noise

FALSE_ALARM = 1e-6
NORMAL_LIMIT = 4.9
"""A standard normal is beyond this with a chance of 9.6e-7."""
SIGMAS = [1.0, 4.2, 134.0]


def plan_with(sigma: float, cells: int) -> Plan:
    """A count over ``cells`` cells with this sigma, charged for what it is."""
    plan = count_plan(cells=cells)
    units = round(sigma * SIGMA_UNIT)
    (block,) = plan.blocks
    changed = dataclasses.replace(block, sigma=units, rho_nano=charge_nano(block.l2_sensitivity_squared, units))
    return dataclasses.replace(plan, blocks=(changed,))


def draws(sigma: float, number: int) -> list[int]:
    return add_noise([0] * number, plan_with(sigma, number))


@pytest.mark.parametrize("sigma", SIGMAS)
def test_noise_has_the_law_of_the_discrete_gaussian(sigma: float) -> None:
    number = 30_000
    found = Counter(draws(sigma, number))
    law = discrete_gaussian(round(sigma * SIGMA_UNIT) / SIGMA_UNIT, reach=math.ceil(12 * sigma))
    # Neighbouring integers share a bin until the bin is expected to hold 50 draws; the tails end in one.
    bins: list[tuple[float, int]] = []
    mass, count = 0.0, 0
    for value, share in law.items():
        mass, count = mass + share, count + found.pop(value, 0)
        if mass * number >= 50:
            bins.append((mass, count))
            mass, count = 0.0, 0
    bins[-1] = (bins[-1][0] + mass, bins[-1][1] + count)
    assert not found, "a draw beyond twelve standard deviations"
    statistic = sum((count - number * mass) ** 2 / (number * mass) for mass, count in bins)
    assert len(bins) >= 7
    assert chi_square_tail(statistic, len(bins) - 1) > FALSE_ALARM


def test_noise_is_whole_and_the_vector_is_not_changed() -> None:
    vector = [5, -7, 0, 10**15, -(2**40)]
    before = list(vector)
    noised = add_noise(vector, plan_with(4.2, 5))
    assert vector == before
    assert all(type(value) is int for value in noised)
    assert all(abs(one - other) < 12 * 4.2 for one, other in zip(noised, vector, strict=True))


@pytest.mark.parametrize("sigma", [4.2, 134.0])
def test_noise_has_the_planned_variance(sigma: float) -> None:
    """At these sigmas the sum of squares is a chi-square to within 1e-100 (Poisson summation)."""
    number = 30_000
    exact = round(sigma * SIGMA_UNIT) / SIGMA_UNIT
    statistic = sum(draw * draw for draw in draws(sigma, number)) / exact**2
    low, high = chi_square_range(number, FALSE_ALARM)
    assert low < statistic < high


def test_noise_is_independent_from_cell_to_cell_block_to_block_and_draw_to_draw() -> None:
    number, sigma = 20_000, 10.0
    one = plan_with(sigma, number)
    (block,) = one.blocks
    two = dataclasses.replace(one, blocks=(block, dataclasses.replace(block, id="b1", statistic=1, offset=number)))
    noised = add_noise([0] * two.length, two)
    first, second, later = noised[:number], noised[number:], draws(sigma, number)
    for here, there in [(first, second), (first, later), (first[:-1], first[1:]), (first[:-7], first[7:])]:
        products = sum(x * y for x, y in zip(here, there, strict=True))
        assert abs(products) / (sigma**2 * math.sqrt(len(here))) < NORMAL_LIMIT
        squares = sum((x * x - sigma**2) * (y * y - sigma**2) for x, y in zip(here, there, strict=True))
        assert abs(squares) / (2 * sigma**4 * math.sqrt(len(here))) < 2 * NORMAL_LIMIT  # heavier tails than a normal
    assert abs(sum(first)) / (sigma * math.sqrt(number)) < NORMAL_LIMIT


def test_the_same_plan_and_vector_never_give_the_same_noise() -> None:
    plan = plan_with(4.2, 100)
    found = {tuple(add_noise([0] * 100, plan)) for _ in range(20)}
    assert len(found) == 20


@pytest.mark.parametrize(
    ("what", "change"),
    [
        ("a smaller sigma", {"sigma": 0.999}),
        ("a smaller charge", {"rho_nano": 0.999}),
        ("a larger sensitivity", {"l2_sensitivity_squared": 2}),
        ("no noise", {"sigma": 0}),
        ("no charge", {"rho_nano": 0}),
    ],
)
def test_a_plan_whose_noise_does_not_match_its_charge_is_refused(what: str, change: dict[str, float]) -> None:
    """OpenDP's own privacy map, not our arithmetic, decides."""
    plan = plan_with(4.2, 10)
    (block,) = plan.blocks
    values = {name: int(getattr(block, name) * factor) for name, factor in change.items()}
    wrong = dataclasses.replace(plan, blocks=(dataclasses.replace(block, **values),))  # type: ignore[arg-type]
    with pytest.raises(TrustQueryError) as caught:
        add_noise([0] * 10, wrong)
    assert caught.value.problem.fields == {"incident": "privacy-map"}


@pytest.mark.parametrize("rho_nano", [1, 2, 1_000, 10**6, 10**9, 10**12])
def test_opendp_agrees_with_every_charge_that_the_planner_makes(rho_nano: int) -> None:
    for groups, rows in [(1, 1), (3, 7), (100, 1_000)]:
        plan = count_plan(cells=3, rho_nano=rho_nano, groups=groups, rows=rows)
        assert len(add_noise([0] * 3, plan)) == 3


@pytest.mark.parametrize("vector", [[0] * 9, [0] * 11, [], [0] * 9 + [CELL_LIMIT + 1], [0] * 9 + [-CELL_LIMIT - 1]])
def test_a_vector_that_does_not_fit_is_refused(vector: list[int]) -> None:
    with pytest.raises(TrustQueryError) as caught:
        add_noise(vector, plan_with(4.2, 10))
    assert caught.value.problem.fields == {"incident": "vector-shape"}


def test_the_edges_of_a_cell_are_noised_like_any_other() -> None:
    noised = add_noise([CELL_LIMIT, -CELL_LIMIT, 0], plan_with(134.0, 3))
    assert abs(noised[0] - CELL_LIMIT) < 12 * 134
    assert abs(noised[1] + CELL_LIMIT) < 12 * 134
