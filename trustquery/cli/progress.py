"""Progress by trust while a query runs: a live table on a terminal, lines elsewhere."""

from __future__ import annotations

import datetime
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from trustquery.cli.output import say

__all__ = ["WORDS", "status_words", "watching"]

WORDS = {
    "answer": "answered",
    "refused": "refused",
    "no-answer": "no answer",
}


def status_words(trust: Mapping[str, Any], asked: int, held: Mapping[str, int]) -> str:
    """What is known of one trust; of a review there only what its policy says, which was fixed before any data.

    Args:
        asked: when, seconds since 1970 UTC.
        held: seconds for which people at a trust look at the answer first, by node.
    """
    node, status = str(trust["node"]), str(trust["status"])
    if status == "waiting" and held.get(node):
        until = datetime.datetime.fromtimestamp(asked + held[node], datetime.UTC)
        return f"in review there until {until:%H:%M} UTC, where it answers"
    return WORDS.get(status, status) + (" late, not counted" if trust["late"] else "")


def _summary(view: Mapping[str, Any], held: Mapping[str, int]) -> str:
    found = ", ".join(f"{item['node']} {status_words(item, view['created'], held)}" for item in view["trusts"])
    review = view.get("review")
    if review is None or review["outcome"]:
        return found
    until = datetime.datetime.fromtimestamp(review["until"], datetime.UTC)
    return f"{found}; two output checkers look at the merged table until {until:%-d %B %H:%M} UTC"


@contextmanager
def watching(held: Mapping[str, int]) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """Yields what to call with each view of the query.

    Args:
        held: seconds for which people at a trust look at the answer first, by node, as its preview said.
    """
    if not sys.stderr.isatty():
        last = ""

        def tell(view: Mapping[str, Any]) -> None:
            nonlocal last
            text = _summary(view, held)
            if text != last:
                say(f"trusts: {text}")
                last = text

        yield tell
        return
    from rich.console import Console

    with Console(stderr=True).status("asking the trusts …") as spinner:
        yield lambda view: spinner.update(_summary(view, held))
