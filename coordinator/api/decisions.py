"""Projects that have a permit: suspended and resumed by the committee, closed by a lead."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter

from coordinator.api.acting import ActorDep
from coordinator.api.applications import SignedRequest, application_row
from coordinator.api.context import ApiDep, ShortName
from trustquery.projects.life import ProjectState

__all__ = ["router"]

router = APIRouter(prefix="/v1/projects")


@router.post("/{project}/suspend")
async def suspend(project: ShortName, body: SignedRequest, actor: ActorDep, api: ApiDep) -> dict[str, Any]:
    """Suspend a project at once: a decision signed by one member of the committee."""
    await application_row(api, actor, project, "project.suspend")
    await asyncio.to_thread(api.projects.committee.decide, project, actor.person, body.envelope.encode(), ("suspend",))
    return {"state": ProjectState.SUSPENDED.value}


@router.post("/{project}/resume")
async def resume(project: ShortName, body: SignedRequest, actor: ActorDep, api: ApiDep) -> dict[str, Any]:
    """Let a suspended project go on: a decision signed by two members of the committee."""
    await application_row(api, actor, project, "project.resume")
    await asyncio.to_thread(api.projects.committee.decide, project, actor.person, body.envelope.encode(), ("resume",))
    row = await asyncio.to_thread(api.base.store.projects.get, project)
    return {"state": row.state if row is not None else ""}


@router.post("/{project}/close")
async def close(project: ShortName, body: SignedRequest, actor: ActorDep, api: ApiDep) -> dict[str, Any]:
    """Close a project for good, with a lead's signed report of what came of it."""
    await application_row(api, actor, project, "project.close")
    await asyncio.to_thread(api.projects.close, project, actor.person, body.envelope.encode())
    return {"state": ProjectState.CLOSED.value}
