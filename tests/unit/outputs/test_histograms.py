"""Reading histograms: bins and their names, quantiles with intervals that cover, and survival."""

from __future__ import annotations

import itertools
import random
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.lib.statistics import binomial_range
from trustquery.language.aggregates import MAX_VALUE_BINS, WIDE_BINS, choose_bins
from trustquery.model.nodes import Bins
from trustquery.model.terms import tree_levels
from trustquery.outputs.figures import UNDEFINED, Figure, noised
from trustquery.outputs.histograms import at_risk, bin_labels, quantile, rising, survival

FALSE_ALARM = 1e-7


def curve(events: list[Figure], gone: list[Figure]) -> list[Figure]:
    return survival(events, at_risk(events, gone))


def labels(bins: Bins) -> list[str]:
    return list(bin_labels(bins))


def chosen(lo: str, hi: str, *, integral: bool) -> Bins:
    return choose_bins(Fraction(lo), Fraction(hi), integral)


def test_whole_numbers_have_a_bin_each_up_to_a_range_of_512() -> None:
    assert labels(chosen("-1", "2", integral=True)) == ["-1", "0", "1", "2"]
    assert labels(chosen("7", "7", integral=True)) == ["7"]
    at = chosen("0", str(MAX_VALUE_BINS), integral=True)
    above = chosen("0", str(MAX_VALUE_BINS + 1), integral=True)
    assert (at.count, above.count) == (MAX_VALUE_BINS + 1, 103)
    assert labels(above)[:2] == ["0-4", "5-9"]
    assert labels(above)[-1] == "510-513"


def test_other_numbers_have_128_bins_of_equal_width() -> None:
    bins = chosen("0", "64", integral=False)
    assert bins.count == WIDE_BINS
    assert labels(bins)[:2] == ["[0, 0.5)", "[0.5, 1)"]
    assert labels(bins)[-1] == "[63.5, 64]"
    assert chosen("0.5", "0.5", integral=False).count == 1


@given(lo=st.fractions(-1000, 1000), width=st.fractions(0, 10**6), integral=st.booleans())
def test_every_choice_of_bins_is_valid_and_small(lo: Fraction, width: Fraction, integral: bool) -> None:
    bins = choose_bins(lo, lo + width, integral)
    assert 1 <= bins.count <= MAX_VALUE_BINS + 1
    assert bins.place(float(lo)) in (0, 1)
    assert bins.place(float(lo + width) + 1) == bins.count - 1
    assert len(set(labels(bins))) == bins.count


def test_a_cut_belongs_to_the_bin_above() -> None:
    bins = Bins(("0", "1.5"))
    assert [bins.place(value) for value in (-0.1, -0.0, 0.0, 1.4999, 1.5, float("inf"))] == [0, 1, 1, 1, 2, 2]
    assert labels(bins) == ["<0", "[0, 1.5)", ">=1.5"]


@given(st.lists(st.floats(-1e6, 1e6), max_size=30))
def test_the_closest_rising_sequence_rises_and_keeps_the_sum(values: list[float]) -> None:
    found = rising(values)
    assert all(one <= other + 1e-6 for one, other in itertools.pairwise(found))
    assert sum(found) == pytest.approx(sum(values), abs=1e-3)
    assert rising(sorted(values)) == pytest.approx(sorted(values), abs=1e-6)


def test_a_quantile_of_exact_counts() -> None:
    bins = chosen("0", "4", integral=True)
    counts = [1.0, 2.0, 3.0, 2.0, 2.0]
    assert [quantile(bins, counts, 0.0, share).value for share in (0.0, 0.1, 0.3, 0.31, 0.5, 0.6, 0.61, 1.0)] == [
        *(0, 0, 1, 2, 2, 2, 3, 4)
    ]
    wide = Bins(("10",), ("0", "20"))
    assert quantile(wide, [5.0, 5.0], 0.0, 0.25).value == 5
    assert quantile(wide, [5.0, 5.0], 0.0, 0.75).value == 15


def test_a_quantile_of_about_nobody_has_no_value() -> None:
    bins = chosen("0", "3", integral=True)
    assert quantile(bins, [1.0, 0.0, 0.0, 0.0], 1.0, 0.5) == UNDEFINED
    assert quantile(bins, [-5.0, -5.0, -5.0, -5.0], 1.0, 0.5) == UNDEFINED


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("people", [60, 2_000])
def test_the_interval_of_a_quantile_covers_it_at_least_95_times_in_100(share: float, people: int) -> None:
    """Lengths of stay, most of them short; 400 draws of noise. False alarms: FALSE_ALARM, from the binomial law."""
    source = random.Random(int(share * 10) + people)
    bins = chosen("0", "60", integral=True)
    stays = [min(int(source.expovariate(0.25)), 60) for _ in range(people)]
    counts = [float(stays.count(value)) for value in range(61)]
    truth = quantile(bins, counts, 0.0, share).value
    sd = 3.0
    covered = tried = 0
    for _ in range(400):
        found = quantile(bins, [count + source.gauss(0, sd) for count in counts], sd, share)
        if found.value is not None and truth is not None:
            tried += 1
            low, high = found.interval
            assert low <= found.value <= high
            covered += low <= truth <= high
    assert tried > 100
    assert covered >= binomial_range(tried, 0.95, FALSE_ALARM)[0]


