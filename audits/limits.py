"""How much a mechanism leaks at least, from runs with and without the person, at 99.9 % confidence.

A run is reduced to one number, the log-likelihood ratio that Gaussian noise of the claimed sigma would give: for moves
d and noise sigma in each cell, sum(d·(y - x)/σ²) - sum(d²)/(2σ²). No other statistic tells the two apart better when
the noise is what it claims to be. Two lower limits follow from it.

**Epsilon.** For a threshold t fixed beforehand let S be "the ratio is above t". If the claim holds, P(S) ≤ e^ε·Q(S) +
δ, so ε is at least ln((P(S) - δ)/Q(S)); P(S) and Q(S) are bounded by Clopper and Pearson's limits. With 10^6 runs no
event rarer than 10^-5 can be seen, and at events that common ε at δ = 1e-8 is far above the leak even of a mechanism
twice as bad as claimed. This limit sees what fails in the tails, such as noise that is cut off. It does not see a
wrong scale.

**Rho.** A claim of ρ-zCDP bounds the Kullback-Leibler divergence by ρ (Bun and Steinke 2016, definition 1.1, order
towards 1). By Donsker and Varadhan's formula the divergence is at least E_P[f] - ln E_Q[e^f] for every bounded f, and
for f = the ratio, cut at four standard deviations, it is the whole of it when the noise is as claimed. Both means are
bounded by Maurer and Pontil's inequality, without any assumption on the mechanism. With n runs on each side the share
of ρ that cannot be proved is about 12.4/sqrt(ρ·n): at ρ = 0.3 (ε = 5) 7 % with 10^5 runs and 2 % with 10^6, at ρ =
0.013 (ε = 1) 34 % and 11 %, and a little more for the range. So noise of half the sigma, which leaks 4ρ, is seen, and
R + 1 rows charged as R, which leak ((R + 1)/R)²·ρ. Too little noise shows best in 2·f, so both are tried, and share
the confidence.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from audits.draws import Runs
from audits.neighbours import Neighbours
from audits.statistics import clopper_pearson, mean_margin

__all__ = ["FALSE_ALARM", "Scores", "epsilon_at_least", "rho_at_least", "scores"]

FALSE_ALARM = 1e-3
"""Of each limit of one mechanism, all its events and directions together: 99.9 % confidence."""
THRESHOLDS = np.arange(-20, 21) / 4
"""In standard deviations of the ratio, from the middle between the two data sets."""
FACTORS = (1.0, 2.0)
CUT = 4.0
"""Standard deviations at which the ratio is cut."""

Ratio = NDArray[np.float64]


@dataclass(frozen=True)
class Scores:
    """The likelihood ratio of each run with and without the person, and its standard deviation under the claim."""

    present: Ratio
    absent: Ratio
    spread: float


def scores(pair: Neighbours, present: Runs, absent: Runs) -> Scores:
    """Reduce runs to ratios.

    Args:
        present: runs by changed cells with the person, less the exact values without.
        absent: the same without the person.
    """
    moves: list[float] = []
    sigmas: list[float] = []
    for number, block in enumerate(pair.plan.blocks):
        held = pair.of_block(pair.absent.values, number)
        for move, value in zip(pair.of_block(pair.moves, number), held, strict=True):
            if move and (value or not pair.plan.has_unknown_keys):
                moves.append(float(move))
                sigmas.append(block.sigma_float)
    direction = np.array(moves) / np.array(sigmas) ** 2
    half = float(np.dot(direction, moves)) / 2
    return Scores(present @ direction - half, absent @ direction - half, math.sqrt(2 * half))


def epsilon_at_least(found: Scores, delta: float) -> float:
    """The largest epsilon that some threshold event proves, at ``delta``; 0 when none proves any."""
    cuts = THRESHOLDS * found.spread
    one_side = FALSE_ALARM / (2 * 4 * len(cuts))
    best = 0.0
    for here, there in ((found.present, found.absent), (found.absent, found.present)):
        above = [(int((here > cut).sum()), int((there > cut).sum())) for cut in cuts]
        below = [(len(here) - p, len(there) - q) for p, q in above]
        for p, q in above + below:
            likely = clopper_pearson(p, len(here), one_side)[0] - delta
            rare = clopper_pearson(q, len(there), one_side)[1]
            if likely > 0:
                best = max(best, math.log(likely / rare))
    return best


def rho_at_least(found: Scores) -> float:
    """The largest zCDP loss that the runs prove, in rho; 0 when they prove none."""
    one_side = FALSE_ALARM / (2 * 2 * len(FACTORS))
    best = 0.0
    for here, there in ((found.present, found.absent), (-found.absent, -found.present)):
        for factor in FACTORS:
            reach = factor * (CUT * found.spread + found.spread**2 / 2)
            cut_here = np.clip(factor * here, -reach, reach)
            cut_there = np.exp(np.clip(factor * there, -reach, reach))
            width = math.exp(reach) - math.exp(-reach)
            low = float(cut_here.mean()) - mean_margin(float(cut_here.var(ddof=1)), 2 * reach, len(cut_here), one_side)
            high = float(cut_there.mean()) + mean_margin(float(cut_there.var(ddof=1)), width, len(cut_there), one_side)
            best = max(best, low - math.log(high))
    return best
