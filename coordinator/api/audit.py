"""The coordinator's log for everybody: C2SP checkpoint and tiles, read-only, cheap to cache."""

from __future__ import annotations

import asyncio
from typing import Annotated, cast

from fastapi import Depends, Request
from starlette.responses import Response

from coordinator.api.context import Api
from coordinator.api.door import acts, doors
from coordinator.transparency.audit_log import AuditLog
from trustquery.errors import TrustQueryError

__all__ = ["router"]

_TEXT = "text/plain; charset=utf-8"
_FOR_EVER = "public, max-age=31536000, immutable"

router = doors(prefix="/public/log")


def _log(request: Request) -> AuditLog:
    return cast(Api, request.app.state.api).base.audit_log


LogDep = Annotated[AuditLog, Depends(_log)]


@router.get("/checkpoint")
@acts("public.read")
async def checkpoint(log: LogDep) -> Response:
    """The signed head."""
    note = await asyncio.to_thread(log.shown)
    return Response(note, media_type=_TEXT, headers={"Cache-Control": "public, max-age=2"})


@router.get("/key")
@acts("public.read")
async def key(log: LogDep) -> Response:
    """What heads are verified with. Whoever does not trust this coordinator takes it from the roster instead."""
    return Response(f"{log.verifier_key.text}\n", media_type=_TEXT)


@router.get("/tile/{path:path}")
@acts("public.read")
async def tile(path: str, log: LogDep) -> Response:
    """Hashes, or entries."""
    body = await asyncio.to_thread(log.file, path)
    if body is None:
        raise TrustQueryError("usage-not-here")
    return Response(body, media_type="application/octet-stream", headers={"Cache-Control": _FOR_EVER})
