"""Bins that add up to a count that is released beside them: least squares over both, at no cost.

A query may release the count of the very rows that a histogram bins. Noise makes the two disagree; the closest pair
that agrees is better than either (Hay, Rastogi, Miklau and Suciu 2010, section 4, for a tree of two levels).
"""

from __future__ import annotations

from trustquery.model.query import Query
from trustquery.outputs.figures import Figure, total
from trustquery.planning.plan import Block, Plan

__all__ = ["agreed", "counted_with"]

MOST_BINS = 128
MOST_FIGURES = 20_000
"""Each agreed figure carries the noise of all its bins, so large tables are left as they are."""


def counted_with(query: Query, plan: Plan, histogram: Block) -> Block | None:
    """The block that counts the same rows as a histogram, bounded in the same way; None where there is none."""
    mine = query.aggregates[histogram.statistic]
    if histogram.branching or histogram.width > MOST_BINS or plan.cells * histogram.width > MOST_FIGURES:
        return None
    for block in plan.blocks:
        other = query.aggregates[block.statistic]
        same = (other.argument, other.filter) == (mine.argument, mine.filter)
        if block.kind == "count" and same and block.bound == histogram.bound:
            return block
    return None


def agreed(count: Figure, bins: list[Figure]) -> tuple[Figure, list[Figure]]:
    """A count and its bins as the closest figures that agree; each by the variance of its noise."""
    sums = total(bins)
    gap = count.plus(sums, -1.0)
    whole = count.sd**2 + sums.sd**2
    if whole <= 0 or gap.value is None:
        return count, bins
    share = sums.sd**2 / whole
    part = gap.times_number(share / len(bins))
    return sums.plus(gap.times_number(share)), [figure.plus(part) for figure in bins]
