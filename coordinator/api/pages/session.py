"""Signing in and out with a browser alone, and the first page after it.

The browser that begins keeps a secret in a cookie, and the sign-in ends only where that cookie is: nobody can be signed
in to somebody else's account by a link. The session's token is new at every sign-in.
"""

from __future__ import annotations

import asyncio
import re

from fastapi import Request
from starlette.responses import RedirectResponse, Response

from coordinator.api.context import ApiDep, client_of, token_hash
from coordinator.api.door import acts, own_form
from coordinator.api.pages.door import SESSION_COOKIE, PageDep, cookie_flags, pages, safe_next
from coordinator.api.sessions import open_session
from coordinator.api.signin import page as passing
from coordinator.api.signin import sorry
from coordinator.signin.desk import CLIENT_CODE, FLOW_SECONDS, s256
from coordinator.web.headers import APP
from trustquery.access import Resource
from trustquery.errors import TrustQueryError
from trustquery.identity import new_secret

__all__ = ["router"]

VISIT_COOKIE = "__Host-tq-visit"
_CODE = re.compile(r"[0-9a-f]{64}")
router = pages()


@router.get("/sign-in")
@acts("session.open")
async def sign_in(api: ApiDep, request: Request) -> Response:
    """The page with the button."""
    titles = [(name, title) for name, title in api.signin.providers()]
    return passing("sign_in.html", providers=titles, next=safe_next(request.query_params.get("next", "")))


@router.post("/sign-in")
@acts("session.open")
async def begin(api: ApiDep, request: Request) -> Response:
    """Begin, and send the browser to its provider."""
    try:
        await api.login_rate.count(client_of(request))
        form = await own_form(request)
        visit, onward = new_secret(32).hex(), safe_next(form.get("next", ""))
        strong = form.get("strong") == "yes"
        address, _ = await asyncio.to_thread(
            api.signin.begin, form.get("provider", ""), s256(visit), 0, onward, strong=strong
        )
    except TrustQueryError as error:
        return sorry(error, again=f"{APP}/sign-in")
    # Not a redirect: form-action 'self' would hold for the provider's address too, where this one leads.
    response = passing("signin_going.html", onward=address)
    response.set_cookie(VISIT_COOKIE, visit, FLOW_SECONDS, **cookie_flags())
    return response


@router.get("/arrive")
@acts("session.open")
async def arrive(api: ApiDep, request: Request) -> Response:
    """The browser is back from its provider, and has its session."""
    code, visit = request.query_params.get("code", ""), request.cookies.get(VISIT_COOKIE, "")
    try:
        await api.login_rate.count(client_of(request))
        if not _CODE.fullmatch(code) or not _CODE.fullmatch(visit):
            raise TrustQueryError("auth-failed")
        found = await asyncio.to_thread(api.signin.redeem, code, visit)
        session = await asyncio.to_thread(open_session, api, found.user, found.level, found.auth_time, CLIENT_CODE)
        # The session that this browser had ends: nobody is signed in twice in one browser.
        if old := request.cookies.get(SESSION_COOKIE, ""):
            await asyncio.to_thread(api.base.store.sessions.close, token_hash(old))
    except TrustQueryError as error:
        return sorry(error, again=f"{APP}/sign-in")
    response = RedirectResponse(safe_next(request.query_params.get("state", "")), 303)
    seconds = session["expires"] - api.queries.clock()
    response.set_cookie(SESSION_COOKIE, session["token"], seconds, **cookie_flags())
    response.delete_cookie(VISIT_COOKIE, **cookie_flags())
    return response


@router.post("/sign-out")
@acts("session.close")
async def sign_out(page: PageDep) -> Response:
    """End this session; the browser forgets what it kept of it."""
    await asyncio.to_thread(page.api.base.store.sessions.close, token_hash(page.asking.token))
    response = RedirectResponse(f"{APP}/signed-out", 303)
    response.delete_cookie(SESSION_COOKIE, **cookie_flags())
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
    return response


@router.get("/signed-out")
@acts("session.open")
async def signed_out() -> Response:
    """What is left to say."""
    return passing("signed_out.html")


@router.get("/")
@acts("session.read")
async def account(page: PageDep) -> Response:
    """Who one is here, what one may be, and when the session ends."""
    asking, sessions = page.asking, page.api.base.settings.sessions
    await asking.check(Resource())
    held = sorted({(item.role.value, item.over) for item in asking.actor.held})
    return await page.show(
        "account.html",
        user=asking.user.name,
        held=held,
        session=asking.session,
        idle=sessions.idle_minutes,
        strong=asking.session.strong(page.api.queries.clock(), sessions.strong_seconds),
    )
