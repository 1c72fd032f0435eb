"""Noised figures and what arithmetic does to their noise.

A figure carries its value and, for every independent draw of noise that is in it, the first derivative times that
noise's standard deviation: forward-mode differentiation over the noise (Griewank and Walther 2008, "Evaluating
Derivatives", chapter 3; JCGM 100:2008, the GUM, section 5.1, for the law of propagation). Figures that share a cell
therefore share its noise, so that a - a has no width at all. Sums and differences are exact; products and other
non-linear steps are first-order.

The quotient of two linear figures has Fieller's interval with their covariance (Fieller 1954, "Some Problems in
Interval Estimation", section 2), which stays honest when the divisor is small, and which scaling and shifting by plain
numbers carry along. Monotone functions map the ends of the interval, which keeps its coverage.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from trustquery.outputs.table import Estimate

__all__ = ["UNDEFINED", "Z95", "Figure", "constant", "noised"]

Z95 = 1.959963984540054


@dataclass(frozen=True)
class Figure:
    """A number with the noise that is in it.

    Attributes:
        value: the estimate; None where it cannot be told from the noise or is no finite number.
        terms: draw of noise to derivative times standard deviation, in the figure's own unit.
        linear: the figure is a linear function of the noise, so that ``terms`` say all of it.
        ends: the interval, where it is not value ± z·sd.
        counted: what is estimated cannot be negative (a count, or a sum of counts).
    """

    value: float | None
    terms: Mapping[Hashable, float] = field(default_factory=dict)
    linear: bool = True
    ends: tuple[float, float] | None = None
    counted: bool = False

    @property
    def sd(self) -> float:
        """Standard deviation of the noise, to first order."""
        return math.hypot(*self.terms.values())

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval; only of a figure with a value."""
        if self.ends is not None:
            return self.ends
        value = self.value if self.value is not None else math.nan
        half = Z95 * self.sd
        return value - half, value + half

    def estimate(self) -> Estimate:
        """As a cell of a table."""
        if self.value is None:
            return Estimate(None)
        return Estimate(self.value, *self.interval)

    # -- arithmetic: every operation gives UNDEFINED where an operand is, or where the result is not finite

    def plus(self, other: Figure, sign: float = 1.0) -> Figure:
        """Sum, or difference with ``sign`` -1."""
        if self.value is None or other.value is None:
            return UNDEFINED
        terms = dict(self.terms)
        for draw, term in other.terms.items():
            terms[draw] = terms.get(draw, 0.0) + sign * term
        counted = self._at_least_zero and other._at_least_zero and sign > 0
        ends = None
        if not other.terms and self.ends is not None:
            ends = (self.ends[0] + sign * other.value, self.ends[1] + sign * other.value)
        elif not self.terms and other.ends is not None:
            low, high = (sign * end for end in other.ends)
            ends = (self.value + min(low, high), self.value + max(low, high))
        found = Figure(self.value + sign * other.value, terms, self.linear and other.linear, ends, counted)
        return found._finite()

    @property
    def _at_least_zero(self) -> bool:
        return self.counted or (not self.terms and self.value is not None and self.value >= 0)

    def times_number(self, factor: float) -> Figure:
        """The figure in another unit."""
        if self.value is None:
            return UNDEFINED
        ends = None
        if self.ends is not None:
            low, high = self.ends[0] * factor, self.ends[1] * factor
            ends = (min(low, high), max(low, high))
        terms = {draw: term * factor for draw, term in self.terms.items()}
        return Figure(self.value * factor, terms, self.linear, ends, self.counted and factor > 0)._finite()

    def times(self, other: Figure) -> Figure:
        """Product."""
        if self.value is None or other.value is None:
            return UNDEFINED
        if not other.terms:
            return self.times_number(other.value)
        if not self.terms:
            return other.times_number(self.value)
        left, right = self.times_number(other.value), other.times_number(self.value)
        sums = replace(left, ends=None).plus(replace(right, ends=None))
        return replace(sums, value=self.value * other.value, linear=False, counted=False)._finite()

    def over(self, other: Figure) -> Figure:
        """Quotient; UNDEFINED where the divisor cannot be told from zero at 95 %."""
        if self.value is None or other.value is None or other.value == 0:
            return UNDEFINED
        if not other.terms:
            return self.times_number(1 / other.value)
        low, high = other.interval
        if low <= 0 <= high or (other.counted and other.value < 0):
            return UNDEFINED
        by_top = {draw: term / other.value for draw, term in self.terms.items()}
        found = self.value / other.value
        terms = dict(by_top)
        for draw, term in other.terms.items():
            terms[draw] = terms.get(draw, 0.0) - found * term / other.value
        ends = _fieller(self, other) if self.linear and other.linear else None
        return Figure(found, terms, False, ends)._finite()

    def mapped(self, function: Callable[[float], float], slope: float = 1.0) -> Figure:
        """A rising function of the figure: it maps the value and the ends of the interval.

        Args:
            slope: derivative at the value, or a bound on it.
        """
        if self.value is None:
            return UNDEFINED
        low, high = self.interval
        ends = (function(low), function(high)) if self.terms or self.ends else None
        terms = {draw: term * slope for draw, term in self.terms.items()}
        return Figure(function(self.value), terms, not self.terms, ends)._finite()

    def root(self) -> Figure:
        """Square root; UNDEFINED below zero, and at zero where there is noise."""
        if self.value is None or self.value < 0 or (self.value == 0 and self.terms):
            return UNDEFINED
        slope = 0.5 / math.sqrt(self.value) if self.value else 0.0
        return self.mapped(lambda x: math.sqrt(max(x, 0.0)), slope)

    def absolute(self) -> Figure:
        """Absolute value. An interval that holds zero begins at zero."""
        if self.value is None:
            return UNDEFINED
        low, high = self.interval
        size = self.times_number(-1.0 if self.value < 0 else 1.0)
        if low <= 0 <= high and self.terms:
            size = replace(size, ends=(0.0, max(-low, high)), linear=False)
        return size

    def rounded(self, digits: int) -> Figure:
        """Rounded half away from zero, to ``digits`` decimal places."""
        scale = 10.0 ** abs(digits)

        def function(x: float) -> float:
            scaled = abs(x) * scale if digits >= 0 else abs(x) / scale
            # At 2^52 and above every double is whole already.
            whole = math.floor(scaled + 0.5) if scaled < 2**52 else scaled
            return math.copysign(whole / scale if digits >= 0 else whole * scale, x) if whole else 0.0

        return self.mapped(function)

    def clamped(self, low: float, high: float) -> Figure:
        """Held between two numbers. The noise below is kept, though what is cut off no longer shows it."""
        return self.mapped(lambda x: min(max(x, low), high))

    def _finite(self) -> Figure:
        parts = (self.value, *self.terms.values(), *(self.ends or ()))
        if all(part is not None and math.isfinite(part) for part in parts):
            return self
        return UNDEFINED


