"""The rank of each row within its person (formats.md, "Rank"), in plain Python.

h: ordinal of the row within its person by canonical row bytes. u: first 31 bits of
SHA-256(rank_key ‖ data_version ‖ table ‖ person key ‖ h). Only the person's own rows and the key decide.

Encoding of the hashed bytes: the 32 key bytes, then data version, table, person key and h as UTF-8 decimal or text,
separated by U+001F; no table name holds that character and h comes last, so different inputs never give one string.
"""

from __future__ import annotations

import datetime
import hashlib
import math
from collections.abc import Mapping, Sequence
from typing import Any

from trustquery.catalogue.schema import Table

__all__ = ["Row", "canonical_value", "ranked_rows", "u_of"]

Row = dict[str, Any]
SEPARATOR = "\x1f"
PERSON, U, H = "\0person", "\0u", "\0h"


def u_of(rank_key: bytes, data_version: int, table: str, person: str, h: int) -> int:
    """The 31-bit rank of one row."""
    text = SEPARATOR.join((str(data_version), table, person, str(h)))
    return int.from_bytes(hashlib.sha256(rank_key + text.encode()).digest()[:4], "big") >> 1


def canonical_value(value: Any) -> Any:
    """NaN as NULL, -0.0 as 0.0; everything else as it is."""
    if isinstance(value, float):
        return None if math.isnan(value) else value + 0.0
    return value


def _order(value: Any) -> tuple[Any, ...]:
    """Orders as the canonical row bytes do: NULL first, then by value; text by UTF-8 bytes."""
    if value is None:
        return (0,)
    if isinstance(value, str):
        return (1, value.encode())
    if isinstance(value, datetime.datetime | datetime.date):
        return (1, value.isoformat())
    return (1, value)


def ranked_rows(rows: Sequence[Mapping[str, Any]], table: Table, *, rank_key: bytes, data_version: int) -> list[Row]:
    """Rows with their person key as text, u and h; rows without a person key are dropped (and counted for IT).

    Rows beyond the catalogue's cap for one person are dropped by rank, and of a table declared to have one row a
    person only the lowest stays: declared facts are enforced, never believed.
    """
    key = table.person_key
    if key is None:
        raise ValueError("a public table has no person key")
    people: dict[str, list[Row]] = {}
    for row in rows:
        if row[key] is not None:
            clean = {column.name: canonical_value(row[column.name]) for column in table.columns}
            people.setdefault(str(row[key]), []).append(clean)
    cap = 1 if table.one_row_per_person else table.row_cap
    kept: list[Row] = []
    for person, own in people.items():
        own.sort(key=lambda row: tuple(_order(row[column.name]) for column in table.columns))
        for h, row in enumerate(own, start=1):
            row |= {PERSON: person, H: h, U: u_of(rank_key, data_version, table.name, person, h)}
        own.sort(key=lambda row: (row[U], row[H]))
        kept += own[:cap]
    return kept
