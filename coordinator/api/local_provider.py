"""The local provider's addresses: what an OpenID Connect issuer publishes, its form, and the set-up of an account."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import segno
from fastapi import Depends, Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from coordinator.api.context import Api, ApiDep, client_of
from coordinator.api.door import acts, doors, own_form
from coordinator.api.signin import page, sorry
from coordinator.signin.local import REQUEST_SECONDS, LocalProvider
from trustquery.errors import TrustQueryError
from trustquery.web import Fields, Form

__all__ = ["router"]

COOKIE = "__Host-tq-local"
_WRONG = (
    "Name, password or code is not right, or there were too many attempts: then wait 15 minutes. Each code is good once"
)
router = doors(prefix="/local")


def _local(api: ApiDep) -> LocalProvider:
    if api.local is None:
        raise TrustQueryError("auth-way-off", way="a password")
    return api.local


LocalDep = Annotated[LocalProvider, Depends(_local)]


async def _limit(api: Api, request: Request) -> None:
    await api.login_rate.count(client_of(request))


async def _filled(api: Api, request: Request) -> Form:
    """A form that a person filled in on a page of ours: counted before it is read.

    Raises:
        TrustQueryError: ``usage-invalid``, ``auth-form``, ``node-rate``.
    """
    await _limit(api, request)
    return await own_form(request)


@router.get("/.well-known/openid-configuration")
@acts("session.open")
async def published(local: LocalDep) -> dict[str, Any]:
    """What the issuer says about itself."""
    return local.published()


@router.get("/keys")
@acts("session.open")
async def keys(local: LocalDep) -> dict[str, Any]:
    """What its tokens are verified with."""
    return local.keys()


@router.post("/token")
@acts("session.open")
async def token(local: LocalDep, request: Request) -> Response:
    """An ID token, for a code."""
    found = await asyncio.to_thread(local.redeem, await own_form(request))
    return JSONResponse(found, headers={"Cache-Control": "no-store"})


@router.get("/authorize")
@acts("session.open")
async def authorize(local: LocalDep, api: ApiDep, request: Request) -> Response:
    """The form."""
    try:
        await _limit(api, request)
        name, cookie = local.ask(dict(request.query_params))
    except TrustQueryError as error:
        return sorry(error)
    response = page("local_sign_in.html", request=name, fields=Fields())
    response.set_cookie(COOKIE, cookie, REQUEST_SECONDS, path="/", secure=True, httponly=True, samesite="strict")
    return response


@router.post("/authorize")
@acts("session.open")
async def signed_in(local: LocalDep, api: ApiDep, request: Request) -> Response:
    """The form, filled in. Whatever was wrong, the page is the same."""
    try:
        form = await _filled(api, request)
        given = (form.get(name, "") for name in ("user", "password", "code"))
        name = form.get("request", "")
        onward = await asyncio.to_thread(local.answer, name, request.cookies.get(COOKIE, ""), *given)
    except TrustQueryError as error:
        return sorry(error)
    if not onward:
        # The name that was typed is not written back: the page is the same whoever it names.
        fields = Fields({}, {"user": _WRONG})
        return page("local_sign_in.html", 403, request=name, fields=fields)
    response = RedirectResponse(onward, 303, {"Cache-Control": "no-store"})
    response.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="strict")
    return response


@router.get("/setup")
@acts("session.open")
async def setup(local: LocalDep) -> Response:
    """Where somebody chooses a password, with the one-time code that the operator gave them."""
    return page("local_setup.html", fields=Fields())


@router.post("/setup")
@acts("session.open")
async def proposed(local: LocalDep, api: ApiDep, request: Request) -> Response:
    """The secret for the authenticator app."""
    try:
        form = await _filled(api, request)
        found = await asyncio.to_thread(local.propose, form.get("setup", ""), form.get("password", ""))
    except TrustQueryError as error:
        return sorry(error)
    picture = segno.make_qr(found.address).svg_inline(scale=4, border=4, omitsize=True, title="QR code")
    return page("local_setup_code.html", fields=Fields(), setup=form["setup"], found=found, picture=picture)


@router.post("/setup/confirm")
@acts("session.open")
async def confirmed(local: LocalDep, api: ApiDep, request: Request) -> Response:
    """The app works, and the account is ready."""
    try:
        form = await _filled(api, request)
        name = await asyncio.to_thread(local.confirm, form.get("setup", ""), form.get("code", ""))
    except TrustQueryError as error:
        return sorry(error)
    return page("local_setup_done.html", name=name)
