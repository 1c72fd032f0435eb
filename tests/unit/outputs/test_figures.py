"""Figures: what arithmetic makes of values and of noise, against the textbook's formulas and against simulation."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import pytest

from audits.statistics import binomial_range
from trustquery.outputs.figures import UNDEFINED, Z95, Figure, constant, extreme, noised, total

A = noised(100.0, "a", 3.0, counted=True)
B = noised(40.0, "b", 4.0, counted=True)


def half(figure: Figure) -> float:
    low, high = figure.interval
    return (high - low) / 2


def test_a_sum_adds_variances_and_shared_noise_is_added_once() -> None:
    assert A.plus(B).sd == pytest.approx(5)
    assert A.plus(B, -1).sd == pytest.approx(5)
    assert A.plus(A).sd == pytest.approx(6)
    nothing = A.plus(A, -1)
    assert (nothing.value, nothing.interval) == (0, (0, 0))
    assert A.plus(B).plus(A, -1).sd == pytest.approx(4)
    assert total([A, B, A]).sd == pytest.approx(math.hypot(6, 4))


def stepped(sigma: float, draw: str = "a") -> Figure:
    """A count of 50 whose noise is a whole number."""
    return replace(noised(50, draw, sigma), step=1.0)


@pytest.mark.parametrize(
    ("sigma", "half"),
    [
        (0.0, 0.0),
        (0.36, 0.36 * Z95),
        (0.4, 1),
        (1.0, 2),
        (1.5, 3),
        (2.0, 4),
        (10.0, 20),
        (10.1, 20),
        (9.75, 9.75 * Z95),
        (1e7, 1e7 * Z95),
    ],
)
def test_noise_in_whole_steps_is_held_by_enough_of_them(sigma: float, half: float) -> None:
    """The smallest whole number that holds 95 in 100 of a discrete Gaussian, or 1.96 sigma where that is more.

    At sigma 1 the masses of 0, 1, 2 are 0.3989, 0.2420, 0.0540: within 1 are 88 in 100, within 2 are 99.
    """
    assert stepped(sigma).interval == pytest.approx((50 - half, 50 + half))


def test_steps_are_kept_by_sums_and_scale() -> None:
    assert stepped(1.0).times_number(-3).interval == pytest.approx((-156, -144))
    assert stepped(1.0).plus(constant(0.5)).interval == pytest.approx((48.5, 52.5))
    # sigma √2 holds three steps.
    assert stepped(1.0).plus(stepped(1.0, "b"), -1).interval == pytest.approx((-3, 3))
    assert total([stepped(1.0), stepped(1.0, "b")]).interval == pytest.approx((97, 103))
    mixed = stepped(1.0).plus(stepped(1.0, "b").times_number(0.3))
    assert half(mixed) == pytest.approx(Z95 * math.hypot(1, 0.3))


def test_a_product_is_first_order() -> None:
    """Var(xy) ≈ y²·var(x) + x²·var(y) (GUM, 5.1.2)."""
    assert A.times(B).value == 4000
    assert A.times(B).sd == pytest.approx(math.hypot(40 * 3, 100 * 4))
    assert A.times(A).sd == pytest.approx(2 * 100 * 3)
    assert A.times(constant(-2)).interval == pytest.approx((-200 - 6 * Z95, -200 + 6 * Z95))


def test_a_ratio_keeps_fiellers_interval_when_it_is_scaled_and_shifted() -> None:
    low, high = A.over(B).interval
    assert A.times(constant(100)).over(B).interval == pytest.approx((100 * low, 100 * high))
    assert A.over(B).times_number(100).interval == pytest.approx((100 * low, 100 * high))
    assert A.over(B).times_number(-1).interval == pytest.approx((-high, -low))
    assert constant(1).plus(A.over(B), -1).interval == pytest.approx((1 - high, 1 - low))
    assert A.over(B).plus(constant(1), -1).interval == pytest.approx((low - 1, high - 1))
    # Not symmetric: the far end is further away.
    assert high - 2.5 > 2.5 - low


def test_fiellers_interval_knows_of_shared_noise() -> None:
    """a / (a + b) moves less than a quotient of figures that knew nothing of one another."""
    share = A.over(A.plus(B))
    apart = A.over(noised(140.0, "c", 5.0))
    assert half(share) < half(apart)
    same = A.over(A)
    assert same.value == 1
    assert same.interval == pytest.approx((1, 1))


@pytest.mark.parametrize(
    "bottom",
    [
        constant(0),
        noised(0, "b", 1),
        noised(1.9, "b", 1),
        noised(-1.9, "b", 1),
        noised(-100, "b", 1, counted=True),
        UNDEFINED,
    ],
)
def test_a_quotient_by_about_nothing_is_undefined(bottom: Figure) -> None:
    assert A.over(bottom) == UNDEFINED
    assert A.over(bottom).times(B).plus(A).value is None
    assert A.over(bottom).estimate().low is None


def test_a_quotient_by_a_difference_may_be_negative() -> None:
    found = A.over(noised(-50, "b", 1))
    assert found.value == -2
    assert found.interval[0] < -2 < found.interval[1]


def test_rising_functions_map_the_ends() -> None:
    low, high = A.interval
    assert A.root().interval == pytest.approx((math.sqrt(low), math.sqrt(high)))
    assert A.root().sd == pytest.approx(3 / 20)
    assert A.clamped(0, 101).interval == (low, 101)
    assert A.rounded(-1).interval == (90, 110)
    assert A.rounded(1).value == 100
    assert constant(2.5).rounded(0).value == 3
    assert constant(-2.5).rounded(0).value == -3
    assert constant(-0.4).rounded(0).value == 0
    assert constant(2.0**60 + 2.0**10).rounded(2).value == 2.0**60 + 2.0**10


def test_roots_of_what_may_be_negative() -> None:
    assert constant(0).root().value == 0
    assert noised(0, "a", 1).root() == UNDEFINED
    assert noised(-5, "a", 1).root() == UNDEFINED
    assert noised(1, "a", 3).root().interval[0] == 0


def test_an_absolute_value_near_zero_begins_at_zero() -> None:
    low, high = noised(1, "a", 3).interval
    assert noised(-1, "a", 3).absolute().interval == pytest.approx((0, max(-low, high)))
    assert noised(-100, "a", 3).absolute().interval == pytest.approx((100 - 3 * Z95, 100 + 3 * Z95))


def test_a_number_over_a_figure_turns_its_ends() -> None:
    low, high = A.over(B).interval
    assert constant(6).over(A.over(B)).interval == pytest.approx((6 / high, 6 / low))
    assert constant(-6).over(A.over(B)).interval == pytest.approx((-6 / low, -6 / high))
    below = noised(-50, "b", 1)
    assert constant(1).over(below).interval == pytest.approx((1 / below.interval[1], 1 / below.interval[0]))


def lopsided(figure: Figure) -> Figure:
    """The same figure, its interval said in another way."""
    return replace(figure, linear=False, ends=figure.interval)


@pytest.mark.parametrize("top", [A, A.times_number(-1), noised(1.0, "a", 3.0), noised(-1.0, "a", 3.0)])
@pytest.mark.parametrize("bottom", [B, B.times_number(-1), noised(9.0, "b", 4.5)])
def test_square_and_add_gives_fiellers_interval_where_fieller_would_do(top: Figure, bottom: Figure) -> None:
    """The worked case of Donner and Zou 2012: for symmetric intervals the two are one."""
    bottom = replace(bottom, counted=False)
    assert lopsided(top).over(bottom).interval == pytest.approx(top.over(bottom).interval)
    assert lopsided(top).plus(bottom).interval == pytest.approx(top.plus(bottom).interval)
    assert total([lopsided(top), bottom, noised(7.0, "c", 1.0)]).interval == pytest.approx(
        total([top, bottom, noised(7.0, "c", 1.0)]).interval
    )


def test_a_lopsided_sum_stays_lopsided() -> None:
    """Worked by hand: downwards 3 and 4, upwards 5 and 12."""
    one = Figure(10.0, {"a": 2.0}, False, (7.0, 15.0))
    other = Figure(20.0, {"b": 4.0}, False, (16.0, 32.0))
    assert one.plus(other).interval == pytest.approx((25, 43))
    assert one.plus(other, -1).interval == pytest.approx((-10 - math.hypot(3, 12), -10 + math.hypot(5, 4)))
    assert total([one, other]).interval == pytest.approx((25, 43))
    # Shared noise may cancel, which lopsided ends cannot say.
    assert one.plus(one, -1).interval == (0, 0)


def test_a_product_of_what_is_about_zero_has_a_width() -> None:
    """Half-axes of 2·Z95 and 3·Z95: the largest product around the ellipse is half of theirs, at 45 degrees."""
    low, high = noised(0, "a", 2.0).times(noised(0, "b", 3.0)).interval
    assert (low, high) == pytest.approx((-3 * Z95**2, 3 * Z95**2))


def test_the_largest_of_many_is_known_to_be_too_large() -> None:
    """Each of k lower ends holds with 1 - 0.025/k: for k = 5 that is 2.5758 standard deviations."""
    many = [noised(50, place, 10) for place in range(5)]
    assert extreme(many, largest=True).interval == pytest.approx((50 - 25.758, 50 + 19.600), abs=1e-3)
    assert extreme(many, largest=False).interval == pytest.approx((50 - 19.600, 50 + 25.758), abs=1e-3)


def test_the_largest_takes_the_largest_ends() -> None:
    found = extreme([A, B, constant(101)], largest=True)
    assert found.value == 101
    assert found.interval == (101, A.interval[1])
    assert found.terms == {"b": 4.0}
    assert extreme([A, B], largest=False).value == 40
    assert extreme([A, UNDEFINED], largest=True) == UNDEFINED
    assert extreme([constant(1), constant(2)], largest=True).interval == (2, 2)


@pytest.mark.parametrize(
    "found",
    [
        constant(math.inf),
        constant(1e308).times_number(10),
        constant(1e308).plus(constant(1e308)),
        constant(1e308).times(noised(1e308, "a", 1)),
        constant(1e308).over(noised(1e-300, "a", 1e-310)),
        total([constant(1e308), constant(1e308)]),
        constant(1e308).rounded(12),
    ],
)
def test_what_is_not_finite_is_undefined(found: Figure) -> None:
    assert found.value is None or math.isfinite(found.value)


def test_the_interval_of_a_standardised_ratio_covers_it_95_times_in_100() -> None:
    """A ratio of weighted sums that share a cell, in 20,000 draws. False alarms: 1e-7, from the binomial law."""
    source = random.Random(20260)
    truth = {"a": 300.0, "b": 200.0, "c": 900.0}
    weights = {"a": 2.0, "b": 0.5, "c": 1.0}
    exact = (2 * 300 + 0.5 * 200) / (300 + 900)
    covered = 0
    for _ in range(20_000):
        cells = {name: noised(value + source.gauss(0, 20), name, 20) for name, value in truth.items()}
        top = total([cells["a"].times_number(weights["a"]), cells["b"].times_number(weights["b"])])
        low, high = top.over(total([cells["a"], cells["c"]])).interval
        covered += low <= exact <= high
    lowest, highest = binomial_range(20_000, 0.95, 1e-7)
    assert lowest <= covered <= highest
