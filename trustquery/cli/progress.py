"""Progress by trust while a query runs: a live table on a terminal, lines elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from trustquery.cli.output import say

__all__ = ["WORDS", "watching"]

WORDS = {
    "answer": "answered",
    "refused": "refused",
    "no-answer": "no answer",
}


def _summary(view: Mapping[str, Any]) -> str:
    return ", ".join(f"{trust['node']} {WORDS.get(trust['status'], trust['status'])}" for trust in view["trusts"])


@contextmanager
def watching() -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """Yields what to call with each view of the query."""
    if not sys.stderr.isatty():
        last = ""

        def tell(view: Mapping[str, Any]) -> None:
            nonlocal last
            text = _summary(view)
            if text != last:
                say(f"trusts: {text}")
                last = text

        yield tell
        return
    from rich.console import Console

    with Console(stderr=True).status("asking the trusts …") as spinner:
        yield lambda view: spinner.update(_summary(view))
