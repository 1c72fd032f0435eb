"""Reading noised histograms: labels of bins, quantiles, and the table behind a Kaplan-Meier curve."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Hashable, Sequence
from functools import lru_cache

from trustquery.model.nodes import Bins
from trustquery.outputs.figures import UNDEFINED, Z95, Figure, constant, total
from trustquery.outputs.table import KeyCell
from trustquery.outputs.trees import tree

__all__ = ["at_risk", "bin_cell", "bin_labels", "quantile", "survival"]


def _short(text: str) -> str:
    return f"{float(text):g}"


def _exact(text: str) -> str:
    return text


def _label(bins: Bins, place: int, plain: Callable[[str], str]) -> str:
    low, high = _edges(bins, place)
    if low is None or high is None:
        return f"<{plain(str(high))}" if low is None else f">={plain(str(low))}"
    last = place == bins.count - 1 and bins.ends is not None
    if bins.whole and float(low).is_integer() and float(high).is_integer():
        first, final = int(float(low)), int(float(high)) - (0 if last else 1)
        if first == final:
            return str(first)
        return f"{first}-{final}" if first >= 0 else f"{first} to {final}"
    return f"[{plain(low)}, {plain(high)}{']' if last else ')'}"


@lru_cache(maxsize=64)
def bin_labels(bins: Bins) -> tuple[str, ...]:
    """Words for the bins, no two the same: ``5``, ``10-19``, ``[0.5, 1)``; ``<18`` and ``>=65`` at open ends."""
    points = [*bins.cuts, *(bins.ends or ())]
    # Six digits where they tell the edges apart, else all of them: two bins must never share a name.
    short = len({_short(point) for point in points}) == len({float(point) for point in points})
    return tuple(_label(bins, place, _short if short else _exact) for place in range(bins.count))


def bin_cell(bins: Bins, place: int) -> KeyCell:
    """A bin as the value of a key; it sorts by its place."""
    return KeyCell("value", bin_labels(bins)[place], order=place)


def _edges(bins: Bins, place: int) -> tuple[str | None, str | None]:
    points: list[str | None] = [*bins.cuts]
    outer: tuple[str | None, str | None] = bins.ends if bins.ends is not None else (None, None)
    points = [outer[0], *points, outer[1]]
    return points[place], points[place + 1]


def _span(bins: Bins, place: int) -> tuple[float, float]:
    """Smallest and largest value of a bin. An open bin is its cut: nothing is known beyond."""
    low, high = _edges(bins, place)
    if low is None or high is None:
        edge = float(low if low is not None else str(high))
        return edge, edge
    first, final = float(low), float(high)
    last = place == bins.count - 1
    if bins.whole and not last:
        final = max(first, math.ceil(final) - 1.0)
    return first, final


def rising(values: Sequence[float]) -> list[float]:
    """The closest rising sequence, by least squares (pooling adjacent violators).

    Source: Hay, Rastogi, Miklau and Suciu 2010, "Boosting the Accuracy of Differentially Private Histograms Through
    Consistency", section 3: what a noised cumulative count must be, whatever the data, is restored without cost.
    """
    pools: list[tuple[float, int]] = []
    for value in values:
        mean, size = value, 1
        while pools and pools[-1][0] >= mean:
            before, count = pools.pop()
            mean, size = (before * count + mean * size) / (count + size), count + size
        pools.append((mean, size))
    return [mean for mean, size in pools for _ in range(size)]


def quantile(
    bins: Bins, noised: Sequence[float], sd: float, share: float, draws: Sequence[Hashable] = (), branching: int = 0
) -> Figure:
    """The value below which a share of the rows lies, from the noised counts of its bins, or of the tree over them.

    A tree is made consistent by least squares, and then the cumulative counts are made rising. Whole numbers give whole
    numbers: the smallest at which the share is reached. Others are linear inside the bin. The interval inverts a test:
    it holds every bin at whose edges the cumulative count, less the share of the total, is within z standard deviations
    of zero. It covers the noise only and does not go inside a bin, so it is never narrower than one.

    Args:
        noised: counts, one a bin; of a tree then one for each higher node.
        sd: standard deviation of the noise of each.
        share: q, from 0 to 1.
        draws: names of the draws of noise, as many as counts, where something is computed from the quantile.
        branching: of the tree; 0 for bins alone.

    Returns:
        UNDEFINED where the total cannot be told from zero at 95 %.

    Source: the test is Woodruff's (1952, "Confidence Intervals for Medians and Other Position Measures"), with the
    noise's variance of a cumulative count over j of B bins less q times the total, σ²·((1-q)²·j + q²·(B-j)) without a
    tree (``outputs.trees``).
    """
    size = bins.count
    shape = tree(size, branching)
    counts = shape.consistent(noised)
    sums = list(itertools.accumulate(counts))
    everybody = sums[-1]
    if everybody <= Z95 * sd * math.sqrt(shape.variance(size, 0.0)):
        return UNDEFINED
    smooth = rising(sums)
    target = share * everybody
    place = next((place for place, found in enumerate(smooth) if found >= target and found > 0), size - 1)
    low, high = _span(bins, place)
    before = max(smooth[place - 1], 0.0) if place else 0.0
    inside = smooth[place] - before
    part = min(max((target - before) / inside, 0.0), 1.0) if inside > 0 else 1.0
    value = low + part * (high - low)
    if bins.whole:
        # Within a bin of several whole numbers they count as spread evenly.
        value = min(low + math.floor(part * (high - low + 1.0)), high)

    def excess(number: int) -> tuple[float, float]:
        """Cumulative count of the first bins less the share of the total, and its half-width."""
        done = sums[number - 1] if number else 0.0
        return done - target, Z95 * sd * math.sqrt(shape.variance(number, share))

    first = next((i for i in range(size) if sum(excess(i + 1)) >= 0), size - 1)
    final = next((i for i in reversed(range(size)) if excess(i)[0] - excess(i)[1] <= 0), 0)
    ends = (min(_span(bins, first)[0], value), max(_span(bins, final)[1], value))
    width = (ends[1] - ends[0]) / (2 * Z95)
    # To first order the quantile moves along this direction of the noise; its length is taken from the interval.
    direction = shape.direction(place + 1, share) if draws else []
    length = math.hypot(*direction) or 1.0
    terms = {draw: -width * step / length for draw, step in zip(draws, direction, strict=bool(draws))}
    return Figure(value, terms, False, ends)


def at_risk(events: Sequence[Figure], censored: Sequence[Figure]) -> list[Figure]:
    """How many have neither had the event nor left before each bin: all with a time in it or later."""
    found: list[Figure] = []
    left = constant(0.0)
    for one, other in zip(reversed(events), reversed(censored), strict=True):
        left = total([left, one, other])
        found.append(left)
    return found[::-1]


def survival(events: Sequence[Figure], risks: Sequence[Figure]) -> list[Figure]:
    """The share without the event at the end of each bin: the product of 1 - events/at risk (Kaplan and Meier 1958).

    Noise can make a factor larger than 1, and then it stays so: to hold each factor to 1 would push the product down
    with every bin. The products are what is made to fall, and held to 0 to 1, with both ends of their first-order
    intervals: pooling keeps their order and costs no coverage of the whole curve (Chernozhukov, Fernández-Val and
    Galichon 2009, "Improving point and interval estimators of monotone functions by rearrangement", section 2).

    Where the number at risk cannot be told from zero, that bin and all later ones are UNDEFINED.

    Args:
        events: in each bin.
        risks: as ``at_risk`` gives them.
    """
    products: list[Figure] = []
    product = constant(1.0)
    for event, risk in zip(events, risks, strict=True):
        factor = constant(1.0).plus(event.over(risk), -1.0)
        if factor.value is None:
            break
        # Nobody can be left below zero; an unheld sign would turn with every later factor.
        held = Figure(max(factor.value, 0.0), factor.terms, False)
        product = held.times(product)
        if product.value is None:
            break
        products.append(product)
    values = _falling([one.value or 0.0 for one in products])
    lows, highs = (_falling([one.interval[end] for one in products]) for end in (0, 1))
    found = [
        Figure(value, one.terms, False, (low, high)).clamped(0.0, 1.0)
        for one, value, low, high in zip(products, values, lows, highs, strict=True)
    ]
    return found + [UNDEFINED] * (len(risks) - len(found))


def _falling(values: Sequence[float]) -> list[float]:
    """The closest falling sequence, by least squares."""
    return rising(values[::-1])[::-1]
