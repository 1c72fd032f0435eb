"""Exact limits for statistical tests: each takes the false-alarm rate it may have, and gives the range that has it.

Computed from the laws themselves in plain double arithmetic (log-gamma and continued fractions), so that no test
depends on a statistics package, and none takes its tolerance from a run.
"""

from __future__ import annotations

import math
from collections.abc import Callable

__all__ = ["binomial_range", "chi_square_range", "chi_square_tail", "discrete_gaussian"]


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
