"""A public table: rows that are about nobody, the same at every trust, known by the hash of their bytes.

A model names the tables that it reads by id, version and SHA-256 (formats.md, ``inputs``); a node answers only with a
table whose bytes have that hash, and a trust cannot make a table of its own public (privacy-rules.md section 2).
"""

from __future__ import annotations

import datetime
import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import cached_property
from typing import Any

from trustquery.catalogue.schema import ColumnType
from trustquery.errors import TrustQueryError, nearest
from trustquery.identity import canonical

__all__ = ["FORMAT", "MAX_ROWS", "Pin", "PublicColumn", "PublicTable", "PublicTables", "Value"]

FORMAT = "trustquery-public-table/1"
MAX_ROWS = 100_000
MAX_TEXT = 1_000
"""A term of SNOMED CT may be longer than a literal; only a column of short values is a list of key values."""
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_HASH = re.compile(r"[0-9a-f]{64}")

Value = int | str | bool | None
"""Numbers that are not whole are decimal text; dates and timestamps ISO 8601 text; None is NULL."""


def _is_value(kind: ColumnType, value: object) -> bool:
    if value is None:
        return True
    if kind is ColumnType.BOOLEAN:
        return isinstance(value, bool)
    if kind is ColumnType.INTEGER:
        return type(value) is int and abs(value) < 2**53
    if not isinstance(value, str) or len(value) > MAX_TEXT or "\0" in value:
        return False
    try:
        if kind is ColumnType.DATE:
            return datetime.date.fromisoformat(value).isoformat() == value
        if kind is ColumnType.TIMESTAMP:
            when = datetime.datetime.fromisoformat(value)
            return when.tzinfo is None and when.isoformat() == value
        if kind is ColumnType.NUMBER:
            return Decimal(value).is_finite() and len(value) <= 40
    except (ValueError, InvalidOperation):
        return False
    return True


@dataclass(frozen=True)
class Pin:
    """The table that a model means: ``sha256`` is of its canonical bytes, hexadecimal."""

    id: str
    version: int
    sha256: str

    def __post_init__(self) -> None:
        named = isinstance(self.id, str) and _NAME.fullmatch(self.id)
        hashed = isinstance(self.sha256, str) and _HASH.fullmatch(self.sha256)
        if not named or not hashed or type(self.version) is not int or self.version < 1:
            raise TrustQueryError("query-model-invalid")

    def document(self) -> dict[str, Any]:
        """Canonical-JSON data."""
        return {"id": self.id, "version": self.version, "sha256": self.sha256}

    @property
    def words(self) -> str:
        """Version and the beginning of the hash: two files of one version may differ."""
        return f"{self.version} ({self.sha256[:12]})"


@dataclass(frozen=True)
class PublicColumn:
    """One column of a public table."""

    name: str
    type: ColumnType
    description: str


