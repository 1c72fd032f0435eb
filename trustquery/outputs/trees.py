"""Trees over the bins of a histogram: sums at every level are noised, and made consistent by least squares.

Source: Hay, Rastogi, Miklau and Suciu 2010, "Boosting the Accuracy of Differentially Private Histograms Through
Consistency", section 4; here for any number of children and without a root, as ``model.terms.tree_levels`` lays them
out. Post-processing costs no privacy. A tree with one level leaves everything as it is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

from trustquery.model.terms import tree_levels

__all__ = ["Tree", "tree"]


class Tree:
    """The shape of one tree and what least squares makes of noise on it.

    Variances are in units of one node's noise, the same at every node.

    Attributes:
        levels: nodes of each level, the bins first.
    """

    def __init__(self, bins: int, branching: int) -> None:
        self.branching = branching
        self.levels = tree_levels(bins, branching)
        self._variances: dict[tuple[int, float], float] = {}
        # Variance of each node's best estimate from itself and all below it.
        self._below: list[list[float]] = [[1.0] * bins]
        for width in self.levels[1:]:
            under = self._below[-1]
            sums = [
                math.fsum(under[place] for place in self._children(len(self._below), node)) for node in range(width)
            ]
            self._below.append([total / (1.0 + total) for total in sums])

    def _children(self, level: int, node: int) -> range:
        """Places on the level below."""
        first = node * self.branching
        return range(first, min(first + self.branching, self.levels[level - 1]))

    def consistent(self, noised: Sequence[float]) -> list[float]:
        """The bins' least-squares estimates.

        Args:
            noised: of one cell, the bins first, then each higher level.
        """
        if len(self.levels) == 1:
            return list(noised)
        own: list[list[float]] = []
        start = 0
        for width in self.levels:
            own.append(list(noised[start : start + width]))
            start += width
        up = [own[0]]
        for level in range(1, len(self.levels)):
            under = self._below[level - 1]
            combined = []
            for node, value in enumerate(own[level]):
                places = self._children(level, node)
                spread = math.fsum(under[place] for place in places)
                total = math.fsum(up[level - 1][place] for place in places)
                # Inverse variances: 1 for the node's own noise, 1/spread for the sum of what is below.
                combined.append((value * spread + total) / (1.0 + spread))
            up.append(combined)
        best = up[-1]
        for level in range(len(self.levels) - 1, 0, -1):
            under, found = self._below[level - 1], [0.0] * self.levels[level - 1]
            for node, value in enumerate(best):
                places = self._children(level, node)
                spread = math.fsum(under[place] for place in places)
                rest = value - math.fsum(up[level - 1][place] for place in places)
                for place in places:
                    found[place] = up[level - 1][place] + rest * under[place] / spread
            best = found
        return best

    def direction(self, number: int, share: float) -> list[float]:
        """What the first ``number`` bins' sum, less a share of the total, takes from independent draws of size 1.

        One coordinate for each node, in the order of the released integers. Below a node whose sum is known, what is
        left of its children is independent of that sum: child i has (w_i - w) times its own deviation, with w the
        children's mean weight. So products of two directions are covariances, and squares are variances.

        Args:
            number: 0 to the number of bins.
            share: 0 to 1.
        """
        starts = [sum(self.levels[:level]) for level in range(len(self.levels))]
        found = [0.0] * sum(self.levels)

        def weight(level: int, node: int) -> float:
            """Weight per unit of a node's own sum; its children's coordinates are filled in."""
            size = self.branching**level if level else 1
            if min((node + 1) * size, self.levels[0]) <= number:
                return 1.0 - share
            if node * size >= number:
                return -share
            places = self._children(level, node)
            weights = [weight(level - 1, place) for place in places]
            under = [self._below[level - 1][place] for place in places]
            mean = math.fsum(w * s for w, s in zip(weights, under, strict=True)) / math.fsum(under)
            for place, w, s in zip(places, weights, under, strict=True):
                found[starts[level - 1] + place] = (w - mean) * math.sqrt(s)
            return mean

        top = len(self.levels) - 1
        for node, s in enumerate(self._below[top]):
            found[starts[top] + node] = weight(top, node) * math.sqrt(s)
        return found

    def variance(self, number: int, share: float) -> float:
        """Variance of the first ``number`` bins' sum less a share of the total."""
        if len(self.levels) == 1:
            return (1 - share) ** 2 * number + share**2 * (self.levels[0] - number)
        known = self._variances.get((number, share))
        if known is None:
            known = math.fsum(part * part for part in self.direction(number, share))
            self._variances[number, share] = known
        return known

    def bin_variance(self) -> float:
        """Variance of the first bin's estimate; that of the others is all but the same."""
        return self.variance(1, 0.0)


@lru_cache(maxsize=128)
def tree(bins: int, branching: int) -> Tree:
    """The tree of a shape."""
    return Tree(bins, branching)
