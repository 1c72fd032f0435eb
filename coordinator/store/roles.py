"""Whose an account is, what that person was given, and for whom they stand in."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from coordinator.store.models import (
    AccountRow,
    ApplicationRow,
    DeputyRow,
    GrantRow,
    ProjectRow,
    User,
)
from coordinator.store.people import BEGINNER
from trustquery.access import Held, Role

__all__ = ["Roles", "Standing"]


@dataclass(frozen=True)
class Standing:
    """Everything from which an account's rights follow, as one moment saw it.

    Attributes:
        given: roles that the person was given.
        deputises: persons that this one stands in for, also by way of others.
        permits: project and the hash of its permit in use, of every project that has one.
        drafts: project, applicant and answers of the newest application of every project that has no permit yet.
    """

    person: str
    organisation: str
    given: frozenset[Held]
    deputises: frozenset[str]
    permits: tuple[tuple[str, str], ...]
    drafts: tuple[tuple[str, str, str], ...]


class Roles:
    """The durable half of ``coordinator.access``."""

    def __init__(self, transaction: Callable[[], AbstractContextManager[Session]]) -> None:
        self._transaction = transaction

    def adopt(self) -> None:
        """Give users of a database from before there were persons one each, called like the account."""
        with self._transaction() as session:
            for user in session.scalars(select(User).where(User.id.not_in(select(AccountRow.user_id)))):
                session.add(AccountRow(user_id=user.id, person=user.name, organisation=""))
                if not user.disabled:
                    for item in BEGINNER:
                        session.merge(
                            GrantRow(person=user.name, role=item.role.value, over=item.over, granted=user.created)
                        )

    def standing(self, user_id: int) -> Standing | None:
        """An enabled account's standing; None where there is none."""
        with self._transaction() as session:
            chosen = select(AccountRow).join(User, User.id == AccountRow.user_id)
            account = session.scalar(chosen.where(User.id == user_id, User.disabled.is_(False)))
            if account is None:
                return None
            with_permit = select(ProjectRow.name)
            newest = (
                select(ApplicationRow.project, func.max(ApplicationRow.version).label("version"))
                .where(ApplicationRow.project.not_in(with_permit))
                .group_by(ApplicationRow.project)
                .subquery()
            )
            drafts = select(ApplicationRow.project, ApplicationRow.applicant, ApplicationRow.answers).join(
                newest, (newest.c.project == ApplicationRow.project) & (newest.c.version == ApplicationRow.version)
            )
            permits = select(ProjectRow.name, ProjectRow.permit_hash).order_by(ProjectRow.name)
            return Standing(
                person=account.person,
                organisation=account.organisation,
                given=_given(session, account.person),
                deputises=_deputises(session, account.person),
                permits=tuple((name, permit_hash) for name, permit_hash in session.execute(permits)),
                drafts=tuple((row[0], row[1], row[2]) for row in session.execute(drafts)),
            )

    def accounts(self) -> list[tuple[User, AccountRow]]:
        """Every account with its person, by name."""
        with self._transaction() as session:
            chosen = select(User, AccountRow).join(AccountRow, AccountRow.user_id == User.id).order_by(User.name)
            return [(user, account) for user, account in session.execute(chosen)]

    def person_of(self, user_id: int) -> str:
        """Whose account it is, disabled or not; "" where there is none."""
        with self._transaction() as session:
            return session.scalar(select(AccountRow.person).where(AccountRow.user_id == user_id)) or ""

    def given(self, person: str) -> frozenset[Held]:
        """What a person was given."""
        with self._transaction() as session:
            return _given(session, person)

    def deputises(self, person: str) -> frozenset[str]:
        """Persons that this one stands in for, also by way of others."""
        with self._transaction() as session:
            return _deputises(session, person)

    def persons(self, keys: Iterable[str], names: Iterable[str]) -> frozenset[str]:
        """The persons whose accounts have one of these keys or names; disabled accounts are somebody's, too."""
        with self._transaction() as session:
            known = select(AccountRow.person).join(User, User.id == AccountRow.user_id)
            found = known.where(User.public_key.in_(list(keys)) | User.name.in_(list(names)))
            return frozenset(session.scalars(found))

    def grant(self, person: str, held: Held, now: int) -> bool:
        """Give a person a role; False when no enabled account is theirs."""
        with self._transaction() as session:
            if not _is_person(session, person):
                return False
            session.merge(GrantRow(person=person, role=held.role.value, over=held.over, granted=now))
            return True

    def revoke(self, person: str, held: Held) -> bool:
        """Take a role back; False when the person was not given it."""
        with self._transaction() as session:
            row = session.get(GrantRow, (person, held.role.value, held.over))
            if row is None:
                return False
            session.delete(row)
            return True

    def move(self, name: str, organisation: str) -> bool:
        """Record the organisation of an account; False when there is no such account."""
        with self._transaction() as session:
            user_id = session.scalar(select(User.id).where(User.name == name))
            if user_id is None:
                return False
            session.get_one(AccountRow, user_id).organisation = organisation
            return True

    def deputise(self, deputy: str, principal: str) -> bool:
        """Let one person stand in for another; False when either is unknown, or both are the same."""
        with self._transaction() as session:
            if deputy == principal or not _is_person(session, deputy) or not _is_person(session, principal):
                return False
            session.merge(DeputyRow(deputy=deputy, principal=principal))
            return True

    def end_deputy(self, deputy: str, principal: str) -> bool:
        """End that; False when it was not so."""
        with self._transaction() as session:
            row = session.get(DeputyRow, (deputy, principal))
            if row is None:
                return False
            session.delete(row)
            return True


def _is_person(session: Session, person: str) -> bool:
    known = select(User.id).join(AccountRow, AccountRow.user_id == User.id)
    return session.scalar(known.where(AccountRow.person == person, User.disabled.is_(False)).limit(1)) is not None


def _given(session: Session, person: str) -> frozenset[Held]:
    """A role that this version does not know gives nothing."""
    known = {role.value: role for role in Role}
    rows = session.scalars(select(GrantRow).where(GrantRow.person == person))
    return frozenset(Held(known[row.role], row.over) for row in rows if row.role in known)


def _deputises(session: Session, person: str) -> frozenset[str]:
    found: set[str] = set()
    wave = {person}
    while wave:
        wave = set(session.scalars(select(DeputyRow.principal).where(DeputyRow.deputy.in_(wave)))) - found
        found |= wave
    return frozenset(found - {person})
