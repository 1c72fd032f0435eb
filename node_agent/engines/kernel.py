"""Bounding and adding up, one person after another, over columns of whole numbers.

Each row has its cell, its rank and what it adds to one statistic; one person's rows stand together, so that everything
about that person is known in one pass: which cells come first, how many rows of each were kept, what the totals are
(formats.md, "Selection"). Few people are cut: a statistic on totals is first added up as if nobody were, as fast as a
plain sum is, and taken back for those who are. Rows are put in the order of their rank only where some may go.

Sums over people are kept in two halves, ``high·2^31 + low``: a sum of integers of up to 2^62 needs more than 63 bits.
One person's own total does not, which callers see to (``job.MOST_ADDED``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from node_agent.engines.compiled import NUMBER, NUMBERS, OUT, READ, READ_TWO, TRUTH, compiled
from node_agent.engines.job import ABSENT, LIMIT, Integers, Numbers

__all__ = ["People", "Sums", "add_rows", "add_scaled", "add_totals", "group", "starts_of"]

_HALF = 31
_LOW = 2**31 - 1


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

    @property
    def held(self) -> tuple[Integers, Integers, Integers, Integers, Integers]:
        """What the kernel fills, in its order."""
        return self.high, self.low, self.stamps, self.kept, self.clock

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


def group(people: Numbers) -> tuple[Integers | None, Integers]:
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
    return order, starts_of(people)


def starts_of(people: Numbers) -> Integers:
    """Where each person's rows start, and after them the number of rows; people stand in order, at least one row."""
    starts = np.empty(len(people) + 1, np.int64)
    return starts[: _starts(people, starts)]


@compiled(NUMBERS, OUT, result=NUMBER)
def _starts(people: Numbers, starts: Integers) -> int:
    starts[0], found = 0, 1
    for at in range(1, len(people)):
        starts[found] = at
        found += people[at] != people[at - 1]
    starts[found] = len(people)
    return found + 1


@compiled(NUMBERS, result=TRUTH)
def _falls(people: Numbers) -> bool:
    """Whether a row's person comes before that of the row above."""
    for at in range(1, len(people)):  # noqa: SIM110 - compiled
        if people[at] < people[at - 1]:
            return True
    return False


@compiled(NUMBERS, NUMBER, OUT, OUT)
def _by_person(people: Numbers, first: int, starts: Integers, order: Integers) -> None:
    """Fill ``order`` with the rows by person: counted, then placed."""
    for at in range(len(people)):
        starts[people[at] - first + 1] += 1
    for at in range(1, len(starts)):
        starts[at] += starts[at - 1]
    for at in range(len(people)):
        person = people[at] - first
        order[starts[person]] = at
        starts[person] += 1


@compiled(READ_TWO, READ, NUMBER, NUMBER, result=TRUTH)
def _before(ranks: Integers, cells: Integers, one: int, other: int) -> bool:
    """Whether one row's rank is lower than another's, ties by cell."""
    for part in range(ranks.shape[0]):
        if ranks[part, one] != ranks[part, other]:
            return bool(ranks[part, one] < ranks[part, other])
    return bool(cells[one] < cells[other])


@compiled(READ_TWO, READ, NUMBER, NUMBER, result=TRUTH)
def _ranked(ranks: Integers, cells: Integers, start: int, end: int) -> bool:
    """Whether the rows from start to end are in the order of their rank."""
    for row in range(start + 1, end):
        if ranks[0, row] <= ranks[0, row - 1] and _before(ranks, cells, row, row - 1):
            return False
    return True


@compiled(READ_TWO, READ, NUMBER, NUMBER, OUT, OUT)
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


@compiled(NUMBER, NUMBER, OUT)
def _in_place(start: int, end: int, order: Integers) -> None:
    """Fill ``order`` with the rows from start to end as they stand."""
    for at in range(end - start):
        order[at] = start + at


@compiled(OUT, OUT, NUMBER, NUMBER)
def _add(high: Integers, low: Integers, place: int, value: int) -> None:
    if -_LOW < value < _LOW:
        # Fewer than 2^31 of these add up to less than 2^62.
        low[place] += value
    else:
        high[place] += value >> _HALF
        low[place] += value & _LOW


@compiled(READ, result=NUMBER)
def _most(starts: Integers) -> int:
    """The most rows that a person has."""
    found = 0
    for person in range(len(starts) - 1):
        found = max(found, starts[person + 1] - starts[person])
    return found


