"""What every desk of the project office needs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from coordinator.rosters import Rosters
from coordinator.store import ApplicationRow, PermitRow, Store
from coordinator.store.projects import Change
from trustquery.errors import TrustQueryError
from trustquery.projects.life import ApplicationState
from trustquery.projects.permits import DAY

__all__ = [
    "EARLY_SECONDS",
    "FRESH_SECONDS",
    "OVER",
    "Desk",
    "check_time",
    "drop_signing",
    "is_of_now",
    "newest",
    "newest_permit",
    "next_permit_version",
    "not_so",
]

FRESH_SECONDS = 14 * DAY
"""How old a signed document may be when it comes in, and how long a first signature waits for the second."""
EARLY_SECONDS = 300
"""How far ahead of this clock another one may be."""
OVER = frozenset({ApplicationState.WITHDRAWN, ApplicationState.REFUSED})


@dataclass(frozen=True)
class Desk:
    """Base of the desks.

    Args:
        clock: whole seconds since 1970 UTC.
    """

    store: Store
    rosters: Rosters
    federation: str
    clock: Callable[[], int]


def newest_permit(rows: Sequence[PermitRow]) -> PermitRow | None:
    """The last permit of a project that still means something, or None."""
    return next((row for row in reversed(rows) if row.state not in ("dropped", "revoked")), None)


def next_permit_version(rows: Iterable[PermitRow]) -> int:
    """The version that a project's next permit has; signatures that came to nothing use none up."""
    return 1 + max((row.version for row in rows if row.state not in ("signing", "dropped")), default=0)


def is_of_now(moment: int, now: int) -> bool:
    """Whether a moment that another machine wrote down is recent: not of the future, nor too old to act on."""
    return now - FRESH_SECONDS <= moment <= now + EARLY_SECONDS


def check_time(document: str, signed: int, now: int) -> None:
    """Refuse a document that was signed at another time: an old one may have been thought better of.

    Raises:
        TrustQueryError: ``auth-document``.
    """
    if not is_of_now(signed, now):
        raise not_so(document, "it was signed at another time")


def newest(change: Change, project: str) -> ApplicationRow:
    """The last version of a project's application.

    Raises:
        TrustQueryError: ``project-unknown``.
    """
    rows = change.applications()
    if not rows:
        raise TrustQueryError("project-unknown", project=project)
    return rows[-1]


def drop_signing(change: Change) -> None:
    """Signatures given for an application that is no longer before the committee count for nothing."""
    for row in change.permits():
        if row.state == "signing":
            row.state, row.updated = "dropped", change.now


def not_so(document: str, problem: str) -> TrustQueryError:
    """The error for a signed document that does not hold."""
    return TrustQueryError("auth-document", document=document, problem=problem)
