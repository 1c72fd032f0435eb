"""Users and sign-in challenges."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from coordinator.store.models import AccountRow, Challenge, GrantRow, LoginSession, User
from trustquery.access import Held, Role

__all__ = ["BEGINNER", "People"]

BEGINNER = frozenset({Held(Role.ANALYST)})
"""What everybody may be given without a thought: it lets somebody start an application, and nothing else."""


class People:
    """Users and what proves that somebody is one."""

    def __init__(self, transaction: Callable[[], AbstractContextManager[Session]]) -> None:
        self._transaction = transaction

    def add(
        self,
        name: str,
        public_key: str,
        now: int,
        *,
        person: str | None = None,
        organisation: str = "",
        held: Iterable[Held] = BEGINNER,
    ) -> bool:
        """Add a user. Names and keys are taken for ever, a disabled user's too; so is a name in other letter case.

        Args:
            person: whose account it is; None for somebody new, called like the account.
            held: roles that the person is given beside those that they hold.

        Returns:
            False when the name or the key is taken, or when ``person`` is None and there is such a person already:
            whoever gives somebody a second account says so, or a namesake would inherit what the first one may.
        """
        whose = name if person is None else person
        with self._transaction() as session:
            same = (func.lower(User.name) == name.lower()) | (User.public_key == public_key)
            alike = set(
                session.scalars(select(AccountRow.person).where(func.lower(AccountRow.person) == whose.lower()))
            )
            if session.scalar(select(User.id).where(same)) is not None or alike - {person}:
                return False
            user = User(name=name, public_key=public_key, created=now)
            session.add(user)
            session.flush()
            session.add(AccountRow(user_id=user.id, person=whose, organisation=organisation))
            for item in held:
                session.merge(GrantRow(person=whose, role=item.role.value, over=item.over, granted=now))
            return True

    def disable(self, name: str) -> bool:
        """Disable a user and end their sessions; False when there is none.

        With the last account of a person their roles end too: an account that is made for them later starts anew.
        """
        with self._transaction() as session:
            user = session.scalar(select(User).where(User.name == name))
            if user is None:
                return False
            user.disabled = True
            session.execute(delete(LoginSession).where(LoginSession.user_id == user.id))
            session.flush()
            whose = select(AccountRow.person).where(AccountRow.user_id == user.id).scalar_subquery()
            others = select(User.id).join(AccountRow, AccountRow.user_id == User.id)
            if session.scalar(others.where(AccountRow.person == whose, User.disabled.is_(False))) is None:
                session.execute(delete(GrantRow).where(GrantRow.person == whose))
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
