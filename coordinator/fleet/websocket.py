"""The WebSocket listener for nodes that HTTP/2 does not reach: the same mutual TLS 1.3, the same session.

Nothing of HTTP is read before TLS has verified a client certificate of the federation's authority.
"""

from __future__ import annotations

import logging
import ssl
from functools import partial
from http import HTTPStatus
from pathlib import Path

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from coordinator.config import Endpoint
from coordinator.fleet.peers import Peer, read_certificate
from coordinator.fleet.server import KEEPALIVE_MS, PING_TIMEOUT_MS
from coordinator.fleet.session import SessionHandler
from trustquery.access import ACTIONS
from trustquery.errors import TrustQueryError
from trustquery.listening.doors import listen
from trustquery.listening.limits import Limits
from trustquery.protocol.frames import REFUSED, SUBPROTOCOL, WEBSOCKET_PATH
from trustquery.wire import MAX_FRAME_BYTES

__all__ = ["ROUTES", "session_context", "start_websocket"]

ROUTES = {WEBSOCKET_PATH: "node.link"}
"""Path to action, as ``coordinator.fleet.server.METHODS``."""
CLOSE_SECONDS = 2.0
# Its own words would name peers and frames.
_quiet = logging.getLogger("websockets.quiet")
_quiet.addHandler(logging.NullHandler())
_quiet.propagate = False


def session_context(certificate: Path, key: Path, authority: Path) -> ssl.SSLContext:
    """Mutual TLS 1.3 that believes the federation's authority alone and speaks nothing but HTTP/1.1."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cafile=authority)
    context.load_cert_chain(certificate, key)
    context.set_alpn_protocols(["http/1.1"])
    return context


class _WebSocketStream:
    """One connection."""

    def __init__(self, connection: ServerConnection) -> None:
        self._connection = connection

    @property
    def where(self) -> str:
        return f"websocket:{self._connection.remote_address}"

    def identity(self) -> Peer:
        tls = self._connection.transport.get_extra_info("ssl_object")
        der = tls.getpeercert(binary_form=True) if tls is not None else None
        if der is None:
            raise TrustQueryError("auth-certificate")
        return read_certificate(ssl.DER_cert_to_PEM_cert(der).encode("ascii"), tls.version())

    async def read(self) -> bytes | None:
        try:
            frame = await self._connection.recv()
        except ConnectionClosed:
            return None
        if not isinstance(frame, bytes):
            raise TrustQueryError("node-message-invalid", place="frame")
        return frame

    async def write(self, frame: bytes) -> None:
        try:
            await self._connection.send(frame)
        except ConnectionClosed as error:
            # It has gone in the middle: an ordinary end, and no fault of this process.
            raise TrustQueryError("node-unreachable", address="the node") from error

    async def refuse(self, reason: str) -> None:
        await self._connection.close(REFUSED, reason)


async def start_websocket(
    handler: SessionHandler, endpoint: Endpoint, tls: ssl.SSLContext, limits: Limits
) -> list[Server]:
    """Listen at every address of the endpoint.

    Raises:
        OSError: the address cannot be bound.
    """
    if any(action not in ACTIONS for action in ROUTES.values()):
        raise TypeError("a path without an action")

    def check(connection: ServerConnection, request: Request) -> Response | None:
        if request.path not in ROUTES or SUBPROTOCOL not in request.headers.get("Sec-WebSocket-Protocol", ""):
            return connection.respond(HTTPStatus.NOT_FOUND, "not found\n")
        return None

    async def session(connection: ServerConnection) -> None:
        await handler.session(_WebSocketStream(connection))

    serving = partial(
        serve,
        session,
        ssl=tls,
        ssl_handshake_timeout=limits.head_seconds,
        ssl_shutdown_timeout=CLOSE_SECONDS,
        process_request=check,
        # A browser says whence it comes; no node does.
        origins=[None],
        subprotocols=[SUBPROTOCOL],  # type: ignore[list-item]
        compression=None,
        open_timeout=limits.head_seconds,
        close_timeout=CLOSE_SECONDS,
        ping_interval=KEEPALIVE_MS / 1_000,
        ping_timeout=PING_TIMEOUT_MS / 1_000,
        max_size=MAX_FRAME_BYTES,
        max_queue=4,
        server_header=None,
        logger=_quiet,
    )
    return [await serving(sock=door) for door in listen(endpoint.host, endpoint.port, limits)]
