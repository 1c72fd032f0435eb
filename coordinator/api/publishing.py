"""How the public's pages and files are answered: cheap to cache, a page in words where something cannot be shown."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import PurePath
from types import MappingProxyType
from typing import Annotated, Any, cast

from fastapi import Depends, Request
from starlette.responses import Response

from coordinator.transparency.public import Public
from coordinator.web.frames import public_frame
from coordinator.web.pages import render
from trustquery.errors import TrustQueryError
from trustquery.web import wanted
from trustquery.web.sheets import CSV, HTML

__all__ = ["ZIP", "PublicDep", "data", "encode", "page_number", "reply", "show", "table"]

CACHE_SECONDS = 60
ZIP = "application/zip"


def _public(request: Request) -> Public:
    return cast(Public, request.app.state.public)


PublicDep = Annotated[Public, Depends(_public)]


def encode(document: Any) -> bytes:
    """A document as a file that people can read."""
    return (json.dumps(document, ensure_ascii=False, indent=1) + "\n").encode()


def reply(request: Request, body: bytes, kind: str, *, name: str = "") -> Response:
    """A body that may be kept for a minute, and that is not sent again to who has it."""
    headers = {
        "Cache-Control": f"public, max-age={CACHE_SECONDS}",
        "ETag": f'"{hashlib.sha256(body).hexdigest()}"',
        "Vary": "Accept",
    }
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    if name:
        headers["Content-Disposition"] = f'attachment; filename="{name}"'
    if kind == ZIP:
        headers["Link"] = '<https://w3id.org/ro/crate>; rel="profile"'
    return Response(body, media_type=kind, headers=headers)


async def show(
    request: Request,
    public: Public,
    template: str,
    make: Callable[[], dict[str, Any]],
    twins: Mapping[str, Callable[[], bytes]] = MappingProxyType({}),
) -> Response:
    """A page, or its twin where that is asked for; what cannot be shown is a page too, in words.

    Args:
        make: what the template names.
        twins: the same as ``json`` and ``csv``.
    """
    kind = wanted(request.headers.get("accept", ""), request.query_params.get("format", ""))
    if kind in twins:
        body = await asyncio.to_thread(twins[kind])
        return reply(
            request, body, CSV if kind == "csv" else "application/json", name=f"{PurePath(template).stem}.{kind}"
        )
    frame = public_frame(public.federation, request.url.path)
    try:
        return reply(request, (await asyncio.to_thread(lambda: render(template, frame, **make()))).encode(), HTML)
    except TrustQueryError as error:
        heading = "Page not found" if error.problem.entry.http == 404 else "That cannot be shown"
        body_text = render("refused.html", frame, heading=heading, problem=error.problem)
        return Response(body_text, status_code=error.problem.entry.http, media_type=HTML)


async def data(request: Request, make: Callable[[], Any], *, name: str = "") -> Response:
    """A document."""
    return reply(request, await asyncio.to_thread(lambda: encode(make())), "application/json", name=name)


async def table(request: Request, make: Callable[[], str], *, name: str) -> Response:
    """A table, as CSV."""
    return reply(request, (await asyncio.to_thread(make)).encode(), CSV, name=name)


def page_number(request: Request) -> int | None:
    """The page of rows that stands in the address; None where none does.

    Raises:
        TrustQueryError: ``usage-invalid``.
    """
    text = request.query_params.get("page", "")
    if text and not (text.isascii() and text.isdigit() and len(text) <= 6):
        raise TrustQueryError("usage-invalid", place="page", problem="a page is a number from 1")
    return int(text) if text else None
