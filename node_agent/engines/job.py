"""What the engine's process is asked to do, and the numbers that it and its kernel share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "ABSENT",
    "LIMIT",
    "MAP_INDEX",
    "MAP_VALUE",
    "MOST_ADDED",
    "Bounded",
    "Integers",
    "Job",
    "Lookup",
    "Mapped",
    "Numbers",
]

Integers = NDArray[np.int64]
Numbers = NDArray[np.int32]
"""People, ranks, numbers of values."""
LIMIT = 2**62
"""Every cell of an exact vector is within ± this."""
MAP_VALUE, MAP_INDEX = "_v", "_i"
"""Columns of the table of a column's values, which the engine's process makes: the value, and its number."""
ABSENT = -(2**63)
"""Stands for NULL in what a statistic adds: the row is not eligible."""
MOST_ADDED = 2**62
"""One person's rows may add up to this in size, at most, in a kernel that clamps or scales totals."""


@dataclass(frozen=True)
class Bounded:
    """How one statistic is bounded, for the kernel: the block's own figures.

    Attributes:
        form: ``rows``, ``total`` or ``l1``.
        few: people with so few rows took the plain way, and are absent from the stream; 0 for none.
        cuts: of a histogram, where its bins begin but the first: a value is in the bin after the last cut at or below
            it. JSON keeps doubles as they are.
    """

    form: str
    groups: int
    rows: int
    total: int
    extra_bits: int
    span: int
    places: int
    few: int = 0
    cuts: tuple[float, ...] = ()


Item = tuple[int, int]
"""A lookup, and which of the things that it computes."""


@dataclass(frozen=True)
class Lookup:
    """What is computed of each value of a column.

    Attributes:
        table: name in SQL of the table of its values.
        statement: gives ``items`` columns, a row a value.
    """

    column: str
    table: str
    statement: str
    items: int


@dataclass(frozen=True)
class Mapped:
    """A question that is computed by value.

    Attributes:
        table: the table about people, by its name in SQL.
        cap: rows of one person that count, by rank.
        keys, sizes: each key's part of the cell, and how many parts it has; of an unknown key, the label.
        wheres: rows count where all of these are 1.
        values: of each aggregate of the model, what a row adds, ``ABSENT`` for nothing; None where that is 1.
        filters: of each aggregate, what must be 1 besides.
        reads: columns of the table.
        bounded, statistics: of each block, what it is bounded with, and the model's aggregate.
    """

    table: str
    cap: int
    lookups: tuple[Lookup, ...]
    keys: tuple[Item, ...]
    sizes: tuple[int, ...]
    wheres: tuple[Item, ...]
    values: tuple[Item | None, ...]
    filters: tuple[tuple[Item, ...], ...]
    reads: tuple[str, ...]
    bounded: tuple[Bounded, ...] = ()
    statistics: tuple[int, ...] = ()


@dataclass(frozen=True)
class Job:
    """What is asked of the engine's process.

    Attributes:
        plain, stream, parts, bounded, apart: as in ``routes.Routes``.
        rows, ranked: statement that makes ``_rows``, and by block the statement that bounds it.
        lengths: vector places of each block; empty where keys are found in the data.
        cells: cells of one block.
        spans: by block, of a histogram whose values come the plain way: its span and cuts.
        mapped: how to compute all of it by value, where it is of that kind; the other ways are for many values.
        rows_at_a_time: as ``routes.Routes.part_rows``.
    """

    plain: Sequence[str]
    stream: str | None
    parts: int
    bounded: Mapping[int, Bounded]
    rows: str | None
    ranked: Mapping[int, str]
    lengths: Sequence[int]
    cells: int
    threads: int
    memory_mb: int
    seconds: int
    spans: Mapping[int, tuple[int, tuple[float, ...]]]
    mapped: Mapped | None = None
    apart: bool = False
    rows_at_a_time: int = 320_000
