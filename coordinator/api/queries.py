"""Asking: preview, submit, watch, cancel, history."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from typing import Annotated, Any

from fastapi import Path, Query
from pydantic import Field

from coordinator.api.context import Api, ApiDep, Body, ShortName
from coordinator.api.door import Asking, AskingDep, acts, doors
from coordinator.api.views import query_view, review_view, short_view
from coordinator.projects import check_use
from coordinator.projects.inputs import require_approved
from coordinator.projects.reviewing import ReviewDesk
from coordinator.queries.checks import Submission, Surroundings, check_model, check_submission
from coordinator.store import QueryRow
from trustquery.access import Resource
from trustquery.errors import TrustQueryError
from trustquery.identity import key_id
from trustquery.model import Query as Model
from trustquery.protocol.messages import Preview, PreviewReply

__all__ = ["router"]

router = doors(prefix="/v1/queries")
# A long poll looks this often whether its asker may still read: rights fall within 5 s, whatever is waited for.
LOOK_SECONDS = 2
_FAULTS = frozenset({"internal-fault", "log-unwritable"})

QueryId = Annotated[str, Path(pattern=r"^[0-9a-f]{8,64}$")]
Text = Annotated[str, Field(min_length=1, max_length=1_500_000)]


class PreviewRequest(Body):
    """A compiled query, unsigned."""

    project: ShortName
    model: Text


class SubmitRequest(Body):
    """A signed query; ``epsilon`` as a decimal string."""

    project: ShortName
    sql: Text
    model: Text
    intent: Text
    epsilon: Annotated[str, Field(pattern=r"^[0-9]{1,3}(\.[0-9]{1,12})?$")]
    parameters: dict[str, Any] = Field(default_factory=dict, max_length=200)


@router.post("/preview")
@acts("query.preview")
async def preview(body: PreviewRequest, asking: AskingDep, api: ApiDep) -> dict[str, Any]:
    """Ask every node whether it would accept; free, reads no data."""
    user = asking.user
    await api.work_rate.count(asking.actor.person)
    await asking.check_project(body.project)
    row = await asyncio.to_thread(api.base.store.projects.get, body.project)
    project, permit, member = check_use(row, body.project, user, api.queries.clock())
    query, _ = await asyncio.to_thread(check_model, body.model.encode(), permit, api.base.catalogues)
    # Here already, so that nobody waits for the trusts to learn that nobody has approved a table.
    require_approved(query.inputs, await asyncio.to_thread(api.projects.inputs.approved, query.inputs))
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
    await asking.again()
    await asking.check_project(body.project)
    return {
        "trusts": [
            {"node": node.node, "name": node.name, "connected": node.node in connected} | _reply(replies.get(node.node))
            for node in nodes
        ],
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
        approved=api.projects.inputs.approved,
    )


@router.post("", status_code=201)
@acts("query.submit")
async def submit(body: SubmitRequest, asking: AskingDep, api: ApiDep) -> dict[str, Any]:
    """Check a signed query and fan it out."""
    await api.work_rate.count(asking.actor.person)
    given = Submission(
        project=body.project,
        sql=body.sql,
        model=body.model.encode(),
        intent=body.intent.encode(),
        epsilon=Decimal(body.epsilon),
        parameters=body.parameters,
    )
    try:
        await asking.check_project(body.project)
        project = await asyncio.to_thread(api.base.store.projects.get, body.project)
        checked = await asyncio.to_thread(check_submission, given, asking.user, project, _surroundings(api))
        intent = checked.intent
        begin = ReviewDesk(api.base, api.queries.clock).begin
        review = await asyncio.to_thread(begin, checked.project, intent.release_id, intent.query_hash, intent.not_after)
        row = await api.queries.submit(given, checked, asking.user, review)
    except TrustQueryError as error:
        # A fault is no refusal: the question was taken and has its entry, or nothing was done.
        if error.code not in _FAULTS:
            await asyncio.to_thread(_deny, api, given, asking.actor.person, error.code)
        raise
    return {"query": row.release_id, "review": review_view(review)}


def _deny(api: Api, given: Submission, person: str, code: str) -> None:
    project = api.base.store.projects.get(given.project)
    known = project.name if project is not None else ""
    api.base.store.tallies.deny(known, person, f"{code}: {given.sql}", api.queries.clock())


async def _mine(asking: Asking, prefix: str) -> QueryRow:
    """A query of the asker's own, as long as they may ask in its project.

    Raises:
        TrustQueryError: ``query-unknown``, whether it exists or not.
    """
    absent = TrustQueryError("query-unknown", query=prefix)
    row = await asyncio.to_thread(asking.api.base.store.queries.of_user, asking.user.id, prefix)
    if row is None:
        raise absent
    await asking.check(_resource(asking, row), absent)
    return row


def _resource(asking: Asking, row: QueryRow) -> Resource:
    """A query that this account asked."""
    return Resource(project=row.project, asker=asking.actor.person)


@router.get("")
@acts("query.list")
async def history(asking: AskingDep, api: ApiDep, limit: Annotated[int, Query(ge=1, le=200)] = 20) -> dict[str, Any]:
    """The asker's queries in projects that they may still ask in, newest first."""
    rows = await asyncio.to_thread(api.base.store.queries.history, asking.user.id, limit)
    return {"queries": [short_view(row) for row in rows if asking.reads(_resource(asking, row), "query.read")]}


@router.get("/{query}")
@acts("query.read")
async def status(
    query: QueryId,
    asking: AskingDep,
    api: ApiDep,
    wait: Annotated[int, Query(ge=0, le=20)] = 0,
    seen: Annotated[int, Query(ge=-1, le=10_000)] = -1,
) -> dict[str, Any]:
    """One query: who has answered, and the result once it has closed.

    ``wait``: seconds to hold the reply until there is more news than ``seen`` answers.
    """
    row = await _mine(asking, query)
    news = not wait
    while not news:
        news = await api.queries.wait(row.release_id, seen, min(wait, LOOK_SECONDS)) or wait <= LOOK_SECONDS
        wait -= LOOK_SECONDS
        await asking.again()
        row = await _mine(asking, query)
    answers = await asyncio.to_thread(api.base.store.queries.answered, row.release_id)
    parameters = await asyncio.to_thread(api.base.store.queries.parameters, row.release_id)
    erased = await asyncio.to_thread(api.base.store.keeping.erased, [row.release_id])
    review = await asyncio.to_thread(api.base.store.reviews.get, row.release_id)
    return query_view(
        row, answers, api.base.rosters.current(), parameters, review, erased=erased.get(row.release_id, 0)
    )


@router.get("/{query}/inputs")
@acts("query.read")
async def inputs(query: QueryId, asking: AskingDep, api: ApiDep) -> dict[str, Any]:
    """The public tables that a query pins, as data: its result cannot be read without them."""
    row = await _mine(asking, query)
    pins = (await asyncio.to_thread(Model.from_payload, row.model)).inputs
    found = await asyncio.to_thread(api.base.store.queries.tables, [pin.sha256 for pin in pins])
    return {"inputs": [json.loads(document) for document in found]}


@router.post("/{query}/cancel")
@acts("query.cancel")
async def cancel(query: QueryId, asking: AskingDep, api: ApiDep) -> dict[str, Any]:
    """Close a query without a result. What trusts have charged stays charged."""
    row = await _mine(asking, query)
    return {"cancelled": await api.queries.cancel(row)}
