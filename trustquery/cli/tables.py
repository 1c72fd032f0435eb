"""Plain tables for people and programs."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from trustquery.cli.output import Format, data, data_json

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["day", "show_rows", "stdout_console"]


def day(seconds: int) -> str:
    """A date as people write it: 6 August 2018."""
    import datetime

    when = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    return f"{when.day} {when:%B %Y}"


def stdout_console() -> Console:
    """A console for data: as wide as the terminal; wide enough for everything where there is none."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 200)


def show_rows(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str], form: Format) -> None:
    """Write rows to stdout.

    Args:
        columns: field to heading, in order; JSON forms write every field of the row.
    """
    if form is Format.JSON:
        data_json(list(rows))
    elif form is Format.JSONL:
        for row in rows:
            data(json.dumps(row, ensure_ascii=False))
    elif form is Format.CSV:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([[row[field] for field in columns] for row in rows])
        data(text.getvalue().rstrip("\n"))
    else:
        from rich.table import Table

        table = Table(box=None, pad_edge=False, header_style="bold")
        for heading in columns.values():
            table.add_column(heading, overflow="fold")
        for row in rows:
            table.add_row(*(str(row[field]) for field in columns))
        stdout_console().print(table)
