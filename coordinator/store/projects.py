"""Projects: applications, permits, what was decided and by whom, and the record of all of it.

Whoever changes something does it in ``change``: one transaction that also writes the event, so that nothing happens
without an entry in the record.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from coordinator.store.models import (
    ApplicationRow,
    DecisionRow,
    PermitRow,
    ProjectEventRow,
    ProjectRow,
    ReleaseEventRow,
    StanceRow,
)
from coordinator.store.recording import recorded
from trustquery.projects.life import ASKABLE

__all__ = ["Change", "Projects"]


class Change:
    """One change to one project, as it is being made; rows that are read here may be changed in place.

    Attributes:
        now: when it happens, seconds since 1970 UTC.
        noted: how many events it wrote into the record.
    """

    def __init__(self, session: Session, project: str, now: int) -> None:
        self.now = now
        self._session = session
        self._project = project
        self.noted = 0

    def note(self, action: str, actor: str, text: str, *, public: bool = True) -> None:
        """Write an event into the record."""
        self.noted += 1
        self._session.add(
            ProjectEventRow(project=self._project, at=self.now, action=action, actor=actor, text=text, public=public)
        )

    def project(self) -> ProjectRow | None:
        """The project, if a permit of it was ever approved."""
        return self._session.get(ProjectRow, self._project, with_for_update=True)

    def applications(self) -> list[ApplicationRow]:
        """Its applications, oldest first."""
        chosen = select(ApplicationRow).where(ApplicationRow.project == self._project)
        return list(self._session.scalars(chosen.order_by(ApplicationRow.version).with_for_update()))

    def permits(self) -> list[PermitRow]:
        """Its permits, oldest first."""
        chosen = select(PermitRow).where(PermitRow.project == self._project).order_by(PermitRow.version)
        return list(self._session.scalars(chosen.with_for_update()))

    def decisions(self) -> list[DecisionRow]:
        """What was decided about it, oldest first."""
        chosen = select(DecisionRow).where(DecisionRow.project == self._project).order_by(DecisionRow.seq)
        return list(self._session.scalars(chosen))

    def stances(self) -> list[StanceRow]:
        """What trusts said of its permits."""
        chosen = select(StanceRow).where(StanceRow.project == self._project).order_by(StanceRow.node)
        return list(self._session.scalars(chosen))

    def release_events(self, release_id: str) -> list[ReleaseEventRow]:
        """What became of one of its results, oldest first."""
        chosen = select(ReleaseEventRow).where(ReleaseEventRow.release_id == release_id)
        return list(self._session.scalars(chosen.order_by(ReleaseEventRow.seq)))

    def add(self, row: ApplicationRow | PermitRow | DecisionRow | ProjectRow | ReleaseEventRow) -> None:
        """Keep a new row."""
        self._session.add(row)

    def put_stance(self, row: StanceRow) -> bool:
        """Keep what a trust says; False for what is not later than its last word on that permit."""
        found = self._session.get(StanceRow, (row.project, row.node, row.permit_hash))
        if found is not None and found.said >= row.said:
            return False
        self._session.merge(row)
        self._session.flush()
        return True


class Projects:
    """What the coordinator knows of projects; each signature was checked before it came here."""

    def __init__(self, transaction: Callable[[], AbstractContextManager[Session]]) -> None:
        self._transaction = transaction

    def change(self, project: str, now: int) -> AbstractContextManager[Change]:
        """Change one project: everything in the ``with`` happens, with its event, or nothing does.

        Raises:
            TrustQueryError: ``internal-fault``: the change wrote no event.
        """
        return recorded(self._transaction, lambda session: Change(session, project, now))

    def get(self, name: str) -> ProjectRow | None:
        """A project by name."""
        with self._transaction() as session:
            return session.get(ProjectRow, name)

    def everyone(self, *, apart_from: Collection[str] = ()) -> list[ProjectRow]:
        """All projects by name, but those in these states."""
        with self._transaction() as session:
            chosen = select(ProjectRow).where(ProjectRow.state.not_in(apart_from))
            return list(session.scalars(chosen.order_by(ProjectRow.name)))

    def permits_in_use(self, hashes: Collection[str]) -> list[tuple[str, bytes]]:
        """Hash and envelope of the permits in use that have one of these hashes."""
        with self._transaction() as session:
            chosen = select(ProjectRow.permit_hash, ProjectRow.permit).where(ProjectRow.permit_hash.in_(hashes))
            return [(permit_hash, bytes(permit)) for permit_hash, permit in session.execute(chosen)]

    def applications(self, project: str | None = None) -> list[ApplicationRow]:
        """Applications by project and version, of one project or of all."""
        with self._transaction() as session:
            chosen = select(ApplicationRow).order_by(ApplicationRow.project, ApplicationRow.version)
            return list(session.scalars(chosen if project is None else chosen.where(ApplicationRow.project == project)))

    def permits(self, project: str | None = None, *, states: Collection[str] | None = None) -> list[PermitRow]:
        """Permits by project and version, of one project or of all, in any state or in one of these."""
        with self._transaction() as session:
            chosen = select(PermitRow).order_by(PermitRow.project, PermitRow.version)
            if states is not None:
                chosen = chosen.where(PermitRow.state.in_(states))
            return list(session.scalars(chosen if project is None else chosen.where(PermitRow.project == project)))

    def askable_permits(self) -> list[bytes]:
        """The newest permit, approved or in use, of each project that may be asked for, by project."""
        newest = (
            select(PermitRow.project, func.max(PermitRow.version).label("version"))
            .join(ProjectRow, ProjectRow.name == PermitRow.project)
            .where(ProjectRow.state.in_(ASKABLE), PermitRow.state.in_(("in-use", "approved")))
            .group_by(PermitRow.project)
            .subquery()
        )
        chosen = select(PermitRow.envelope).join(
            newest, (newest.c.project == PermitRow.project) & (newest.c.version == PermitRow.version)
        )
        with self._transaction() as session:
            return list(session.scalars(chosen.order_by(PermitRow.project)))

    def decisions(self, project: str | None = None) -> list[DecisionRow]:
        """What was decided about a project, or about all, oldest first."""
        with self._transaction() as session:
            chosen = select(DecisionRow).order_by(DecisionRow.seq)
            return list(session.scalars(chosen if project is None else chosen.where(DecisionRow.project == project)))

    def stances(self, project: str | None = None) -> list[StanceRow]:
        """What trusts last said, by project and node, of one project or of all."""
        with self._transaction() as session:
            chosen = select(StanceRow).order_by(StanceRow.project, StanceRow.node, StanceRow.said)
            return list(session.scalars(chosen if project is None else chosen.where(StanceRow.project == project)))

    def events(self, project: str | None = None) -> list[ProjectEventRow]:
        """The record of a project, or of all, oldest first."""
        with self._transaction() as session:
            chosen = select(ProjectEventRow).order_by(ProjectEventRow.seq)
            return list(
                session.scalars(chosen if project is None else chosen.where(ProjectEventRow.project == project))
            )
