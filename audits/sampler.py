"""The sampler of the noise against its exact law (PRV-06), through the function that ships.

The law is computed here in 40-digit decimals, not by the library that draws. Each check gives the chance of a figure
at least as odd as the one found; all must be above 1e-6. Draws are added to the largest and smallest integers that a
cell may hold, where a double is a multiple of 512, so that a sum in floating point anywhere on the way would show.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from audits.product import Noise
from audits.statistics import binomial_tail, chi_square_tail, discrete_gaussian, discrete_gaussian_tail
from trustquery.model.terms import Bound
from trustquery.planning import Plan
from trustquery.planning.plan import SIGMA_UNIT, Axis, Block
from trustquery.privacy.budget import charge_nano
from trustquery.privacy.noise import CELL_LIMIT

__all__ = ["LEAST_CHANCE", "SIGMAS", "Sampled", "noise_plan", "sample"]

LEAST_CHANCE = 1e-6
SIGMAS = (1.0, 4.2, 134.0, 12345.678)
"""Down to one vector integer, up to a sum over many rows; none but the first is exact in binary."""
A_CALL = 100_000
LEAST_EXPECTED = 50
"""Draws that each bin of a chi-square is expected to hold at least."""
FAR = 5
"""Standard deviations from which on a tail is counted."""


@dataclass(frozen=True)
class Sampled:
    """What draws at one sigma show.

    Attributes:
        sigma: in vector integers, as the plan rounds it.
        draws: a third on 0, a third on each edge of a cell.
        chances: check to chance of a figure at least as odd.
        broken: checks that failed; ``whole`` where some figure is no whole number, and then no chance is computed.
    """

    sigma: float
    draws: int
    chances: Mapping[str, float]
    broken: tuple[str, ...]


def noise_plan(sigma: float, cells: int) -> Plan:
    """One count over so many cells with this sigma, rounded to the plan's unit, charged for what it is."""
    units = round(sigma * SIGMA_UNIT)
    bound = Bound("rows", 1, 1)
    block = Block("b0", "count", 0, 0, cells, 0, 1, 1, bound, 1, charge_nano(1, units), units)
    return Plan((Axis("cell", "integer", tuple(range(cells - 2))),), (block,), ())


def sample(sigma: float, draws: int, noise: Noise, progress: Callable[[int], None] | None = None) -> Sampled:
    """Draw, and hold the draws against the law.

    Args:
        sigma: in vector integers, at least 1.
        draws: at least 3,000.
        noise: the function under test.
        progress: called with the number of draws done.
    """
    bases = (0, CELL_LIMIT, -CELL_LIMIT)
    found: dict[int, Counter[int]] = {base: Counter() for base in bases}
    done = 0
    for base in bases:
        left = draws // len(bases)
        while left:
            number = min(left, A_CALL)
            noised = noise([base] * number, noise_plan(sigma, number))
            if any(type(value) is not int for value in noised):
                return Sampled(sigma, done + number, {}, ("whole",))
            found[base].update(value - base for value in noised)
            left -= number
            done += number
            if progress:
                progress(done)
    exact = noise_plan(sigma, 3).blocks[0].sigma_float
    everything = sum(found.values(), Counter[int]())
    chances = {
        "law on 0": _law(exact, found[0]),
        "law on 2^62": _law(exact, found[CELL_LIMIT]),
        "law on -2^62": _law(exact, found[-CELL_LIMIT]),
        "low bits": _low_bits(exact, everything),
        "tails": _tails(exact, everything),
        "mean": _mean(exact, everything),
        "variance": _variance(exact, everything),
    }
    return Sampled(exact, done, chances, tuple(name for name, chance in chances.items() if chance <= LEAST_CHANCE))


def _chi_square(counts: Sequence[int], shares: Sequence[float]) -> float:
    """The chance of a chi-square at least as large; neighbours share a bin until it is expected to hold enough."""
    total = sum(counts)
    bins: list[tuple[float, int]] = []
    mass, count = 0.0, 0
    for found, share in zip(counts, shares, strict=True):
        mass, count = mass + share, count + found
        if mass * total >= LEAST_EXPECTED:
            bins.append((mass, count))
            mass, count = 0.0, 0
    bins[-1] = (bins[-1][0] + mass, bins[-1][1] + count)
    statistic = sum((found - total * share) ** 2 / (total * share) for share, found in bins)
    return chi_square_tail(statistic, len(bins) - 1)


def _law(sigma: float, found: Counter[int]) -> float:
    """All draws against the whole law. One beyond twelve standard deviations has a chance of 1e-32."""
    reach = math.ceil(12 * sigma)
    if any(abs(value) > reach for value in found):
        return 0.0
    law = discrete_gaussian(sigma, reach)
    return _chi_square([found[value] for value in law], list(law.values()))


def _low_bits(sigma: float, found: Counter[int]) -> float:
    """The last three bits of the draws against the law's."""
    law = discrete_gaussian(sigma, math.ceil(12 * sigma))
    shares, counts = [0.0] * 8, [0] * 8
    for value, share in law.items():
        shares[value % 8] += share
    for value, count in found.items():
        counts[value % 8] += count
    return _chi_square(counts, shares)


def _tails(sigma: float, found: Counter[int]) -> float:
    """How many draws lie three, four and five standard deviations out, on both sides: exact binomial chances."""
    number, worst = found.total(), 1.0
    for out in range(3, FAR + 1):
        least = math.ceil(out * sigma)
        share = 2 * float(discrete_gaussian_tail(sigma, least))
        count = sum(many for value, many in found.items() if abs(value) >= least)
        above, below = binomial_tail(count, number, share), 1 - binomial_tail(count + 1, number, share)
        worst = min(worst, 2 * min(above, below))
    return min(worst, 1.0)


def _mean(sigma: float, found: Counter[int]) -> float:
    """The sum of the draws has a standard deviation of sigma·sqrt(n), and for thousands of draws a normal law."""
    total = sum(value * count for value, count in found.items())
    return math.erfc(abs(total) / (sigma * math.sqrt(2 * found.total())))


def _variance(sigma: float, found: Counter[int]) -> float:
    """The sum of squares of n draws over the law's own variance, against a normal law of variance 2·n.

    At sigma 1 and above a discrete Gaussian's fourth moment is three times its squared variance to within 1e-5.
    """
    law = discrete_gaussian(sigma, math.ceil(12 * sigma))
    variance = math.fsum(share * value * value for value, share in law.items())
    number = found.total()
    statistic = sum(value * value * count for value, count in found.items()) / variance
    return math.erfc(abs(statistic - number) / math.sqrt(4 * number))