@compiled(READ, READ_TWO, TRUTH, READ, READ, NUMBER, NUMBER, NUMBER, OUT, OUT, OUT, OUT, OUT)
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


@compiled(READ, READ, NUMBER, OUT, OUT, OUT)
def _add_all(cells: Integers, added: Integers, bits: int, high: Integers, low: Integers, sizes: Integers) -> None:
    """Add all rows, 2^bits as large, as if nobody were cut; ``sizes`` has what the rows before each add, in size."""
    sizes[0] = 0
    for row in range(len(cells)):
        value = 0 if added[row] == ABSENT else added[row]
        # This may go round 2^64; what one person's rows add, a difference of two, is right all the same.
        sizes[row + 1] = sizes[row] + abs(value)
        _add(high, low, cells[row], value << bits)


@compiled(READ, READ, NUMBER, NUMBER, NUMBER, OUT, OUT)
def _take_back(
    cells: Integers, added: Integers, start: int, end: int, bits: int, high: Integers, low: Integers
) -> None:
    """Take the rows from start to end away again."""
    for row in range(start, end):
        if added[row] != ABSENT:
            _add(high, low, cells[row], -(added[row] << bits))


@compiled(READ, READ, READ, NUMBER, OUT, OUT, OUT, OUT, result=NUMBER)
def _by_cell(
    rows: Integers,
    cells: Integers,
    added: Integers,
    count: int,
    stamps: Integers,
    kept: Integers,
    clock: Integers,
    own: Integers,
) -> int:
    """One person's totals: their cells into ``own``, in the order of the rows, and the totals into ``kept``."""
    found = 0
    clock[0] += 1
    for at in range(count):
        row = rows[at]
        if added[row] == ABSENT:
            continue
        cell = cells[row]
        if stamps[cell] != clock[0]:
            stamps[cell] = clock[0]
            kept[cell] = 0
            own[found] = cell
            found += 1
        kept[cell] += added[row]
    return found


@compiled(READ, READ_TWO, TRUTH, READ, READ, NUMBER, NUMBER, OUT, OUT, OUT, OUT, OUT)
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
    own, sizes = np.empty(len(order), np.int64), np.empty(len(cells) + 1, np.int64)
    _add_all(cells, added, 0, high, low, sizes)
    for person in range(len(starts) - 1):
        start, end = starts[person], starts[person + 1]
        if end - start <= groups and sizes[end] - sizes[start] <= limit:
            continue
        _take_back(cells, added, start, end, 0, high, low)
        if end - start > groups and not ordered and not _ranked(ranks, cells, start, end):
            _by_rank(ranks, cells, start, end, order, spare)
        else:
            _in_place(start, end, order)
        found = _by_cell(order, cells, added, end - start, stamps, kept, clock, own)
        for at in range(min(found, groups)):
            _add(high, low, own[at], min(max(kept[own[at]], -limit), limit))


@compiled(NUMBER, NUMBER, NUMBER, result=NUMBER)
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


@compiled(READ, READ, READ, NUMBER, NUMBER, OUT, OUT, OUT, OUT, OUT)
def _scaled(
    starts: Integers,
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
    order = np.empty(_most(starts), np.int64)
    own, sizes = np.empty(len(order), np.int64), np.empty(len(cells) + 1, np.int64)
    _add_all(cells, added, extra_bits, high, low, sizes)
    for person in range(len(starts) - 1):
        start, end = starts[person], starts[person + 1]
        if sizes[end] - sizes[start] <= limit >> extra_bits:
            continue
        _take_back(cells, added, start, end, extra_bits, high, low)
        _in_place(start, end, order)
        found = _by_cell(order, cells, added, end - start, stamps, kept, clock, own)
        size = 0
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
    _rows(people.starts, people.ranks, people.ordered, people.cells, added, rows, groups, span, *sums.held)


def add_totals(people: People, added: Integers, sums: Sums, *, groups: int, limit: int) -> None:
    """Add a person's totals in each of their G first cells, clamped to ±C."""
    _totals(people.starts, people.ranks, people.ordered, people.cells, added, groups, limit, *sums.held)


def add_scaled(people: People, added: Integers, sums: Sums, *, extra_bits: int, limit: int) -> None:
    """Add all of a person's totals, 2^extra as large, scaled down together until their sizes add up to C."""
    _scaled(people.starts, people.cells, added, extra_bits, limit, *sums.held)
