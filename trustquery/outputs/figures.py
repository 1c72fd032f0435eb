"""Noised figures and what arithmetic does to their noise.

A figure carries its value and, for every independent draw of noise that is in it, the first derivative times that
noise's standard deviation: forward-mode differentiation over the noise (Griewank and Walther 2008, "Evaluating
Derivatives", chapter 3; JCGM 100:2008, the GUM, section 5.1, for the law of propagation). Figures that share a cell
therefore share its noise, so that a - a has no width at all. Sums and differences of linear figures are exact.

The quotient of two linear figures has Fieller's interval with their covariance (Fieller 1954, "Some Problems in
Interval Estimation", section 2), which stays honest when the divisor is small, and which scaling and shifting by plain
numbers carry along. Monotone functions map the ends of the interval, which keeps its coverage.

Other figures that share no noise are put together by squaring and adding the distances from the values to the ends
(MOVER: Zou and Donner 2008, "Construction of confidence limits about effect measures", section 2, for sums; Donner and
Zou 2012, "Closed-form confidence intervals for functions of the normal mean and standard deviation", section 2.2, for
quotients), which keeps lopsided intervals lopsided. What remains, figures that share noise in non-linear steps, is
first-order. ``tests/privacy/test_intervals.py`` measures the coverage of each.

A figure made of counts also carries what sampling does to it (``sampling``). Where it is a rate, the two are squared
and added: the noise is drawn without regard to the data, so they are independent.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from statistics import NormalDist

from trustquery.outputs import sampling
from trustquery.outputs.sampling import Z95, Sample
from trustquery.outputs.table import Estimate

__all__ = ["UNDEFINED", "Z95", "Figure", "constant", "noised", "suppressed"]


@dataclass(frozen=True)
class Figure:
    """A number with the noise that is in it.

    Attributes:
        value: the estimate; None where it cannot be told from the noise or is no finite number.
        terms: draw of noise to derivative times standard deviation, in the figure's own unit.
        linear: the figure is a linear function of the noise, so that ``terms`` say all of it.
        ends: the interval, where it is not value ± z·sd.
        counted: what is estimated cannot be negative (a count, or a sum of counts).
        sample: the counts that the figure is made of, where it is a sum of counts or of rates.
        wide: the interval for noise and sampling, where it is not made from ``interval`` and ``sample``.
        step: of a linear figure whose noise is a whole number of equal steps, that step; else 0.
        suppressed: why a disclosure profile withholds the figure (``profiles.REASONS``), and then it has no value; "".
        least: of a count under a profile, the smallest one that is shown; a sum or difference below it is Suppressed.
    """

    value: float | None
    terms: Mapping[Hashable, float] = field(default_factory=dict)
    linear: bool = True
    ends: tuple[float, float] | None = None
    counted: bool = False
    sample: Sample | None = None
    wide: tuple[float, float] | None = None
    step: float = 0.0
    suppressed: str = ""
    least: float = 0.0

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
        half = _half_steps(self.sd / self.step) * self.step if self.step else Z95 * self.sd
        return value - half, value + half

    @property
    def combined(self) -> tuple[float, float] | None:
        """95 % interval for noise and sampling; None of a figure that is not made of counts, or has no value.

        Noise and sampling are squared and added (``_squared_and_added``). A number without noise has no width.
        """
        if self.value is None:
            return None
        if self.wide is not None or not (self.terms or self.ends):
            return self.wide if self.wide is not None else self.interval
        if self.sample is None:
            return None
        found = _squared_and_added(self.value, [self.distances, sampling.distances(self.sample)])
        return found if all(map(math.isfinite, found)) else None

    def estimate(self, *, rate: bool = False) -> Estimate:
        """As a cell of a table; of a ``rate`` with both intervals."""
        if self.value is None:
            return Estimate(None, suppressed=self.suppressed)
        return Estimate(self.value, *self.interval, combined=self.combined if rate else None)

    # -- arithmetic: every operation gives UNDEFINED where an operand is, or where the result is not finite; and a
    # suppressed figure where one of the operands is, whatever the other one is

    def plus(self, other: Figure, sign: float = 1.0) -> Figure:
        """Sum, or difference with ``sign`` -1."""
        if self.value is None or other.value is None:
            return _without(self, other)
        terms = dict(self.terms)
        for draw, term in other.terms.items():
            terms[draw] = terms.get(draw, 0.0) + sign * term
        counted = self._at_least_zero and other._at_least_zero and sign > 0
        value = self.value + sign * other.value
        ends = None
        if self.ends is not None or other.ends is not None:
            ends = _squared_and_added(value, [self.distances, other.times_number(sign).distances])
            if len(terms) < len(self.terms) + len(other.terms):
                ends = None
        linear = self.linear and other.linear
        sample, wide = _summed([self, other.times_number(sign)])
        found = Figure(value, terms, linear, ends, counted, sample, wide, _step([self, other]))._finite()
        return _held(found, max(self.least, other.least))

    @property
    def distances(self) -> tuple[float, float]:
        """From the value down to the lower end and up to the upper one; only of a figure with a value."""
        low, high = self.interval
        value = self.value if self.value is not None else math.nan
        return value - low, high - value

    @property
    def _at_least_zero(self) -> bool:
        return self.counted or (not self.terms and self.value is not None and self.value >= 0)

    def times_number(self, factor: float) -> Figure:
        """The figure in another unit."""
        if self.value is None:
            return _without(self)
        ends, wide = (_turned(found, factor) for found in (self.ends, self.wide))
        terms = {draw: term * factor for draw, term in self.terms.items()}
        counted, sample = self.counted and factor > 0, sampling.scaled(self.sample, factor)
        step = self.step * abs(factor) if math.isfinite(self.step * factor) else 0.0
        found = Figure(self.value * factor, terms, self.linear, ends, counted, sample, wide, step)._finite()
        return _held(found, self.least if factor == 1 else 0.0)

    def times(self, other: Figure) -> Figure:
        """Product."""
        if self.value is None or other.value is None:
            return _without(self, other)
        if not other.terms:
            return self.times_number(other.value)
        if not self.terms:
            return other.times_number(self.value)
        left, right = self.times_number(other.value), other.times_number(self.value)
        sums = replace(left, ends=None).plus(replace(right, ends=None))
        apart = self.terms.keys().isdisjoint(other.terms)
        ends = _product(self, other) if apart else None
        return Figure(self.value * other.value, sums.terms, False, ends)._finite()

    def over(self, other: Figure) -> Figure:
        """Quotient; UNDEFINED where the divisor cannot be told from zero at 95 %."""
        if self.value is None or other.value is None or other.value == 0:
            return _without(self, other)
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
        ends = None
        if not self.terms:
            # The divisor is clear of zero, so that the quotient falls, or rises, all along its interval.
            ends = (min(self.value / low, self.value / high), max(self.value / low, self.value / high))
        elif self.linear and other.linear:
            ends = _fieller(self, other)
        elif self.terms.keys().isdisjoint(other.terms):
            ends = _quotient(self, other)
        return Figure(found, terms, False, ends, sample=sampling.divided(self.sample, other.sample))._finite()

    def mapped(self, function: Callable[[float], float], slope: float = 1.0) -> Figure:
        """A rising function of the figure: it maps the value and the ends of the interval.

        Args:
            slope: derivative at the value, or a bound on it.
        """
        if self.value is None:
            return _without(self)
        low, high = self.interval
        ends = (function(low), function(high)) if self.terms or self.ends else None
        terms = {draw: term * slope for draw, term in self.terms.items()}
        wide = self.combined if ends else None
        if wide is not None:
            wide = (function(wide[0]), function(wide[1]))
        return Figure(
            function(self.value), terms, not self.terms, ends, False, sampling.loose(self.sample), wide
        )._finite()

    def root(self) -> Figure:
        """Square root; UNDEFINED below zero, and at zero where there is noise."""
        if self.value is None or self.value < 0 or (self.value == 0 and self.terms):
            return _without(self)
        slope = 0.5 / math.sqrt(self.value) if self.value else 0.0
        return replace(self.mapped(lambda x: math.sqrt(max(x, 0.0)), slope), sample=None, wide=None)

    def absolute(self) -> Figure:
        """Absolute value. An interval that holds zero begins at zero."""
        if self.value is None:
            return _without(self)
        low, high = self.interval
        size = self.times_number(-1.0 if self.value < 0 else 1.0)
        if low <= 0 <= high and self.terms:
            size = replace(size, ends=(0.0, max(-low, high)), linear=False)
        return replace(size, sample=None, wide=None)

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
        if not all(part is not None and math.isfinite(part) for part in parts):
            return UNDEFINED
        return self if all(map(math.isfinite, self.wide or ())) else replace(self, sample=None, wide=None)


UNDEFINED = Figure(None)


def suppressed(reason: str) -> Figure:
    """A figure that a disclosure profile withholds; ``reason`` is a key of ``profiles.REASONS``."""
    return Figure(None, suppressed=reason)


def _without(*parts: Figure) -> Figure:
    """What is computed from figures of which one has no value: Suppressed before UNDEFINED."""
    return suppressed("made-of-suppressed") if any(part.suppressed for part in parts) else UNDEFINED


def _held(found: Figure, least: float) -> Figure:
    """A sum or difference of counts, which must be one that may be shown."""
    if not least or found.value is None:
        return found
    return replace(found, least=least) if found.value >= least else suppressed("small-count")


def constant(value: float) -> Figure:
    """A number without noise."""
    return Figure(value)._finite()


def noised(value: float, draw: Hashable, sd: float, *, counted: bool = False, sample: Sample | None = None) -> Figure:
    """One released cell: a value and its own draw of noise."""
    return Figure(value, {draw: sd}, counted=counted, sample=sample)


def total(figures: Iterable[Figure]) -> Figure:
    """Exact sum of any number of figures: shared noise is added once, with its sign."""
    parts = list(figures)
    if len(parts) == 1:
        return parts[0]
    value, terms, draws = 0.0, dict[Hashable, float](), 0
    for one in parts:
        if one.value is None:
            return _without(*parts)
        value += one.value
        draws += len(one.terms)
        for draw, term in one.terms.items():
            terms[draw] = terms.get(draw, 0.0) + term
    ends = None
    if draws == len(terms) and any(one.ends is not None for one in parts):
        ends = _squared_and_added(value, [one.distances for one in parts])
    linear, counted = (all(one.linear for one in parts), all(one._at_least_zero for one in parts))
    found = Figure(value, terms, linear, ends, counted, *_summed(parts), _step(parts))._finite()
    return _held(found, max((one.least for one in parts), default=0.0))


def _step(figures: list[Figure]) -> float:
    """The step of a sum: that of its noisy parts, where they have one and the same."""
    steps = {one.step for one in figures if one.terms}
    return steps.pop() if len(steps) == 1 else 0.0


@lru_cache(maxsize=1024)
def _half_steps(sigma: float) -> float:
    """Half-width, in steps, that holds noise of whole steps 95 times in 100: 1.96·sigma or a little more.

    1.96·sigma holds the whole numbers up to it, which may be fewer than 95 in 100: at sigma 1 those are -1 to 1, 88 in
    100. So it is no less than the smallest whole number that holds enough, by the law of the discrete Gaussian where
    the normal one with half a step more is not yet the same. A sum of discrete Gaussians is taken for one.
    """
    half = Z95 * sigma
    if sigma * sigma == 0 or sigma > 1e6:
        return half
    if sigma > 8:
        return max(half, math.ceil(half - 0.5))
    masses = [math.exp(-k * k / (2 * sigma * sigma)) for k in range(math.ceil(10 * sigma) + 2)]
    inside, whole, steps = masses[0], masses[0] + 2 * sum(masses[1:]), 0
    while inside < 0.95 * whole:
        steps += 1
        inside += 2 * masses[steps]
    return max(half, steps)


def _summed(figures: Iterable[Figure]) -> tuple[Sample | None, tuple[float, float] | None]:
    """``sample`` and ``wide`` of a sum. Where all but one are plain numbers, its interval is shifted."""
    parts = list(figures)
    noisy = [one for one in parts if one.terms or one.ends is not None]
    shift = sum(one.value or 0.0 for one in parts if not (one.terms or one.ends is not None))
    if not noisy:
        return None, None
    sample = sampling.added(one.sample for one in noisy)
    wide = noisy[0].wide if len(noisy) == 1 else None
    if wide is not None:
        wide = (wide[0] + shift, wide[1] + shift)
    return sampling.loose(sample) if shift else sample, wide


def _turned(ends: tuple[float, float] | None, factor: float) -> tuple[float, float] | None:
    if ends is None:
        return None
    low, high = ends[0] * factor, ends[1] * factor
    return min(low, high), max(low, high)


def extreme(figures: list[Figure], *, largest: bool) -> Figure:
    """The largest or smallest of some figures.

    The true largest is no smaller than any true figure and equal to one of them. So the upper end is the largest upper
    end, and the lower end is the largest lower end of intervals made wide enough to hold all k true figures from below
    at once (Bonferroni): the largest of many noised figures is too large, and its interval must say so.

    Where a plain number wins over a noised figure, the noise of that figure is kept for what is computed from it.
    """
    if any(one.value is None for one in figures):
        return _without(*figures)
    pick = max if largest else min
    chosen = pick(figures, key=lambda one: one.value if one.value is not None else 0.0)
    noisy = [one for one in figures if one.terms or one.ends is not None]
    if not noisy:
        return chosen
    wider = NormalDist().inv_cdf(1 - 0.025 / len(noisy)) / Z95
    near, far = [], []
    for one in figures:
        value, (down, up) = one.value or 0.0, one.distances
        near.append(value - down * wider if largest else value + up * wider)
        far.append(value + up if largest else value - down)
    kept = chosen if chosen.terms else max(figures, key=lambda one: one.sd)
    low, high = sorted((pick(near), pick(far)))
    found = Figure(chosen.value, kept.terms, False, (low, high))
    wide = noisy[0].combined if len(noisy) == 1 else None
    if wide is None:
        return found
    # Beside plain numbers, the largest is a rising function of the one figure.
    plain = [one.value or 0.0 for one in figures if one is not noisy[0]]
    return replace(found, sample=sampling.loose(noisy[0].sample), wide=(pick(wide[0], *plain), pick(wide[1], *plain)))


def _squared_and_added(value: float, distances: Iterable[tuple[float, float]]) -> tuple[float, float]:
    """Ends of a sum of independent figures, from the distances of each."""
    downs, ups = zip(*distances, strict=True)
    return value - math.hypot(*downs), value + math.hypot(*ups)


def _product(one: Figure, other: Figure) -> tuple[float, float]:
    """Ends of a product of independent figures: its smallest and largest value around an ellipse.

    The half-axes of the ellipse are the distances to the ends. For a sum in place of the product this is squaring and
    adding. Each quarter of the ellipse is tried in its middle and where the product's gradient points.
    """
    x, y = one.value or 0.0, other.value or 0.0
    (left, right), (below, above) = one.distances, other.distances
    found = [x * y]
    for across in (-left, right):
        for along in (-below, above):
            steep = math.atan2(abs(x * along), abs(y * across))
            for angle in (0.0, math.pi / 4, math.pi / 2, steep):
                found.append((x + across * math.cos(angle)) * (y + along * math.sin(angle)))
    return min(found), max(found)


def _quotient(top: Figure, bottom: Figure) -> tuple[float, float] | None:
    """Ends of a quotient of independent figures whose divisor is clear of zero: Fieller's, with lopsided distances."""
    sign = math.copysign(1.0, bottom.value or 0.0)
    over, under = top.times_number(sign), bottom.times_number(sign)
    low, high = _lower_quotient(over, under), _lower_quotient(over.times_number(-1.0), under)
    return (low, -high) if low is not None and high is not None else None


def _lower_quotient(top: Figure, bottom: Figure) -> float | None:
    """The smallest r whose top - r·bottom has a lower end of zero or below; the divisor is above zero."""
    s, n = top.value or 0.0, bottom.value or 0.0
    down, (below, above) = top.distances[0], bottom.distances
    # A quotient above zero is smallest where the divisor is largest.
    side = above if s >= down else below
    a, b, c = n * n - side * side, s * n, s * s - down * down
    root = math.sqrt(max(b * b - a * c, 0.0))
    if b + root > 0:
        return c / (b + root)
    return (b - root) / a if a > 0 else None


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
