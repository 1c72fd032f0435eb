"""The application: routes, limits and errors put together."""

from __future__ import annotations

from fastapi import FastAPI

from coordinator.api import applications, decisions, enrolment, login, problems, profiles, projects, queries
from coordinator.api.context import Api
from coordinator.api.door import check_doors
from coordinator.api.limits import BodyLimit
from trustquery import __version__

__all__ = ["make_app", "routed"]


def routed() -> FastAPI:
    """Every route, without a coordinator behind it. No browser page is served, so no documentation page is either.

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
    for module in (login, applications, decisions, projects, profiles, queries, enrolment):
        app.include_router(module.router)
    check_doors(app)
    return app


def make_app(api: Api) -> FastAPI:
    """The HTTPS API of one coordinator."""
    app = routed()
    app.state.api = api
    problems.install(app)
    app.add_middleware(BodyLimit)
    return app
