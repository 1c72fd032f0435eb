"""The door of pages: a cookie opens it, forms are ours, and a refusal is a page in words.

router = pages("/projects")

@router.get("")
@acts("project.list")
async def projects(page: PageDep) -> Response:
    rows = ...
    return await page.show("projects.html", sheet=Sheet("projects", COLUMNS, rows), rows=rows)

@router.post("/{name}/suspend")
@acts("project.suspend")
async def suspend(name: str, page: PageDep) -> Response:
    await page.asking.check_project(name)
    form = await page.form()
    ...
    return page.done(f"{APP}/projects/{name}", "suspended")
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, cast
from urllib.parse import quote

from fastapi import APIRouter, Depends, Request
from starlette.responses import RedirectResponse, Response

from coordinator.api.context import Api
from coordinator.api.door import Asking, Door, own_form
from coordinator.web.frames import app_frame, passing_frame
from coordinator.web.headers import APP
from coordinator.web.pages import render
from trustquery.errors import TrustQueryError
from trustquery.web import Form, Sheet, form_mark, wanted
from trustquery.web.sheets import CSV, HTML, JSON

__all__ = ["SESSION_COOKIE", "Page", "PageDep", "PageDoor", "pages", "safe_next", "twin"]

SESSION_COOKIE = "__Host-tq-session"
_NEXT = re.compile(rf"{APP}/([A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*)?")
_NEXT_LENGTH = 64
FLASHES: dict[str, str] = {}
"""What pages say after something was done, by the word in ``?done=``: so that no address can put words on a page."""


def safe_next(path: str) -> str:
    """Where to go after signing in: a page of ours, or the first one."""
    return path if len(path) <= _NEXT_LENGTH and _NEXT.fullmatch(path) and ".." not in path else f"{APP}/"


def twin(request: Request, sheet: Callable[[], Sheet]) -> Response | None:
    """The JSON or CSV that was asked for at a page's own address; None where it is the page."""
    kind = wanted(request.headers.get("accept", ""), request.query_params.get("format", ""))
    if kind == "html":
        return None
    made = sheet()
    headers = {"Vary": "Accept"}
    if kind == "json":
        return Response(made.json(), headers=headers, media_type=JSON)
    headers["Content-Disposition"] = f'attachment; filename="{made.name}.csv"'
    return Response(made.csv(), headers=headers, media_type=CSV)


def _wants_words(request: Request) -> bool:
    return "text/html" in request.headers.get("accept", "")


@dataclass(frozen=True)
class Page:
    """One request for a page.

    Attributes:
        asking: who asks; only where the route's action needs a session.
    """

    request: Request

    @property
    def api(self) -> Api:
        """The coordinator."""
        return cast(Api, self.request.app.state.api)

    @property
    def asking(self) -> Asking:
        """Who asks."""
        return cast(Asking, self.request.state.asking)

    async def form(self) -> Form:
        """The fields that were sent. Whose form it is has been checked by the door."""
        return await own_form(self.request)

    async def show(self, template: str, *, status: int = 200, sheet: Sheet | None = None, **values: Any) -> Response:
        """The page, or its twin where that is asked for.

        Args:
            sheet: the rows of a table page, which are its JSON and CSV.
            values: what the template names; ``crumbs`` (links above the heading), ``fields`` (of its form) and
                ``flash`` (what was done) are the layout's.
        """
        if sheet is not None and (found := twin(self.request, lambda: sheet)) is not None:
            return found
        asking = self.asking
        frame = app_frame(
            self.api.base.root.federation,
            self.request.url.path,
            asking.user.name,
            form_mark(asking.token),
            asking.actor,
        )
        flash = FLASHES.get(self.request.query_params.get("done", ""), "")
        body = await asyncio.to_thread(lambda: render(template, frame, **({"flash": flash} | values)))
        return Response(body, status, {"Vary": "Accept, Cookie"}, HTML)

    def done(self, path: str, flash: str = "") -> Response:
        """Go on to a page, after something was done.

        Args:
            flash: a word of ``FLASHES``.

        Raises:
            KeyError: there is no such word.
        """
        if flash:
            FLASHES[flash]
        return RedirectResponse(f"{path}?done={flash}" if flash else path, 303)


PageDep = Annotated[Page, Depends(Page)]


class PageDoor(Door):
    """A door that a browser's session opens too."""

    cookie = SESSION_COOKIE

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The door's handler; what it refuses becomes a page, or the way to sign in."""
        handler = super().get_route_handler()

        async def through(request: Request) -> Response:
            try:
                return await handler(request)
            except TrustQueryError as error:
                if not _wants_words(request):
                    raise
                if error.code == "auth-required":
                    return RedirectResponse(f"{APP}/sign-in?next={quote(safe_next(request.url.path), safe='')}", 303)
                return _refused(request, error)

        return through


def _refused(request: Request, error: TrustQueryError) -> Response:
    api = cast(Api, request.app.state.api)
    federation = api.base.root.federation
    asking = getattr(request.state, "asking", None)
    frame = passing_frame(federation)
    if isinstance(asking, Asking):
        mark = form_mark(asking.token)
        frame = app_frame(federation, request.url.path, asking.user.name, mark, asking.actor)
    problem = error.problem
    status = problem.entry.http
    heading = {404: "Page not found", 403: "You may not do this"}.get(status, "That cannot be done")
    return Response(render("refused.html", frame, heading=heading, problem=problem), status, media_type=HTML)


def pages(prefix: str = "", **options: Any) -> APIRouter:
    """A router of pages, below ``/app``."""
    return APIRouter(prefix=f"{APP}{prefix}", route_class=PageDoor, **options)


def cookie_flags() -> Mapping[str, Any]:
    """How the session's cookie is kept: for this host alone, over TLS, out of scripts' reach.

    Lax, not Strict: somebody who follows a link in a letter is signed in there too. Whatever changes something carries
    the session's mark besides.
    """
    return {"path": "/", "secure": True, "httponly": True, "samesite": "lax"}
