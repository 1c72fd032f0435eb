"""Applications: written by their team, decided by the committee; each change is a saved answer or a signed document."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import Field

from coordinator.api.context import ApiDep, Body, ShortName
from coordinator.api.door import Asking, AskingDep, acts, doors
from coordinator.projects.desks import newest_permit, next_permit_version
from coordinator.store import ApplicationRow
from trustquery.access import Resource, Role
from trustquery.errors import TrustQueryError
from trustquery.projects.answers import missing
from trustquery.projects.application import Application
from trustquery.projects.life import ApplicationState

__all__ = ["SignedRequest", "application_row", "router"]

router = doors(prefix="/v1/applications")

TEAM = frozenset({Role.ANALYST, Role.PROJECT_LEAD})
EnvelopeText = Annotated[str, Field(min_length=2, max_length=1_500_000)]


class StartRequest(Body):
    """The name of a new project: never one that was used before."""

    project: ShortName


class AnswersRequest(Body):
    """Answers to keep, by question; null takes one back."""

    answers: dict[str, Any] = Field(min_length=1, max_length=100)


class SignedRequest(Body):
    """A signed document."""

    envelope: EnvelopeText

    @property
    def signed(self) -> bytes:
        """The envelope's bytes."""
        return self.envelope.encode()


def _is_own(asking: Asking, project: str) -> bool:
    """Whether the asker is on the team."""
    return any(held.over == project and held.role in TEAM for held in asking.actor.held)


def _visible(asking: Asking, rows: Sequence[ApplicationRow]) -> ApplicationRow | None:
    """The last of a project's applications that the asker may see: a draft is its team's own affair."""
    return next((row for row in reversed(rows) if row.envelope or _is_own(asking, row.project)), None)


async def application_row(asking: Asking, project: str) -> ApplicationRow:
    """The newest application of a project, once the asker may do the route's action with it.

    Raises:
        TrustQueryError: ``project-unknown``: there is none, or they may not know of it; ``auth-not-permitted``.
    """
    await asking.check_project(project)
    rows = await asyncio.to_thread(asking.api.base.store.projects.applications, project)
    row = _visible(asking, rows)
    if row is None:
        raise TrustQueryError("project-unknown", project=project)
    return row


@router.post("", status_code=201)
@acts("application.start")
async def start(body: StartRequest, asking: AskingDep, api: ApiDep) -> dict[str, Any]:
    """Start an application. The name is taken from now on."""
    await asking.check(Resource())
    await api.work_rate.count(asking.user.name)
    await asyncio.to_thread(api.projects.writing.start, body.project, asking.actor.person)
    return {"project": body.project}


@router.get("")
@acts("application.list")
async def applications(asking: AskingDep, api: ApiDep) -> dict[str, Any]:
    """The newest application of each project that this person may read."""
    by_project: dict[str, list[ApplicationRow]] = {}
    for row in await asyncio.to_thread(api.base.store.projects.applications):
        by_project.setdefault(row.project, []).append(row)
    known = [rows for name, rows in by_project.items() if asking.reads(Resource(project=name), "application.read")]
    return {
        "applications": [
            {
                "project": row.project,
                "version": row.version,
                "state": row.state,
                "title": json.loads(row.answers).get("title", ""),
                "applicant": row.applicant,
                "updated": row.updated,
                "own": _is_own(asking, row.project),
            }
            for row in (_visible(asking, rows) for rows in known)
            if row is not None
        ]
    }


