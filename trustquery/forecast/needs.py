"""What the outputs ask of the statistics: how far each moves with each, in a typical cell."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from trustquery.model.nodes import AggregateRef, FieldRef, KeyRef, Literal, OutputCall, OutputExpression, walk_output
from trustquery.model.query import Query
from trustquery.outputs.expressions import HISTOGRAM_FUNCTIONS, Value, evaluate
from trustquery.outputs.figures import Figure, noised
from trustquery.outputs.trees import tree

__all__ = ["Need", "needs_of", "rank_spread"]


@dataclass(frozen=True)
class Need:
    """One output in a typical cell.

    Attributes:
        name: of the output.
        value: what is expected; 1 for the rank of a quantile, a share of the rows.
        slopes: by statistic: what one standard deviation of its merged noise, of size 1, moves the output by.
        scales: by statistic: what its whole merged value moves the output by, for what a bound cuts off.
        rank: the output is a quantile, whose error is told in ranks.
    """

    name: str
    value: float
    slopes: Mapping[int, float]
    scales: Mapping[int, float]
    rank: bool = False


def needs_of(query: Query, means: Sequence[float]) -> tuple[Need, ...]:
    """The needs of all outputs.

    Args:
        means: expected merged value of each statistic in a typical cell, in its own unit.
    """
    found: list[Need] = []
    for output in query.outputs:
        found += _of(output.name, output.expression, query, means)
    used = {place for need in found for place in need.slopes}
    # Statistics that only HAVING or ORDER BY read, or that stand in an output without a value: each for itself.
    found += [_alone(query, place, means) for place in range(len(means)) if place not in used]
    return tuple(found)


def _of(name: str, node: OutputExpression, query: Query, means: Sequence[float]) -> Iterator[Need]:
    reads = [
        part for part in walk_output(node) if isinstance(part, OutputCall) and part.function in HISTOGRAM_FUNCTIONS
    ]
    for part in reads:
        yield from _histogram(name, part, query, means)
    if reads or not any(isinstance(part, AggregateRef) for part in walk_output(node)):
        return
    figure = evaluate(node, lambda ref: _typical(ref, means))
    if not isinstance(figure, Figure) or figure.value is None or figure.value == 0 or not figure.terms:
        return
    slopes = {place: abs(term) for place, term in figure.terms.items() if isinstance(place, int) and term}
    signed = {place: figure.terms[place] * means[place] for place in slopes}
    yield Need(name, abs(figure.value), slopes, signed)


def _typical(node: KeyRef | AggregateRef | FieldRef | OutputCall, means: Sequence[float]) -> Value:
    return noised(means[node.aggregate], node.aggregate, 1.0) if isinstance(node, AggregateRef) else None


def _alone(query: Query, place: int, means: Sequence[float]) -> Need:
    size = max(abs(means[place]), 1e-9)
    return Need("", size, {place: 1.0}, {place: size})


def _histogram(name: str, node: OutputCall, query: Query, means: Sequence[float]) -> Iterator[Need]:
    """A quantile needs ranks, shares of the rows; everything else needs its bins."""
    for part in node.arguments:
        if not isinstance(part, AggregateRef):
            continue
        place, rows = part.aggregate, max(means[part.aggregate], 1e-9)
        bins, branching = query.aggregates[place].bins, query.terms[place].branching
        if bins is None:
            continue
        if node.function == "quantile":
            share = node.arguments[1]
            q = float(str(share.value)) if isinstance(share, Literal) else 0.5
            yield Need(name, 1.0, {place: rank_spread(bins.count, branching, q) / rows}, {place: 0.0}, rank=True)
        elif node.function != "bin":
            one = rows / bins.count
            spread = math.sqrt(tree(bins.count, branching).bin_variance())
            yield Need(name, one, {place: spread}, {place: one})


def rank_spread(bins: int, branching: int, share: float) -> float:
    """Standard deviation of the rows below a quantile for noise of size 1 at each node: over the middle of the bins."""
    shape = tree(bins, branching)
    places = sorted({round(bins * step / 16) for step in range(2, 15)})
    return math.sqrt(sum(shape.variance(place, share) for place in places) / len(places))
