"""C2SP tlog-witness over HTTP: one call that signs, and two that show."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable

import structlog
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from trustquery.errors import TrustQueryError
from trustquery.log import Checkpoint, Conflict, Fork, VerifierKey, Witness
from trustquery.log.submission import KEPT_HEADER, MOST_BYTES, SIZE_TYPE, read_submission
from witness.store import SqliteHeads

__all__ = ["make_app"]

_log = structlog.get_logger()
_BODY_SECONDS = 10


def make_app(witness: Witness, key: VerifierKey, heads: SqliteHeads, clock: Callable[[], int]) -> Starlette:
    """The application.

    Args:
        key: the witness's own, shown to whoever asks.
        clock: whole seconds since 1970 UTC.
    """

    async def add(request: Request) -> Response:
        try:
            async with asyncio.timeout(_BODY_SECONDS):
                body = await _body(request)
            old, proof, note = read_submission(body)
            line = await asyncio.to_thread(witness.add, old, proof, note, clock())
        except TimeoutError:
            return Response(status_code=408)
        except TrustQueryError as error:
            return _refused(error)
        except Exception:
            _log.exception("witness failed")
            return Response(status_code=500)
        head = Checkpoint.read(note)
        _log.info("signed", origin=head.origin, size=head.size)
        return Response(line, media_type="text/plain; charset=utf-8")

    async def show_key(_request: Request) -> Response:
        return PlainTextResponse(f"{key.text}\n")

    async def show_forks(_request: Request) -> Response:
        """Both heads of every log that showed two: proof for everybody."""
        found = await asyncio.to_thread(heads.forks)
        return Response(b"\n".join(ours + b"\n" + theirs for _, ours, theirs in found), media_type="text/plain")

    return Starlette(
        routes=[
            Route("/add-checkpoint", add, methods=["POST"]),
            Route("/key", show_key, methods=["GET"]),
            Route("/forks", show_forks, methods=["GET"]),
        ]
    )


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BYTES:
            raise TrustQueryError("witness-request", problem="it is too long")
    return bytes(body)


def _refused(error: TrustQueryError) -> Response:
    _log.warning("refused", code=error.code, **{name: str(text)[:200] for name, text in error.problem.fields.items()})
    if isinstance(error, Conflict):
        return Response(f"{error.size}\n", status_code=409, headers=_shown(error.kept), media_type=SIZE_TYPE)
    if isinstance(error, Fork):
        status = 409 if error.proven else 422
        return PlainTextResponse(f"{error.code}\n", status_code=status, headers=_shown(error.ours))
    status = 400 if error.code == "auth-document" else error.problem.entry.http
    return PlainTextResponse(f"{error.code}\n", status_code=status)


def _shown(kept: bytes | None) -> dict[str, str]:
    return {KEPT_HEADER: base64.b64encode(kept).decode()} if kept else {}
