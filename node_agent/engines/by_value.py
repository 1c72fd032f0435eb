"""Runs what ``mapped`` planned: what a query makes of each value of a column; then rows, by their values' numbers."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from node_agent.engines.job import ABSENT, Bounded, Integers, Item, Job, Lookup, Mapped
from node_agent.engines.kernel import People, Sums
from node_agent.engines.names import ORDER, PERSON
from node_agent.engines.workers import Worker, bound_and_add

__all__ = ["by_value"]

MOST_VALUES = 1 << 20
"""A column of days or whole numbers with a wider range than this is not numbered by value."""
ROWS_AT_A_TIME = 262_144

Numbers = NDArray[Any]
_NO_RANKS = np.zeros((1, 0), np.int64)
"""Rows stand by rank: nobody asks."""


@dataclass(frozen=True)
class _Column:
    """One column by value.

    Attributes:
        column: the column itself; of text, each row's number of its value.
        least: of days and whole numbers, the value whose number is 0; None of text and truth.
        missing: the number that stands for NULL.
        items: what was computed, each by the value's number.
        labels: of an unknown key, in place of its item.
    """

    column: pa.Array
    least: int | None
    missing: int
    items: tuple[Numbers, ...]
    labels: tuple[str, ...] = ()

    def numbers(self, start: int, end: int) -> Numbers:
        """Each row's number of its value."""
        part = self.column.slice(start, end - start)
        if self.least is None:
            part = part.indices if isinstance(part, pa.DictionaryArray) else part.cast(pa.int8())
            codes: Numbers = (part.fill_null(self.missing) if part.null_count else part).to_numpy(zero_copy_only=False)
            return codes
        if pa.types.is_date32(part.type):
            part = part.view(pa.int32())
        found: Numbers
        if not part.null_count:
            found = part.to_numpy() - part.type.to_pandas_dtype()(self.least)
            return found
        found = part.fill_null(self.least).to_numpy(zero_copy_only=False) - part.type.to_pandas_dtype()(self.least)
        found[part.is_null().to_numpy(zero_copy_only=False)] = self.missing
        return found


