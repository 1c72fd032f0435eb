"""Sessions: idle and absolute ends, and how strong the sign-in was."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from coordinator.store.identity_models import SessionFactsRow
from coordinator.store.models import LoginSession, User

__all__ = ["LiveSession", "Sessions"]

_GRAIN = 30
"""Seconds between two notes that a session is in use: reading need not write each time."""


@dataclass(frozen=True)
class LiveSession:
    """A session in force.

    Attributes:
        level: assurance, 2 or 3.
        auth_time: when the person last proved who they are, seconds since 1970 UTC.
    """

    user: User
    expires: int
    level: int
    auth_time: int

    def strong(self, now: int, seconds: int) -> bool:
        """Whether it rests on a strong sign-in of the last ``seconds``."""
        return self.level >= 3 and now - self.auth_time <= seconds


class Sessions:
    """Who is signed in, by the hash of their token."""

    def __init__(self, transaction: Callable[[], AbstractContextManager[Session]]) -> None:
        self._transaction = transaction

    def open(self, token_hash: str, user_id: int, expires: int, now: int, *, level: int, auth_time: int) -> bool:
        """Keep a session; expired ones go. False, and nothing is kept, for an account that was disabled meanwhile.

        Args:
            level: assurance of the sign-in.
            auth_time: when the person proved who they are.
        """
        with self._transaction() as session:
            session.execute(delete(LoginSession).where(LoginSession.expires <= now))
            kept = select(LoginSession.token_hash)
            session.execute(delete(SessionFactsRow).where(SessionFactsRow.token_hash.not_in(kept)))
            user = session.get(User, user_id)
            if user is None or user.disabled:
                return False
            session.add(LoginSession(token_hash=token_hash, user_id=user_id, expires=expires))
            session.merge(SessionFactsRow(token_hash=token_hash, level=level, auth_time=auth_time, used=now))
            return True

    def find(self, token_hash: str, now: int, idle_seconds: int) -> LiveSession | None:
        """The session of an enabled user that is in force, and note that it is in use."""
        with self._transaction() as session:
            row = session.execute(
                select(User, LoginSession.expires, SessionFactsRow)
                .join(LoginSession, LoginSession.user_id == User.id)
                .join(SessionFactsRow, SessionFactsRow.token_hash == LoginSession.token_hash)
                .where(LoginSession.token_hash == token_hash, LoginSession.expires > now, User.disabled.is_(False))
            ).one_or_none()
            if row is None:
                return None
            user, expires, facts = row
            if now - facts.used > idle_seconds:
                session.execute(delete(LoginSession).where(LoginSession.token_hash == token_hash))
                session.delete(facts)
                return None
            if now - facts.used >= _GRAIN:
                facts.used = now
            return LiveSession(user, expires, facts.level, facts.auth_time)

    def close(self, token_hash: str) -> None:
        """End a session now."""
        with self._transaction() as session:
            found = session.get(LoginSession, token_hash)
            if found is not None:
                session.delete(found)
                session.flush()
            session.execute(delete(SessionFactsRow).where(SessionFactsRow.token_hash == token_hash))
