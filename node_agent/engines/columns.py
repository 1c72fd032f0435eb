"""Columns of the store in memory, kept from one query to the next.

Columns are what queries share: whoever asks by month reads the same dates. They are read and decrypted once, and every
engine process forked later sees them without a copy. The least recently used go when there are too many.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa

from node_agent.sources.sealed import Seal, read_columns

__all__ = ["Columns", "in_one_piece"]

_Key = tuple[str, bytes, str, str, str]
"""The version's folder and salt (a folder may come again, after a store was deleted), and which column."""


class Columns:
    """The columns in memory, the least recently used first."""

    def __init__(self) -> None:
        self._kept: dict[_Key, pa.ChunkedArray] = {}

    def tables(
        self, folder: Path, seal: Seal, reads: Mapping[str, tuple[str, str, tuple[str, ...]]]
    ) -> dict[str, pa.Table]:
        """Tables with the columns that are read.

        Args:
            reads: by name: dataset, table and columns.

        Raises:
            OSError, pyarrow.ArrowException: a file is absent, or is not what it should be.
        """
        found = {}
        for name, (dataset, table, columns) in reads.items():
            keys = {column: (str(folder), seal.salt, dataset, table, column) for column in columns}
            absent = [column for column, key in keys.items() if key not in self._kept]
            if absent:
                read = read_columns(folder, dataset, table, absent, seal)
                self._kept |= {keys[column]: pa.chunked_array([in_one_piece(read.column(column))]) for column in absent}
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


def in_one_piece(column: pa.ChunkedArray) -> pa.Array:
    """As it lies, where it lies in one piece; of text, a number stands for one value throughout."""
    if column.num_chunks == 1:
        return column.chunk(0)
    whole = column.unify_dictionaries() if pa.types.is_dictionary(column.type) else column
    return whole.combine_chunks()
