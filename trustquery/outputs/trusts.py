"""Figures by trust: each cell read from the one vector that can hold anything of it.

A trust's rows all fall in its own cells, which is public. The cells that it has in the name of another hold noise and
nothing else, so they are left out instead of added: post-processing, and with k trusts the noise is smaller by sqrt(k).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence

from trustquery.planning.plan import Axis, Plan

__all__ = ["own_cells", "shown", "trust_axis"]


def trust_axis(plan: Plan) -> int | None:
    """Which axis is the trust, or None."""
    return next((place for place, axis in enumerate(plan.axes) if axis.kind == "trust"), None)


def own_cells(plan: Plan, vectors: Mapping[str, Sequence[int]]) -> list[int]:
    """One vector in which each trust's cells are its own; those of trusts without a vector are 0.

    Args:
        plan: with a trust axis; a block's length is a multiple of the plan's cells, whole cells side by side.
        vectors: by trust.
    """
    at = trust_axis(plan)
    merged = [0] * plan.length
    if at is None:
        return merged
    axis = plan.axes[at]
    after = math.prod(other.cells for other in plan.axes[at + 1 :])
    for block in plan.blocks:
        run = after * (block.length // plan.cells)
        for start in range(block.offset, block.offset + block.length, run):
            place = (start - block.offset) // run % axis.cells
            vector = vectors.get(str(axis.values[place])) if place < axis.other else None
            if vector is not None:
                merged[start : start + run] = vector[start : start + run]
    return merged


def shown(axes: Sequence[Axis], place: Sequence[int], answered: Collection[str] | None) -> bool:
    """Whether a cell belongs in the table: not those of a trust that gave no answer, which would read as nobody."""
    return all(
        axis.kind != "trust" or (at < axis.other and (answered is None or axis.values[at] in answered))
        for axis, at in zip(axes, place, strict=True)
    )
