"""Bounding and adding up, one person after another, over columns of whole numbers.

Each row has its cell, its rank and what it adds to one statistic; one person's rows stand together, so that everything
about that person is known in one pass: which cells come first, how many rows of each were kept, what the totals are
(formats.md, "Selection"). A person's rows are put in the order of their rank only where the bound may cut some.

Compiled by numba for these types alone. No lock of the interpreter's is held, so that parts of the people can be
bounded side by side.

Sums over people are kept in two halves, ``high·2^31 + low``: a sum of integers of up to 2^62 needs more than 63 bits.
One person's own total does not, which callers see to (``job.MOST_ADDED``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import numba
import numpy as np

from node_agent.engines.job import ABSENT, LIMIT, Integers

__all__ = ["People", "Sums", "add_rows", "add_scaled", "add_totals", "group"]

_F = TypeVar("_F", bound=Callable[..., Any])
_HALF = 31
_LOW = 2**31 - 1
_NUMBER, _TRUTH = numba.int64, numba.boolean
_OUT = numba.int64[::1]
_ONE = numba.types.Array(numba.int64, 1, "C", readonly=True)
_TWO = numba.types.Array(numba.int64, 2, "C", readonly=True)
"""Columns are only read: they may be a database's own memory."""


def _compiled(*types: Any, result: Any = numba.void) -> Callable[[_F], _F]:
    """Compile for one signature when this module is imported, or read what an import before this one compiled."""
    found: Callable[[_F], _F] = numba.njit(result(*types), nogil=True, cache=True)
    return found


@dataclass(frozen=True)
class People:
    """Rows with those of one person together.

    Attributes:
        starts: where each person's rows start, and after them the number of rows.
        ranks: one line for each part of the rank, the first part deciding; shape (parts, rows).
        cells: in which cell each row is.
        ordered: whether the rows of each person are known to be in the order of their rank.
    """

    starts: Integers
    ranks: Integers
    cells: Integers
    ordered: bool = False


class Sums:
    """Sums over people of each place, and scratch space, for one worker.

    Attributes:
        high, low: the sum of a place is ``high·2^31 + low``.
        stamps: of each cell the last person (a number that goes up) who had rows there.
        kept: of each cell what was kept of that person: rows, or the total.
    """

    def __init__(self, places: int, cells: int) -> None:
        self.high = np.zeros(places, np.int64)
        self.low = np.zeros(places, np.int64)
        self.stamps = np.zeros(cells, np.int64)
        self.kept = np.zeros(cells, np.int64)
        self.clock = np.zeros(1, np.int64)

    def grow(self, cells: int) -> None:
        """Make room for more cells of one place each."""
        for name in ("high", "low", "stamps", "kept"):
            held = getattr(self, name)
            if len(held) < cells:
                setattr(self, name, np.concatenate([held, np.zeros(max(cells, 2 * len(held)) - len(held), np.int64)]))

    def add(self, other: Sums) -> None:
        """Add another worker's sums."""
        self.high += other.high
        self.low += other.low

    def clamped(self) -> Integers:
        """The sums, within ±2^62."""
        # Low halves of fewer than 2^31 rows add up to less than 2^62.
        high = self.high + (self.low >> _HALF)
        inside = (high >= -(LIMIT >> _HALF)) & (high < LIMIT >> _HALF)
        found = np.where(inside, (high << _HALF) + (self.low & _LOW), np.where(high < 0, -LIMIT, LIMIT))
        return found


def group(people: Integers) -> tuple[Integers | None, Integers]:
    """The rows in the order of people, None where they are already; and where each person's rows start.

    Args:
        people: the dense index of each row's person; at least one row.
    """
    order = None
    if _falls(people):
        first = int(people.min())
        order = np.empty(len(people), np.int64)
        _by_person(people, first, np.zeros(int(people.max()) - first + 2, np.int64), order)
        people = people[order]
    changes = np.flatnonzero(people[1:] != people[:-1]) + 1
    return order, np.concatenate([[0], changes, [len(people)]])


@_compiled(_ONE, result=_TRUTH)
def _falls(people: Integers) -> bool:
    """Whether a row's person comes before that of the row above."""
    for at in range(1, len(people)):  # noqa: SIM110 - compiled
        if people[at] < people[at - 1]:
            return True
    return False


