"""Users, sign-in challenges and sessions."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from coordinator.store.models import Challenge, LoginSession, User

__all__ = ["People"]


class People:
    """Users and what proves that somebody is one."""

    def __init__(self, transaction: Callable[[], AbstractContextManager[Session]]) -> None:
        self._transaction = transaction

    def add(self, name: str, public_key: str, now: int) -> bool:
        """Add a user; False when the name or the key is taken."""
        with self._transaction() as session:
            taken = select(User.id).where((User.name == name) | (User.public_key == public_key))
            if session.scalar(taken) is not None:
                return False
            session.add(User(name=name, public_key=public_key, created=now))
            return True

    def disable(self, name: str) -> bool:
        """Disable a user and end their sessions; False when there is none."""
        with self._transaction() as session:
            user = session.scalar(select(User).where(User.name == name))
            if user is None:
                return False
            user.disabled = True
            session.execute(delete(LoginSession).where(LoginSession.user_id == user.id))
            return True

    def everyone(self) -> list[User]:
        """All users by name."""
        with self._transaction() as session:
            return list(session.scalars(select(User).order_by(User.name)))

    def find(self, name: str) -> User | None:
        """An enabled user by name."""
        with self._transaction() as session:
            return session.scalar(select(User).where(User.name == name, User.disabled.is_(False)))

    def add_challenge(self, nonce: str, user_name: str, expires: int, now: int) -> None:
        """Keep a challenge, for a name that may belong to nobody; expired ones go."""
        with self._transaction() as session:
            session.execute(delete(Challenge).where(Challenge.expires <= now))
            session.add(Challenge(nonce=nonce, user_name=user_name, expires=expires))

    def take_challenge(self, nonce: str, user_name: str, now: int) -> bool:
        """Use a challenge up; False when it is unknown, expired or another person's."""
        with self._transaction() as session:
            found = session.get(Challenge, nonce)
            if found is None:
                return False
            session.delete(found)
            return found.user_name == user_name and found.expires > now

    def open_session(self, token_hash: str, user_id: int, expires: int, now: int) -> None:
        """Keep a session; expired ones go."""
        with self._transaction() as session:
            session.execute(delete(LoginSession).where(LoginSession.expires <= now))
            session.add(LoginSession(token_hash=token_hash, user_id=user_id, expires=expires))

    def by_token(self, token_hash: str, now: int) -> User | None:
        """The enabled user whose session this is."""
        with self._transaction() as session:
            return session.scalar(
                select(User)
                .join(LoginSession, LoginSession.user_id == User.id)
                .where(LoginSession.token_hash == token_hash, LoginSession.expires > now, User.disabled.is_(False))
            )

    def close_session(self, token_hash: str) -> None:
        """End a session now."""
        with self._transaction() as session:
            session.execute(update(LoginSession).where(LoginSession.token_hash == token_hash).values(expires=0))
