"""Applications: written by their team, decided by the committee; each change is a saved answer or a signed document."""

from __future__ import annotations

import asyncio
import json
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import Field

from coordinator.api.acting import ActorDep
from coordinator.api.context import Api, ApiDep, Body, ShortName, UserDep
from coordinator.projects.desks import newest_permit, read_application
from coordinator.store import ApplicationRow
from trustquery.access import Actor, Held, Resource, Role, check, may
from trustquery.errors import TrustQueryError
from trustquery.projects.answers import missing
from trustquery.projects.life import ApplicationState

__all__ = ["SignedRequest", "application_row", "router"]

router = APIRouter(prefix="/v1/applications")

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


def _resource(row: ApplicationRow) -> Resource:
    """What an application is to the question of access: its team is who the draft names, and who started it."""
    answers = json.loads(row.answers)
    team = {str(member["person"]) for member in answers.get("team", ())}
    return Resource(project=row.project, team=frozenset(team | {row.applicant}))


def _held(actor: Actor, row: ApplicationRow) -> Actor:
    """The actor with the roles that the application itself gives: who started it leads it, as does who is named so."""
    leads = {str(m["person"]) for m in json.loads(row.answers).get("team", ()) if m["role"] == "lead"}
    if actor.person not in leads | {row.applicant}:
        named = {str(m["person"]) for m in json.loads(row.answers).get("team", ())}
        roles = {Held(Role.ANALYST, row.project)} if actor.person in named else set()
    else:
        roles = {Held(Role.PROJECT_LEAD, row.project)}
    return Actor(actor.person, actor.held | roles, actor.deputises)


async def application_row(api: Api, actor: Actor, project: str, action: str) -> ApplicationRow:
    """The newest application of a project, for somebody who may do this with it.

    Raises:
        TrustQueryError: ``project-unknown``: there is none, or they may not even read it; ``auth-not-permitted``.
    """
    rows = await asyncio.to_thread(api.base.store.projects.applications, project)
    if not rows or not _readable(actor, rows[-1]):
        raise TrustQueryError("project-unknown", project=project)
    check(_held(actor, rows[-1]), action, _resource(rows[-1]))
    return rows[-1]


def _readable(actor: Actor, row: ApplicationRow) -> bool:
    holder = _held(actor, row)
    own = any(held.over == row.project for held in holder.held)
    # A draft is its team's own affair.
    return own or (bool(row.envelope) and may(holder, "application.read", _resource(row)).allowed)


@router.post("", status_code=201)
async def start(body: StartRequest, actor: ActorDep, user: UserDep, api: ApiDep) -> dict[str, Any]:
    """Start an application. The name is taken from now on."""
    check(actor, "application.start", Resource())
    api.work_rate.take(user.name)
    await asyncio.to_thread(api.projects.writing.start, body.project, actor.person)
    return {"project": body.project}


@router.get("")
async def applications(actor: ActorDep, api: ApiDep) -> dict[str, Any]:
    """The newest application of each project that this person may read."""
    check(actor, "application.list", Resource())
    newest: dict[str, ApplicationRow] = {}
    for row in await asyncio.to_thread(api.base.store.projects.applications):
        newest[row.project] = row
    return {
        "applications": [
            {
                "project": row.project,
                "version": row.version,
                "state": row.state,
                "title": json.loads(row.answers).get("title", ""),
                "applicant": row.applicant,
                "updated": row.updated,
                "own": any(held.over == row.project for held in _held(actor, row).held),
            }
            for row in newest.values()
            if _readable(actor, row)
        ]
    }


@router.get("/{project}")
async def application(project: ShortName, actor: ActorDep, api: ApiDep) -> dict[str, Any]:
    """An application: its answers, what was signed, the permit that it would become or became, and its record."""
    row = await application_row(api, actor, project, "application.read")
    store = api.base.store.projects
    own = any(held.over == row.project for held in _held(actor, row).held)
    answers = json.loads(row.answers)
    if not own:
        # Others read what was signed; what the team is changing since is not theirs to read.
        signed = read_application(row).model_dump(mode="json")
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
        "next_permit": max((p.version for p in permits if p.state not in ("signing", "dropped")), default=0) + 1,
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
async def save(project: ShortName, body: AnswersRequest, actor: ActorDep, api: ApiDep) -> dict[str, Any]:
    """Keep answers; returns the questions that are left. Either all are kept or none."""
    row = await application_row(api, actor, project, "application.edit")
    left = await asyncio.to_thread(api.projects.writing.save, row.project, actor.person, body.answers)
    return {"missing": [question.name for question in left]}


@router.post("/{project}/submit")
async def submit(project: ShortName, body: SignedRequest, actor: ActorDep, api: ApiDep) -> dict[str, Any]:
    """Hand in the signed application."""
    await application_row(api, actor, project, "application.submit")
    found = await asyncio.to_thread(api.projects.writing.submit, project, actor.person, body.envelope.encode())
    return {"state": ApplicationState.SUBMITTED.value, "application": found.sha256}


@router.post("/{project}/withdraw")
async def withdraw(project: ShortName, actor: ActorDep, api: ApiDep) -> dict[str, Any]:
    """Take the application back; its record stays."""
    await application_row(api, actor, project, "application.withdraw")
    await asyncio.to_thread(api.projects.writing.withdraw, project, actor.person)
    return {"state": ApplicationState.WITHDRAWN.value}


@router.post("/{project}/amend", status_code=201)
async def amend(project: ShortName, actor: ActorDep, api: ApiDep) -> dict[str, Any]:
    """Start an amendment of what was approved."""
    await application_row(api, actor, project, "application.amend")
    await asyncio.to_thread(api.projects.writing.amend, project, actor.person)
    return {"state": ApplicationState.DRAFT.value}


@router.post("/{project}/approve")
async def approve(project: ShortName, body: SignedRequest, actor: ActorDep, api: ApiDep) -> dict[str, Any]:
    """Add one committee member's signature to the permit."""
    await application_row(api, actor, project, "application.approve")
    state = await asyncio.to_thread(api.projects.committee.approve, project, actor.person, body.envelope.encode())
    return {"state": state}


@router.post("/{project}/decide")
async def decide(project: ShortName, body: SignedRequest, actor: ActorDep, api: ApiDep) -> dict[str, Any]:
    """Return or refuse an application with a signed decision."""
    await application_row(api, actor, project, "application.decide")
    decision = await asyncio.to_thread(
        api.projects.committee.decide, project, actor.person, body.envelope.encode(), ("return", "refuse")
    )
    return {"verdict": decision.verdict}
