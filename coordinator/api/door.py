"""The one door: every route names its action, and answers nobody before it has been asked whether they may.

    router = doors("/v1/projects")

    @router.get("/{name}")
    @acts("project.read")
    async def project(name: str, asking: AskingDep) -> ...:
        await asking.check(Resource(project=name), TrustQueryError("project-unknown", project=name))

A route without a declared action cannot be built. One that answers without having asked answers 500 instead.
"""

from __future__ import annotations

import asyncio
import hmac
import json
from collections.abc import Callable, Coroutine, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, Any, TypeVar, cast

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

from coordinator.access import actor_of, project_resource
from coordinator.api.context import Api, token_hash
from coordinator.store import LiveSession, User
from trustquery.access import ACTIONS, Action, Actor, Resource, check, may
from trustquery.errors import TrustQueryError
from trustquery.identity.strict_json import read_json
from trustquery.web import Form, foreign, form_mark, read_form
from trustquery.web.forms import MARK

__all__ = ["Asking", "AskingDep", "Door", "acts", "check_doors", "doors", "endpoints", "own_form"]

_MARK = "__trustquery_action__"
_READS = ("GET", "HEAD")
Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])


def acts(action: str) -> Callable[[Endpoint], Endpoint]:
    """Say which action of ``trustquery.access.ACTIONS`` a route is.

    Raises:
        KeyError: there is no such action.
    """
    known = ACTIONS[action]

    def marked(endpoint: Endpoint) -> Endpoint:
        setattr(endpoint, _MARK, known)
        return endpoint

    return marked


