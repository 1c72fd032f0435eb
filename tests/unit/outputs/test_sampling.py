"""Intervals for sampling, against the package that England's public health statistics are made with, and by hand.

The expected values were printed by PHStatsMethods 0.1.16 of the Department of Health and Social Care. It is no
dependency: its licence is the GPL, and it brings SciPy and more with it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trustquery.model.rates import Count
from trustquery.outputs.figures import Figure, constant, extreme, noised, total
from trustquery.outputs.sampling import Part, Sample, byar, distances, ratio, wilson

ROWS = Count(False, frozenset())


def count(cell: int, value: float, *, name: str = "n", weight: float = 1.0, what: Count = ROWS) -> Sample:
    return (Part(frozenset((cell,)), name, weight, value, count=what),)


def share(cell: int, top: float, bottom: float, weight: float = 1.0) -> Sample:
    return (Part(frozenset((cell,)), "share", weight, top, bottom, "proportion"),)


@pytest.mark.parametrize(
    ("top", "bottom", "low", "high"),
    [
        (0, 20, 0.0, 0.16112515805281938),
        (1, 20, 0.008881448800795397, 0.23613119344674205),
        (7, 10, 0.3967781474611453, 0.8922087325936989),
        (3, 1000, 0.0010207838811386188, 0.008783014053503173),
        (812, 1000, 0.7866068125887821, 0.8350052901162314),
        (1000, 1000, 0.9961732415144449, 1.0),
        (65, 6561, 0.007780931441768106, 0.012606683348359264),
    ],
)
def test_a_proportion_has_wilsons_interval(top: float, bottom: float, low: float, high: float) -> None:
    down, up = wilson(top, bottom)
    assert (top / bottom - down, top / bottom + up) == pytest.approx((low, high), rel=1e-12, abs=1e-15)


def test_a_proportion_beyond_its_range_is_held_to_it() -> None:
    assert wilson(-5, 20) == pytest.approx(wilson(0, 20))
    assert wilson(25, 20) == pytest.approx(wilson(20, 20))


@pytest.mark.parametrize(
    ("events", "low", "high"),
    [
        (10, 4.787449913967563, 18.391458605756473),
        (11, 5.483690198449974, 19.68323711614639),
        (25, 16.174265921657202, 36.90645069218536),
        (100, 81.36210549052788, 121.6279375792065),
        (12345, 12128.180767458693, 12564.722341331742),
    ],
)
def test_a_poisson_count_has_byars_interval(events: int, low: float, high: float) -> None:
    down, up = byar(events)
    assert (events - down, events + up) == pytest.approx((low, high), rel=1e-12)


@pytest.mark.parametrize(
    ("events", "low", "high"),
    [
        (0, 0.0, 3.6888794541139354),
        (1, 0.025317807984289897, 5.571643390938898),
        (2, 0.24220927854396507, 7.22468766772396),
        (3, 0.6186721228956015, 8.767273069742323),
        (5, 1.623486390118421, 11.66833207932267),
        (9, 4.115373097378334, 17.084803451419166),
    ],
)
def test_few_events_have_nearly_the_exact_interval(events: int, low: float, high: float) -> None:
    """Below 10 the package takes the exact limits; Byar's are close, and their lower end errs on the wide side."""
    down, up = byar(events)
    assert events + up == pytest.approx(high, rel=0.01)
    assert low - 0.02 <= events - down <= low
    assert byar(-3.0) == byar(0.0)


AGES = [4, 4, 5, 5, 6, 8, 9, 10, 12, 14, 18, 22, 27, 33, 41, 50, 61, 75, 90]
FEW = [0] * 15 + [3, 2, 4, 5]
PEOPLE = [
    2833,
    2880,
    2931,
    3010,
    3277,
    3402,
    3355,
    3190,
    3021,
    2874,
    2950,
    3105,
    2811,
    2432,
    2190,
    1733,
    1204,
    702,
    391,
]
ESP = [5000, 5500, 5500, 5500, 6000, 6000, 6500, 7000, 7000, 7000, 7000, 6500, 6000, 5500, 5000, 4000, 2500, 1500, 1000]


@pytest.mark.parametrize(
    ("events", "rate", "low", "high"),
    [
        (AGES, 1106.7346070870599, 1010.8916786800855, 1209.1861485794866),
        (FEW, 32.41196479254444, 17.65275089326868, 54.463179795077195),
    ],
)
def test_a_directly_standardised_rate_has_dobsons_interval(
    events: Sequence[int], rate: float, low: float, high: float
) -> None:
    parts = [
        noised(number, age, 0.0, sample=count(age, number)).times_number(weight / people)
        for age, (number, people, weight) in enumerate(zip(events, PEOPLE, ESP, strict=True))
    ]
    found = total(parts)
    assert found.value == pytest.approx(rate, rel=1e-12)
    assert found.combined == pytest.approx((low, high), rel=1e-9)


def test_no_event_at_all_may_have_been_missed_where_it_weighs_most() -> None:
    sample = (*count(1, 0, weight=0.2), *count(2, -4, weight=3.0), *count(3, 0, weight=1.0))
    assert distances(sample) == pytest.approx((0.0, 3 * byar(0)[1]))


def test_a_difference_of_proportions_has_newcombes_interval() -> None:
    """Newcombe 1998, "Interval estimation for the difference between independent proportions", table II: method 10."""
    down, up = distances((*share(1, 56, 70), *share(2, 48, 80, weight=-1.0)))
    assert (0.2 - down, 0.2 + up) == pytest.approx((0.0524, 0.3339), abs=5e-5)


