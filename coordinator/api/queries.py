"""Asking: preview, submit, watch, cancel, history."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import Field

from coordinator.api.context import Api, ApiDep, Body, ShortName, UserDep
from coordinator.api.views import query_view, short_view
from coordinator.projects import check_use
from coordinator.queries.checks import Submission, Surroundings, check_model, check_submission
from coordinator.store import QueryRow, User
from trustquery.errors import TrustQueryError
from trustquery.identity import key_id
from trustquery.model import Query as Model
from trustquery.protocol.messages import Preview, PreviewReply

__all__ = ["router"]

router = APIRouter(prefix="/v1/queries")

QueryId = Annotated[str, Path(pattern=r"^[0-9a-f]{8,64}$")]
Text = Annotated[str, Field(min_length=1, max_length=1_500_000)]


class PreviewRequest(Body):
    """A compiled query, unsigned."""

    project: ShortName
    model: Text


class SubmitRequest(Body):
    """A signed query; ``epsilon`` as a decimal string, ``inputs`` the public tables it pins that do not ship."""

    project: ShortName
    sql: Text
    model: Text
    intent: Text
    epsilon: Annotated[str, Field(pattern=r"^[0-9]{1,3}(\.[0-9]{1,12})?$")]
    parameters: dict[str, Any] = Field(default_factory=dict, max_length=200)
    inputs: list[dict[str, Any]] = Field(default_factory=list, max_length=64)


@router.post("/preview")
async def preview(body: PreviewRequest, user: UserDep, api: ApiDep) -> dict[str, Any]:
    """Ask every node whether it would accept; free, reads no data."""
    api.work_rate.take(user.name)
    row = await asyncio.to_thread(api.base.store.projects.get, body.project)
    project, permit, member = check_use(row, body.project, user, api.queries.clock())
    await asyncio.to_thread(check_model, body.model.encode(), permit, api.base.catalogues)
    nodes = api.base.rosters.current().nodes
    question = Preview(
        preview_id=bytes(32),
        model=body.model.encode(),
        permit=project.permit,
        key_id=key_id(bytes.fromhex(user.public_key)),
        key_kind=member.key_kind,
        opt_out_treatment=permit.opt_out_treatment,
        disclosure_profile=permit.disclosure_profile,
        min_trusts=permit.min_trusts,
    )
    seconds = api.base.settings.queries.preview_wait_ms / 1000
    connected = api.fleet.connected
    replies = await api.previews.ask(question, [node.node for node in nodes], seconds)
    return {
        "trusts": [
            {"node": node.node, "name": node.name, "connected": node.node in connected} | _reply(replies.get(node.node))
            for node in nodes
        ]
    }


def _reply(reply: PreviewReply | None) -> dict[str, Any]:
    if reply is None:
        return {"accepted": None, "reasons": [], "shares": []}
    shares = [
        {"scope": s.scope, "left_millionths": s.left_millionths, "cost_millionths": s.cost_millionths}
        for s in reply.shares
    ]
    return {"accepted": reply.accepted, "reasons": list(reply.reasons), "shares": shares}


def _surroundings(api: Api) -> Surroundings:
    return Surroundings(
        federation=api.base.root.federation,
        roster=api.base.rosters.current(),
        catalogues=api.base.catalogues,
        longest_wait=api.base.settings.queries.longest_wait_seconds,
        now=api.queries.clock(),
    )


@router.post("", status_code=201)
async def submit(body: SubmitRequest, user: UserDep, api: ApiDep) -> dict[str, Any]:
    """Check a signed query and fan it out."""
    api.work_rate.take(user.name)
    given = Submission(
        project=body.project,
        sql=body.sql,
        model=body.model.encode(),
        intent=body.intent.encode(),
        epsilon=Decimal(body.epsilon),
        parameters=body.parameters,
        inputs=tuple(body.inputs),
    )
    project = await asyncio.to_thread(api.base.store.projects.get, body.project)
    checked = await asyncio.to_thread(check_submission, given, user, project, _surroundings(api))
    row = await api.queries.submit(given, checked, user)
    return {"query": row.release_id}


async def _mine(api: Api, user: User, prefix: str) -> QueryRow:
    row = await asyncio.to_thread(api.base.store.queries.of_user, user.id, prefix)
    if row is None:
        raise TrustQueryError("query-unknown", query=prefix)
    return row


@router.get("")
async def history(user: UserDep, api: ApiDep, limit: Annotated[int, Query(ge=1, le=200)] = 20) -> dict[str, Any]:
    """The user's queries, newest first."""
    rows = await asyncio.to_thread(api.base.store.queries.history, user.id, limit)
    return {"queries": [short_view(row) for row in rows]}


@router.get("/{query}")
async def status(
    query: QueryId,
    user: UserDep,
    api: ApiDep,
    wait: Annotated[int, Query(ge=0, le=20)] = 0,
    seen: Annotated[int, Query(ge=-1, le=10_000)] = -1,
) -> dict[str, Any]:
    """One query: who has answered, and the result once it has closed.

    ``wait``: seconds to hold the reply until there is more news than ``seen`` answers.
    """
    row = await _mine(api, user, query)
    if wait:
        await api.queries.wait(row.release_id, seen, wait)
        row = await _mine(api, user, query)
    answers = await asyncio.to_thread(api.base.store.queries.answered, row.release_id)
    parameters = await asyncio.to_thread(api.base.store.queries.parameters, row.release_id)
    return query_view(row, answers, api.base.rosters.current(), parameters)


@router.get("/{query}/inputs")
async def inputs(query: QueryId, user: UserDep, api: ApiDep) -> dict[str, Any]:
    """The public tables that came with a query, as data: its result cannot be read without them."""
    row = await _mine(api, user, query)
    pins = (await asyncio.to_thread(Model.from_payload, row.model)).inputs
    found = await asyncio.to_thread(api.base.store.queries.tables, [pin.sha256 for pin in pins])
    return {"inputs": [json.loads(document) for document in found]}


@router.post("/{query}/cancel")
async def cancel(query: QueryId, user: UserDep, api: ApiDep) -> dict[str, Any]:
    """Close a query without a result. What trusts have charged stays charged."""
    row = await _mine(api, user, query)
    return {"cancelled": await api.queries.cancel(row)}