noise = st.lists(st.integers(-40, 400), min_size=2, max_size=30)
shares = st.floats(0, 1)


@given(
    counts=noise,
    above=st.lists(st.integers(-40, 4_000), min_size=40, max_size=40),
    branching=st.sampled_from((0, 2, 5)),
    sd=st.floats(0, 20),
    pair=st.tuples(shares, shares),
    whole=st.booleans(),
)
def test_a_larger_share_has_a_larger_quantile_and_both_ends_with_it(
    counts: list[int], above: list[int], branching: int, sd: float, pair: tuple[float, float], whole: bool
) -> None:
    """However the noise fell: value, lower and upper end, of one histogram or tree of bins, all in order."""
    bins = Bins(tuple(str(5 * place) for place in range(1, len(counts))), ("0", str(5 * len(counts))), whole)
    higher = sum(tree_levels(len(counts), branching)) - len(counts)
    noised = [float(count) for count in (*counts, *above[:higher])]
    low, high = (quantile(bins, noised, sd, share, branching=branching) for share in sorted(pair))
    assert (low.value is None) == (high.value is None)
    if low.value is None or high.value is None:
        return
    assert low.value <= high.value + 1e-9
    for end in (0, 1):
        assert low.interval[end] <= high.interval[end] + 1e-9
    for found in (low, high):
        assert found.interval[0] <= (found.value or 0.0) <= found.interval[1]


@given(
    pairs=st.lists(st.tuples(st.integers(-20, 100), st.integers(-20, 100)), min_size=1, max_size=20),
    sd=st.floats(0, 20),
)
def test_survival_never_rises_nor_do_its_ends(pairs: list[tuple[int, int]], sd: float) -> None:
    events, gone = (
        [noised(pair[which], (which, place), sd, counted=True) for place, pair in enumerate(pairs)] for which in (0, 1)
    )
    found = curve(events, gone)
    known = [figure for figure in found if figure.value is not None]
    assert all(figure.value is None for figure in found[len(known) :])
    for figure in known:
        assert 0 <= figure.interval[0] <= (figure.value or 0.0) + 1e-12
        assert (figure.value or 0.0) <= figure.interval[1] + 1e-12 <= 1 + 1e-12
    for one, other in itertools.pairwise(known):
        assert (other.value or 0.0) <= (one.value or 0.0) + 1e-12
        assert other.interval[0] <= one.interval[0] + 1e-12
        assert other.interval[1] <= one.interval[1] + 1e-12


def test_survival_is_the_product_limit() -> None:
    """Kaplan and Meier's estimate of 10 people: events 2, 1, 3 and censored 1, 2, 1 in three bins."""
    events = [noised(count, ("e", place), 0.0, counted=True) for place, count in enumerate((2.0, 1.0, 3.0))]
    gone = [noised(count, ("c", place), 0.0, counted=True) for place, count in enumerate((1.0, 2.0, 1.0))]
    found = [figure.value for figure in curve(events, gone)]
    assert found == pytest.approx([8 / 10, 8 / 10 * 6 / 7, 8 / 10 * 6 / 7 * 1 / 4])


def test_survival_is_held_to_0_to_1_and_ends_where_nobody_is_left() -> None:
    events = [noised(count, ("e", place), 1.0, counted=True) for place, count in enumerate((-3.0, 120.0, 5.0, 0.0))]
    gone = [noised(count, ("c", place), 1.0, counted=True) for place, count in enumerate((0.0, -8.0, 0.0, 0.0))]
    found = curve(events, gone)
    assert [figure.value for figure in found] == [1.0, 0.0, 0.0, None]
    assert all(0 <= end <= 1 for figure in found[:3] for end in figure.interval)


def test_the_interval_of_survival_covers_it_95_times_in_100() -> None:
    """First-order, with at risk well clear of zero; 3,000 draws. Off by at most 1 in 100 by curvature."""
    source = random.Random(11)
    deaths, lost = (80.0, 60.0, 40.0), (20.0, 30.0, 370.0)
    exact = curve(
        [noised(count, ("e", place), 0.0) for place, count in enumerate(deaths)],
        [noised(count, ("c", place), 0.0) for place, count in enumerate(lost)],
    )[-1].value
    assert exact is not None
    covered = 0
    for _ in range(3_000):
        found = curve(
            [noised(count + source.gauss(0, 5), ("e", place), 5.0) for place, count in enumerate(deaths)],
            [noised(count + source.gauss(0, 5), ("c", place), 5.0) for place, count in enumerate(lost)],
        )[-1]
        low, high = found.interval
        covered += low <= exact <= high
    assert binomial_range(3_000, 0.94, FALSE_ALARM)[0] <= covered <= binomial_range(3_000, 0.96, FALSE_ALARM)[1]
