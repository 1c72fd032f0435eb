"""Dates, privacy loss and marks as the reports write them, and text of other people made harmless in Markdown."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable
from decimal import Decimal

from trustquery.privacy.budget import epsilon_of

__all__ = ["OPT_OUTS", "bullets", "day_of", "days", "epsilon", "loss", "named", "plain", "rho", "table", "to_write"]

OPT_OUTS = {
    "applied": "people who opted out are in no figure, and a question is refused while the list of them is too old",
    "exempt-with-basis": "opt-outs are not applied, on a legal basis that the application names",
    "synthetic-data": "the data are made up, so there is nobody to opt out",
}
"""How opt-outs are treated, by the permit's word for it."""
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~!])")


def day_of(seconds: int) -> str:
    """A date as people write it: 6 August 2018."""
    found = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    return f"{found.day} {found:%B %Y}"


def days(first: int, last: int) -> str:
    """A day, or the days between which something happened; days since 1970 UTC, 0 for not known."""
    if first == last:
        return day_of(first * 86_400)
    return f"between {day_of(first * 86_400)} and {day_of(last * 86_400)}" if first else f"by {day_of(last * 86_400)}"


def rho(nano: int) -> str:
    """Privacy loss in rho, as a plain number."""
    return f"{Decimal(nano).scaleb(-9).normalize():f}"


def epsilon(nano: int) -> str:
    """The same as epsilon at delta 1e-8, rounded up."""
    return f"{epsilon_of(nano).normalize():f}"


def loss(nano: int) -> str:
    """Both, for a sentence."""
    return f"rho {rho(nano)} (epsilon {epsilon(nano)} at delta 1e-8)"


def named(word: str) -> str:
    """A word of a closed list as people read it: health-research, health research."""
    return word.replace("-", " ")


def plain(text: str) -> str:
    """Somebody else's text as one line of Markdown that is only text."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def bullets(items: Iterable[str]) -> list[str]:
    """A list, followed by an empty line."""
    return [*(f"- {item}" for item in items), ""]


def table(headings: Iterable[str], rows: Iterable[Iterable[str]]) -> list[str]:
    """A Markdown table, followed by an empty line; its cells are Markdown already."""
    names = list(headings)
    lines = [names, ["---"] * len(names), *(list(row) for row in rows)]
    return [*(f"| {' | '.join(line)} |" for line in lines), ""]


def to_write(what: str) -> str:
    """A mark that nobody overlooks, where only people know what to say."""
    return f"**To be written by the trust: {what}**"
