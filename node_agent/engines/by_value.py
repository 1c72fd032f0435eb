"""Runs what ``mapped`` planned: what a query makes of each value of a column; then rows, by their values' numbers."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from node_agent.engines.columns import in_one_piece
from node_agent.engines.job import MAP_INDEX, MAP_VALUE, Bounded, Integers, Item, Job, Lookup, Mapped, Numbers
from node_agent.engines.kernel import People, Sums, starts_of
from node_agent.engines.lookups import added_by, cells_of, counted
from node_agent.engines.names import ORDER, PERSON
from node_agent.engines.workers import Worker, bound_and_add

__all__ = ["by_value"]

MOST_VALUES = 1 << 20
"""A column of days or whole numbers with a wider range than this is not numbered by value."""
ROWS_AT_A_TIME = 32_768

_NO_RANKS = np.zeros((1, 0), np.int64)
"""Rows stand by rank: nobody asks."""


@dataclass(frozen=True)
class _Column:
    """One column by value.

    Attributes:
        column: the column itself; of text, each row's number of its value.
        least: of days and whole numbers, the value whose number is 0; None of text and truth.
        missing: the number that stands for NULL.
        starts: where each thing that was computed starts in ``looked``, one place a number.
        labels: of an unknown key, in place of its item.
    """

    column: pa.Array
    least: int | None
    missing: int
    starts: tuple[int, ...]
    labels: tuple[str, ...] = ()

    def number(self, start: int, end: int, numbers: Numbers) -> None:
        """Fill in each row's number of its value."""
        part = self.column.slice(start, end - start)
        if self.least is None:
            part = part.indices if isinstance(part, pa.DictionaryArray) else part.cast(pa.int8())
            codes = part.fill_null(self.missing) if part.null_count else part
            numbers[:] = codes.to_numpy(zero_copy_only=False)
            return
        whole = _whole(part)
        values = whole.fill_null(self.least) if part.null_count else whole
        np.subtract(values.to_numpy(), self.least, out=numbers, casting="unsafe")
        if part.null_count:
            numbers[part.is_null().to_numpy(zero_copy_only=False)] = self.missing


def _whole(column: pa.Array) -> pa.Array:
    """Days as whole numbers."""
    return column.view(pa.int32()) if pa.types.is_date32(column.type) else column


class _Plan:
    """The question in terms of what was looked up.

    An item is a column, and where its part of ``looked`` starts; a column below 0 stands for the number 1.

    Attributes:
        wheres, keys: items, one a line.
        sizes: how many parts each key has.
        added: each different thing that rows add: its item, and the items that must be 1.
        which: of each block, which of those.
    """

    def __init__(self, mapped: Mapped, columns: Sequence[_Column], looked: Integers) -> None:
        self.mapped, self.columns, self.looked = mapped, columns, looked
        self.wheres, self.keys = self._items(mapped.wheres), self._items(mapped.keys)
        self.sizes = np.array(mapped.sizes, np.int64)
        wanted = [(mapped.values[at], mapped.filters[at]) for at in mapped.statistics]
        different = list(dict.fromkeys(wanted))
        self.which = [different.index(item) for item in wanted]
        self.added = [
            (self._item(value) if value is not None else (-1, 0), self._items(tests)) for value, tests in different
        ]

    def _item(self, item: Item) -> Item:
        return item[0], self.columns[item[0]].starts[item[1]]

    def _items(self, items: Sequence[Item]) -> Integers:
        return np.array([self._item(item) for item in items], np.int64).reshape(len(items), 2)


class _Space:
    """Memory of one worker, filled anew for each part of the people."""

    def __init__(self, plan: _Plan, rows: int) -> None:
        self.numbers = np.empty(len(plan.columns) * rows, np.int32)
        self.rows, self.cells = np.empty(rows, np.int64), np.empty(rows, np.int64)
        self.added = [np.empty(rows, np.int64) for _ in plan.added]


