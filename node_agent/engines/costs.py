"""What each way to an answer is forecast to cost, so that the cheapest is taken.

From the model, the plan and the catalogue's declared sizes alone: how long a query takes may not show which way it took
because of data. The figures are nanoseconds of one processor a row, as `make bench-engine` measures them; only their
proportions matter.
"""

from __future__ import annotations

from collections.abc import Iterable

from node_agent.engines.job import Mapped
from trustquery.model.nodes import Call, Expression, walk
from trustquery.model.query import Query
from trustquery.model.relations import Derived, Filter, relations
from trustquery.model.scope import Tables
from trustquery.planning.plan import Plan

__all__ = ["by_row", "by_value", "share_above"]

SCANNED, CALLED, GROUPED, ADDED = 10.0, 6.0, 5.0, 3.0
"""The database: a row, a function called for it, a key, a statistic."""
NUMBERED, LOOKED_UP, BOUNDED = 8.0, 6.0, 2.5
"""By value: a row, a column of it, a statistic."""
STREAMED = 130.0
"""A row that leaves the database and is bounded by the kernel."""


def by_value(query: Query, plan: Plan, mapped: Mapped) -> float:
    """Numbers of values are looked up, and every row goes through the kernel."""
    return NUMBERED + LOOKED_UP * len(mapped.lookups) + BOUNDED * len(plan.blocks)


def by_row(query: Query, plan: Plan, share: float) -> float:
    """The database computes and groups rows; a share of them is bounded by the kernel.

    Args:
        share: 0 to 1.
    """
    inside: list[Expression] = [key.expression for key in query.keys]
    for aggregate in query.aggregates:
        inside += [part for part in (aggregate.argument, aggregate.filter) if part is not None]
    for node in relations(query.relation):
        if isinstance(node, Filter):
            inside.append(node.predicate)
        elif isinstance(node, Derived):
            inside += [column.expression for column in node.columns]
    computed = SCANNED + CALLED * _calls(inside)
    return computed + GROUPED * len(query.keys) + ADDED * len(plan.blocks) + share * (STREAMED + computed)


def _calls(parts: Iterable[Expression]) -> int:
    return sum(isinstance(node, Call) for part in parts for node in walk(part))


def share_above(table: str, few: int, tables: Tables) -> float:
    """The share of a table's rows that people with more than ``few`` rows have, were rows a person geometric."""
    found = tables.catalogue.table(table)
    if found is None:
        return 1.0
    # With chance p of no further row, people with more than f rows have (1 - p)^f · (1 + f·p) of all rows.
    stop = min(1.0, tables.catalogue.unit.declared_people / found.declared_rows)
    return (1 - stop) ** few * (1 + few * stop)
