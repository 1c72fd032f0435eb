"""What of the federation's documents ends soon, in words that say who does what about it."""

from __future__ import annotations

from trustquery.identity.documents import DAY
from trustquery.identity.federation import Revocations, Roster

__all__ = ["WARN_SECONDS", "days_left", "hours_old", "roster_warnings", "warnings_of"]

WARN_SECONDS = 7 * DAY
STATEMENT_HOURS = 24
_HOUR = 3_600


def days_left(roster: Roster, now: int) -> int:
    """Whole days until a roster ends; negative when it has."""
    return (roster.expires - now) // DAY


def hours_old(statement: Revocations, now: int) -> int:
    """Whole hours since a statement was issued."""
    return max(0, now - statement.issued) // _HOUR


def roster_warnings(roster: Roster | None, now: int) -> tuple[str, ...]:
    """A warning about the roster from seven days before its end.

    Args:
        now: seconds since 1970 UTC.
    """
    if roster is None:
        return ("there is no roster in force: the root holders sign one",)
    if roster.expires <= now:
        return ("the roster has expired, so every trust refuses: the root holders sign the next one",)
    if roster.expires - now <= WARN_SECONDS:
        return (f"the roster ends in {days_left(roster, now)} days: have the root holders sign the next one",)
    return ()


def warnings_of(roster: Roster | None, statement: Revocations | None, now: int) -> tuple[str, ...]:
    """``roster_warnings``, and one about a statement that is not today's."""
    found = list(roster_warnings(roster, now))
    if statement is None or statement.expires <= now:
        found.append("there is no revocation statement in force, so every trust refuses: the delegate issues one")
    elif hours_old(statement, now) >= STATEMENT_HOURS:
        found.append(f"the revocation statement is {hours_old(statement, now)} hours old: the delegate issues the next")
    return tuple(found)
