"""Signing in with a browser: what a client begins and ends, and the two addresses that the browser passes through."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import structlog
from fastapi import Request
from pydantic import Field
from starlette.responses import RedirectResponse, Response

from coordinator.api.context import ApiDep, Body, Hex32, client_of
from coordinator.api.door import acts, doors
from coordinator.api.sessions import open_session
from coordinator.signin.desk import CLIENT_CODE, FLOW_SECONDS
from coordinator.web.frames import passing_frame
from coordinator.web.headers import APP
from coordinator.web.pages import render
from trustquery.errors import TrustQueryError

__all__ = ["page", "router", "sorry"]

COOKIE = "__Host-tq-signin"
_log = structlog.get_logger()
_LONGEST = 2_000
router = doors()
Base64 = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{43}$")]


class BeginRequest(Body):
    """A client that wants its user signed in."""

    provider: Annotated[str, Field(pattern=r"^[a-z0-9-]{0,32}$")] = ""
    challenge: Base64
    port: Annotated[int, Field(ge=1024, le=65_535)]
    state: Base64
    strong: bool = False


class TokenRequest(Body):
    """A client's code, with the verifier of its challenge."""

    code: Hex32
    verifier: Base64


@router.post("/v1/signin")
@acts("session.open")
async def begin(body: BeginRequest, api: ApiDep, request: Request) -> dict[str, Any]:
    """Begin; the answer says which address the person opens in their browser."""
    await api.login_rate.count(client_of(request))
    address, expires = await asyncio.to_thread(
        api.signin.begin, body.provider, body.challenge, body.port, body.state, strong=body.strong
    )
    return {"address": address, "expires": expires}


@router.post("/v1/signin/token")
@acts("session.open")
async def token(body: TokenRequest, api: ApiDep, request: Request) -> dict[str, Any]:
    """A session, for the code that the browser brought back."""
    await api.login_rate.count(client_of(request))
    found = await asyncio.to_thread(api.signin.redeem, body.code, body.verifier)
    return await asyncio.to_thread(open_session, api, found.user, found.level, found.auth_time, CLIENT_CODE)


def page(template: str, status: int = 200, **values: Any) -> Response:
    """A page on the way to a session, which nobody keeps."""
    body = render(template, passing_frame(), **values)
    return Response(body, status, {"Cache-Control": "no-store"}, "text/html; charset=utf-8")


def sorry(error: TrustQueryError, onward: str = "", again: str = "") -> Response:
    """A page that says what went wrong, and goes on to the client where there is one.

    Args:
        again: where the person can begin anew.
    """
    problem = error.problem
    return page("signin_failed.html", problem.entry.http, problem=problem, onward=onward, again=again)


@router.get("/signin/{flow}")
@acts("session.open")
async def opened(flow: str, api: ApiDep, request: Request) -> Response:
    """The browser is sent to its provider."""
    try:
        await api.login_rate.count(client_of(request))
        found = await api.signin.open(flow)
    except TrustQueryError as error:
        return sorry(error)
    response = RedirectResponse(found.address, 303, {"Cache-Control": "no-store"})
    # Lax, not Strict: the provider's answer comes from another site, and must find it.
    response.set_cookie(COOKIE, found.cookie, FLOW_SECONDS, path="/", secure=True, httponly=True, samesite="lax")
    return response


@router.get("/signin/back/{provider}")
@acts("session.open")
async def back(provider: str, api: ApiDep, request: Request) -> Response:
    """The browser comes back, and is sent on to the client on its own machine."""
    try:
        await api.login_rate.count(client_of(request))
        items = request.query_params.multi_items()
        answer = dict(items)
        if len(answer) != len(items) or any(len(value) > _LONGEST for value in answer.values()):
            raise TrustQueryError("auth-browser", problem="the provider's answer cannot be read")
        onward, error = await api.signin.back(provider, answer, request.cookies.get(COOKIE, ""))
    except TrustQueryError as refusal:
        return sorry(refusal)
    # Without a client: the session opens in this browser.
    here = onward.startswith(f"{APP}/")
    response: Response
    if error is not None:
        _log.warning("sign-in-refused", provider=provider, why=error.problem.reason)
        response = sorry(error, again=f"{APP}/sign-in") if here else sorry(error, onward)
    elif here:
        response = RedirectResponse(onward, 303, {"Cache-Control": "no-store"})
    else:
        response = page("signin_done.html", onward=onward)
    response.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="lax")
    return response