@dataclass(frozen=True)
class PublicTable:
    """A public table and its rows.

    Attributes:
        id: its name in a query.
        version: rises with every change of content, ≥ 1.
        source: where it comes from, with its licence.
        rows: at most 100,000, each as long as ``columns``.
    """

    id: str
    version: int
    title: str
    source: str
    columns: tuple[PublicColumn, ...]
    rows: tuple[tuple[Value, ...], ...]

    def __post_init__(self) -> None:
        names = [column.name for column in self.columns]
        words = (self.title, self.source, *(column.description for column in self.columns))
        if type(self.version) is not int or not all(isinstance(text, str) and len(text) <= MAX_TEXT for text in words):
            raise TrustQueryError(
                "query-input-invalid", "public table", reason="its version or its words are not what they should be"
            )
        if not _NAME.fullmatch(self.id) or self.version < 1 or not all(map(_NAME.fullmatch, names)):
            raise TrustQueryError(
                "query-input-invalid", f"public table {self.id[:63]}", reason="its names are not plain"
            )
        if not names or len(set(names)) != len(names):
            raise TrustQueryError(
                "query-input-invalid", f"public table {self.id}", reason="column names are not distinct"
            )
        if not 1 <= len(self.rows) <= MAX_ROWS:
            raise TrustQueryError(
                "query-input-invalid", f"public table {self.id}", reason=f"1 to {MAX_ROWS} rows are taken"
            )
        for line, row in enumerate(self.rows, start=1):
            fits = len(row) == len(names)
            if not fits or not all(_is_value(c.type, v) for c, v in zip(self.columns, row, strict=True)):
                raise TrustQueryError(
                    "query-input-invalid",
                    f"public table {self.id}, row {line}",
                    reason="a value does not fit its column",
                )

    def column(self, name: str) -> PublicColumn | None:
        """The column called ``name``, or None."""
        return next((column for column in self.columns if column.name == name), None)

    def values(self, name: str) -> tuple[Value, ...]:
        """Distinct values of a column that are not NULL, in the order of the rows."""
        place = [column.name for column in self.columns].index(name)
        return tuple(dict.fromkeys(row[place] for row in self.rows if row[place] is not None))

    def document(self) -> dict[str, Any]:
        """Canonical-JSON data."""
        return {
            "format": FORMAT,
            "id": self.id,
            "version": self.version,
            "title": self.title,
            "source": self.source,
            "columns": [
                {"name": column.name, "type": str(column.type), "description": column.description}
                for column in self.columns
            ],
            "rows": [list(row) for row in self.rows],
        }

    @classmethod
    def from_document(cls, data: object) -> PublicTable:
        """Read canonical-JSON data, strictly.

        Raises:
            TrustQueryError: ``query-input-invalid``.
        """
        try:
            if not isinstance(data, dict) or data.pop("format", None) != FORMAT:
                raise ValueError("format")
            columns = tuple(
                PublicColumn(str(item["name"]), ColumnType(item["type"]), str(item["description"]))
                for item in data.pop("columns")
            )
            rows = tuple(tuple(row) for row in data.pop("rows"))
            return cls(columns=columns, rows=rows, **data)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise TrustQueryError(
                "query-input-invalid", "public table", reason=f"it is not of the form {FORMAT}"
            ) from error

    @cached_property
    def sha256(self) -> str:
        """Hash of the canonical bytes, hexadecimal."""
        return hashlib.sha256(canonical.encode(self.document())).hexdigest()

    @property
    def pin(self) -> Pin:
        """What a model writes to mean this very table."""
        return Pin(self.id, self.version, self.sha256)

    @cached_property
    def ranks(self) -> tuple[int, ...]:
        """U of each row: first 31 bits of SHA-256(artefact hash ‖ line), lines from 1 (formats.md, "Rank")."""
        base = bytes.fromhex(self.sha256)
        lines = range(1, len(self.rows) + 1)
        return tuple(int.from_bytes(hashlib.sha256(base + str(n).encode()).digest()[:4], "big") >> 1 for n in lines)


class PublicTables:
    """The public tables at hand: those that ship, and those that were brought and approved.

    A name means the last table of that name; a pin means its very table, so that several versions may be at hand.
    """

    def __init__(self, tables: Iterable[PublicTable] = ()) -> None:
        self._all = tuple(tables)
        self._tables = {table.id: table for table in self._all}

    def __iter__(self) -> Iterator[PublicTable]:
        return iter(self._all)

    def __contains__(self, name: object) -> bool:
        return name in self._tables

    def get(self, name: str) -> PublicTable | None:
        """The table of that name, or None."""
        return self._tables.get(name)

    def names(self) -> list[str]:
        """Names, for "did you mean"."""
        return list(self._tables)

    def pinned(self, pin: Pin) -> PublicTable:
        """The very table that a model pins.

        Raises:
            TrustQueryError: ``query-input-unknown``, ``query-input-differs``.
        """
        named = [table for table in self._all if table.id == pin.id]
        if not named:
            close = nearest(pin.id, self._tables) or "none"
            raise TrustQueryError("query-input-unknown", table=pin.id, nearest=close)
        for table in named:
            # The hash last: hashing a large table takes a moment.
            if table.version == pin.version and table.sha256 == pin.sha256:
                return table
        here = ", ".join(table.pin.words for table in named)
        raise TrustQueryError("query-input-differs", table=pin.id, version=pin.words, found=here)

    def with_more(self, tables: Iterable[PublicTable]) -> PublicTables:
        """These and others; a name means the later."""
        return PublicTables([*self, *tables])
