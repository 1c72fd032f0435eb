"""Conversions and charges round against the analyst, by arithmetic of another kind than the code's own.

Directions: epsilon to rho may only round down, rho to epsilon only up, sigma and charges only up. The formula
rho + 2·sqrt(rho·ln(1/delta)) is looser than OpenDP's conversion, so that the epsilon shown is never below OpenDP's for
the same rho and delta: people are told of more loss than there is, which is the safe side.
"""

from __future__ import annotations

import math
from decimal import Context, Decimal
from fractions import Fraction
from typing import Any

import opendp.prelude as dp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.lib.refusals import code_of
from tests.property.budgets import examples
from trustquery.errors import TrustQueryError
from trustquery.privacy.budget import (
    NANO,
    charge_nano,
    delta_for,
    epsilon_of,
    l2_squared,
    rho_nano_of,
    sigma_units,
)

FINE = Context(prec=120)
UNIT_SQUARED = 2**40
epsilons = st.decimals(min_value="0.0001", max_value=100, allow_nan=False, allow_infinity=False, places=6)
deltas = st.sampled_from([Decimal("1e-8"), Decimal("1e-6"), Decimal("1e-12"), Decimal("0.00005")])
rhos = st.one_of(st.integers(1, 10**6), st.integers(1, 10**11))
sensitivities = st.builds(l2_squared, st.integers(1, 100), st.integers(1, 1000), st.integers(1, 2**40))


def exact_epsilon(rho: Fraction, delta: Decimal) -> Decimal:
    """rho + 2·sqrt(rho·ln(1/delta)) to 100 digits and more."""
    value = FINE.divide(Decimal(rho.numerator), Decimal(rho.denominator))
    root = FINE.sqrt(FINE.multiply(value, FINE.minus(FINE.ln(delta))))
    return FINE.add(value, FINE.multiply(Decimal(2), root))


@examples(ci=200, full=3_000)
@given(epsilon=epsilons, delta=deltas)
def test_epsilon_to_rho_rounds_down_and_by_less_than_one(epsilon: Decimal, delta: Decimal) -> None:
    code = code_of(lambda: rho_nano_of(epsilon, delta))
    if code:
        assert code == "query-epsilon-too-small"
        assert exact_epsilon(Fraction(1, NANO), delta) > epsilon
        return
    rho = rho_nano_of(epsilon, delta)
    assert exact_epsilon(Fraction(rho, NANO), delta) <= epsilon
    assert exact_epsilon(Fraction(rho + 1, NANO), delta) > epsilon


@examples(ci=200, full=3_000)
@given(rho=rhos, delta=deltas, trusts=st.integers(1, 250))
def test_rho_to_epsilon_rounds_up_and_by_no_more_than_the_last_place(rho: int, delta: Decimal, trusts: int) -> None:
    shown = epsilon_of(rho, delta, trusts=trusts)
    exact = exact_epsilon(Fraction(rho * trusts, NANO), delta)
    assert exact <= shown <= exact + Decimal("0.0001")
    assert shown.as_tuple().exponent == -4


@examples(ci=200, full=3_000)
@given(epsilon=epsilons, delta=deltas)
def test_there_and_back_never_costs_more_than_asked(epsilon: Decimal, delta: Decimal) -> None:
    try:
        rho = rho_nano_of(epsilon, delta)
    except TrustQueryError:
        return
    assert epsilon_of(rho, delta, places=6) <= epsilon  # which has six places itself


@examples(ci=40, full=500)
@given(rho=st.integers(1_000, 10**11), delta=deltas)
def test_the_epsilon_shown_is_never_below_opendps(rho: int, delta: Decimal) -> None:
    exact = float(Fraction(rho, NANO))
    scale = math.sqrt(1 / (2 * exact))
    dp.enable_features("contrib")
    space = dp.vector_domain(dp.atom_domain(T="i64")), dp.l2_distance(T=float)
    measurement: Any = dp.m.make_gaussian(*space, scale=scale)
    converted: Any = dp.c.make_zCDP_to_approxDP(measurement)
    curve = converted.map(1.0)
    theirs = curve.epsilon(float(delta))
    ours = float(epsilon_of(rho, delta, places=12))
    assert theirs <= ours * (1 + 1e-9)
    assert theirs >= ours * 0.2  # and they speak of the same thing


@examples(ci=300, full=5_000)
@given(squared=sensitivities, share=rhos)
def test_sigma_is_the_smallest_that_the_share_pays_for_and_exact_as_a_double(squared: int, share: int) -> None:
    sigma = sigma_units(squared, share)
    charge = charge_nano(squared, sigma)
    loss = Fraction(NANO * squared * UNIT_SQUARED, 2 * sigma * sigma)
    assert loss <= charge <= share
    assert charge - loss < 1
    assert int(float(sigma)) == sigma
    assert Fraction(sigma / 2**20) == Fraction(sigma, 2**20)
    # The next smaller one that a double can hold would cost more than the share.
    smaller = sigma - 2 ** max(sigma.bit_length() - 53, 0)
    if smaller > 0:
        assert Fraction(NANO * squared * UNIT_SQUARED, 2 * smaller * smaller) > share


@examples(ci=100, full=1_000)
@given(groups=st.integers(1, 10**5), rows=st.integers(1, 10**5), largest=st.integers(0, 2**53))
def test_the_sensitivity_is_the_norm_of_the_largest_change(groups: int, rows: int, largest: int) -> None:
    """G cells, each moved by R rows of A: R is not under the root."""
    assert l2_squared(groups, rows, largest) == sum([(rows * largest) ** 2]) * groups


@examples(ci=50, full=500)
@given(people=st.integers(1, 10**9))
def test_delta_is_never_above_a_tenth_of_one_in_the_people(people: int) -> None:
    delta = delta_for(people)
    assert delta <= Decimal("1e-8")
    assert Fraction(delta) <= Fraction(1, 10 * people) * (1 + Fraction(1, 10**50))


@pytest.mark.parametrize("epsilon", ["0", "-1", "NaN", "Infinity", "-Infinity", "100.0000001", "sNaN"])
def test_an_epsilon_that_is_none_is_refused(epsilon: str) -> None:
    with pytest.raises(TrustQueryError) as caught:
        rho_nano_of(Decimal(epsilon))
    assert caught.value.code == "query-epsilon"


def test_one_billionth_of_rho_more_is_one_more() -> None:
    """A threshold at n-1, n and n+1: the charge at the exact bound and one unit of sigma to either side."""
    squared, share = l2_squared(2, 3, 5), 1_000_000
    sigma = sigma_units(squared, share)
    assert charge_nano(squared, sigma - 1) > share
    assert charge_nano(squared, sigma) <= share
    assert charge_nano(squared, sigma + 1) <= share
