"""Projects and their permits."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from sqlalchemy import select
from sqlalchemy.orm import Session

from coordinator.store.models import ProjectRow

__all__ = ["Projects"]


class Projects:
    """Permits as signed; the committee's signatures are checked before they come here."""

    def __init__(self, transaction: Callable[[], AbstractContextManager[Session]]) -> None:
        self._transaction = transaction

    def put(self, row: ProjectRow) -> bool:
        """Add a project or a later version of its permit; False for a version that is not later."""
        with self._transaction() as session:
            found = session.get(ProjectRow, row.name, with_for_update=True)
            if found is None:
                session.add(row)
                return True
            if found.version >= row.version:
                return False
            found.version, found.permit, found.permit_hash = row.version, row.permit, row.permit_hash
            found.state, found.added = row.state, row.added
            return True

    def end(self, name: str) -> bool:
        """End a project; False when there is none."""
        with self._transaction() as session:
            found = session.get(ProjectRow, name, with_for_update=True)
            if found is None:
                return False
            found.state = "ended"
            return True

    def get(self, name: str) -> ProjectRow | None:
        """A project by name."""
        with self._transaction() as session:
            return session.get(ProjectRow, name)

    def everyone(self) -> list[ProjectRow]:
        """All projects by name."""
        with self._transaction() as session:
            return list(session.scalars(select(ProjectRow).order_by(ProjectRow.name)))
