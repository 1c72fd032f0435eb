"""The application: routes, limits and errors put together."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.types import ASGIApp

from coordinator.api import applications, decisions, enrolment, login, problems, profiles, projects, queries
from coordinator.api.context import Api
from coordinator.api.limits import BodyLimit
from trustquery import __version__

__all__ = ["make_app"]


def make_app(api: Api) -> ASGIApp:
    """The HTTPS API of one coordinator. No browser page is served, so no documentation page is either."""
    app = FastAPI(title="TrustQuery coordinator", version=__version__, docs_url=None, redoc_url=None)
    app.state.api = api
    problems.install(app)
    for module in (login, applications, decisions, projects, profiles, queries, enrolment):
        app.include_router(module.router)
    app.add_middleware(BodyLimit)
    return app
