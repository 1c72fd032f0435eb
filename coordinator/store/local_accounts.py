"""Accounts of the local provider, and the counting of wrong attempts."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import AbstractContextManager

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from coordinator.store.identity_models import AttemptRow, IdentityRow, LocalAccountRow
from coordinator.store.models import LoginSession, User

__all__ = ["LocalAccounts"]

FREE = 5
"""Wrong attempts in a row that cost no wait."""
FIRST_WAIT, LONGEST_WAIT = 30, 900
_FORGET = 86_400


def _name_hash(name: str) -> str:
    return hashlib.sha256(name.lower().encode()).hexdigest()


class LocalAccounts:
    """Passwords, one-time secrets, set-up codes."""

    def __init__(self, transaction: Callable[[], AbstractContextManager[Session]]) -> None:
        self._transaction = transaction

    def invite(self, name: str, issuer: str, subject: str, setup_hash: str, expires: int, now: int) -> bool:
        """Let somebody set up their account, for the first time or anew; False for nobody.

        What they had before stays good until the new one is confirmed, except for open sessions, which end.

        Args:
            subject: what they are called if they have no account yet.
        """
        with self._transaction() as session:
            user = session.scalar(select(User).where(User.name == name, User.disabled.is_(False)))
            if user is None:
                return False
            found = session.get(LocalAccountRow, user.id)
            if found is None:
                found = LocalAccountRow(user_id=user.id, subject=subject)
                session.add(found)
                session.add(IdentityRow(issuer=issuer, subject=subject, user_id=user.id, linked=now))
            found.setup_hash, found.setup_expires = setup_hash, expires
            found.new_password = found.new_secret = ""
            session.execute(delete(LoginSession).where(LoginSession.user_id == user.id))
            return True

    def forget(self, name: str) -> bool:
        """A lost second factor, or password: nothing that was known signs in any more; False for nobody."""
        with self._transaction() as session:
            found = session.scalar(
                select(LocalAccountRow).join(User, User.id == LocalAccountRow.user_id).where(User.name == name)
            )
            if found is None:
                return False
            found.password = found.secret = found.setup_hash = found.new_password = found.new_secret = ""
            session.execute(delete(LoginSession).where(LoginSession.user_id == found.user_id))
            return True

    def by_setup(self, setup_hash: str, now: int) -> tuple[User, LocalAccountRow] | None:
        """Whose set-up code it is."""
        with self._transaction() as session:
            row = session.execute(
                select(User, LocalAccountRow)
                .join(LocalAccountRow, LocalAccountRow.user_id == User.id)
                .where(
                    LocalAccountRow.setup_hash == setup_hash,
                    LocalAccountRow.setup_expires > now,
                    User.disabled.is_(False),
                )
            ).one_or_none()
            return (row[0], row[1]) if row is not None else None

    def propose(self, setup_hash: str, password: str, secret: str) -> None:
        """Keep what was chosen during set-up, until it is confirmed."""
        with self._transaction() as session:
            found = session.scalar(select(LocalAccountRow).where(LocalAccountRow.setup_hash == setup_hash))
            if found is not None:
                found.new_password, found.new_secret = password, secret

    def confirm(self, setup_hash: str, step: int) -> bool:
        """Take what was chosen into use; the set-up code is used up. False where there is nothing to confirm."""
        with self._transaction() as session:
            found = session.scalar(select(LocalAccountRow).where(LocalAccountRow.setup_hash == setup_hash))
            if found is None or not found.new_password or not found.new_secret:
                return False
            found.password, found.secret, found.step = found.new_password, found.new_secret, step
            found.setup_hash = found.new_password = found.new_secret = ""
            return True

    def find(self, name: str) -> LocalAccountRow | None:
        """The account of an enabled user."""
        with self._transaction() as session:
            return session.scalar(
                select(LocalAccountRow)
                .join(User, User.id == LocalAccountRow.user_id)
                .where(func.lower(User.name) == name.lower(), User.disabled.is_(False))
            )

    def use_step(self, user_id: int, step: int) -> bool:
        """Use a one-time code up; False where it, or a later one, was used before. Nobody's (0) is never used."""
        with self._transaction() as session:
            found = session.get(LocalAccountRow, user_id)
            if found is None or step <= found.step:
                return False
            found.step = step
            return True

    def waits(self, name: str, now: int) -> bool:
        """Whether nothing is tried under this name at present."""
        with self._transaction() as session:
            found = session.get(AttemptRow, _name_hash(name))
            return found is not None and found.until > now

    def count(self, name: str, now: int, *, good: bool) -> None:
        """Count an attempt under a name, which may be nobody's. One write, whatever the outcome."""
        with self._transaction() as session:
            session.execute(delete(AttemptRow).where(AttemptRow.last <= now - _FORGET))
            key = _name_hash(name)
            found = session.get(AttemptRow, key)
            failures = 0 if good else (found.failures if found is not None else 0) + 1
            wait = min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(failures - FREE, 10)) if failures >= FREE else 0
            session.merge(AttemptRow(name_hash=key, failures=failures, until=now + wait, last=now))
