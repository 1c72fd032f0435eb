"""The coordinator's log as pages for everybody: entries in words, each with its proof, and how to check it oneself."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import Path, Request
from starlette.responses import Response

from coordinator.api.door import acts, doors
from coordinator.api.publishing import PublicDep, encode, page_number, reply, show
from coordinator.transparency.log_pages import LOG_FIELDS, Head, read_entry, read_head, read_log, script
from trustquery.errors import TrustQueryError
from trustquery.outputs.sheets import write_sheet
from trustquery.web import Link

__all__ = ["router"]

router = doors(prefix="/public/log")
_BYTES = "application/octet-stream"
# Read here and not by the framework: what is no number is a page that is not there.
Number = Annotated[str, Path(max_length=12)]


def _seq(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise TrustQueryError("usage-not-here")
    return int(text)


@router.get("")
@acts("public.read")
async def log(request: Request, public: PublicDep) -> Response:
    """The head, who has cosigned it, and the entries, newest first."""

    def make() -> dict[str, Any]:
        head = read_head(public.base)
        page = read_log(public.base, head.size, page_number(request))

        def link(words: str, number: int) -> Link | None:
            return Link(words, f"/public/log?page={number}") if 1 <= number <= page.pages else None

        return {
            "head": head,
            "page": page,
            "newer": link("Newer entries", page.number - 1),
            "older": link("Older entries", page.number + 1),
        }

    def rows(head: Head) -> list[dict[str, Any]]:
        found = read_log(public.base, head.size, page_number(request))
        return [{name: getattr(entry, name) for name in LOG_FIELDS} for entry in found.entries]

    def document() -> dict[str, Any]:
        # One head for both: another may be shown a moment later.
        head = read_head(public.base)
        return {"head": head.note.decode(), "entries": rows(head)}

    twins = {
        "json": lambda: encode(document()),
        "csv": lambda: write_sheet(LOG_FIELDS, rows(read_head(public.base))).encode(),
    }
    return await show(request, public, "public/log.html", make, twins)


@router.get("/verify")
@acts("public.read")
async def verify(request: Request, public: PublicDep) -> Response:
    """How anybody checks the log."""

    def make() -> dict[str, Any]:
        return {"head": read_head(public.base), "address": public.home}

    return await show(request, public, "public/verify.html", make)


@router.get("/verify_log.py")
@acts("public.read")
async def verify_log(request: Request) -> Response:
    """The file to check it with."""
    return reply(request, await asyncio.to_thread(script), "text/x-python; charset=utf-8", name="verify_log.py")


@router.get("/entries/{seq}")
@acts("public.read")
async def entry(seq: Number, request: Request, public: PublicDep) -> Response:
    """One entry in words, and the proof that it stands in the log."""
    twins = {"json": lambda: read_entry(public.base, _seq(seq)).payload}
    return await show(request, public, "public/entry.html", lambda: {"one": read_entry(public.base, _seq(seq))}, twins)


@router.get("/entries/{seq}/entry.json")
@acts("public.read")
async def entry_bytes(seq: Number, request: Request, public: PublicDep) -> Response:
    """The entry's very bytes."""
    found = await asyncio.to_thread(read_entry, public.base, _seq(seq))
    return reply(request, found.payload, "application/json", name=f"{found.entry.seq}.json")


@router.get("/entries/{seq}/entry.tlog-proof")
@acts("public.read")
async def entry_proof(seq: Number, request: Request, public: PublicDep) -> Response:
    """The proof that it stands in the log, as a file."""
    found = await asyncio.to_thread(read_entry, public.base, _seq(seq))
    return reply(request, found.proof, _BYTES, name=f"{found.entry.seq}.tlog-proof")
