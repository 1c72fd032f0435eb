"""From the noised histogram of a profile to a distribution: sound where the noise allows, honest about the tail."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trustquery.forecast.distribution import distribution
from trustquery.model.nodes import Bins

GRID = [2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024]
BINS = Bins(tuple(map(str, GRID)), None, True)


def counted(values: np.ndarray) -> list[float]:
    return list(np.histogram(values, bins=[-np.inf, *GRID, np.inf])[0].astype(float))


@pytest.mark.parametrize("people", [4_000, 40_000, 400_000])
@pytest.mark.parametrize("shape", [1.6, 3.0])
def test_what_a_bound_keeps_is_told_to_a_few_hundredths(people: int, shape: float) -> None:
    source = np.random.default_rng(people)
    rows = np.minimum(np.ceil(source.pareto(shape, people) * 4 + 0.01), 1000)
    sd = 61.0
    noised = [count + source.normal(0, sd) for count in counted(rows)]
    found = distribution(BINS, noised, sd, 1, 1000)
    allowed = 0.05 + 6 * sd * 8 / people
    for most in (1, 5, 16, 60):
        truth = np.minimum(rows, most).sum() / rows.sum()
        told = found.total(lambda x, most=most: min(x, most)) / found.total()  # type: ignore[misc]
        assert abs(truth - told) < allowed, (most, truth, told)
    assert abs(found.size - people) < 6 * sd * math.sqrt(len(noised))


def test_trusts_are_averaged() -> None:
    counts = [100_000.0, 50_000.0, *[0.0] * (len(GRID) - 1)]
    one, four = (distribution(BINS, counts, 10.0, trusts, 1000) for trusts in (1, 4))
    assert math.isclose(one.size, 4 * four.size)
    assert one.at(0.9) == four.at(0.9)
    assert 2 <= one.at(0.99) < 4


def test_noise_alone_is_nobody_beyond_the_first_bin() -> None:
    source = np.random.default_rng(5)
    for _ in range(50):
        found = distribution(BINS, list(source.normal(0, 60, len(GRID) + 1)), 60.0, 1, 1000)
        assert found.total(lambda x: 1.0 if x >= 2 else 0.0) < 3 * 60 * math.sqrt(len(GRID)) * 3


def test_negative_values_have_a_tail_of_their_own() -> None:
    bins = Bins(("-8", "-4", "-2", "-1", "0", "1", "2", "4", "8"), None, True)
    found = distribution(bins, [0, 0, 4000, 8000, 8000, 9000, 8000, 4000, 0, 0], 1.0, 1, 8)
    assert min(found.points) < -2
    assert max(found.points) > 2
    assert math.isclose(found.total(), 1000, abs_tol=9000)


@given(
    st.lists(st.floats(-1e6, 1e6), min_size=len(GRID) + 1, max_size=len(GRID) + 1),
    st.floats(0.1, 1e5), st.integers(1, 200),
)  # fmt: skip
def test_any_noise_gives_a_distribution(counts: list[float], sd: float, trusts: int) -> None:
    found = distribution(BINS, counts, sd, trusts, 5000)
    assert all(math.isfinite(people) and people >= 0 for people in found.people)
    assert list(found.points) == sorted(found.points)
    assert all(point <= 5000 for point in found.points)
    assert math.isfinite(found.total())