@_compiled(_ONE, _NUMBER, _OUT, _OUT)
def _by_person(people: Integers, first: int, starts: Integers, order: Integers) -> None:
    """Fill ``order`` with the rows by person: counted, then placed."""
    for at in range(len(people)):
        starts[people[at] - first + 1] += 1
    for at in range(1, len(starts)):
        starts[at] += starts[at - 1]
    for at in range(len(people)):
        person = people[at] - first
        order[starts[person]] = at
        starts[person] += 1


@_compiled(_TWO, _ONE, _NUMBER, _NUMBER, result=_TRUTH)
def _before(ranks: Integers, cells: Integers, one: int, other: int) -> bool:
    """Whether one row's rank is lower than another's, ties by cell."""
    for part in range(ranks.shape[0]):
        if ranks[part, one] != ranks[part, other]:
            return bool(ranks[part, one] < ranks[part, other])
    return bool(cells[one] < cells[other])


@_compiled(_TWO, _ONE, _NUMBER, _NUMBER, result=_TRUTH)
def _ranked(ranks: Integers, cells: Integers, start: int, end: int) -> bool:
    """Whether the rows from start to end are in the order of their rank."""
    for row in range(start + 1, end):
        if ranks[0, row] <= ranks[0, row - 1] and _before(ranks, cells, row, row - 1):
            return False
    return True


@_compiled(_TWO, _ONE, _NUMBER, _NUMBER, _OUT, _OUT)
def _by_rank(ranks: Integers, cells: Integers, start: int, end: int, order: Integers, spare: Integers) -> None:
    """Fill ``order`` with the rows from start to end, lowest rank first: merged bottom up."""
    count = end - start
    for at in range(count):
        order[at] = start + at
    width = 1
    while width < count:
        for left in range(0, count, 2 * width):
            middle, right = min(left + width, count), min(left + 2 * width, count)
            one, other = left, middle
            for at in range(left, right):
                if one < middle and (other >= right or not _before(ranks, cells, order[other], order[one])):
                    spare[at] = order[one]
                    one += 1
                else:
                    spare[at] = order[other]
                    other += 1
        for at in range(count):
            order[at] = spare[at]
        width *= 2


@_compiled(_OUT, _OUT, _NUMBER, _NUMBER)
def _add(high: Integers, low: Integers, place: int, value: int) -> None:
    if -_LOW < value < _LOW:
        # Fewer than 2^31 of these add up to less than 2^62.
        low[place] += value
    else:
        high[place] += value >> _HALF
        low[place] += value & _LOW


@_compiled(_ONE, result=_NUMBER)
def _most(starts: Integers) -> int:
    """The most rows that a person has."""
    found = 0
    for person in range(len(starts) - 1):
        found = max(found, starts[person + 1] - starts[person])
    return found


@_compiled(_ONE, _TWO, _TRUTH, _ONE, _ONE, _NUMBER, _NUMBER, _NUMBER, _OUT, _OUT, _OUT, _OUT, _OUT)
def _rows(
    starts: Integers,
    ranks: Integers,
    ordered: bool,
    cells: Integers,
    added: Integers,
    rows: int,
    groups: int,
    span: int,
    high: Integers,
    low: Integers,
    stamps: Integers,
    kept: Integers,
    clock: Integers,
) -> None:
    order = np.empty(_most(starts), np.int64)
    spare = np.empty(len(order), np.int64)
    for person in range(len(starts) - 1):
        start, end = starts[person], starts[person + 1]
        clock[0] += 1
        found = 0
        cut = end - start > rows or end - start > groups
        sort = cut and not ordered and not _ranked(ranks, cells, start, end)
        if sort:
            _by_rank(ranks, cells, start, end, order, spare)
        for at in range(end - start):
            row = order[at] if sort else start + at
            value = added[row]
            if value == ABSENT:
                continue
            cell = cells[row]
            if cut:
                if stamps[cell] != clock[0]:
                    stamps[cell] = clock[0]
                    kept[cell] = 0 if found < groups else rows
                    found += 1
                if kept[cell] >= rows:
                    continue
                kept[cell] += 1
            if span:
                low[cell * span + value] += 1
            else:
                _add(high, low, cell, value)


