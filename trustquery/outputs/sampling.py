"""What sampling does to a rate: 95 % intervals of public health practice, from the noised counts in it.

The counts are read as draws from a larger population: rows (or people) independent of each other, a count over a
population as Poisson, a count among others as binomial. The methods are those of the Office for Health Improvement and
Disparities (Public Health England 2018, "Technical Guide: Confidence Intervals", sections on proportions, rates and
directly standardised rates), evaluated at the noised counts; a count below zero is taken for zero.

What noise does is put beside it by squaring and adding (``figures.Figure.combined``), as the two are independent.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, replace
from typing import Literal

from trustquery.model.rates import Count, method_of

__all__ = ["Z95", "Part", "Sample", "added", "byar", "distances", "divided", "loose", "ratio", "scaled", "wilson"]

Z95 = 1.959963984540054
Distances = tuple[float, float]
"""From an estimate down to its lower end, and up to its upper one."""


@dataclass(frozen=True)
class Part:
    """``weight`` times a count, or times a count over a count.

    Attributes:
        cells: the cells of the release that it is made of.
        name: what is counted; parts of the same cells and name are the same.
        method: ``count`` is Poisson; for the others see ``model.rates``.
        top: the count, noised.
        bottom: the count below it, clear of zero.
        count: what is counted, while the part may still be divided by another count.
    """

    cells: frozenset[int]
    name: Hashable
    weight: float
    top: float
    bottom: float = 1.0
    method: Literal["count", "proportion", "ratio"] = "count"
    count: Count | None = None


Sample = tuple[Part, ...]
"""A sum of parts that share no cell, so that they are independent."""


def scaled(sample: Sample | None, factor: float) -> Sample | None:
    """Every part in another unit."""
    return None if sample is None else tuple(replace(part, weight=part.weight * factor) for part in sample)


def loose(sample: Sample | None) -> Sample | None:
    """The same, no longer a plain count: something was added to it, or it was bent."""
    if sample is None or all(part.count is None for part in sample):
        return sample
    return tuple(replace(part, count=None) for part in sample)


def added(samples: Iterable[Sample | None]) -> Sample | None:
    """The sum; None where parts depend on each other in a way that is not followed."""
    found: dict[tuple[frozenset[int], Hashable], Part] = {}
    for sample in samples:
        if sample is None:
            return None
        for part in sample:
            name = (part.cells, part.name)
            before = found.get(name)
            found[name] = part if before is None else replace(part, weight=part.weight + before.weight)
    cells = [part.cells for part in found.values()]
    apart = len(frozenset().union(*cells)) == sum(map(len, cells))
    return tuple(found.values()) if apart else None


def _plain(sample: Sample) -> Part | None:
    """One count of all the cells, where that is what the sample is."""
    first = sample[0]
    if first.count is None or any((part.count, part.weight) != (first.count, first.weight) for part in sample):
        return None
    return replace(first, cells=frozenset().union(*(p.cells for p in sample)), top=sum(p.top for p in sample))


def divided(top: Sample | None, bottom: Sample | None) -> Sample | None:
    """A count over a count; None where they are not that, or what is below is not above zero."""
    if not top or not bottom:
        return None
    above, below = _plain(top), _plain(bottom)
    if above is None or below is None or above.count is None or below.count is None:
        return None
    if below.weight == 0 or below.top <= 0:
        return None
    method = method_of(above.count, below.count, covered=above.cells <= below.cells)
    weight = above.weight / below.weight
    found = replace(above, cells=above.cells | below.cells, name=(above.name, below.name), count=None)
    if method == "rate":
        return (replace(found, weight=weight / below.top),)
    return (replace(found, weight=weight, bottom=below.top, method=method),)


# -- intervals: each gives the distances to both ends -------------------------------------------------------------


def _score(share: float, total: float) -> tuple[float, float]:
    """Ends of Wilson's interval; the lower one from the product of the two, so that it is never lost in rounding."""
    square = Z95 * Z95 / total
    middle = share + square / 2
    high = (middle + math.sqrt(square * (share * (1 - share) + square / 4))) / (1 + square)
    return share * share / (1 + square) / high, min(high, 1.0)


def wilson(count: float, total: float) -> Distances:
    """Of a proportion, held to 0 to 1: the score interval (Wilson 1927, "Probable inference, the law of succession, and
    statistical inference")."""
    share = min(max(count / total, 0.0), 1.0)
    low, high = _score(share, total)
    return share - low, high - share


def byar(count: float) -> Distances:
    """Of a Poisson count: Byar's approximation (Breslow and Day 1987, "Statistical Methods in Cancer Research", volume
    II, section 2.3).

    From 0 events on its upper end is within 1 % of the exact one, and its lower end is no higher.
    """
    found = max(count, 0.0)
    low = found * max(1 - 1 / (9 * found) - Z95 / (3 * math.sqrt(found)), 0.0) ** 3 if found else 0.0
    more = found + 1
    return found - low, more * (1 - 1 / (9 * more) + Z95 / (3 * math.sqrt(more))) ** 3 - found


def ratio(top: float, bottom: float) -> Distances:
    """Of a quotient of two Poisson counts: given their sum, each is binomial (Przyborowski and Wilenski 1940,
    "Homogeneity of results in testing samples from Poisson series").

    So the quotient's ends are p / (1 - p) at the ends of Wilson's interval of p, the share of the top in both. Counts
    with rows in common move together, and the interval is then too wide rather than too narrow.
    """
    above = max(top, 0.0)
    whole = above + bottom
    found, (low, high) = above / bottom, _score(above / whole, whole)
    least, most = _score(bottom / whole, whole)
    return found - low / most, high / least - found


def _poisson(parts: list[Part]) -> Distances:
    """Of a weighted sum of Poisson counts, all weights of one sign (Dobson, Kuulasmaa, Eberle and Scherer 1991,
    "Confidence intervals for weighted sums of Poisson parameters"). With one count it is Byar's."""
    counts = [max(part.top, 0.0) for part in parts]
    whole = sum(counts)
    down, up = byar(whole)
    if whole:
        spread = sum(part.weight * part.weight * count for part, count in zip(parts, counts, strict=True))
        unit = math.sqrt(spread / whole)
    else:
        # Nothing is known of where the first event would fall.
        unit = max(abs(part.weight) for part in parts)
    return unit * down, unit * up


def distances(sample: Sample) -> Distances:
    """Of a sum of independent parts, by squaring and adding what each group of them has (Zou, Huang and Zhang 2009,
    "A note on confidence interval estimation for a linear function of binomial proportions")."""
    found: list[Distances] = []
    for sign in (1.0, -1.0):
        counts = [part for part in sample if part.method == "count" and part.weight * sign > 0]
        if counts:
            found.append(_turned(_poisson(counts), sign))
    for part in sample:
        if part.method != "count" and part.weight:
            down, up = (wilson if part.method == "proportion" else ratio)(part.top, part.bottom)
            size = abs(part.weight)
            found.append(_turned((down * size, up * size), part.weight))
    return math.hypot(*(down for down, _ in found)), math.hypot(*(up for _, up in found))


def _turned(ends: Distances, sign: float) -> Distances:
    return ends if sign > 0 else (ends[1], ends[0])
