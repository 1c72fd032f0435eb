"""Merged tables in review: listed, looked at and decided on by output checkers who have no part in them."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from coordinator.api.applications import SignedRequest
from coordinator.api.context import Api, ApiDep
from coordinator.api.door import Asking, AskingDep, acts, doors
from coordinator.api.queries import QueryId
from coordinator.projects.reviewing import ReviewDesk
from coordinator.store import QueryRow, ReviewRow
from trustquery.access import Resource
from trustquery.errors import TrustQueryError
from trustquery.model import Query as Model
from trustquery.reviews import Hearing

__all__ = ["router"]

router = doors(prefix="/v1/reviews")


def desk_of(api: Api) -> ReviewDesk:
    """The desk, at the clock of this coordinator."""
    return ReviewDesk(api.base, api.queries.clock)


def _short(row: QueryRow, review: ReviewRow, hearing: Hearing) -> dict[str, Any]:
    """What a checker sees in the list. The stage says how many have given a verdict, never which."""
    return {
        "query": row.release_id,
        "project": row.project,
        "why": review.why,
        "deadline": review.deadline,
        "stage": hearing.stage.value,
    }


@router.get("")
@acts("release.list")
async def list_reviews(asking: AskingDep, api: ApiDep) -> dict[str, Any]:
    """What is in review now and the asker may review."""
    return {"reviews": await asyncio.to_thread(_reviewable, asking, api)}


def _reviewable(asking: Asking, api: Api) -> list[dict[str, Any]]:
    desk, found = desk_of(api), []
    for row in api.base.store.reviews.open():
        if asking.reads(desk.resource(row), "release.review"):
            try:
                review, query, hearing = desk.held(row.release_id)
            except TrustQueryError:
                # Its table cannot be made, or its deadline came in between: nobody can look at it.
                continue
            found.append(_short(query, review, hearing))
    return found


@router.get("/{query}")
@acts("release.review")
async def look(query: QueryId, asking: AskingDep, api: ApiDep) -> dict[str, Any]:
    """A merged result, and everything that it takes to verify and read it; verdicts once both are in."""
    row = await _find(asking, query)
    # A person is called as documents call them, whichever account they use.
    return await asyncio.to_thread(_whole, api, row) | {"you": asking.actor.person}


def _whole(api: Api, row: QueryRow) -> dict[str, Any]:
    review, query, hearing = desk_of(api).held(row.release_id)
    store = api.base.store
    pins = Model.from_payload(query.model).inputs
    return _short(query, review, hearing) | {
        "first": list(hearing.seen) if hearing.shown else [],
        "verdicts": [
            {
                "person": item.reviewer,
                "round": item.round,
                "verdict": item.verdict.value,
                "reasons": [reason.value for reason in item.reasons],
            }
            for item in hearing.shown
        ],
        "sql": query.sql,
        "parameters": json.loads(store.queries.parameters(query.release_id)),
        "intent": query.intent.decode("ascii"),
        "permit": query.permit.decode("ascii"),
        "model": query.model.decode("utf-8"),
        **api.base.federation_documents(),
        "inputs": [json.loads(document) for document in store.queries.tables([pin.sha256 for pin in pins])],
        "result": json.loads(review.held),
    }


@router.post("/{query}/verdict")
@acts("release.review")
async def give(query: QueryId, body: SignedRequest, asking: AskingDep, api: ApiDep) -> dict[str, Any]:
    """Give a verdict, signed with the key of the account in use. It is told at the deadline, never sooner."""
    row = await _find(asking, query)
    take = desk_of(api).take
    person, key = asking.actor.person, asking.user.public_key
    stage = await asyncio.to_thread(take, row.release_id, person, key, body.signed)
    return {"query": row.release_id, "stage": stage.value}


async def _find(asking: Asking, query: str) -> QueryRow:
    """A query, once the asker may review what comes of it.

    Raises:
        TrustQueryError: ``auth-not-permitted``; ``policy-review-unknown``.
    """
    row = await asyncio.to_thread(asking.api.base.store.uses.release, query)
    desk = desk_of(asking.api)
    resource = await asyncio.to_thread(desk.resource, row) if row is not None else Resource()
    await asking.check(resource)
    if row is None:
        raise TrustQueryError("policy-review-unknown", release=query[:16])
    return row
