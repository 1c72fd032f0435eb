"""The application: routes, limits and errors put together."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.types import ASGIApp

from coordinator.api import enrolment, login, problems, profiles, projects, public, queries, releases
from coordinator.api.context import Api
from coordinator.api.limits import BodyLimit
from coordinator.transparency.public import Public
from coordinator.web.headers import PublicHeaders
from trustquery import __version__

__all__ = ["make_app"]


def make_app(api: Api, *, keep_seconds: float = 5.0) -> ASGIApp:
    """The HTTPS API of one coordinator, and the public's pages. No documentation page is served.

    Args:
        keep_seconds: how old what the public reads may be.
    """
    app = FastAPI(title="TrustQuery coordinator", version=__version__, docs_url=None, redoc_url=None)
    app.state.api = api
    app.state.public = Public(api.base, api.queries.clock, keep_seconds=keep_seconds)
    problems.install(app)
    for module in (login, projects, profiles, queries, releases, enrolment, public):
        app.include_router(module.router)
    app.add_middleware(BodyLimit)
    app.add_middleware(PublicHeaders)
    return app