def test_a_quotient_of_counts_is_the_odds_of_a_proportion() -> None:
    """Worked by hand: 30 of 90 is 1/3, from 0.2445 to 0.4358 by Wilson; 30 over 60 from 0.3237 to 0.7724."""
    down, up = ratio(30, 60)
    assert (0.5 - down, 0.5 + up) == pytest.approx((0.3237, 0.7724), abs=1e-4)
    assert ratio(-2, 60) == ratio(0, 60)
    # Nothing is lost where one count dwarfs the other.
    down, up = ratio(1e21, 1)
    assert 1e21 - down > 1e20 / 6
    assert math.isfinite(up)


# -- what is followed, and what is not ----------------------------------------------------------------------------

A = noised(30.0, "a", 2.0, counted=True, sample=count(1, 30.0, name="a"))
N = noised(60.0, "n", 2.0, counted=True, sample=count(1, 60.0))
OTHER = noised(80.0, "m", 2.0, counted=True, sample=count(2, 80.0))


def combined(figure: Figure) -> tuple[float, float]:
    assert figure.combined is not None
    return figure.combined


def test_noise_and_sampling_are_squared_and_added() -> None:
    found = A.over(N)
    (low, high), (down, up) = found.interval, wilson(30, 60)
    assert combined(found) == pytest.approx((0.5 - math.hypot(0.5 - low, down), 0.5 + math.hypot(high - 0.5, up)))


def test_scale_shift_and_bends_carry_both_intervals() -> None:
    low, high = combined(A.over(N))
    assert combined(A.times_number(100).over(N)) == pytest.approx((100 * low, 100 * high))
    assert combined(A.over(N).times(constant(-1)).plus(constant(1))) == pytest.approx((1 - high, 1 - low))
    assert combined(A.over(N).clamped(0, 0.51)) == pytest.approx((low, 0.51))
    assert combined(A.over(N).rounded(1)) == pytest.approx((round(low, 1), round(high, 1)))
    assert combined(A.over(N).rounded(1).times_number(10)) == pytest.approx((10 * round(low, 1), 10 * round(high, 1)))
    assert combined(extreme([A.over(N), constant(0.51)], largest=False)) == pytest.approx((low, 0.51))
    assert combined(constant(3)) == (3, 3)


def test_the_same_count_twice_is_counted_once() -> None:
    assert combined(total([N, N])) == pytest.approx(combined(N.times_number(2)))
    twice, doubled = total([A.over(N), A.over(N)]).sample, A.over(N).times_number(2).sample
    assert twice is not None
    assert doubled is not None
    assert distances(twice) == pytest.approx(distances(doubled))


@pytest.mark.parametrize(
    "figure",
    [
        A.plus(N),
        total([A, N]),
        A.over(N).plus(N.over(A)),
        A.over(N).times(A),
        A.over(N).over(OTHER),
        A.over(N.plus(constant(-1), 1)),
        A.over(N.rounded(0)),
        A.over(total([N, OTHER.times_number(2)])),
        constant(1).over(N),
        A.over(N).root(),
        A.over(N).absolute(),
        extreme([A.over(N), OTHER], largest=True),
        noised(5.0, "s", 1.0).over(N),
        A.over(noised(5.0, "s", 1.0)),
    ],
)
def test_what_is_not_followed_has_no_combined_interval(figure: Figure) -> None:
    assert figure.value is not None
    assert figure.combined is None


def test_cells_apart_are_independent_and_sums_of_cells_are_counts() -> None:
    """30 in cell 1 and 50 in cell 2, of 60 and 80: 80 of 140."""
    more = noised(50.0, "b", 0.0, sample=count(2, 50.0, name="a"))
    top = total([noised(30.0, "a", 0.0, sample=count(1, 30.0, name="a")), more])
    bottom = total([noised(60.0, "n", 0.0, sample=count(1, 60.0)), noised(80.0, "m", 0.0, sample=count(2, 80.0))])
    down, up = wilson(80, 140)
    assert combined(top.over(bottom)) == pytest.approx((80 / 140 - down, 80 / 140 + up))
    apart = total([A.over(N).times_number(0.5), OTHER.over(noised(90.0, "k", 0.0, sample=count(2, 90.0, name="k")))])
    assert apart.combined is not None


def test_more_cells_above_than_below_are_no_proportion() -> None:
    both = total([N, OTHER])
    down, up = ratio(140, 60)
    assert N.sample is not None
    found = both.over(N)
    assert found.sample is not None
    assert distances(found.sample) == pytest.approx((down, up))


numbers = st.floats(-1e6, 1e6)


@given(top=numbers, bottom=numbers, sd=st.floats(0, 1e3), factor=numbers, shift=numbers)
def test_the_combined_interval_holds_the_other_and_the_value(
    top: float, bottom: float, sd: float, factor: float, shift: float
) -> None:
    above = noised(top, "a", sd, counted=True, sample=count(1, top, name="a"))
    below = noised(bottom, "n", sd, counted=True, sample=count(1, bottom))
    for figure in (above.over(below), above, total([above, below.times_number(-1)])):
        found = figure.times_number(factor).plus(constant(shift))
        if found.value is None or found.combined is None:
            continue
        (low, high), (least, most) = found.interval, found.combined
        slack = 1e-9 * max(1.0, abs(found.value), abs(low), abs(high))
        assert least - slack <= low <= found.value + slack
        assert found.value - slack <= high <= most + slack


@given(top=st.floats(-1e25, 1e25), bottom=st.floats(1, 1e25))
def test_the_formulas_are_total(top: float, bottom: float) -> None:
    for found in (wilson(top, bottom), ratio(top, bottom), byar(top)):
        assert all(math.isfinite(end) and end >= -1e-9 * max(1.0, abs(top)) for end in found)
