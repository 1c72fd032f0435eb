"""Exact limits for statistical tests: each takes the false-alarm rate it may have, and gives the range that has it.

Computed from the laws themselves in plain double arithmetic (log-gamma and continued fractions), so that no test
depends on a statistics package, and none takes its tolerance from a run.
"""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Callable, Sequence

__all__ = [
    "area_error",
    "area_under_curve",
    "binomial_range",
    "chi_square_range",
    "chi_square_tail",
    "discrete_gaussian",
]


def binomial_range(trials: int, share: float, false_alarm: float) -> tuple[int, int]:
    """Smallest range of counts, cut equally at both ends, that a binomial misses with at most ``false_alarm``."""

    def log_mass(count: int) -> float:
        ways = math.lgamma(trials + 1) - math.lgamma(count + 1) - math.lgamma(trials - count + 1)
        return ways + count * math.log(share) + (trials - count) * math.log1p(-share)

    low, below = 0, math.exp(log_mass(0))
    while below <= false_alarm / 2:
        low += 1
        below += math.exp(log_mass(low))
    high, above = trials, math.exp(log_mass(trials))
    while above <= false_alarm / 2:
        high -= 1
        above += math.exp(log_mass(high))
    return low, high


def chi_square_tail(value: float, freedom: int) -> float:
    """The chance that a chi-square with ``freedom`` degrees exceeds ``value`` (Numerical Recipes 6.2)."""
    if value <= 0:
        return 1.0
    a, x = freedom / 2, value / 2
    front = math.exp(-x + a * math.log(x) - math.lgamma(a))
    if x < a + 1:
        term = total = 1 / a
        n = a
        while abs(term) > abs(total) * 1e-16:
            n += 1
            term *= x / n
            total += term
        return 1 - total * front
    tiny = 1e-300
    b = x + 1 - a
    c, d = 1 / tiny, 1 / b
    h = d
    for i in range(1, 10_000):
        step = -i * (i - a)
        b += 2
        d = 1 / (step * d + b or tiny)
        c = b + step / c or tiny
        h *= c * d
        if abs(c * d - 1) < 1e-15:
            break
    return front * h


def chi_square_range(freedom: int, false_alarm: float) -> tuple[float, float]:
    """The range that a chi-square leaves with at most ``false_alarm``, half of it at each end."""

    def solve(wanted: Callable[[float], bool]) -> float:
        low, high = 0.0, freedom + 100 * math.sqrt(2 * freedom) + 100
        for _ in range(200):
            middle = (low + high) / 2
            low, high = (middle, high) if wanted(middle) else (low, middle)
        return low

    half = false_alarm / 2
    return solve(lambda x: 1 - chi_square_tail(x, freedom) < half), solve(lambda x: chi_square_tail(x, freedom) > half)


def discrete_gaussian(sigma: float, reach: int) -> dict[int, float]:
    """The exact law on the integers: mass proportional to exp(-k²/2σ²), for |k| ≤ reach, the rest negligible."""
    weights = {k: math.exp(-k * k / (2 * sigma * sigma)) for k in range(-reach, reach + 1)}
    total = math.fsum(weights.values())
    return {k: weight / total for k, weight in weights.items()}


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