@_compiled(_ONE, _TWO, _TRUTH, _ONE, _ONE, _NUMBER, _NUMBER, _OUT, _OUT, _OUT, _OUT, _OUT)
def _totals(
    starts: Integers,
    ranks: Integers,
    ordered: bool,
    cells: Integers,
    added: Integers,
    groups: int,
    limit: int,
    high: Integers,
    low: Integers,
    stamps: Integers,
    kept: Integers,
    clock: Integers,
) -> None:
    order = np.empty(_most(starts), np.int64)
    spare = np.empty(len(order), np.int64)
    own = np.empty(len(order), np.int64)
    for person in range(len(starts) - 1):
        start, end = starts[person], starts[person + 1]
        clock[0] += 1
        found = 0
        sort = end - start > groups and not ordered and not _ranked(ranks, cells, start, end)
        if sort:
            _by_rank(ranks, cells, start, end, order, spare)
        for at in range(end - start):
            row = order[at] if sort else start + at
            value = added[row]
            if value == ABSENT:
                continue
            cell = cells[row]
            if stamps[cell] != clock[0]:
                # A cell that comes too late is never looked at again: nobody reads what is kept of it.
                stamps[cell] = clock[0]
                kept[cell] = 0
                own[found] = cell
                found += 1
            kept[cell] += value
        for at in range(min(found, groups)):
            _add(high, low, own[at], min(max(kept[own[at]], -limit), limit))


@_compiled(_NUMBER, _NUMBER, _NUMBER, result=_NUMBER)
def _share(value: int, limit: int, size: int) -> int:
    """⌊value·limit / size⌋ for 0 ≤ value ≤ size ≤ 2^62, bit by bit of the limit: the product has up to 115 bits."""
    quotient, rest = 0, 0
    for bit in range(62, -1, -1):
        # ⌊2·so far⌋, and the value once more where the limit has this bit. The rest stays below size.
        quotient *= 2
        rest *= 2
        if rest >= size:
            rest -= size
            quotient += 1
        if limit >> bit & 1:
            rest += value
            if rest >= size:
                rest -= size
                quotient += 1
    return quotient


@_compiled(_ONE, _TWO, _TRUTH, _ONE, _ONE, _NUMBER, _NUMBER, _OUT, _OUT, _OUT, _OUT, _OUT)
def _scaled(
    starts: Integers,
    ranks: Integers,
    ordered: bool,
    cells: Integers,
    added: Integers,
    extra_bits: int,
    limit: int,
    high: Integers,
    low: Integers,
    stamps: Integers,
    kept: Integers,
    clock: Integers,
) -> None:
    own = np.empty(_most(starts), np.int64)
    for person in range(len(starts) - 1):
        clock[0] += 1
        found, size = 0, 0
        for row in range(starts[person], starts[person + 1]):
            if added[row] == ABSENT:
                continue
            cell = cells[row]
            if stamps[cell] != clock[0]:
                stamps[cell] = clock[0]
                kept[cell] = 0
                own[found] = cell
                found += 1
            kept[cell] += added[row]
        for at in range(found):
            kept[own[at]] <<= extra_bits
            size += abs(kept[own[at]])
        for at in range(found):
            value = kept[own[at]]
            if size > limit:
                part = _share(abs(value), limit, size)
                value = part if value > 0 else -part
            _add(high, low, own[at], value)


def add_rows(people: People, added: Integers, sums: Sums, *, rows: int, groups: int, span: int = 0) -> None:
    """Add the R lowest rows of each of a person's G first cells.

    Args:
        added: what each row adds to its cell; with a span, its bin: a row adds 1 at ``cell·span + bin``.
    """
    held = (sums.high, sums.low, sums.stamps, sums.kept, sums.clock)
    _rows(people.starts, people.ranks, people.ordered, people.cells, added, rows, groups, span, *held)


def add_totals(people: People, added: Integers, sums: Sums, *, groups: int, limit: int) -> None:
    """Add a person's totals in each of their G first cells, clamped to ±C."""
    held = (sums.high, sums.low, sums.stamps, sums.kept, sums.clock)
    _totals(people.starts, people.ranks, people.ordered, people.cells, added, groups, limit, *held)


def add_scaled(people: People, added: Integers, sums: Sums, *, extra_bits: int, limit: int) -> None:
    """Add all of a person's totals, 2^extra as large, scaled down together until their sizes add up to C."""
    held = (sums.high, sums.low, sums.stamps, sums.kept, sums.clock)
    _scaled(people.starts, people.ranks, people.ordered, people.cells, added, extra_bits, limit, *held)
