"""Columns of the store in memory, kept from one query to the next.

Columns are what queries share: whoever asks by month reads the same dates. They are read and decrypted once, and every
engine process forked later sees them without a copy. The least recently used go when there are too many.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa

from node_agent.engines.names import PERSON
from node_agent.sources.sealed import ALLOWED, Seal, read_columns

__all__ = ["Columns", "in_one_piece"]

_Key = tuple[str, bytes, bool, str, str, str]
"""The version's folder and salt (a folder may come again, after a store was deleted), whether everybody's rows are
there, and which column."""


class Columns:
    """The columns in memory, the least recently used first."""

    def __init__(self) -> None:
        self._kept: dict[_Key, pa.ChunkedArray] = {}

    def tables(
        self, folder: Path, seal: Seal, reads: Mapping[str, tuple[str, str, tuple[str, ...]]], *, everybody: bool
    ) -> dict[str, pa.Table]:
        """Tables with the columns that are read.

        Every way of computing anything reads its rows here, inner sides of joins, subqueries and profiles included:
        who is left out here is in no statement at all.

        Args:
            reads: by name: dataset, table and columns.
            everybody: whether rows of people whom a list of opt-outs excludes are read too.

        Raises:
            OSError, pyarrow.ArrowException: a file is absent, or is not what it should be.
        """
        found = {}
        for name, (dataset, table, columns) in reads.items():
            keys = {column: (str(folder), seal.salt, everybody, dataset, table, column) for column in columns}
            absent = [column for column, key in keys.items() if key not in self._kept]
            if absent:
                rows = None if everybody else _allowed_rows(folder, dataset, table, seal)
                read = read_columns(folder, dataset, table, absent, seal)
                for column in absent:
                    whole = in_one_piece(read.column(column))
                    self._kept[keys[column]] = pa.chunked_array([whole if rows is None else whole.filter(rows)])
            for key in keys.values():
                self._kept[key] = self._kept.pop(key)
            found[name] = pa.table({column: self._kept[key] for column, key in keys.items()})
        return found

    def trim(self, size: int) -> None:
        """Forget the least recently used until the rest has at most so many bytes."""
        held = sum(column.nbytes for column in self._kept.values())
        for key in list(self._kept):
            if held <= size:
                return
            held -= self._kept.pop(key).nbytes


def _allowed_rows(folder: Path, dataset: str, table: str, seal: Seal) -> pa.Array:
    """Which rows of a table are of people whom no list excludes.

    Raises:
        OSError: there is no such file, or it is of other people.
    """
    allowed = in_one_piece(read_columns(folder, dataset, ALLOWED, ["allowed"], seal).column("allowed"))
    person = in_one_piece(read_columns(folder, dataset, table, [PERSON], seal).column(PERSON))
    found = allowed.take(person) if len(person) else allowed.slice(0, 0)
    if found.null_count or not pa.types.is_boolean(found.type):
        raise OSError("who is allowed is not known of everybody")
    return found


def in_one_piece(column: pa.ChunkedArray) -> pa.Array:
    """As it lies, where it lies in one piece; of text, a number stands for one value throughout."""
    if column.num_chunks == 1:
        return column.chunk(0)
    whole = column.unify_dictionaries() if pa.types.is_dictionary(column.type) else column
    return whole.combine_chunks()
