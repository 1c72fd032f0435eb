"""HTTP/1.1 that waits so long for a request, and no longer: slow heads, slow bodies and unread answers end.

uvicorn bounds a connection only after its first answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import socket
from collections.abc import Iterator
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from trustquery.listening.doors import BACKLOG, listen
from trustquery.listening.limits import Limits

__all__ = ["PatientHttp", "PatientServer", "QuietServer"]

_LOOK_SECONDS = 1.0
_GOODBYE_SECONDS = 2.0
"""How long a peer may take to end TLS in good order."""


class PatientHttp(H11Protocol):
    """One connection."""

    limits = Limits()
    _since = 0.0
    _doing: tuple[str, int, object] = ("", 0, None)
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """TLS is up."""
        super().connection_made(transport)
        self._doing, self._since = self._now_doing(), self.loop.time()
        self._timer = self.loop.call_later(_LOOK_SECONDS, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        """It has ended."""
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)

    def _now_doing(self) -> tuple[str, int, object]:
        # A request has a cycle of its own, by which ten short ones are told from one that lasts.
        if self.flow.write_paused:
            # Whoever reads some of it, however slowly, may go on.
            return "unread", self.transport.get_write_buffer_size(), self.cycle
        if self.conn.their_state is h11.SEND_BODY:
            return "body", 0, self.cycle
        return "head" if self.conn.their_state is h11.IDLE else "", 0, self.cycle

    def _look(self) -> None:
        doing, now = self._now_doing(), self.loop.time()
        if doing[:2] != self._doing[:2] or doing[2] is not self._doing[2]:
            self._doing, self._since = doing, now
        patience = {"head": self.limits.head_seconds, "": math.inf}.get(doing[0], self.limits.body_seconds)
        if now - self._since >= patience:
            # Not closed in good order: whoever does not read would hold that up as well.
            self.transport.abort()
            return
        self._timer = self.loop.call_later(_LOOK_SECONDS, self._look)


class PatientServer(uvicorn.Server):
    """uvicorn behind a counted door, with a time for TLS.

    Args:
        host, port: where it listens.
        limits: of connections and of waits.
        options: as ``uvicorn.Config`` takes them.
    """

    def __init__(self, app: Any, host: str, port: int, limits: Limits, **options: Any) -> None:
        # Never "too busy" for who was let in: a crowd is turned away at the door, where it is known whose it is.
        super().__init__(uvicorn.Config(app, http=PatientHttp, limit_concurrency=limits.connections + 1, **options))
        self._where, self._limits = (host, port), limits

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen.

        Raises:
            OSError: the address cannot be bound.
        """
        await self.lifespan.startup()
        loop = asyncio.get_running_loop()

        def connection() -> PatientHttp:
            made = PatientHttp(self.config, self.server_state, self.lifespan.state, loop)
            made.limits = self._limits
            return made

        tls = self.config.ssl
        self.servers = []
        for door in sockets or listen(*self._where, self._limits):
            self.servers.append(
                await loop.create_server(
                    connection,
                    sock=door,
                    ssl=tls,
                    backlog=BACKLOG,
                    ssl_handshake_timeout=self._limits.head_seconds if tls is not None else None,
                    ssl_shutdown_timeout=_GOODBYE_SECONDS if tls is not None else None,
                )
            )
        self.started = True


class QuietServer(PatientServer):
    """The same without its own signal handlers: one place decides when to stop."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield
