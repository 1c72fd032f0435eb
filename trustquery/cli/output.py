"""stdout is data, stderr is for people; errors are code, place, reason and fix."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Any

import typer

from trustquery.errors import Problem, TrustQueryError

__all__ = ["Format", "data", "data_json", "reporting", "say"]

_PLACE = re.compile(r"line (\d+), column (\d+)(, .*)?")


class Format(StrEnum):
    """How results are written to stdout."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"


def say(text: str = "") -> None:
    """A line for people."""
    print(text, file=sys.stderr)


def data(text: str) -> None:
    """A line of data."""
    print(text, flush=True)


def data_json(value: Any) -> None:
    """One JSON document."""
    print(json.dumps(value, ensure_ascii=False, indent=2))


def _show(problem: Problem, sql: str, file: str) -> None:
    found = _PLACE.fullmatch(problem.place)
    place = f"{file}, {problem.place}" if found and file else problem.place
    say(f"error: {problem.code}" + (f" at {place}" if place else ""))
    lines = sql.splitlines()
    if found and 0 < int(found[1]) <= len(lines):
        line, column = lines[int(found[1]) - 1], int(found[2])
        start = max(0, column - 60)
        shown = line[start : start + 110]
        say(f"  | {shown}")
        say(f"  | {' ' * (max(column, 1) - 1 - start)}^")
    say(f"  {problem.reason}")
    say(f"  fix: {problem.fix}")


@contextmanager
def reporting(sql: str = "", file: str = "") -> Iterator[None]:
    """Print a refusal with the query's line where one is known, and leave with its exit status.

    Args:
        file: where the text stands, "" when it was typed.
    """
    try:
        yield
    except TrustQueryError as error:
        for problem in error.problems:
            _show(problem, sql, file)
        raise typer.Exit(error.exit_status) from error
