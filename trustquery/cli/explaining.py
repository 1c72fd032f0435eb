"""``tq explain``: what a code means that a command, a page or a log named."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from trustquery.cli.output import data, reporting, say
from trustquery.errors import TrustQueryError, nearest

__all__ = ["explain"]

_WHO = {
    "analyst": "you, who ask",
    "it": "the trust's IT",
    "governance": "the trust's governance",
    "operator": "whoever runs the coordinator",
    "everyone": "you",
}


def explain(
    code: Annotated[str, typer.Argument(help="A code, such as budget-exhausted.", show_default=False)],
) -> None:
    """Say what a code means, who can mend it, and how. Needs no connection.

    Example: tq explain budget-exhausted
    """
    with reporting():
        from trustquery.errors.catalogue import CATALOGUE

        found = CATALOGUE.get(code.strip().lower())
        if found is None:
            guess = nearest(code, CATALOGUE)
            fix = f"; did you mean {guess}?" if guess else ""
            raise TrustQueryError("usage-invalid", place="code", problem=f"there is no code {code[:64]!r}{fix}")
        data(f"{found.code}: {_open(found.text)}")
        data(f"  fix: {_open(found.hint)}")
        data(f"  who can mend it: {_WHO[found.audience]}")
        again = "may succeed later, unchanged" if found.retry else "fails again until something changes"
        data(f"  the same again: {again}; commands end with status {int(found.exit)}")
        say("all codes: docs/reference/errors.md")


def _open(text: str) -> str:
    """What stands in a place of the text is known only where the error happened."""
    return re.sub(r"\{([a-z_]+)\}", lambda place: f"<{place[1].replace('_', ' ')}>", text)
