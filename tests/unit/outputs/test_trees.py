"""Least squares over trees of bins, against the normal equations."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trustquery.model.nodes import Bins
from trustquery.model.terms import tree_levels
from trustquery.outputs.histograms import quantile
from trustquery.outputs.trees import Tree, tree

SHAPES = [(7, 0), (10, 3), (37, 5), (128, 8), (128, 12), (200, 2)]


def design(bins: int, branching: int) -> np.ndarray:
    """One row a node: which bins it sums."""
    rows = []
    for level, width in enumerate(tree_levels(bins, branching)):
        size = branching**level if level else 1
        for node in range(width):
            row = np.zeros(bins)
            row[node * size : (node + 1) * size] = 1
            rows.append(row)
    return np.array(rows)


@pytest.mark.parametrize(("bins", "branching"), SHAPES)
def test_the_least_squares_estimate_and_its_covariances(bins: int, branching: int) -> None:
    shape, matrix = Tree(bins, branching), design(bins, branching)
    covariance = np.linalg.inv(matrix.T @ matrix)
    noised = np.random.default_rng(bins).normal(size=len(matrix))
    assert np.allclose(covariance @ matrix.T @ noised, shape.consistent(list(noised)))
    places = sorted({0, 1, bins // 3, bins // 2, bins})
    asked = [(number, share) for number in places for share in (0.0, 0.25, 0.9)]
    weights = {pair: (np.arange(bins) < pair[0]) - pair[1] for pair in asked}
    for one in asked:
        assert math.isclose(shape.variance(*one), weights[one] @ covariance @ weights[one], abs_tol=1e-9)
        for other in asked:
            found = float(np.dot(shape.direction(*one), shape.direction(*other)))
            assert math.isclose(found, weights[one] @ covariance @ weights[other], abs_tol=1e-9)


@given(st.sampled_from(SHAPES), st.data())
def test_a_consistent_tree_stays_as_it_is(shape: tuple[int, int], data: st.DataObject) -> None:
    bins, branching = shape
    counts = data.draw(st.lists(st.integers(0, 1000), min_size=bins, max_size=bins))
    nodes = design(bins, branching) @ np.array(counts, dtype=float)
    assert np.allclose(tree(bins, branching).consistent(list(nodes)), counts)


def test_a_tree_gives_closer_quantiles_than_bins_alone_for_the_same_loss() -> None:
    """128 bins: three levels cost three times the privacy loss of one, and are worth it."""
    bins = Bins(tuple(map(str, range(1, 128))), ("0", "127"), True)
    source = np.random.default_rng(4)
    counts = np.histogram(source.gamma(2.0, 15.0, 20_000).clip(0, 127), bins=range(129))[0].astype(float)
    truth = quantile(bins, list(counts), 0.0, 0.75).value
    assert truth is not None
    sd, errors = 60.0, {}
    for branching in (0, 8):
        levels = len(tree_levels(128, branching))
        exact, off, inside = design(128, branching) @ counts, [], 0
        for _ in range(300):
            own = sd * math.sqrt(levels)
            noised = exact + source.normal(0, own, len(exact))
            found = quantile(bins, list(noised), own, 0.75, branching=branching)
            assert found.value is not None
            off.append(abs(found.value - truth))
            inside += found.interval[0] <= truth <= found.interval[1]
        assert inside >= 0.94 * 300
        errors[branching] = float(np.mean(off))
    assert errors[8] < 0.75 * errors[0], errors
