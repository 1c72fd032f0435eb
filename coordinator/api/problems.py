"""Errors as problem documents: ``{"problems": [...]}`` with the catalogue's HTTP status."""

from __future__ import annotations

from typing import cast

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from coordinator.store import StoreAwayError
from trustquery.errors import Problem, TrustQueryError
from trustquery.identity import new_secret

__all__ = ["install", "respond"]

_log = structlog.get_logger()
_MOST = 20


def respond(error: TrustQueryError, status: int | None = None) -> JSONResponse:
    """The response to a refusal; the first problem decides the status."""
    documents = [problem.document() for problem in error.problems[:_MOST]]
    return JSONResponse({"problems": documents}, status or error.problem.entry.http)


async def _refused(_request: Request, error: Exception) -> JSONResponse:
    return respond(cast(TrustQueryError, error))


async def _malformed(_request: Request, error: Exception) -> JSONResponse:
    problems = [
        Problem("usage-invalid", ".".join(str(step) for step in item["loc"])[:200], {"problem": str(item["msg"])})
        for item in cast(RequestValidationError, error).errors()
    ]
    return respond(TrustQueryError.of(problems))


async def _http(_request: Request, error: Exception) -> JSONResponse:
    return respond(
        TrustQueryError("usage-invalid", problem="there is nothing here"), cast(HTTPException, error).status_code
    )


async def _unknown(request: Request, error: Exception) -> JSONResponse:
    incident = new_secret(6).hex()
    _log.error("internal-fault", incident=incident, path=request.url.path, exc_info=error)
    return respond(TrustQueryError("internal-fault", incident=incident))


async def _away(request: Request, error: Exception) -> JSONResponse:
    """A full disk, or a database that is away: whoever asks may ask again, and is told so."""
    _log.error("store-away", path=request.url.path, kind=type(error).__name__)
    return respond(TrustQueryError("config-store-unreachable"))


def install(app: FastAPI) -> None:
    """Handle every exception of every route."""
    app.add_exception_handler(TrustQueryError, _refused)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(StoreAwayError, _away)
    app.add_exception_handler(Exception, _unknown)