UNDEFINED = Figure(None)


def constant(value: float) -> Figure:
    """A number without noise."""
    return Figure(value)._finite()


def noised(value: float, draw: Hashable, sd: float, *, counted: bool = False) -> Figure:
    """One released cell: a value and its own draw of noise."""
    return Figure(value, {draw: sd}, counted=counted)


def total(figures: Iterable[Figure]) -> Figure:
    """Exact sum of any number of figures: shared noise is added once, with its sign."""
    value, terms, linear, counted = 0.0, dict[Hashable, float](), True, True
    only: Figure | None = None
    for place, one in enumerate(figures):
        if one.value is None:
            return UNDEFINED
        only = one if place == 0 else None
        value += one.value
        linear, counted = linear and one.linear, counted and one._at_least_zero
        for draw, term in one.terms.items():
            terms[draw] = terms.get(draw, 0.0) + term
    return only if only is not None else Figure(value, terms, linear, None, counted)._finite()


def extreme(figures: list[Figure], *, largest: bool) -> Figure:
    """The largest or smallest of some figures. Both ends of the interval are those of the ends.

    Where a plain number wins over a noised figure, the noise of that figure is kept for what is computed from it.
    """
    if any(one.value is None for one in figures):
        return UNDEFINED
    pick = max if largest else min
    chosen = pick(figures, key=lambda one: one.value if one.value is not None else 0.0)
    ends = (pick(one.interval[0] for one in figures), pick(one.interval[1] for one in figures))
    noisy = chosen if chosen.terms else max(figures, key=lambda one: one.sd)
    alone = not noisy.terms
    return Figure(chosen.value, noisy.terms, alone, None if alone else ends)


def _fieller(top: Figure, bottom: Figure) -> tuple[float, float] | None:
    """Ends r that solve (s - r·n)² = z²·var(s - r·n), for a divisor that is clear of zero."""
    s, n = top.value or 0.0, bottom.value or 0.0
    square = Z95 * Z95
    shared = sum(term * bottom.terms.get(draw, 0.0) for draw, term in top.terms.items())
    a = n * n - square * bottom.sd**2
    b = s * n - square * shared
    c = s * s - square * top.sd**2
    if a <= 0:
        return None
    root = math.sqrt(max(b * b - a * c, 0.0))
    low, high = (b - root) / a, (b + root) / a
    return min(low, s / n), max(high, s / n)
