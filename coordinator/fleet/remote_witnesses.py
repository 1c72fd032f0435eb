"""Stand-alone witnesses as the coordinator reaches them: C2SP ``add-checkpoint`` over HTTPS, for its log and nodes'."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass

import httpx
import structlog

from coordinator.config import Home, LogSettings
from coordinator.signin.fetching import trusting
from trustquery.errors import TrustQueryError
from trustquery.log import VerifierKey
from trustquery.log.submission import KEPT_HEADER, SIZE_TYPE, write_submission

__all__ = ["Remote", "Reply", "remotes"]

SECONDS = 5.0
_MOST_REPLY = 8_192
_PASSED_ON = frozenset({"witness-fork", "witness-inconsistent", "witness-unknown-log", "witness-signature"})
_log = structlog.get_logger()


@dataclass(frozen=True)
class Reply:
    """What a witness said.

    Attributes:
        line: its signature line, b"" without one.
        code: why there is none.
        size: of the head that it says it signed last; None where it does not say.
        kept: that head as its log signed it, where the witness shows it; nothing of it is checked here.
    """

    line: bytes = b""
    code: str = ""
    size: int | None = None
    kept: bytes = b""


@dataclass(frozen=True)
class Remote:
    """A stand-alone witness: its key, where it is, and how it is reached."""

    key: VerifierKey
    url: str
    transport: httpx.AsyncBaseTransport

    async def add(self, old: int, proof: Sequence[bytes], note: bytes) -> Reply:
        """Show it a head; never raises for what it answers, nor for its being away."""
        body = write_submission(old, proof, note)
        try:
            async with asyncio.timeout(SECONDS), httpx.AsyncClient(transport=_Kept(self.transport)) as client:
                found = await client.post(f"{self.url}/add-checkpoint", content=body)
        except (httpx.HTTPError, TimeoutError):
            _log.warning("cosigner-away", witness=self.key.name)
            return Reply(code="node-unreachable")
        content = found.content[:_MOST_REPLY]
        if found.status_code == 200:
            return Reply(line=content)
        _log.warning("cosignature-refused", witness=self.key.name, status=found.status_code)
        text = content.decode("ascii", errors="replace").strip()
        kept = _kept(found.headers.get(KEPT_HEADER, ""))
        if found.status_code == 409 and found.headers.get("content-type", "").startswith(SIZE_TYPE):
            size = int(text) if text.isdigit() and len(text) < 19 else None
            return Reply(code="witness-conflict", size=size, kept=kept)
        return Reply(code=text if text in _PASSED_ON else "witness-request", kept=kept)


def _kept(text: str) -> bytes:
    try:
        return base64.b64decode(text[:_MOST_REPLY], validate=True)
    except (binascii.Error, ValueError):
        return b""


def remotes(home: Home, settings: LogSettings) -> tuple[Remote, ...]:
    """The witnesses that the settings name.

    Raises:
        TrustQueryError: ``log-key``, ``config-missing``.
    """
    found = []
    for item in settings.witness:
        path = home.path / item.authority.removeprefix("file:")
        try:
            authority = path.read_text(encoding="utf-8") if item.authority else ""
        except OSError as error:
            raise TrustQueryError("config-missing", path=path, instead="put the certificates there") from error
        key = VerifierKey.read(item.key)
        if not key.witness:
            raise TrustQueryError("log-key")
        found.append(Remote(key, item.url.rstrip("/"), httpx.AsyncHTTPTransport(verify=trusting(authority))))
    return tuple(found)


class _Kept(httpx.AsyncBaseTransport):
    """A transport that outlives the client that uses it."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Pass a request on."""
        return await self._inner.handle_async_request(request)
