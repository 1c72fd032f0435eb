"""The life of applications and projects at the centre: every move is checked against the table, signed, and recorded.

Nothing here is believed because somebody is signed in. An application is signed by a lead on its own team; a permit by
members of the committee that the root-signed roster names; a stance by the trust's node. Nodes check permits again.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import structlog

from coordinator.projects.deciding import CommitteeDesk
from coordinator.projects.desks import OVER, Desk, drop_signing, not_so
from coordinator.projects.inputs import InputDesk
from coordinator.projects.permits import read_permit
from coordinator.projects.settling import settle
from coordinator.projects.stances import StanceDesk
from coordinator.projects.writing import WritingDesk
from coordinator.store import DecisionRow
from trustquery.errors import TrustQueryError
from trustquery.identity import ring_of
from trustquery.projects.decisions import CloseDown
from trustquery.projects.life import ApplicationState, ProjectState, project_after

__all__ = ["ProjectOffice"]

_log = structlog.get_logger()
_RUNNING = frozenset({ProjectState.APPROVED, ProjectState.LIVE, ProjectState.SUSPENDED})


@dataclass(frozen=True)
class ProjectOffice(Desk):
    """Everything that changes an application or a project: two desks, the trusts' word, and the end."""

    @cached_property
    def writing(self) -> WritingDesk:
        """Where applications are written."""
        return WritingDesk(self.store, self.rosters, self.federation, self.clock)

    @cached_property
    def committee(self) -> CommitteeDesk:
        """Where the committee decides."""
        return CommitteeDesk(self.store, self.rosters, self.federation, self.clock)

    @cached_property
    def stances(self) -> StanceDesk:
        """Where trusts' words come in."""
        return StanceDesk(self.store, self.rosters, self.federation, self.clock)

    @cached_property
    def inputs(self) -> InputDesk:
        """Where codelists and look-ups come in, and are decided on."""
        return InputDesk(self.store, self.rosters, self.federation, self.clock)

    def close(self, project: str, person: str, envelope: bytes) -> CloseDown:
        """Close a project with its lead's report.

        Raises:
            TrustQueryError: ``auth-document``, ``project-unknown``, ``project-move``.
        """
        now = self.clock()
        with self.store.projects.change(project, now) as change:
            row = change.project()
            if row is None:
                raise TrustQueryError("project-unknown", project=project)
            permit = read_permit(row)
            leads = [member for member in permit.members if member.role == "lead"]
            report, _, _ = CloseDown.verify(envelope, ring_of(item.key for item in leads), 1)
            if (report.federation, report.project, report.permit_hash) != (self.federation, project, row.permit_hash):
                raise not_so("closedown", "it is about another permit")
            row.state = project_after(ProjectState(row.state), "close", project)
            for item in change.applications():
                if item.state not in {ApplicationState.APPROVED, *OVER}:
                    item.state, item.updated = ApplicationState.WITHDRAWN, now
            drop_signing(change)
            change.add(
                DecisionRow(project=project, kind=CloseDown.KIND, about=row.permit_hash, envelope=envelope, at=now)
            )
            change.note("close", person, f"The project was closed. {report.findings}")
        return report

    def tick(self) -> None:
        """Let permits end that have run out, and take up those whose day has come."""
        now = self.clock()
        waiting = {row.project for row in self.store.projects.permits(states=["approved"])}
        for row in self.store.projects.everyone(apart_from=[ProjectState.CLOSED]):
            try:
                ended = row.state in _RUNNING and read_permit(row).expires <= now
                if ended or row.name in waiting:
                    with self.store.projects.change(row.name, now) as change:
                        settle(change, row.name, self.rosters, now)
            except TrustQueryError as error:
                # One project that cannot be read must not keep the others from ending.
                _log.warning("unreadable-project", project=row.name, code=error.code)