@dataclass
class Asking:
    """Who asks, for one request.

    Attributes:
        token: of the session, as it was sent.
        asked: actions that were asked about and allowed.
        denied: whether the route's action was refused.
    """

    api: Api
    action: Action
    token: str
    session: LiveSession
    actor: Actor
    asked: set[str] = field(default_factory=set)
    denied: bool = False

    async def again(self) -> None:
        """Read the session and the rights anew: what was taken away in a long wait is gone after it.

        Raises:
            TrustQueryError: ``auth-required``.
        """
        self.session, self.actor = await asyncio.to_thread(_identify, self.api, self.token)

    async def note_refusal(self) -> None:
        """Count that the route's action was refused, where it was. A refused question says so by itself."""
        if self.denied and self.action.name != "query.submit":
            tallies = self.api.base.store.tallies
            await asyncio.to_thread(tallies.refused, self.actor.person, self.action.name, self.api.queries.clock())

    @property
    def user(self) -> User:
        """Whose session it is."""
        return self.session.user

    def reads(self, resource: Resource, action: str) -> bool:
        """Whether the asker may do an action, for lists of what they may read."""
        return may(self.actor, action, resource).allowed

    async def check(self, resource: Resource, absent: TrustQueryError | None = None) -> None:
        """Refuse unless the asker may do the route's action on this resource.

        Ask before the resource is looked up wherever its name alone decides, so that refusing takes the same time
        whether it exists or not.

        Args:
            absent: what is said where the asker may not know that it exists: the same error as for what does not.

        Raises:
            TrustQueryError: ``absent``, or ``auth-not-permitted`` with the reason; ``auth-strong``: the action needs
                a recent strong sign-in.
        """
        self.denied = True
        reading = self.action.reading
        if reading and not may(self.actor, reading, resource).allowed:
            raise absent or TrustQueryError("project-unknown", project=resource.project[:64])
        check(self.actor, self.action.name, resource)
        self.denied = False
        seconds = self.api.base.settings.sessions.strong_seconds
        # After the question of rights: who may not do it anyway is not sent to fetch a smartcard.
        if self.action.strong and not self.session.strong(self.api.queries.clock(), seconds):
            raise TrustQueryError("auth-strong", action=self.action.name, minutes=seconds // 60)
        self.asked.add(self.action.name)

    async def check_project(self, name: str) -> None:
        """``check`` for a project by name, or its application: first whether it may be known, then who has a part.

        Raises:
            TrustQueryError: ``project-unknown``, ``auth-not-permitted``.
        """
        absent = TrustQueryError("project-unknown", project=name[:64])
        if not may(self.actor, self.action.reading, Resource(project=name)).allowed:
            self.denied = True
            raise absent
        roster = self.api.base.rosters.found()
        resource = await asyncio.to_thread(project_resource, self.api.base.store, roster, name)
        await self.check(resource, absent)


def _identify(api: Api, token: str) -> tuple[LiveSession, Actor]:
    now, idle = api.queries.clock(), api.base.settings.sessions.idle_minutes * 60
    session = api.base.store.sessions.find(token_hash(token), now, idle) if token else None
    if session is None or api.base.statements.revokes_key(session.user.public_key):
        raise TrustQueryError("auth-required")
    return session, actor_of(api.base.store, api.base.rosters.found(), session.user, now)


def _bearer(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "")[:200].partition(" ")
    return token if scheme == "Bearer" else ""


class _Strict(Request):
    """A request whose JSON says each thing once, and not more than there is room for."""

    async def json(self) -> Any:
        """Its body.

        Raises:
            JSONDecodeError: it is no JSON, or not of this kind.
        """
        body = await self.body()
        try:
            return read_json(body)
        except json.JSONDecodeError:
            raise
        except ValueError as error:
            raise json.JSONDecodeError(str(error), "", 0) from error


class Door(APIRoute):
    """A route that knows its action: who is not signed in gets no further, and who was not checked gets no answer."""

    cookie = ""
    """A cookie that may bring the session's token where no header does. With it, whatever changes something is a form
    of ours: else any other site could have somebody's browser do it."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        action = getattr(endpoint, _MARK, None)
        if not isinstance(action, Action):
            raise TypeError(f"{path}: the route declares no action: write @acts(…) under its decorator")
        self.action = action
        super().__init__(path, endpoint, **options)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, between the question who it is and the question whether they were asked."""
        handler, action = super().get_route_handler(), self.action

        async def through(received: Request) -> Response:
            request = _Strict(received.scope, received.receive)
            # Anybody, and the holder of a trust's own credentials, whose route looks at them.
            if action.open_to in ("anybody", "code"):
                return await handler(request)
            api, token = cast(Api, request.app.state.api), _bearer(request)
            by_cookie = not token and bool(self.cookie)
            if by_cookie:
                token = request.cookies.get(self.cookie, "")[:200]
            session, actor = await asyncio.to_thread(_identify, api, token)
            asking = request.state.asking = Asking(api, action, token, session, actor)
            try:
                if by_cookie and request.method not in _READS:
                    await own_form(request, form_mark(token))
                if action.open_to:
                    await asking.check(Resource())
                response = await handler(request)
            except TrustQueryError:
                await asking.note_refusal()
                raise
            if response.status_code < 400 and action.name not in asking.asked:
                raise TrustQueryError("internal-fault", incident="answered-without-asking")
            return response

        return through


async def own_form(request: Request, mark: str = "") -> Form:
    """The fields of a form that a page of ours sent.

    Args:
        mark: what the form must carry; "" on the way to a session, where another secret binds the form.

    Raises:
        TrustQueryError: ``auth-form``: another site's page sent it, or an older session's; ``usage-invalid``: it is no
            form.
    """
    api = cast(Api, request.app.state.api)
    if foreign(request.headers, api.base.settings.api.public):
        raise TrustQueryError("auth-form", problem="a page of another site sent it")
    try:
        found = read_form(request.headers.get("content-type", ""), await request.body())
    except ValueError as error:
        raise TrustQueryError("usage-invalid", problem="this is no form") from error
    if mark and not hmac.compare_digest(found.get(MARK, "").encode(), mark.encode()):
        raise TrustQueryError("auth-form", problem="it belongs to another session, or to none")
    return found


doors = partial(APIRouter, route_class=Door)


def _asking(request: Request) -> Asking:
    return cast(Asking, request.state.asking)


AskingDep = Annotated[Asking, Depends(_asking)]


def _leaves(routes: Iterable[BaseRoute]) -> Iterator[BaseRoute]:
    for route in routes:
        inner = getattr(route, "original_router", None)
        if inner is not None:
            yield from _leaves(inner.routes)
        else:
            yield route


def check_doors(app: FastAPI) -> None:
    """Refuse to start with a way in that is not a door.

    Raises:
        TypeError: a route was added in another way.
    """
    for route in _leaves(app.routes):
        if not isinstance(route, Door):
            raise TypeError(f"{route!r} is not a door: make its router with doors()")


def endpoints(app: FastAPI) -> list[tuple[str, str, str]]:
    """Method, path and action of every route, in order."""
    return [
        (method, route.path, route.action.name)
        for route in _leaves(app.routes)
        if isinstance(route, Door)
        for method in sorted(route.methods or ())
    ]
