"""Exact limits for statistical tests: each takes the false-alarm rate it may have, and gives the range that has it.

Computed from the laws themselves (log-gamma and continued fractions in doubles; the discrete Gaussian in 40-digit
decimals), so that no check depends on a statistics package, and none takes its tolerance from a run.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from decimal import Context, Decimal
from functools import cache
from types import MappingProxyType

__all__ = [
    "binomial_range",
    "binomial_tail",
    "chi_square_range",
    "chi_square_tail",
    "clopper_pearson",
    "discrete_gaussian",
    "discrete_gaussian_tail",
    "mean_margin",
]

_DIGITS = Context(prec=40)
_BISECTIONS = 40


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


def binomial_tail(count: int, trials: int, share: float) -> float:
    """The chance that a binomial is ``count`` or more: an incomplete beta function (Numerical Recipes 6.4).

    Relative error below 1e-8 for up to 10^7 trials: that of log-gamma in doubles.
    """
    if count <= 0:
        return 1.0
    if count > trials or share <= 0:
        return 0.0
    if share >= 1:
        return 1.0
    a, b = float(count), float(trials - count + 1)
    front = math.exp(
        math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(share) + b * math.log1p(-share)
    )
    if share < (a + 1) / (a + b + 2):
        return min(front * _beta_fraction(a, b, share) / a, 1.0)
    return max(1 - front * _beta_fraction(b, a, 1 - share) / b, 0.0)


def _beta_fraction(a: float, b: float, x: float) -> float:
    """The continued fraction of the incomplete beta function, by Lentz's method."""
    tiny = 1e-300
    c, d = 1.0, 1 / ((1 - (a + b) * x / (a + 1)) or tiny)
    found = d
    for m in range(1, 100_000):
        for step in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 / ((1 + step * d) or tiny)
            c = (1 + step / c) or tiny
            found *= c * d
        if abs(c * d - 1) < 1e-13:
            break
    return found


def clopper_pearson(count: int, trials: int, false_alarm: float) -> tuple[float, float]:
    """A share's lower and upper limit; each is wrong with a chance of at most ``false_alarm`` (Clopper, Pearson 1934).

    Args:
        count: successes, 0 to ``trials``.
        trials: independent, at least 1.
        false_alarm: of one side, in (0, 1/2).
    """

    def limit(inside: Callable[[float], bool], near: float, far: float) -> float:
        """Between ``near``, which is inside, and ``far``, which is not: ends on the outer side."""
        for _ in range(_BISECTIONS):
            middle = (near + far) / 2
            near, far = (middle, far) if inside(middle) else (near, middle)
        return far

    share = count / trials
    # Twelve standard errors and a few counts beyond lie outside for any false alarm above 1e-15.
    reach = 12 * math.sqrt(share * (1 - share) / trials) + 80 / trials
    low, high = 0.0, 1.0
    if count > 0:
        low = limit(lambda p: binomial_tail(count, trials, p) > false_alarm, share, max(share - reach, 0.0))
    if count < trials:
        high = limit(lambda p: 1 - binomial_tail(count + 1, trials, p) > false_alarm, share, min(share + reach, 1.0))
    return low, high


def mean_margin(variance: float, width: float, number: int, false_alarm: float) -> float:
    """How far a mean of bounded draws may lie from what is expected, at one side (Maurer and Pontil 2009, theorem 4).

    Args:
        variance: sample variance of the draws.
        width: largest less smallest value that a draw can have.
        number: independent draws, at least 2.
        false_alarm: of one side, in (0, 1).
    """
    log = math.log(2 / false_alarm)
    return math.sqrt(2 * variance * log / number) + 7 * width * log / (3 * (number - 1))


@cache
def discrete_gaussian(sigma: float, reach: int) -> Mapping[int, float]:
    """The exact law on the integers: mass proportional to exp(-k²/2σ²), for |k| ≤ reach, the rest negligible."""
    weights = _weights(sigma, reach)
    total = _whole(weights)
    half = [float(_DIGITS.divide(weight, total)) for weight in weights]
    return MappingProxyType({k: half[abs(k)] for k in range(-reach, reach + 1)})


def discrete_gaussian_tail(sigma: float, least: int) -> Decimal:
    """The chance that a discrete Gaussian is ``least`` or more, with at least 20 correct digits down to 1e-300."""
    weights = _weights(sigma, max(least, 0) + math.ceil(40 * sigma) + 1)
    total = _whole(weights)
    tail = sum(weights[abs(least) if least > 0 else abs(least) + 1 :], Decimal(0))
    return _DIGITS.divide(tail if least > 0 else total - tail, total)


def _weights(sigma: float, reach: int) -> list[Decimal]:
    """exp(-k²/2σ²) for k = 0 to reach: each from the one before, in 40 digits; a double is an exact decimal."""
    scale = Decimal(sigma)
    doubled = _DIGITS.multiply(Decimal(2), _DIGITS.multiply(scale, scale))
    ratio = _DIGITS.exp(_DIGITS.divide(Decimal(-1), doubled))
    shrink = _DIGITS.multiply(ratio, ratio)
    found = [Decimal(1)]
    for _ in range(reach):
        found.append(_DIGITS.multiply(found[-1], ratio))
        ratio = _DIGITS.multiply(ratio, shrink)
    return found


def _whole(weights: list[Decimal]) -> Decimal:
    """The sum over both signs."""
    return weights[0] + 2 * sum(weights[1:], Decimal(0))
