"""Which counts stand inside a mean or a variance, so that a profile's rounding leaves them alone.

What ``avg``, ``var_samp`` and ``stddev_samp`` become has a shape of its own; nothing else is taken for one. The count
in it is then read by a reference beyond the query's last statistic: the same count, withheld but not rounded.
"""

from __future__ import annotations

from dataclasses import replace

from trustquery.model.nodes import AggregateRef, Literal, OutputCall, OutputExpression
from trustquery.model.post import Tail
from trustquery.model.query import Query
from trustquery.outputs.presenting import rests_on

__all__ = ["of_node", "of_tail"]


def of_tail(tail: Tail, query: Query) -> Tail:
    """HAVING and ORDER BY, with means and variances of unrounded counts."""
    having = None if tail.having is None else of_node(tail.having, query)
    return replace(
        tail,
        having=having,
        order=tuple(replace(order, expression=of_node(order.expression, query)) for order in tail.order),
    )


def of_node(node: OutputExpression, query: Query) -> OutputExpression:
    """An expression, with means and variances of unrounded counts."""
    if not isinstance(node, OutputCall):
        return node
    count = _mean(node, query)
    if count is None:
        count = _variance(node, query)
    if count is not None:
        return _with(node, count, AggregateRef(count.aggregate + len(query.aggregates)))
    return replace(node, arguments=tuple(of_node(argument, query) for argument in node.arguments))


def _with(node: OutputExpression, old: AggregateRef, new: AggregateRef) -> OutputExpression:
    if isinstance(node, OutputCall):
        return replace(node, arguments=tuple(_with(argument, old, new) for argument in node.arguments))
    return new if node == old else node


def _mean(node: OutputExpression, query: Query) -> AggregateRef | None:
    """The count of ``sum / count`` over the same rows."""
    match node:
        case OutputCall("div", (AggregateRef(top), AggregateRef() as count)):
            return count if rests_on(query, top, count.aggregate) else None
    return None


def _variance(node: OutputExpression, query: Query) -> AggregateRef | None:
    """The count of ``(squares - sum * sum / count) / (count - 1)`` over the same rows."""
    match node:
        case OutputCall(
            "div",
            (
                OutputCall(
                    "sub",
                    (
                        AggregateRef(squares),
                        OutputCall("div", (OutputCall("mul", (AggregateRef(one), AggregateRef(two))), count)),
                    ),
                ),
                OutputCall("sub", (AggregateRef() as again, Literal(value=1 | "1"))),
            ),
        ):
            same = one == two and count == again
            if same and all(rests_on(query, found, again.aggregate) for found in (squares, one)):
                return again
    return None