def by_value(connection: duckdb.DuckDBPyConnection, job: Job, mapped: Mapped, table: pa.Table) -> list[Worker] | None:
    """The sums of all workers; None where a column has too many values."""
    columns = []
    for lookup in mapped.lookups:
        found = _column(connection, lookup, table.column(lookup.column))
        if found is None:
            return None
        columns.append(found)
    person, order = (table.column(name).combine_chunks().to_numpy() for name in (PERSON, ORDER))
    capped = bool(len(order)) and int(order.max()) > mapped.cap
    count = max(1, len(person) // min(ROWS_AT_A_TIME, job.rows_at_a_time))
    # No person is in two parts.
    cuts = np.searchsorted(person, person[[len(person) * at // count for at in range(1, count)]])
    edges = [0, *map(int, cuts), len(person)]
    labels = next((column.labels for column in columns if column.labels), ())
    cells = len(labels) if not job.lengths else job.cells

    def work(parts: Sequence[tuple[int, int]]) -> Worker:
        places = {at: Sums(bound.places or cells, cells) for at, bound in enumerate(mapped.bounded)}
        worker = Worker(connection, places, {label: at for at, label in enumerate(labels)})
        for start, end in parts:
            if start < end:
                _add(worker, mapped, columns, person[start:end], order[start:end], (start, end), capped=capped)
        return worker

    shares = [list(itertools.pairwise(edges))[at :: job.threads] for at in range(job.threads)]
    with ThreadPoolExecutor(job.threads) as pool:
        return list(pool.map(work, shares))


def _column(connection: duckdb.DuckDBPyConnection, lookup: Lookup, column: pa.ChunkedArray) -> _Column | None:
    coded = pa.types.is_dictionary(column.type)
    whole = (column.unify_dictionaries() if coded else column).combine_chunks()
    if isinstance(whole, pa.ChunkedArray):
        whole = whole.chunk(0) if whole.num_chunks else pa.array([], column.type)
    least: int | None = None
    if pa.types.is_dictionary(whole.type):
        values = whole.dictionary
    elif pa.types.is_boolean(whole.type):
        values = pa.array([False, True])
    else:
        days = whole.view(pa.int32()) if pa.types.is_date32(whole.type) else whole
        ends = pc.min_max(days).as_py()
        if ends["min"] is None:
            ends = {"min": 0, "max": 0}
        if ends["max"] - ends["min"] >= MOST_VALUES:
            return None
        least = int(ends["min"])
        values = pa.array(np.arange(least, ends["max"] + 1, dtype=days.type.to_pandas_dtype()))
        values = values.view(pa.date32()) if pa.types.is_date32(whole.type) else values
    table = pa.table(
        {
            "_v": pa.concat_arrays([values, pa.nulls(1, values.type)]),
            "_i": pa.array(np.arange(len(values) + 1)),
        }
    )
    connection.register(lookup.table, table)
    found = connection.sql(lookup.statement).to_arrow_table()
    items = list[Numbers]()
    labels: tuple[str, ...] = ()
    for place in range(lookup.items):
        item = found.column(f"_e{place}")
        if pa.types.is_string(item.type):
            # Several values may have one label; a cell is a label.
            numbers: dict[str, int] = {}
            items.append(np.array([numbers.setdefault(label, len(numbers)) for label in item.to_pylist()], np.int64))
            labels = tuple(numbers)
        else:
            items.append(item.to_numpy().astype(np.int64))
    return _Column(whole, least, len(values), tuple(items), labels)


def _add(
    worker: Worker,
    mapped: Mapped,
    columns: Sequence[_Column],
    person: Numbers,
    order: Numbers,
    rows: tuple[int, int],
    *,
    capped: bool,
) -> None:
    """Bound and add up some people's rows."""
    numbers = [column.numbers(*rows) for column in columns]
    kept: Numbers | None = order <= mapped.cap if capped else None
    for at, item in mapped.wheres:
        passes = (columns[at].items[item] == 1)[numbers[at]]
        kept = passes if kept is None else kept & passes
    if kept is not None and not kept.all():
        where = np.flatnonzero(kept)
        person, order, numbers = person[where], order[where], [found[where] for found in numbers]
    if not len(person):
        return
    cells: Integers | None = None
    for (at, item), size in zip(mapped.keys, mapped.sizes, strict=True):
        part = columns[at].items[item][numbers[at]]
        cells = part if cells is None else cells * size + part
    if cells is None:
        cells = np.zeros(len(person), np.int64)
    changes = np.flatnonzero(person[1:] != person[:-1]) + 1
    starts = np.concatenate([[0], changes, [len(person)]])
    own = People(starts, _NO_RANKS, cells, ordered=True)
    ready: dict[tuple[Item | None, tuple[Item, ...]], Integers] = {}
    done: list[tuple[Bounded, Integers, Sums]] = []
    for place, (bound, statistic) in enumerate(zip(mapped.bounded, mapped.statistics, strict=True)):
        what = (mapped.values[statistic], mapped.filters[statistic])
        if what not in ready:
            ready[what] = _added(columns, numbers, len(person), *what)
        added, sums = ready[what], worker.sums[place]
        # Rows, and values that are there, are often the same count: it is made once.
        known = next((part for same, values, part in done if same == bound and np.array_equal(values, added)), None)
        if known is None and bound in mapped.bounded[place + 1 :]:
            known = Sums(len(sums.low), len(sums.stamps))
            bound_and_add(own, added, known, bound)
            done.append((bound, added, known))
        if known is not None:
            sums.add(known)
        else:
            bound_and_add(own, added, sums, bound)


def _added(
    columns: Sequence[_Column], numbers: Sequence[Numbers], count: int, value: Item | None, tests: Sequence[Item]
) -> Integers:
    added: Integers
    added = np.ones(count, np.int64) if value is None else columns[value[0]].items[value[1]][numbers[value[0]]]
    for at, item in tests:
        added = np.where((columns[at].items[item] == 1)[numbers[at]], added, ABSENT)
    return added
