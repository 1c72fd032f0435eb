"""Refusals and failed sign-ins on their way into the log, so that each is in one entry and a flood is in a few.

Questions that are refused have an entry each, up to a number of one person within an hour. What is refused otherwise
is counted in the database at once and becomes an entry when its hour is over: the row goes and the entry comes in one
transaction. Names that no account has are counted like those of accounts, or the log would tell which there are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import AbstractContextManager

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from coordinator.store.audit import NOBODY, note
from coordinator.store.audit_models import TallyRow
from coordinator.store.auditing import DENIALS, FREE_DENIALS, Fact
from coordinator.store.models import AccountRow, User

__all__ = ["FREE_DENIALS", "HOUR", "MOST_APART", "Tallies"]

HOUR = 3_600
MOST_APART = 50
"""Counted apart within an hour, of each kind; whatever comes beyond them is counted together."""
_BATCH = 100


class Tallies:
    """What is refused. Every call is one transaction; ``now`` is whole seconds since 1970 UTC."""

    def __init__(self, transaction: Callable[[], AbstractContextManager[Session]]) -> None:
        self._transaction = transaction

    def deny(self, project: str, person: str, words: str, now: int) -> None:
        """Note a question that was refused before it was one.

        Args:
            project: "" where there is none of that name.
        """
        with self._transaction() as session:
            if _count(session, DENIALS, person, person, "questions", now, apart=None) <= FREE_DENIALS:
                note(session, Fact("query.deny", person=person, words=words, project=project))

    def refused(self, person: str, action: str, now: int) -> None:
        """Count an access that somebody who is signed in was refused."""
        with self._transaction() as session:
            _count(session, "access.deny", f"{action} {person}", person, action, now)

    def failed_sign_in(self, name: str, way: str, now: int, *, typed: bool = True) -> None:
        """Count a sign-in that failed.

        Args:
            name: as somebody typed it, or whom a sign-in service named; "" where it did not come so far.
            way: how they tried: a sign-in service's address, or what else it was.
            typed: whether the name is one of ours; what a service calls somebody is none.
        """
        with self._transaction() as session:
            same = func.lower(User.name) == name.lower()
            chosen = select(AccountRow.person).join(User, User.id == AccountRow.user_id).where(same)
            person = session.scalar(chosen) or NOBODY
            _count(session, "session.fail", f"{way} {name.lower()}", person if typed else NOBODY, way[:500], now)

    def close(self, now: int) -> int:
        """Make the entries of the hours that are over; returns how many counts became one."""
        done = 0
        while True:
            with self._transaction() as session:
                chosen = select(TallyRow).where(TallyRow.hour < now // HOUR)
                rows = list(session.scalars(chosen.order_by(TallyRow.hour, TallyRow.key_hash).limit(_BATCH)))
                for row in rows:
                    session.delete(row)
            done += len(rows)
            if len(rows) < _BATCH:
                return done


def _count(
    session: Session, kind: str, subject: str, person: str, words: str, now: int, *, apart: int | None = MOST_APART
) -> int:
    """Count one, and say how many it makes."""
    hour = now // HOUR
    found = session.get(TallyRow, _key(kind, hour, subject))
    if found is None and apart is not None:
        chosen = select(func.count()).select_from(TallyRow).where(TallyRow.kind == kind, TallyRow.hour == hour)
        if (session.scalar(chosen) or 0) >= apart:
            subject, person, words = "", NOBODY, "others"
            found = session.get(TallyRow, _key(kind, hour, subject))
    if found is None:
        key_hash = _key(kind, hour, subject)
        found = TallyRow(key_hash=key_hash, kind=kind, hour=hour, person=person, words=words, count=0)
        session.add(found)
    found.count += 1
    return found.count


def _key(kind: str, hour: int, subject: str) -> str:
    return hashlib.sha256(f"{kind} {hour} {subject}".encode(errors="replace")).hexdigest()
