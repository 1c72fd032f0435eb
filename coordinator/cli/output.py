"""Writing to people (stderr) and to programs (stdout); errors as code, place, reason and fix."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from trustquery.errors import TrustQueryError

__all__ = ["data", "reporting", "say"]


def say(text: str) -> None:
    """A line for people."""
    print(text, file=sys.stderr)


def data(text: str) -> None:
    """A line for programs."""
    print(text, flush=True)


@contextmanager
def reporting() -> Iterator[None]:
    """Print a refusal and leave with its exit status."""
    try:
        yield
    except TrustQueryError as error:
        for problem in error.problems:
            place = f" ({problem.place})" if problem.place else ""
            say(f"error: {problem.code}{place}\n  {problem.reason}\n  fix: {problem.fix}")
        raise typer.Exit(error.exit_status) from error
