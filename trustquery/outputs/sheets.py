"""CSV that a spreadsheet shows and never runs, and that reads back as it was written."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence

__all__ = ["neutral", "plain", "read_sheet", "write_sheet"]

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_MARK = "'"


def neutral(text: str) -> str:
    """The text as a cell that no spreadsheet takes for a formula: an apostrophe before what looks like one.

    A text that begins with an apostrophe gets another, so that ``plain`` gives back every text as it was.
    """
    return _MARK + text if text.startswith((*_FORMULA, _MARK)) else text


def plain(cell: str) -> str:
    """What ``neutral`` was given."""
    return cell.removeprefix(_MARK)


def write_sheet(columns: Sequence[str], rows: Iterable[Mapping[str, str | int | float | None]]) -> str:
    """Rows as CSV (RFC 4180, every text in quotes). Numbers stay numbers; None is an empty cell.

    Args:
        columns: names of fields, which are the headings too, in order.
    """
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\r\n")
    writer.writerow([neutral(column) for column in columns])
    for row in rows:
        cells = [row[column] for column in columns]
        writer.writerow(["" if cell is None else neutral(cell) if isinstance(cell, str) else cell for cell in cells])
    return out.getvalue()


def read_sheet(text: str) -> list[dict[str, str]]:
    """Read what ``write_sheet`` wrote; every cell as text."""
    lines = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    columns = [plain(cell) for cell in lines[0]] if lines else []
    return [dict(zip(columns, map(plain, line), strict=True)) for line in lines[1:]]
