"""The application: routes, limits and errors put together."""

from __future__ import annotations

from fastapi import FastAPI

from coordinator.api import (
    applications,
    audit,
    decisions,
    enrolment,
    inputs,
    local_provider,
    login,
    nodes,
    problems,
    profiles,
    projects,
    public,
    public_log,
    queries,
    releases,
    reviews,
    signin,
    statements,
)
from coordinator.api.context import Api
from coordinator.api.door import check_doors
from coordinator.api.limits import BodyLimit
from coordinator.api.pages import session, static
from coordinator.transparency.public import Public
from coordinator.web.headers import BY_PREFIX
from trustquery import __version__
from trustquery.web import Headers

__all__ = ["make_app", "routed"]


def routed() -> FastAPI:
    """Every route, without a coordinator behind it. No documentation page is served.

    Raises:
        TypeError: a route declares no action.
    """
    app = FastAPI(
        title="TrustQuery coordinator",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        # A redirect to the path without its slash would be an answer that nobody was let in for.
        redirect_slashes=False,
    )
    people = (login, signin, local_provider)
    pages = (static, session)
    work = (applications, decisions, projects, profiles, queries, releases, reviews, inputs)
    for module in (*people, *work, enrolment, nodes, statements, audit, public_log, *pages, public):
        app.include_router(module.router)
    check_doors(app)
    return app


def make_app(api: Api, *, keep_seconds: float = 5.0) -> FastAPI:
    """The HTTPS API of one coordinator, and the public's pages.

    Args:
        keep_seconds: how old what the public reads may be.
    """
    app = routed()
    app.state.api = api
    app.state.public = Public(api.base, api.queries.clock, keep_seconds=keep_seconds)
    problems.install(app)
    app.add_middleware(BodyLimit)
    app.add_middleware(Headers, by_prefix=BY_PREFIX)
    return app
