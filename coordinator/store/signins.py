"""Sign-ins under way, and whose account a provider's subject is."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from coordinator.store.identity_models import FlowRow, IdentityRow
from coordinator.store.models import LoginSession, User

__all__ = ["SignIns"]

MOST_FLOWS = 10_000
"""Sign-ins under way at once; more are refused until older ones expire."""


class SignIns:
    """Every step uses up what it takes: no address, state or code is good twice."""

    def __init__(self, transaction: Callable[[], AbstractContextManager[Session]]) -> None:
        self._transaction = transaction

    def begin(self, row: FlowRow, now: int) -> bool:
        """Keep a sign-in that a client has begun; False where too many are under way."""
        with self._transaction() as session:
            session.execute(delete(FlowRow).where(FlowRow.expires <= now))
            if len(session.scalars(select(FlowRow.id_hash).limit(MOST_FLOWS)).all()) >= MOST_FLOWS:
                return False
            session.add(row)
            return True

    def look(self, id_hash: str, now: int) -> FlowRow | None:
        """A sign-in that no browser has opened yet."""
        with self._transaction() as session:
            found = session.get(FlowRow, id_hash)
            return found if found is not None and found.expires > now and not found.browser_hash else None

    def open(self, id_hash: str, browser_hash: str, state_hash: str, now: int) -> FlowRow | None:
        """The browser that comes first has it; None for every other, and for what expired."""
        with self._transaction() as session:
            found = session.get(FlowRow, id_hash)
            if found is None or found.expires <= now or found.browser_hash:
                return None
            found.browser_hash, found.state_hash = browser_hash, state_hash
            return found

    def take_state(self, state_hash: str, browser_hash: str, now: int) -> FlowRow | None:
        """The sign-in that a provider's answer belongs to, once, and in the browser that was sent there only."""
        with self._transaction() as session:
            found = session.scalar(select(FlowRow).where(FlowRow.state_hash == state_hash)) if state_hash else None
            if found is None or found.expires <= now or found.browser_hash != browser_hash or found.code_hash:
                return None
            found.state_hash = ""
            return found

    def finish(self, id_hash: str, code_hash: str, user_id: int, level: int, auth_time: int, expires: int) -> None:
        """Somebody signed in: the client may have their session for a code."""
        with self._transaction() as session:
            found = session.get_one(FlowRow, id_hash)
            found.code_hash, found.user_id, found.expires = code_hash, user_id, expires
            found.found_level, found.auth_time = level, auth_time

    def drop(self, id_hash: str) -> None:
        """Nobody signed in."""
        with self._transaction() as session:
            session.execute(delete(FlowRow).where(FlowRow.id_hash == id_hash))

    def take_code(self, code_hash: str, now: int) -> FlowRow | None:
        """The sign-in of a code, which ends with it, whoever asks."""
        with self._transaction() as session:
            found = session.scalar(select(FlowRow).where(FlowRow.code_hash == code_hash)) if code_hash else None
            if found is None:
                return None
            session.delete(found)
            return found if found.expires > now else None

    def link(self, issuer: str, subject: str, name: str, now: int) -> bool:
        """Record whose account a subject is; False where there is no such user, or it is somebody else's."""
        with self._transaction() as session:
            user = session.scalar(select(User).where(User.name == name, User.disabled.is_(False)))
            known = session.get(IdentityRow, (issuer, subject))
            if user is None or (known is not None and known.user_id != user.id):
                return False
            session.merge(IdentityRow(issuer=issuer, subject=subject, user_id=user.id, linked=now))
            return True

    def unlink(self, issuer: str, subject: str) -> bool:
        """Forget whose account a subject is, and end that account's sessions; False where nothing was known."""
        with self._transaction() as session:
            known = session.get(IdentityRow, (issuer, subject))
            if known is None:
                return False
            session.execute(delete(LoginSession).where(LoginSession.user_id == known.user_id))
            session.delete(known)
            return True

    def linked(self) -> list[tuple[str, str, str]]:
        """User, issuer and subject of every link, in order."""
        with self._transaction() as session:
            rows = session.execute(
                select(User.name, IdentityRow.issuer, IdentityRow.subject)
                .join(IdentityRow, IdentityRow.user_id == User.id)
                .order_by(User.name, IdentityRow.issuer, IdentityRow.subject)
            )
            return [(name, issuer, subject) for name, issuer, subject in rows]

    def user_of(self, issuer: str, subject: str) -> User | None:
        """The enabled user whom a provider names so."""
        with self._transaction() as session:
            return session.scalar(
                select(User)
                .join(IdentityRow, IdentityRow.user_id == User.id)
                .where(IdentityRow.issuer == issuer, IdentityRow.subject == subject, User.disabled.is_(False))
            )

    def user_by_id(self, user_id: int) -> User | None:
        """An enabled user."""
        with self._transaction() as session:
            return session.scalar(select(User).where(User.id == user_id, User.disabled.is_(False)))
