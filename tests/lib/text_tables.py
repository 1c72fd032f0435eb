"""Tables drawn as text, as they stand in the manual.

::

    | person | kind | day        |
    |--------|------|------------|
    | 1      | 2    | 2020-02-29 |
    | 2      |      | 2020-03-01 |

An empty cell is a missing value; text that is empty, or looks like something else, stands in single quotes.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

from trustquery.catalogue import ColumnType, Table

__all__ = ["read_rows", "read_table", "value", "write_table"]


def read_table(text: str) -> list[dict[str, str]]:
    """Cells as text, by column; the line of dashes is left out."""
    lines = [line.strip() for line in text.strip().splitlines()]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line]
    head, *body = (row for row in rows if not all(set(cell) <= set("-:") and cell for cell in row))
    if any(len(row) != len(head) for row in body):
        raise ValueError(f"a row has another number of cells than the head: {text}")
    return [dict(zip(head, row, strict=True)) for row in body]


def value(text: str, type: ColumnType) -> Any:
    """One cell's value in a type; "" is missing."""
    if text == "":
        return None
    if type is ColumnType.INTEGER:
        return int(text)
    if type is ColumnType.NUMBER:
        return float(text)
    if type is ColumnType.BOOLEAN:
        return {"true": True, "false": False}[text]
    if type is ColumnType.DATE:
        return datetime.date.fromisoformat(text)
    if type is ColumnType.TIMESTAMP:
        return datetime.datetime.fromisoformat(text)
    return text[1:-1].replace("''", "'") if text[0] == text[-1] == "'" and len(text) > 1 else text


def read_rows(text: str, table: Table) -> list[dict[str, Any]]:
    """Rows of a catalogue table; columns that are not drawn are missing."""
    drawn = read_table(text)
    known = {column.name for column in table.columns}
    for row in drawn:
        if unknown := set(row) - known:
            raise ValueError(f"{table.name} has no columns {sorted(unknown)}")
    return [{column.name: value(row.get(column.name, ""), column.type) for column in table.columns} for row in drawn]


def write_table(rows: list[Mapping[str, str]]) -> str:
    """A table as text, its columns as wide as they need to be."""
    if not rows:
        return ""
    head = list(rows[0])
    width = {name: max(len(name), *(len(row[name]) for row in rows)) for name in head}
    lines = [[name.ljust(width[name]) for name in head], ["-" * width[name] for name in head]]
    lines += [[row[name].ljust(width[name]) for name in head] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
