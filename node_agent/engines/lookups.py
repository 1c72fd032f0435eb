"""What rows look up by the numbers of their values: which rows count, their cells, and what they add.

Everything that was computed of values lies in one array, ``looked``; an *item* is a column, and where its part of that
array starts. ``numbers`` are the numbers of the rows' values, shape (columns, rows).
"""

from __future__ import annotations

import numba

from node_agent.engines.compiled import NUMBER, NUMBERS, OUT, READ, READ_TWO, compiled
from node_agent.engines.job import ABSENT, Integers, Numbers

__all__ = ["added_by", "cells_of", "counted"]

_TWO = numba.types.Array(numba.int32, 2, "C", readonly=True)


@compiled(_TWO, NUMBERS, NUMBER, READ_TWO, READ, OUT, result=NUMBER)
def counted(numbers: Numbers, order: Numbers, cap: int, wheres: Integers, looked: Integers, rows: Integers) -> int:
    """Fill ``rows`` with the rows that are within the cap by rank and 1 in every item; returns how many there are."""
    found = 0
    for row in range(len(order)):
        passes = order[row] <= cap
        for at in range(wheres.shape[0]):
            if not passes:
                break
            passes = looked[wheres[at, 1] + numbers[wheres[at, 0], row]] == 1
        rows[found] = row
        found += passes
    return found


@compiled(_TWO, READ, READ_TWO, READ, READ, OUT)
def cells_of(
    numbers: Numbers, rows: Integers, keys: Integers, sizes: Integers, looked: Integers, cells: Integers
) -> None:
    """Fill ``cells``: each key's part, row-major."""
    for at in range(len(rows)):
        cell = 0
        for key in range(keys.shape[0]):
            cell = cell * sizes[key] + looked[keys[key, 1] + numbers[keys[key, 0], rows[at]]]
        cells[at] = cell


@compiled(_TWO, READ, NUMBER, NUMBER, READ_TWO, READ, OUT)
def added_by(
    numbers: Numbers,
    rows: Integers,
    column: int,
    start: int,
    tests: Integers,
    looked: Integers,
    added: Integers,
) -> None:
    """Fill ``added``: what each row adds, 1 where there is no column (below 0); ``ABSENT`` where a test is not 1."""
    for at in range(len(rows)):
        row = rows[at]
        value = looked[start + numbers[column, row]] if column >= 0 else 1
        for test in range(tests.shape[0]):
            if looked[tests[test, 1] + numbers[tests[test, 0], row]] != 1:
                value = ABSENT
        added[at] = value
