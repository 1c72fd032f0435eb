"""Exact laws of the attack tests: how well the best attack can do, and how far a measured area may stray.

Ranges and tails that the audit needs too are in ``audits.statistics``.
"""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Sequence

__all__ = ["area_error", "area_under_curve", "share_rebuilt"]


def area_under_curve(first: Sequence[float], second: Sequence[float]) -> float:
    """The chance that a random one of ``second`` is larger than a random one of ``first``, ties counting half."""
    order = sorted(first)
    below = sum(bisect.bisect_left(order, value) + bisect.bisect_right(order, value) for value in second)
    return below / 2 / len(first) / len(second)


def area_error(first: int, second: int) -> float:
    """The standard error of that area where both come from one law (Mann and Whitney 1947); exact without ties."""
    return math.sqrt((first + second + 1) / (12 * first * second))


def share_rebuilt(rho: float, width: float, tolerance: float) -> float:
    """The share of values that the best attack rebuilds to within ``tolerance``, when rho is spent on each of them.

    The values are normal and everything is in their standard deviations. The attacker sees each value less the mean,
    clamped to ±``width``, with Gaussian noise that costs rho, and names the middle of the likeliest neighbourhood. By
    numeric integration, to four places; with rho 0 it is the share of a guess without asking.
    """
    if rho == 0:
        return math.erf(tolerance / math.sqrt(2))
    sigma, step = width / math.sqrt(2 * rho), 0.01
    reach, half = round(tolerance / step), round(4.5 / step)
    values = [place * step for place in range(-half, half + 1)]
    weights = [math.exp(-value * value / 2) for value in values]
    total = math.fsum(weights)
    seen = [min(max(value, -width), width) for value in values]
    span, found = width + 6 * sigma, 0.0
    answers = 400
    for place in range(answers + 1):
        answer = span * (2 * place / answers - 1)
        joint = [
            weight * math.exp(-(((answer - at) / sigma) ** 2) / 2) for weight, at in zip(weights, seen, strict=True)
        ]
        sums = [0.0, *itertools.accumulate(joint)]
        found += max(high - low for low, high in zip(sums, sums[2 * reach + 1 :], strict=False))
    return found * (2 * span / answers) / (sigma * math.sqrt(2 * math.pi)) / total
