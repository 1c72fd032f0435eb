"""From the noised histogram of a profile to a distribution that can be reckoned with."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from trustquery.model.nodes import Bins
from trustquery.outputs.histograms import rising

__all__ = ["Distribution", "distribution"]

SURE = 3.0
"""A tail is believed where it is this many standard deviations above nothing: so few false alarms that none of them
decides a bound."""
ENOUGH = 5.0
"""A distribution is relied on where its people are this many standard deviations of their noised number."""
PIECES = 4
"""Points that stand for a wide bin."""
SLOPES = (*(step / 10 for step in range(3, 61)), *(step / 2 for step in range(13, 61)))
BENDS = tuple(step / 50 for step in range(31))
USUAL_BEND, ITS_SPREAD = 0.25, 0.15
"""How a tail of hospital data bends downwards on logarithmic paper, where the noise leaves it open."""
FLATTEST = 1.5
"""Where the noise begins a tail falls at least this fast: else a few people whom nobody has seen would outweigh all."""
LAW_IS_OFF = 0.05
"""The law of a tail is taken to hold to a twentieth of a count, so that the largest counts do not decide alone."""


@dataclass(frozen=True)
class Distribution:
    """How many people have which value, at one trust on average.

    Attributes:
        points: values, rising.
        people: expected number of people at each, ≥ 0.
        sure: whether there are so many people that the noise does not decide the shape.
    """

    points: tuple[float, ...]
    people: tuple[float, ...]
    sure: bool = True

    @property
    def size(self) -> float:
        """People in all."""
        return sum(self.people)

    def total(self, function: Callable[[float], float] = lambda x: x) -> float:
        """Sum over people of a function of the value."""
        return sum(count * function(point) for point, count in zip(self.points, self.people, strict=True))

    def at(self, share: float) -> float:
        """The value at a quantile; 0 where there is nobody."""
        target, done = share * self.size, 0.0
        for point, count in zip(self.points, self.people, strict=True):
            done += count
            if done >= target and count > 0:
                return point
        return self.points[-1] if self.points else 0.0


def distribution(
    bins: Bins, counts: Sequence[float], sd: float, trusts: int, largest: float, *, events: bool = False
) -> Distribution:
    """The distribution behind a noised histogram with open ends.

    Counts of "this or more" are made falling, which they are without noise, by least squares. Where they sink into the
    noise, the tail follows a law that is fitted to what stands out and to what is seen in the noise beyond: heavy users
    are few, and what a bound cuts off is theirs. Negative values, mirrored, are treated the same way.

    Args:
        counts: merged over the trusts that answered.
        sd: of the noise of each.
        trusts: how many answered, ≥ 1.
        largest: the largest value there can be, in size.
        events: values are numbers of rows.
    """
    cuts = [float(cut) for cut in bins.cuts]
    zero = sum(cut <= 0 for cut in cuts)
    up = _tail([max(cut, 0.0) for cut in cuts[zero:]], counts[zero + 1 :], sd, largest, events)
    down = _tail([-cut for cut in reversed(cuts[:zero])], list(reversed(counts[:zero])), sd, largest, events)
    first = cuts[zero - 1] if zero else min(cuts[0] - 1.0, 1.0) if cuts[0] > 1 else 0.0
    middle = (first, max(float(counts[zero]), 0.0))
    pairs = [*((-point, count) for point, count in reversed(down)), middle, *up]
    sure = sum(counts) > ENOUGH * sd * math.sqrt(len(counts))
    return Distribution(tuple(point for point, _ in pairs), tuple(count / trusts for _, count in pairs), sure)


def _tail(
    edges: Sequence[float], counts: Sequence[float], sd: float, largest: float, events: bool
) -> list[tuple[float, float]]:
    """Points and people at or beyond the first edge, outwards; one count for each edge, the last open."""
    if not edges:
        return []
    sums = list(itertools.accumulate(reversed(list(counts))))[::-1]
    beyond = [max(-value, 0.0) for value in rising([-value for value in sums])]
    # beyond[i]: people at edges[i] or more, the sum of so many noised counts.
    sure = 0
    while sure < len(edges) and beyond[sure] > SURE * sd * math.sqrt(len(edges) - sure):
        sure += 1
    if sure == 0:
        return []
    known = [*beyond[:sure]]
    law = _regulars if events else _fitted(edges, counts, known, sd)
    found: list[tuple[float, float]] = []
    for place in range(sure - 1):
        found += _spread(edges[place], edges[place + 1], known[place] - known[place + 1])
    edge, left = edges[sure - 1], known[-1]
    scale = known[-1] / law(edge)
    while edge < largest and left > 1e-9 * known[0]:
        following = min(edge * 1.25 + 1.0, largest)
        rest = scale * law(following) if following < largest else 0.0
        found += _spread(edge, following, left - rest)
        edge, left = following, rest
    return found or [(edges[0], known[0])]


def _regulars(x: float) -> float:
    """The law of rows a person: regular attenders are a second kind of people, too few to be seen in the noise."""
    return (x + 1.0) ** -2


def _fitted(
    edges: Sequence[float], counts: Sequence[float], known: Sequence[float], sd: float
) -> Callable[[float], float]:
    """The law of a tail: people at x or more, log S = log S0 - a·t - b·t² with t = log((x + 1)/(x0 + 1)).

    b = 0 is a power law, and larger b bends it down as a lognormal does. Both are fitted by least squares to the bins
    of the last three octaves that are sure and to all beyond; the usual bend decides where those say little.
    """
    last = len(known) - 1
    start = max((place for place in range(last) if edges[place] * 8 <= edges[last]), default=0)
    origin, whole = edges[start] + 1.0, known[start]
    times = [math.log((edge + 1.0) / origin) for edge in edges[start:]]
    seen = list(counts[start:])
    spread = [math.hypot(sd, LAW_IS_OFF * max(count, 0.0)) for count in seen]
    best, chosen = math.inf, (2.0, USUAL_BEND)
    reach = math.log((edges[last] + 1.0) / origin)
    for slope, bend in itertools.product(SLOPES, BENDS):
        if slope + 2 * bend * reach < FLATTEST:
            continue
        error = ((bend - USUAL_BEND) / ITS_SPREAD) ** 2
        beyond = [whole * math.exp(-slope * t - bend * t * t) for t in times] + [0.0]
        for place, (count, off) in enumerate(zip(seen, spread, strict=True)):
            error += ((count - beyond[place] + beyond[place + 1]) / off) ** 2
        if error < best:
            best, chosen = error, (slope, bend)
    slope, bend = chosen

    def law(x: float) -> float:
        t = math.log((x + 1.0) / origin)
        return whole * math.exp(-slope * t - bend * t * t)

    return law


def _spread(low: float, high: float, people: float) -> list[tuple[float, float]]:
    """People in [low, high) as points: whole numbers where there are few, else pieces of equal weight."""
    width = high - low
    if people <= 0:
        return []
    if width <= PIECES and float(low).is_integer() and float(high).is_integer():
        points = [low + step for step in range(int(width))]
    else:
        points = [low + width * (2 * step + 1) / (2 * PIECES) for step in range(PIECES)]
    return [(point, people / len(points)) for point in points]