@router.get("/{project}")
@acts("application.read")
async def application(project: ShortName, asking: AskingDep, api: ApiDep) -> dict[str, Any]:
    """An application: its answers, what was signed, the permit that it would become or became, and its record."""
    row = await application_row(asking, project)
    store = api.base.store.projects
    own = _is_own(asking, project)
    answers = json.loads(row.answers)
    if not own:
        # Others read what was signed; what the team is changing since is not theirs to read.
        signed = Application.read(row.envelope).model_dump(mode="json")
        answers = {name: value for name, value in signed.items() if name in answers}
    permits = await asyncio.to_thread(store.permits, project)
    events = await asyncio.to_thread(store.events, project)
    decisions = await asyncio.to_thread(store.decisions, project)
    rows = await asyncio.to_thread(store.applications, project)
    approved = [item for item in rows if item.state == ApplicationState.APPROVED]
    permit = newest_permit(permits)
    running = await asyncio.to_thread(store.get, project)
    return {
        "project": row.project,
        "version": row.version,
        "state": row.state,
        "applicant": row.applicant,
        "updated": row.updated,
        "own": own,
        "answers": answers,
        "missing": [question.name for question in missing(answers)],
        "previous": approved[-1].sha256 if approved and approved[-1].version < row.version else "",
        "envelope": row.envelope.decode("ascii"),
        "approved_envelope": approved[-1].envelope.decode("ascii") if approved else "",
        "permit": permit.envelope.decode("ascii") if permit is not None else "",
        "permit_state": permit.state if permit is not None else "",
        "next_permit": next_permit_version(permits),
        "project_state": running.state if running is not None else "",
        "permit_in_use": running.permit.decode("ascii") if running is not None else "",
        "decisions": [item.envelope.decode("ascii") for item in decisions],
        "events": [
            {"at": event.at, "action": event.action, "actor": event.actor, "text": event.text}
            for event in events
            if own or event.action not in ("start", "edit")
        ],
    }


@router.put("/{project}/answers")
@acts("application.edit")
async def save(project: ShortName, body: AnswersRequest, asking: AskingDep, api: ApiDep) -> dict[str, Any]:
    """Keep answers; returns the questions that are left. Either all are kept or none."""
    row = await application_row(asking, project)
    left = await asyncio.to_thread(api.projects.writing.save, row.project, asking.actor.person, body.answers)
    return {"missing": [question.name for question in left]}


@router.post("/{project}/submit")
@acts("application.submit")
async def submit(project: ShortName, body: SignedRequest, asking: AskingDep, api: ApiDep) -> dict[str, Any]:
    """Hand in the signed application."""
    await application_row(asking, project)
    found = await asyncio.to_thread(api.projects.writing.submit, project, asking.actor.person, body.signed)
    return {"state": ApplicationState.SUBMITTED.value, "application": found.sha256}


@router.post("/{project}/withdraw")
@acts("application.withdraw")
async def withdraw(project: ShortName, asking: AskingDep, api: ApiDep) -> dict[str, Any]:
    """Take the application back; its record stays."""
    await application_row(asking, project)
    await asyncio.to_thread(api.projects.writing.withdraw, project, asking.actor.person)
    return {"state": ApplicationState.WITHDRAWN.value}


@router.post("/{project}/amend", status_code=201)
@acts("application.amend")
async def amend(project: ShortName, asking: AskingDep, api: ApiDep) -> dict[str, Any]:
    """Start an amendment of what was approved."""
    await application_row(asking, project)
    await asyncio.to_thread(api.projects.writing.amend, project, asking.actor.person)
    return {"state": ApplicationState.DRAFT.value}


@router.post("/{project}/approve")
@acts("application.approve")
async def approve(project: ShortName, body: SignedRequest, asking: AskingDep, api: ApiDep) -> dict[str, Any]:
    """Add one committee member's signature to the permit."""
    await application_row(asking, project)
    state = await asyncio.to_thread(api.projects.committee.approve, project, asking.actor.person, body.signed)
    return {"state": state}


@router.post("/{project}/decide")
@acts("application.decide")
async def decide(project: ShortName, body: SignedRequest, asking: AskingDep, api: ApiDep) -> dict[str, Any]:
    """Return or refuse an application with a signed decision."""
    await application_row(asking, project)
    decision = await asyncio.to_thread(
        api.projects.committee.decide, project, asking.actor.person, body.signed, ("return", "refuse")
    )
    return {"verdict": decision.verdict}
