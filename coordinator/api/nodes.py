"""Approving nodes from one's own machine: what waits, and a signed yes. Two people, each with their own account."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import Path
from pydantic import Field

from coordinator.api.context import ApiDep, Body
from coordinator.api.door import AskingDep, acts, doors
from trustquery.access import Resource

__all__ = ["router"]

router = doors(prefix="/v1/nodes")


class Yes(Body):
    """One person's signed yes: an envelope of ``admission``, as text."""

    envelope: Annotated[str, Field(max_length=8_000)]


@router.get("/waiting")
@acts("node.approve")
async def waiting(asking: AskingDep, api: ApiDep) -> list[dict[str, Any]]:
    """Nodes that wait for two people: what each must show, and what a yes to it must name."""
    await asking.check(Resource())
    deciding = api.base.desk.deciding

    def look() -> list[dict[str, Any]]:
        store, found = api.base.store, []
        for row in store.nodes.everyone():
            if row.status == "pending":
                about = deciding.enrolment(row)
                found.append({"act": "admit", "node": row.node, "name": row.name, "words": row.words, "about": about})
        for ods, incident in store.admissions.incidents().items():
            found.append({"act": "resolve-clone", "node": ods, "name": ods, "words": "", "about": incident})
        return [{**item, "approved_by": store.admissions.deciders(item["about"])} for item in found]

    return await asyncio.to_thread(look)


@router.post("/{ods}/approvals", status_code=201)
@acts("node.approve")
async def approve(
    ods: Annotated[str, Path(pattern=r"^[A-Z0-9]{3,8}$")], body: Yes, asking: AskingDep, api: ApiDep
) -> dict[str, Any]:
    """Take one person's yes; the second, by somebody else, admits the node or lets it join again."""
    await asking.check(Resource(node=ods))
    node, left = await asyncio.to_thread(
        api.base.desk.approve, body.envelope.encode(), by=asking.actor.person, node=ods
    )
    return {"node": node, "still_needed": left}
