"""Publishing a released result, and withdrawing one."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from pydantic import Field

from coordinator.api.context import ApiDep, Body
from coordinator.api.door import Asking, AskingDep, acts, doors
from coordinator.api.queries import QueryId
from coordinator.projects.releases import publish, withdraw
from coordinator.store import QueryRow
from trustquery.access import Held, Role
from trustquery.errors import TrustQueryError

__all__ = ["router"]

router = doors(prefix="/v1/queries")


class WithdrawRequest(Body):
    """Why a release is withdrawn; the reason is published."""

    reason: Annotated[str, Field(min_length=1, max_length=2000, pattern=r"\S")]


@router.post("/{query}/publish")
@acts("release.publish")
async def publish_result(query: QueryId, asking: AskingDep, api: ApiDep) -> dict[str, Any]:
    """Make a released result public; a project lead may."""
    row, words = await _release(asking, query)
    await asyncio.to_thread(publish, api.base, row, words, api.queries.clock())
    return _done(row)


@router.post("/{query}/withdraw")
@acts("release.withdraw")
async def withdraw_release(query: QueryId, body: WithdrawRequest, asking: AskingDep, api: ApiDep) -> dict[str, Any]:
    """Withdraw a release: its entry in the log stays, marked; its result is shown no more."""
    row, words = await _release(asking, query)
    await asyncio.to_thread(withdraw, api.base, row, words, body.reason, api.queries.clock())
    return _done(row)


def _done(row: QueryRow) -> dict[str, Any]:
    return {"query": row.release_id, "query_hash": row.query_hash}


async def _release(asking: Asking, query: str) -> tuple[QueryRow, str]:
    """The query and who acts, in words that may be published, once the asker may do the route's action.

    Raises:
        TrustQueryError: ``query-unknown``, whether it exists or not; ``auth-not-permitted``.
    """
    row = await asyncio.to_thread(asking.api.base.store.uses.release, query)
    unknown = TrustQueryError("query-unknown", query=query)
    if row is None:
        raise unknown
    try:
        await asking.check_project(row.project)
    except TrustQueryError as error:
        raise unknown if error.code == "project-unknown" else error from None
    leads = Held(Role.PROJECT_LEAD, row.project) in asking.actor.held
    return row, (Role.PROJECT_LEAD if leads else Role.COMMITTEE_MEMBER).value
