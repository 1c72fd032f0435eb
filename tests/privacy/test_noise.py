"""The noise that is added: the exact discrete Gaussian, on whole numbers, fresh each time, and never less than charged.

Nothing here is seeded. The law, tails, moments and low bits are those of audits/sampler.py, each with a false alarm of
1e-6; the audit draws more (``make audit-privacy``). A forked process is in tests/security/test_randomness.py; releases
on data are in test_releases.py.
"""

from __future__ import annotations

import dataclasses
import math

import pytest

from audits.sampler import LEAST_CHANCE, SIGMAS, noise_plan, sample
from tests.factories.plans import count_plan
from trustquery.errors import TrustQueryError
from trustquery.privacy.noise import CELL_LIMIT, add_noise

NORMAL_LIMIT = 4.9
"""A standard normal is beyond this with a chance of 9.6e-7."""


def draws(sigma: float, number: int) -> list[int]:
    return add_noise([0] * number, noise_plan(sigma, number))


@pytest.mark.acceptance("PRV-06")
@pytest.mark.parametrize("sigma", SIGMAS)
def test_noise_has_the_law_of_the_discrete_gaussian_wherever_it_is_added(sigma: float) -> None:
    found = sample(sigma, 99_000, add_noise)
    assert found.broken == ()
    assert len(found.chances) == 7
    assert min(found.chances.values()) > LEAST_CHANCE


@pytest.mark.acceptance("PRV-06")
def test_noise_is_whole_and_the_vector_is_not_changed() -> None:
    vector = [5, -7, 0, 10**15, -(2**40)]
    before = list(vector)
    noised = add_noise(vector, noise_plan(4.2, 5))
    assert vector == before
    assert all(type(value) is int for value in noised)
    assert all(abs(one - other) < 12 * 4.2 for one, other in zip(noised, vector, strict=True))


def test_noise_is_independent_from_cell_to_cell_block_to_block_and_draw_to_draw() -> None:
    number, sigma = 20_000, 10.0
    one = noise_plan(sigma, number)
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
    plan = noise_plan(4.2, 100)
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
    plan = noise_plan(4.2, 10)
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
        add_noise(vector, noise_plan(4.2, 10))
    assert caught.value.problem.fields == {"incident": "vector-shape"}
