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
STEEPEST, FLATTEST = 6.0, 1.2
"""Limits of the exponent with which a tail is carried on beyond what the noise shows."""
PIECES = 4
"""Points that stand for a wide bin."""


@dataclass(frozen=True)
class Distribution:
    """How many people have which value, at one trust on average.

    Attributes:
        points: values, rising.
        people: expected number of people at each, ≥ 0.
    """

    points: tuple[float, ...]
    people: tuple[float, ...]

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


def distribution(bins: Bins, counts: Sequence[float], sd: float, trusts: int, largest: float) -> Distribution:
    """The distribution behind a noised histogram with open ends.

    Counts of "this or more" are made falling, which they are without noise, by least squares. Where they sink into the
    noise the tail is carried on as a power law from the last two octaves that stand out, up to ``largest``: heavy
    users are few, and what a bound cuts off is theirs. Negative values, mirrored, are treated the same way.

    Args:
        counts: merged over the trusts that answered.
        sd: of the noise of each.
        trusts: how many answered, ≥ 1.
        largest: the largest value there can be, in size.
    """
    cuts = [float(cut) for cut in bins.cuts]
    zero = sum(cut <= 0 for cut in cuts)
    up = _tail([max(cut, 0.0) for cut in cuts[zero:]], counts[zero + 1 :], sd, largest)
    down = _tail([-cut for cut in reversed(cuts[:zero])], list(reversed(counts[:zero])), sd, largest)
    first = cuts[zero - 1] if zero else min(cuts[0] - 1.0, 1.0) if cuts[0] > 1 else 0.0
    middle = (first, max(float(counts[zero]), 0.0))
    pairs = [*((-point, count) for point, count in reversed(down)), middle, *up]
    return Distribution(tuple(point for point, _ in pairs), tuple(count / trusts for _, count in pairs))


def _tail(edges: Sequence[float], counts: Sequence[float], sd: float, largest: float) -> list[tuple[float, float]]:
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
    exponent = _exponent(edges, known)
    found: list[tuple[float, float]] = []
    for place in range(sure - 1):
        found += _spread(edges[place], edges[place + 1], known[place] - known[place + 1])
    edge, left = edges[sure - 1], known[-1]
    if sure < len(edges):
        # Beyond the next edge there are no more people than the noise can hide.
        hidden = beyond[sure] + sd * math.sqrt(len(edges) - sure)
        rest = min(left * ((edge + 1.0) / (edges[sure] + 1.0)) ** exponent, hidden)
        found += _spread(edge, edges[sure], left - rest)
        edge, left = edges[sure], rest
    while edge < largest and left > 1e-9 * known[0]:
        following = min(edge * 1.25 + 1.0, largest)
        rest = left * ((edge + 1.0) / (following + 1.0)) ** exponent if following < largest else 0.0
        found += _spread(edge, following, left - rest)
        edge, left = following, rest
    return found or [(edges[0], known[0])]


def _exponent(edges: Sequence[float], known: Sequence[float]) -> float:
    """How fast the share beyond an edge falls, from the last edge that is sure and one about two octaves below."""
    last = len(known) - 1
    before = max((place for place in range(last) if edges[place] * 4 <= edges[last]), default=0)
    if before == last or edges[before] <= 0:
        return 2.0
    slope = math.log(known[before] / known[last]) / math.log((edges[last] + 1.0) / (edges[before] + 1.0))
    return min(max(slope, FLATTEST), STEEPEST)


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
