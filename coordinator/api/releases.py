"""Publishing a released result, and withdrawing one."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import Field

from coordinator.api.context import Api, ApiDep, Body, UserDep
from coordinator.api.queries import QueryId
from coordinator.projects import read_permit
from coordinator.projects.releases import publish, withdraw
from coordinator.store import QueryRow, User
from trustquery.access import Actor, Held, Resource, Role, check
from trustquery.access.actions import ACTIONS
from trustquery.errors import TrustQueryError
from trustquery.identity import Permit, key_id

__all__ = ["router"]

router = APIRouter(prefix="/v1/queries")


class WithdrawRequest(Body):
    """Why a release is withdrawn; the reason is published."""

    reason: Annotated[str, Field(min_length=1, max_length=2000, pattern=r"\S")]


@router.post("/{query}/publish")
async def publish_result(query: QueryId, user: UserDep, api: ApiDep) -> dict[str, Any]:
    """Make a released result public; a project lead may."""
    row, actor = await asyncio.to_thread(_allowed, api, user, query, "release.publish")
    await asyncio.to_thread(publish, api.base, row, actor, api.queries.clock())
    return _done(row)


@router.post("/{query}/withdraw")
async def withdraw_release(query: QueryId, body: WithdrawRequest, user: UserDep, api: ApiDep) -> dict[str, Any]:
    """Withdraw a release: its entry in the log stays, marked; its result is shown no more."""
    row, actor = await asyncio.to_thread(_allowed, api, user, query, "release.withdraw")
    await asyncio.to_thread(withdraw, api.base, row, actor, body.reason, api.queries.clock())
    return _done(row)


def _done(row: QueryRow) -> dict[str, Any]:
    return {"query": row.release_id, "query_hash": row.query_hash}


def _allowed(api: Api, user: User, query: str, action: str) -> tuple[QueryRow, str]:
    """The query and who acts, in words, if this user may do this.

    Raises:
        TrustQueryError: ``query-unknown``, whether it exists or not; ``auth-not-permitted``.
    """
    unknown = TrustQueryError("query-unknown", query=query)
    row = api.base.store.uses.release(query)
    project = api.base.store.projects.get(row.project) if row is not None else None
    if row is None or project is None:
        raise unknown
    permit = read_permit(project)
    actor, words = _actor(api, user, permit)
    team = frozenset(member.person for member in permit.members)
    try:
        check(actor, action, Resource(project=row.project, team=team))
    except TrustQueryError as error:
        raise unknown if ACTIONS[action].hides else error from None
    return row, words


def _actor(api: Api, user: User, permit: Permit) -> tuple[Actor, str]:
    """Who this user is, by the permit in use and the roster; for the one place that says who holds what to replace."""
    print_of_key = key_id(bytes.fromhex(user.public_key))
    held: set[Held] = set()
    person, words = user.name, ""
    member = permit.member(print_of_key)
    if member is not None:
        role = Role.PROJECT_LEAD if member.role == "lead" else Role.ANALYST
        held.add(Held(role, permit.project))
        person, words = member.person, role.value
    roster = api.base.rosters.found()
    for entry in roster.committee if roster is not None else ():
        if entry.key == user.public_key:
            held.add(Held(Role.COMMITTEE_MEMBER))
            person, words = entry.person, words or Role.COMMITTEE_MEMBER.value
    return Actor(person, frozenset(held)), words
