"""The daily revocation statement over HTTPS, from the delegate's own machine. It takes no account: it is signed."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import Request
from pydantic import Field

from coordinator.api.context import Api, ApiDep, Body, client_of
from coordinator.api.door import acts, doors

__all__ = ["router"]

router = doors(prefix="/v1/statements")


class Said(Body):
    """A signed statement: an envelope of ``revocations``, as text. About 9,000 revocations have room."""

    envelope: Annotated[str, Field(min_length=1, max_length=1_500_000)]


@router.post("", status_code=201)
@acts("statement.send")
async def send(body: Said, api: ApiDep, request: Request) -> dict[str, Any]:
    """Verify a statement and put it in force; nodes are told at once. Nothing is kept of one that does not verify."""
    # Apart from sign-ins: whoever sends rubbish here keeps nobody at the same address from signing in.
    await api.login_rate.count(f"statement from {client_of(request)}")
    return await asyncio.to_thread(_install, api, body.envelope.encode())


def _install(api: Api, envelope: bytes) -> dict[str, Any]:
    statements = api.base.statements
    statements.refresh()
    found = statements.found()
    # Sent twice because the first reply was lost: it is in force.
    if found is None or envelope != statements.envelope:
        found = statements.install(envelope, api.queries.clock())
    return {"version": found.version, "revoked": len(found.revoked)}