def by_value(connection: duckdb.DuckDBPyConnection, job: Job, mapped: Mapped, table: pa.Table) -> list[Worker] | None:
    """The sums of all workers; None where a column has too many values."""
    columns, looked = list[_Column](), list[Integers]()
    for lookup in mapped.lookups:
        found = _column(connection, lookup, table.column(lookup.column), looked)
        if found is None:
            return None
        columns.append(found)
    plan = _Plan(mapped, columns, np.concatenate([*looked, np.zeros(0, np.int64)]))
    person, order = (in_one_piece(table.column(name)).to_numpy() for name in (PERSON, ORDER))
    count = max(1, len(person) // min(ROWS_AT_A_TIME, job.rows_at_a_time))
    # No person is in two parts.
    cuts = np.searchsorted(person, person[[len(person) * at // count for at in range(1, count)]])
    edges = [0, *map(int, cuts), len(person)]
    labels = next((column.labels for column in columns if column.labels), ())
    cells = len(labels) if not job.lengths else job.cells

    def work(parts: Sequence[tuple[int, int]]) -> Worker:
        places = {at: Sums(bound.places or cells, cells) for at, bound in enumerate(mapped.bounded)}
        worker = Worker(connection, places, {label: at for at, label in enumerate(labels)})
        space = _Space(plan, max(end - start for start, end in parts))
        for start, end in parts:
            _add(worker, plan, person[start:end], order[start:end], (start, end), space)
        return worker

    shares = [list(itertools.pairwise(edges))[at :: job.threads] for at in range(job.threads)]
    with ThreadPoolExecutor(job.threads) as pool:
        return list(pool.map(work, [share for share in shares if share]))


def _column(
    connection: duckdb.DuckDBPyConnection, lookup: Lookup, column: pa.ChunkedArray, looked: list[Integers]
) -> _Column | None:
    """One column; what is computed of its values is added to ``looked``."""
    filled = sum(map(len, looked))
    whole = in_one_piece(column)
    least: int | None = None
    if pa.types.is_dictionary(whole.type):
        values = whole.dictionary
    elif pa.types.is_boolean(whole.type):
        values = pa.array([False, True])
    else:
        days = _whole(whole)
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
            MAP_VALUE: pa.concat_arrays([values, pa.nulls(1, values.type)]),
            MAP_INDEX: pa.array(np.arange(len(values) + 1)),
        }
    )
    connection.register(lookup.table, table)
    found = connection.sql(lookup.statement).to_arrow_table()
    labels: tuple[str, ...] = ()
    for place in range(lookup.items):
        item = found.column(f"_e{place}")
        if pa.types.is_string(item.type):
            # Several values may have one label; a cell is a label.
            numbers: dict[str, int] = {}
            looked.append(np.array([numbers.setdefault(label, len(numbers)) for label in item.to_pylist()], np.int64))
            labels = tuple(numbers)
        else:
            looked.append(item.to_numpy().astype(np.int64, copy=False))
    size = len(values) + 1
    return _Column(whole, least, len(values), tuple(range(filled, filled + size * lookup.items, size)), labels)


def _add(worker: Worker, plan: _Plan, person: Numbers, order: Numbers, between: tuple[int, int], space: _Space) -> None:
    """Bound and add up some people's rows."""
    mapped, looked = plan.mapped, plan.looked
    numbers = space.numbers[: len(plan.columns) * len(person)].reshape(len(plan.columns), len(person))
    for column, line in zip(plan.columns, numbers, strict=True):
        column.number(*between, line)
    count = counted(numbers, order, mapped.cap, plan.wheres, looked, space.rows)
    if not count:
        return
    rows, cells = space.rows[:count], space.cells[:count]
    cells_of(numbers, rows, plan.keys, plan.sizes, looked, cells)
    people = People(starts_of(person if count == len(person) else person[rows]), _NO_RANKS, cells, ordered=True)
    added = list[Integers]()
    for place, (value, tests) in enumerate(plan.added):
        added.append(space.added[place][:count])
        added_by(numbers, rows, *value, tests, looked, added[-1])
    done: list[tuple[Bounded, Integers, Sums]] = []
    for place, (bound, which) in enumerate(zip(mapped.bounded, plan.which, strict=True)):
        mine, sums = added[which], worker.sums[place]
        # Rows, and values that are there, are often the same count: it is made once.
        known = next((part for same, values, part in done if same == bound and np.array_equal(values, mine)), None)
        if known is None and bound in mapped.bounded[place + 1 :]:
            known = Sums(len(sums.low), len(sums.stamps))
            bound_and_add(people, mine, known, bound)
            done.append((bound, mine, known))
        if known is not None:
            sums.add(known)
        else:
            bound_and_add(people, mine, sums, bound)
