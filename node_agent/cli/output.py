"""stdout is data, stderr is for people. JSON is one versioned envelope, for results and refusals alike."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from typing import Annotated, Any

import typer

from trustquery.errors import TrustQueryError

__all__ = ["Format", "FormatOption", "Reply", "data", "reporting", "say"]

ENVELOPE = "tq-node-cli-1"


class Format(StrEnum):
    """How results are written to stdout."""

    TABLE = "table"
    JSON = "json"


FormatOption = Annotated[Format, typer.Option("--format", help="How the result is written to stdout.")]


def say(text: str = "") -> None:
    """A line for people."""
    print(text, file=sys.stderr)


def data(text: str) -> None:
    """A line of data."""
    print(text)


class Reply:
    """What one command answers."""

    def __init__(self, command: str, form: Format) -> None:
        self.command = command
        self.form = form

    def rows(self, rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> None:
        """A table; JSON gets every field of every row.

        Args:
            columns: field to heading, in order.
        """
        if self.form is Format.JSON:
            self._envelope(list(rows))
            return
        cells = [list(columns.values()), *[[_text(row.get(field)) for field in columns] for row in rows]]
        widths = [max(len(row[place]) for row in cells) for place in range(len(columns))]
        for row in cells:
            data("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())

    def facts(self, facts: Mapping[str, Any]) -> None:
        """Names and values."""
        if self.form is Format.JSON:
            self._envelope(dict(facts))
            return
        width = max((len(name) for name in facts), default=0)
        for name, value in facts.items():
            data(f"{name.replace('_', ' ').ljust(width)}  {_text(value)}")

    def _envelope(self, found: Any) -> None:
        data(json.dumps({"format": ENVELOPE, "command": self.command, "ok": True, "data": found}, ensure_ascii=False))


def _text(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(_text, value)) or "none"
    return str(value)


@contextmanager
def reporting(command: str, form: Format = Format.TABLE) -> Iterator[Reply]:
    """Run a command; a refusal is printed as code, place, reason and fix, and sets the exit status."""
    try:
        yield Reply(command, form)
    except TrustQueryError as error:
        for problem in error.problems:
            place = f" at {problem.place}" if problem.place else ""
            say(f"error: {problem.code}{place}\n  {problem.reason}\n  fix: {problem.fix}")
        if form is Format.JSON:
            problems = [problem.document() for problem in error.problems]
            data(json.dumps({"format": ENVELOPE, "command": command, "ok": False, "problems": problems}))
        raise typer.Exit(error.exit_status) from error
