"""What each thread of a job adds up by itself, and how that is put together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import duckdb

from node_agent.engines.job import LIMIT, Bounded, Integers
from node_agent.engines.kernel import People, Sums, add_rows, add_scaled, add_totals

__all__ = ["Worker", "bound_and_add", "labelled", "merged"]


@dataclass
class Worker:
    """One thread's own: a cursor, sums by block, and the labels that it met, numbered."""

    cursor: duckdb.DuckDBPyConnection
    sums: dict[int, Sums]
    labels: dict[str, int] = field(default_factory=dict)


def bound_and_add(people: People, added: Integers, sums: Sums, bound: Bounded) -> None:
    """Bound what people add to one statistic, and add it up."""
    if bound.form == "rows":
        add_rows(people, added, sums, rows=bound.rows, groups=bound.groups, span=bound.span)
    elif bound.form == "total":
        add_totals(people, added, sums, groups=bound.groups, limit=bound.total)
    else:
        add_scaled(people, added, sums, extra_bits=bound.extra_bits, limit=bound.total)


def merged(workers: Sequence[Worker], place: int, start: Sums | None = None) -> Integers:
    """A block's sums over all workers, within ±2^62."""
    parts = [*([start] if start is not None else []), *(w.sums[place] for w in workers if place in w.sums)]
    first, *others = parts
    for other in others:
        first.add(other)
    return first.clamped()


def labelled(workers: Sequence[Worker]) -> dict[str, int]:
    """The counts by label, within 2^62."""
    found: dict[str, int] = {}
    for worker in workers:
        [sums] = worker.sums.values()
        for label, value in zip(worker.labels, sums.clamped().tolist(), strict=False):
            if value:
                found[label] = min(found.get(label, 0) + value, LIMIT)
    return found
