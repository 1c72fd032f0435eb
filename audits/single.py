"""Releases one by one, of the plan as compiled: whole numbers, and noise that is independent in each cell and each run.

The other checks look at the cells that a person changes, many runs to a call. An attacker looks at all of them: noise
that two cells share goes away when one is taken from the other.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from audits.neighbours import Neighbours
from audits.product import Product
from audits.statistics import chi_square_range

__all__ = ["CALLS", "are_whole", "is_independent", "noise_alone"]

CALLS = 400
FALSE_ALARM = 1e-6
"""Of each of the three sums of squares of one mechanism."""


def noise_alone(pair: Neighbours, product: Product, calls: int = CALLS) -> list[list[int]]:
    """The noise of each cell that is always released, one call a run, with the person present."""
    return [list(_once(pair, product)) for _ in range(calls)]


def _once(pair: Neighbours, product: Product) -> Iterator[int]:
    if not pair.plan.has_unknown_keys:
        noised = product.noise(list(pair.present.values), pair.plan)
        if len(noised) != pair.plan.length:
            raise ValueError("the noised vector has another length")
        yield from (value - exact for value, exact in zip(noised, pair.present.values, strict=True))
        return
    [block] = pair.plan.blocks
    counts = dict(zip(map(str, pair.present.names), pair.present.values, strict=True))
    named = product.keys(counts, pair.plan)
    for label, count in counts.items():
        # Twelve standard deviations above the threshold: named but for a chance of 1e-32.
        if count > block.threshold + 12 * block.sigma_float:
            yield named[label] - count


def are_whole(noise: list[list[int]]) -> bool:
    """Whether every figure is a whole number by type."""
    return all(type(value) is int for run in noise for value in run)


def is_independent(pair: Neighbours, noise: list[list[int]]) -> bool:
    """Whether the noise is that of independent Gaussians of the planned sigma.

    Three sums of squares are looked at: of the noise, of its differences between cells, and between runs.
    At sigmas above 2 a discrete Gaussian's sum of squares has a chi-square's law to within 1e-30.
    """
    runs = np.array(noise, np.float64)
    if pair.plan.has_unknown_keys:
        sigmas = np.full(runs.shape[1], pair.plan.blocks[0].sigma_float)
    else:
        sigmas = np.concatenate([np.full(block.length, block.sigma_float) for block in pair.plan.blocks])
    z = runs / sigmas
    cells = z[:, : z.shape[1] // 2 * 2]
    samples = [z, (cells[:, ::2] - cells[:, 1::2]) / np.sqrt(2), (z[: len(z) // 2] - z[-(len(z) // 2) :]) / np.sqrt(2)]
    return all(_fits(sample) for sample in samples if sample.size)


def _fits(sample: NDArray[np.float64]) -> bool:
    low, high = chi_square_range(sample.size, FALSE_ALARM)
    return low < float((sample**2).sum()) < high
