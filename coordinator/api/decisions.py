"""Projects that have a permit: suspended and resumed by the committee, closed by a lead."""

from __future__ import annotations

import asyncio
from typing import Any

from coordinator.api.applications import SignedRequest
from coordinator.api.context import ApiDep, ShortName
from coordinator.api.door import AskingDep, acts, doors
from trustquery.projects.life import ProjectState

__all__ = ["router"]

router = doors(prefix="/v1/projects")


@router.post("/{project}/suspend")
@acts("project.suspend")
async def suspend(project: ShortName, body: SignedRequest, asking: AskingDep, api: ApiDep) -> dict[str, Any]:
    """Suspend a project at once: a decision signed by one member of the committee."""
    await asking.check_project(project)
    await asyncio.to_thread(api.projects.committee.decide, project, asking.actor.person, body.signed, ("suspend",))
    return {"state": ProjectState.SUSPENDED.value}


@router.post("/{project}/resume")
@acts("project.resume")
async def resume(project: ShortName, body: SignedRequest, asking: AskingDep, api: ApiDep) -> dict[str, Any]:
    """Let a suspended project go on: a decision signed by two members of the committee."""
    await asking.check_project(project)
    await asyncio.to_thread(api.projects.committee.decide, project, asking.actor.person, body.signed, ("resume",))
    row = await asyncio.to_thread(api.base.store.projects.get, project)
    return {"state": row.state if row is not None else ""}


@router.post("/{project}/close")
@acts("project.close")
async def close(project: ShortName, body: SignedRequest, asking: AskingDep, api: ApiDep) -> dict[str, Any]:
    """Close a project for good, with a lead's signed report of what came of it."""
    await asking.check_project(project)
    await asyncio.to_thread(api.projects.close, project, asking.actor.person, body.signed)
    return {"state": ProjectState.CLOSED.value}
