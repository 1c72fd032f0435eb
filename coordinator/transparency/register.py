"""The register: one entry for each project that has, or ever had, a permit. An entry never goes away."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
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

    @cached_property
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
    projects, roster = base.store.projects, base.rosters.found()
    spent = base.store.uses.charged_by_project()
    applications = {row.sha256: row for row in projects.applications() if row.sha256 and row.envelope}
    permits, stances = _by_project(projects.permits()), _by_project(projects.stances())
    decisions, events = _by_project(projects.decisions()), _by_project(projects.events())
    return tuple(
        _entry(
            row,
            now,
            _Known(
                asked=applications.get(read_permit(row).application),
                permits=permits.get(row.name, []),
                stances=stances.get(row.name, []),
                decided=decisions.get(row.name, []),
                events=events.get(row.name, []),
                spent=spent.get(row.name, {}),
                roster=roster,
            ),
        )
        for row in projects.everyone()
    )


@dataclass(frozen=True)
class _Known:
    """What belongs to one project."""

    asked: ApplicationRow | None
    permits: list[PermitRow]
    stances: list[StanceRow]
    decided: list[DecisionRow]
    events: list[ProjectEventRow]
    spent: Mapping[str, int]
    roster: Roster | None


def _by_project(rows: Iterable[Any]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for row in rows:
        found.setdefault(row.project, []).append(row)
    return found


def _entry(row: ProjectRow, now: int, known: _Known) -> Entry:
    permit = read_permit(row)
    completed = [found.updated for found in known.permits if found.state in _COMPLETE]
    about = [found for found in known.stances if found.permit_hash == permit.sha256]
    permit_hashes = {permit.sha256, *(one.permit_hash for one in known.permits)}
    return Entry(
        project=row.name,
        permit=permit,
        state=state_of(row, permit, now),
        application=_application(known.asked.envelope) if known.asked is not None else None,
        approved=iso_day(max(completed, default=row.added)),
        trusts=_trusts(known.roster, permit, about, known.spent),
        events=tuple(event for event in known.events if event.public),
        closing=_closing(known.decided),
        documents={
            "application": known.asked.envelope.decode("ascii") if known.asked is not None else "",
            "permit": row.permit.decode("ascii"),
            "stances": [found.envelope.decode("ascii") for found in about],
            "decisions": [
                found.envelope.decode("ascii")
                for found in known.decided
                if found.kind == CloseDown.KIND or found.about in permit_hashes
            ],
        },
    )


# The bytes of a document never change, and the register is read again every few seconds.
@lru_cache(4_096)
def _application(envelope: bytes) -> Application:
    return Application.read(envelope)


@lru_cache(32_768)
def _stance(envelope: bytes) -> Stance:
    return Stance.read(envelope)


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
            stances[row.node] = _stance(row.envelope)
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
