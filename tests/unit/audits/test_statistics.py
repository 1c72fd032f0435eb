"""The audit's own arithmetic, against exact sums of fractions and published figures."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction

import pytest

from audits.statistics import (
    binomial_tail,
    clopper_pearson,
    discrete_gaussian,
    discrete_gaussian_tail,
    mean_margin,
)


def exact_tail(count: int, trials: int, share: Fraction) -> float:
    terms = (math.comb(trials, k) * share**k * (1 - share) ** (trials - k) for k in range(count, trials + 1))
    return float(sum(terms, Fraction(0)))


@pytest.mark.parametrize(
    ("count", "trials", "share"),
    [(3, 10, "0.2"), (1, 5, "0.5"), (5, 5, "0.5"), (50, 100, "0.5"), (99, 100, "0.9"), (9, 300, "0.004")],
)
def test_a_binomial_tail_is_its_sum(count: int, trials: int, share: str) -> None:
    assert binomial_tail(count, trials, float(share)) == pytest.approx(
        exact_tail(count, trials, Fraction(share)), rel=1e-10
    )


def test_the_ends_of_a_binomial() -> None:
    assert binomial_tail(0, 10, 0.3) == 1
    assert binomial_tail(11, 10, 0.3) == 0
    assert binomial_tail(1, 10, 0.0) == 0
    assert binomial_tail(10, 10, 1.0) == 1


@pytest.mark.parametrize(
    ("count", "low", "high"), [(0, 0.0, 0.30850), (3, 0.06674, 0.65245), (10, 0.69150, 1.0), (5, 0.18709, 0.81291)]
)
def test_clopper_and_pearson_s_limits_of_ten_at_95_per_cent(count: int, low: float, high: float) -> None:
    """Table of the exact limits, as printed in any book."""
    assert clopper_pearson(count, 10, 0.025) == pytest.approx((low, high), abs=1e-5)


@pytest.mark.parametrize("count", [0, 1, 30, 5_000, 500_000, 999_999, 1_000_000])
def test_a_limit_leaves_no_more_than_its_false_alarm(count: int) -> None:
    low, high = clopper_pearson(count, 1_000_000, 1e-6)
    assert 0 <= low <= count / 1_000_000 <= high <= 1
    assert binomial_tail(count, 1_000_000, low) <= 1e-6 or count == 0
    assert 1 - binomial_tail(count + 1, 1_000_000, high) <= 1.000001e-6 or count == 1_000_000


def test_the_margin_of_a_mean_in_figures() -> None:
    """ln(2/0.05) = 3.6889: sqrt(2·0.25·3.6889/1000) + 7·3.6889/(3·999)."""
    assert mean_margin(0.25, 1.0, 1000, 0.05) == pytest.approx(0.0429470 + 0.0086162, abs=1e-6)


def test_the_discrete_gaussian_in_figures() -> None:
    """Sigma 1: the mass at 0 is 1 over the Jacobi theta function at exp(-1/2), 1/2.5066282880."""
    law = discrete_gaussian(1.0, 12)
    assert law[0] == pytest.approx(1 / 2.50662828804, abs=1e-11)
    assert law[3] == law[-3] == pytest.approx(law[0] * math.exp(-4.5), rel=1e-13)
    assert math.fsum(law.values()) == pytest.approx(1, abs=1e-15)
    for least in (-2, -1, 0, 1, 2, 7):
        wanted = math.fsum(share for value, share in law.items() if value >= least)
        assert float(discrete_gaussian_tail(1.0, least)) == pytest.approx(wanted, rel=1e-9)
    # Far out the first term is nearly everything: exp(-18·18/2)/2.5066 and e^-18.5 more.
    assert discrete_gaussian_tail(1.0, 18) == pytest.approx(
        Decimal(math.exp(-162) / 2.50662828804 * (1 + math.exp(-18.5))), rel=Decimal("1e-7")
    )
