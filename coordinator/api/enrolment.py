"""Enrolment over HTTPS: the anchor, the request, the certificate once somebody has approved."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import Header, Path, Request
from pydantic import Field

from coordinator.api.context import ApiDep, Body, Hex32, client_of
from coordinator.api.door import acts, doors
from trustquery.errors import TrustQueryError

__all__ = ["router"]

router = doors(prefix="/v1/enrolment")

Ods = Annotated[str, Field(pattern=r"^[A-Z0-9]{3,8}$")]


class EnrolmentRequest(Body):
    """A node's request: its keys, and a signature over the code that proves it holds the identity key."""

    code: Annotated[str, Field(max_length=400)]
    ods: Ods
    name: Annotated[str, Field(min_length=1, max_length=200)]
    identity_key: Hex32
    csr: Annotated[str, Field(max_length=8_000)]
    proof: Annotated[str, Field(pattern=r"^[0-9a-f]{128}$")]


@router.get("/anchor")
@acts("node.anchor")
async def anchor(api: ApiDep) -> dict[str, Any]:
    """The authority's certificate and the federation's root; checked against prints that came another way."""
    settings = api.base.settings
    return api.base.desk.anchor(settings.nodes.public, settings.websocket.public if settings.websocket else "")


@router.post("", status_code=201)
@acts("node.enrol")
async def enrol(body: EnrolmentRequest, api: ApiDep, request: Request) -> dict[str, Any]:
    """Take a node in as pending."""
    await api.login_rate.count(client_of(request))
    row = await asyncio.to_thread(
        api.base.desk.enrol,
        body.code,
        ods=body.ods,
        name=body.name,
        identity_key=body.identity_key,
        request_pem=body.csr,
        proof=body.proof,
    )
    return {"status": row.status, "node": row.node}


@router.get("/{ods}")
@acts("node.enrol")
async def status(
    ods: Annotated[str, Path(pattern=r"^[A-Z0-9]{3,8}$")],
    api: ApiDep,
    authorization: Annotated[str, Header(max_length=500)] = "",
) -> dict[str, Any]:
    """Where an enrolment stands, for the holder of its code."""
    scheme, _, code = authorization.partition(" ")
    if scheme != "Bearer":
        raise TrustQueryError("auth-required")
    row = await asyncio.to_thread(api.base.desk.status, code, ods)
    approved = row.status == "approved"
    return {
        "status": row.status,
        "node": row.node,
        "certificate_pem": row.certificate_pem if approved else "",
        "roster": api.base.rosters.envelope.decode("ascii") if approved else "",
        "roots": [data.decode("ascii") for data in api.base.rosters.chain] if approved else [],
    }
