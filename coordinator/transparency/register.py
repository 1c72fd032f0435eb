"""The register: one entry for each project that has, or ever had, a permit. An entry never goes away."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from coordinator.projects import read_permit, state_of
from coordinator.services import Base
from coordinator.store import ApplicationRow, DecisionRow, PermitRow, ProjectEventRow, ProjectRow, StanceRow
from trustquery.errors import TrustQueryError
from trustquery.identity import Permit, Roster
from trustquery.privacy.budget import epsilon_of
from trustquery.projects.application import Application
from trustquery.projects.decisions import CloseDown, Stance
from trustquery.projects.register import (
    COLUMNS,
    HDR_UK,
    MANDATORY,
    TrustLine,
    hdr_uk,
    iso_day,
    own_cells,
    trust_line,
)
from trustquery.projects.verifying import FORMAT

__all__ = ["Entry", "read_entries", "register_document"]

_COMPLETE = ("approved", "in-use")


@dataclass(frozen=True)
class Entry:
    """One project as the public reads it.

    Attributes:
        application: None where the permit was approved before applications were kept.
        approved: day on which the newest permit was completed.
        documents: the signed documents that the entry rests on, by kind, for whoever wants to check it.
    """

    project: str
    permit: Permit
    state: str
    application: Application | None
    approved: str
    trusts: tuple[TrustLine, ...]
    events: tuple[ProjectEventRow, ...]
    closing: CloseDown | None
    documents: Mapping[str, Any]

    @property
    def columns(self) -> dict[str, str]:
        """The row: every column, no cell empty."""
        outputs = self.closing.outputs if self.closing is not None else ()
        own = own_cells(
            self.permit,
            state=self.state,
            trusts=self.trusts,
            permit_hash=self.permit.sha256,
            application_hash=self.permit.application,
        )
        return hdr_uk(self.application, self.permit, approved=self.approved, outputs=outputs) | own

    def document(self) -> dict[str, Any]:
        """The entry as JSON data."""
        return {
            "project": self.project,
            "columns": self.columns,
            "trusts": [_trust(line) for line in self.trusts],
            "events": [
                {"date": iso_day(event.at), "action": event.action, "actor": event.actor, "text": event.text}
                for event in self.events
            ],
            "documents": dict(self.documents),
        }


def _trust(line: TrustLine) -> dict[str, Any]:
    return {
        "node": line.node,
        "name": line.name,
        "word": line.word or "not-answered",
        "conditions": list(line.conditions),
        "reason": line.reason,
        "permitted_rho_nano": line.permitted,
        "permitted_epsilon": str(epsilon_of(line.permitted)),
        "spent_rho_nano": line.spent,
        "spent_epsilon": str(epsilon_of(line.spent)),
    }


def read_entries(base: Base, now: int) -> tuple[Entry, ...]:
    """Every entry, by the project's name."""
    projects = base.store.projects
    applications = {row.sha256: row for row in projects.applications() if row.sha256 and row.envelope}
    permits = _by_project(projects.permits())
    stances = _by_project(projects.stances())
    return tuple(
        _entry(
            base,
            row,
            now,
            applications,
            permits.get(row.name, []),
            stances.get(row.name, []),
        )
        for row in projects.everyone()
    )


def _by_project(rows: Iterable[Any]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for row in rows:
        found.setdefault(row.project, []).append(row)
    return found


def _entry(
    base: Base,
    row: ProjectRow,
    now: int,
    applications: Mapping[str, ApplicationRow],
    permits: list[PermitRow],
    stances: list[StanceRow],
) -> Entry:
    permit = read_permit(row)
    asked = applications.get(permit.application)
    completed = [found.updated for found in permits if found.state in _COMPLETE]
    about = [found for found in stances if found.permit_hash == permit.sha256]
    decided = base.store.projects.decisions(row.name)
    return Entry(
        project=row.name,
        permit=permit,
        state=state_of(row, permit, now),
        application=Application.read(asked.envelope) if asked is not None else None,
        approved=iso_day(max(completed, default=row.added)),
        trusts=_trusts(base.rosters.found(), permit, about, base.store.uses.charged(project=row.name)),
        events=tuple(event for event in base.store.projects.events(row.name) if event.public),
        closing=_closing(decided),
        documents={
            "application": asked.envelope.decode("ascii") if asked is not None else "",
            "permit": row.permit.decode("ascii"),
            "stances": [found.envelope.decode("ascii") for found in about],
            "decisions": [
                found.envelope.decode("ascii")
                for found in decided
                if found.kind == CloseDown.KIND or found.about in {permit.sha256, *(one.permit_hash for one in permits)}
            ],
        },
    )


def _closing(rows: Iterable[DecisionRow]) -> CloseDown | None:
    for row in rows:
        if row.kind == CloseDown.KIND:
            return CloseDown.read(row.envelope)
    return None


def _trusts(
    roster: Roster | None, permit: Permit, rows: Iterable[StanceRow], spent: Mapping[str, int]
) -> tuple[TrustLine, ...]:
    names = {node.node: node.name for node in roster.nodes} if roster is not None else {}
    stances: dict[str, Stance] = {}
    for row in rows:
        try:
            stances[row.node] = Stance.read(row.envelope)
        except TrustQueryError:
            # It was checked when it came; one that cannot be read any more must not take the register down.
            continue
    found = []
    for node in sorted({*names, *stances, *spent}):
        name, cost = names.get(node, node), spent.get(node, 0)
        stance = stances.get(node)
        found.append(TrustLine(node, name, spent=cost) if stance is None else trust_line(permit, stance, name, cost))
    return tuple(found)


def register_document(base: Base, entries: Iterable[Entry], now: int) -> dict[str, Any]:
    """The whole register as JSON data, with what it takes to check it without us."""
    rosters = base.store.nodes.documents(Roster.KIND)
    return {
        "format": FORMAT,
        "federation": base.root.federation,
        "as_of": iso_day(now),
        "columns": list(COLUMNS),
        "hdr_uk_columns": [{"name": name, "mandatory": name in MANDATORY} for name in HDR_UK],
        "entries": [entry.document() for entry in entries],
        "roots": [data.decode("ascii") for data in base.rosters.chain],
        "rosters": [row.envelope.decode("ascii") for row in rosters],
    }
