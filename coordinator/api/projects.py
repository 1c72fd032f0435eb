"""Projects and datasets, as far as their reader may see them."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import Query

from coordinator.api.context import ApiDep
from coordinator.api.door import Asking, AskingDep, acts, doors
from coordinator.api.profiles import profile_hashes
from coordinator.api.views import planned_view
from coordinator.projects import read_permit, state_of
from coordinator.projects.reviewing import ReviewDesk
from coordinator.store import ProjectRow
from trustquery.access import Resource
from trustquery.errors import TrustQueryError

__all__ = ["find_project", "router"]

router = doors(prefix="/v1")
NONE = (0, 0)
Hash = Annotated[str, Query(pattern=r"^([0-9a-f]{64})?$")]


async def find_project(asking: Asking, name: str) -> ProjectRow:
    """A project, live or not, once the asker may do the route's action on it.

    Raises:
        TrustQueryError: ``project-unknown``, whether it exists or not; ``auth-not-permitted``.
    """
    await asking.check_project(name)
    row = await asyncio.to_thread(asking.api.base.store.projects.get, name)
    if row is None:
        raise TrustQueryError("project-unknown", project=name[:64])
    return row


@router.get("/projects")
@acts("project.list")
async def projects(asking: AskingDep, api: ApiDep) -> dict[str, Any]:
    """The projects that the asker may read."""
    found = []
    for row in await asyncio.to_thread(api.base.store.projects.everyone):
        if asking.reads(Resource(project=row.name), "project.read"):
            permit = read_permit(row)
            found.append(
                {
                    "project": row.name,
                    "title": permit.title,
                    "state": state_of(row, permit, api.queries.clock()),
                    "datasets": list(permit.datasets),
                    "expires": permit.expires,
                }
            )
    return {"projects": found}


@router.get("/projects/{name}")
@acts("project.read")
async def project(name: str, asking: AskingDep, api: ApiDep, question: Hash = "") -> dict[str, Any]:
    """One project: the signed permit and roster, for the client to verify, and who is connected.

    ``question``: a query's hash, to be told whether output checkers would look at what comes of it.
    """
    row = await find_project(asking, name)
    permit = read_permit(row)
    roster = api.base.rosters.current()
    planned = await asyncio.to_thread(ReviewDesk(api.base, api.queries.clock).planned, row, question)
    return {
        "project": row.name,
        "state": state_of(row, permit, api.queries.clock()),
        "permit": row.permit.decode("ascii"),
        "review": planned_view(planned),
        **api.base.federation_documents(),
        "connected": sorted(api.fleet.connected & {node.node for node in roster.nodes}),
    }


@router.get("/projects/{name}/budget")
@acts("project.budget")
async def budget(name: str, asking: AskingDep, api: ApiDep) -> dict[str, Any]:
    """What this project was charged, by trust, according to the answers they signed. Each trust's ledger decides.

    Profiles stand apart: a trust whose policy has a cap for them charges them to nobody's project.
    """
    row = await find_project(asking, name)
    permit = read_permit(row)
    hashes = await asyncio.to_thread(profile_hashes, permit.datasets, api.base.catalogues)
    charged = await asyncio.to_thread(api.base.store.queries.charged, row.name)
    shared = await asyncio.to_thread(api.base.store.queries.charged, row.name, hashes=hashes)
    spent = {node: (rho, number) for node, rho, number in charged}
    profiles = {node: (rho, number) for node, rho, number in shared}
    return {
        "project": row.name,
        "permit_rho_nano": permit.rho_nano,
        "trusts": [
            {
                "node": node.node,
                "name": node.name,
                "spent_rho_nano": spent.get(node.node, NONE)[0] - profiles.get(node.node, NONE)[0],
                "answers": spent.get(node.node, NONE)[1] - profiles.get(node.node, NONE)[1],
                "profiles_rho_nano": profiles.get(node.node, NONE)[0],
            }
            for node in api.base.rosters.current().nodes
        ],
    }


@router.get("/datasets")
@acts("dataset.read")
async def datasets(api: ApiDep) -> dict[str, Any]:
    """The catalogues, in short."""
    return {
        "datasets": [
            {
                "dataset": catalogue.id,
                "version": catalogue.version,
                "title": catalogue.title,
                "tables": len(catalogue.tables),
                "sha256": catalogue.sha256,
            }
            for catalogue in api.base.catalogues.values()
        ]
    }


@router.get("/datasets/{name}")
@acts("dataset.read")
async def dataset(name: str, api: ApiDep) -> dict[str, Any]:
    """One catalogue in full."""
    catalogue = api.base.catalogues.get(name)
    if catalogue is None:
        raise TrustQueryError("query-unknown-dataset", dataset=name[:64])
    return {"catalogue": catalogue.document(), "sha256": catalogue.sha256}
