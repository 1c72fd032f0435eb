"""Hypothesis strategy for the terms of statistics: every form of bound, small and large, trees, uneven budgets."""

from __future__ import annotations

import dataclasses

from hypothesis import strategies as st

from trustquery.model import Query
from trustquery.model.nodes import MAX_INTEGER
from trustquery.model.terms import Bound, Terms, tree_levels

__all__ = ["with_any_terms"]

SMALL = st.sampled_from([1, 1, 2, 3, 7])
TOTALS = st.sampled_from([1, 2, 3, 10, 1000, 1024, 3000, 2**20, 2**40, MAX_INTEGER])


@st.composite
def with_any_terms(draw: st.DrawFn, query: Query) -> Query:
    """The query on other terms, of forms that its statistics allow."""
    found: list[Terms] = []
    for aggregate in query.aggregates:
        totals = aggregate.kind in ("count", "sum") and not query.has_unknown_keys
        form = draw(st.sampled_from(["rows", "total", "l1"] if totals else ["rows"]))
        rows = 1 if aggregate.kind == "count_distinct_person" else draw(SMALL)
        if form == "rows":
            bound = Bound("rows", draw(SMALL), rows)
        elif form == "total":
            bound = Bound("total", draw(SMALL), 0, draw(TOTALS))
        else:
            bound = Bound("l1", 0, 0, draw(TOTALS))
        branching = 0
        if aggregate.bins is not None:
            wanted = draw(st.sampled_from([0, 0, 2, 3, 8]))
            branching = wanted if len(tree_levels(aggregate.bins.count, wanted)) > 1 else 0
        found.append(Terms(bound, draw(st.sampled_from([10**5, 10**6, 123_456_789])), branching))
    return dataclasses.replace(query, terms=tuple(found))
