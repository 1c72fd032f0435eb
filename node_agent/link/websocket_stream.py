"""A session's stream over a WebSocket (HTTP/1.1), where HTTP/2 does not pass: same TLS, same frames, same limits."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from node_agent.config import LinkConfig
from node_agent.enrolment.startup import Startup
from node_agent.link.streams import ended, unreachable
from node_agent.link.tls import session_context
from node_agent.network import DIRECT, Network, aside, dial
from node_agent.network.cutting import SEND_BUFFER_BYTES, cut
from trustquery.protocol.frames import SUBPROTOCOL, WEBSOCKET_PATH
from trustquery.settings import split_address
from trustquery.wire import MAX_FRAME_BYTES

__all__ = ["WebSocketStream", "websocket_address"]

OPEN_SECONDS = 8.0


def websocket_address(startup: Startup, config: LinkConfig) -> str:
    """host:port of the coordinator's WebSocket; "" where it has none."""
    mine = "" if startup.coordinator.grpc_address in config.also else config.websocket
    return mine or startup.coordinator.websocket_address


class WebSocketStream:
    """One connection."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection

    @classmethod
    async def dial(cls, startup: Startup, config: LinkConfig, network: Network = DIRECT) -> WebSocketStream:
        """Connect and upgrade.

        Raises:
            TrustQueryError: ``node-unreachable``, ``node-proxy-…``.
        """
        address = websocket_address(startup, config)
        if not address:
            raise unreachable("the coordinator has no WebSocket")
        host, _ = split_address(address)
        opening = aside(lambda: dial(address, network.proxy_for(address), OPEN_SECONDS), socket.socket.close)
        try:
            connection = await asyncio.wait_for(asyncio.wrap_future(opening), OPEN_SECONDS)
        except TimeoutError as error:
            raise unreachable("the name lookup") from error
        connection.setblocking(False)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        try:
            return cls(
                await connect(
                    f"wss://{address}{WEBSOCKET_PATH}",
                    sock=connection,
                    ssl=session_context(startup, "http/1.1"),
                    server_hostname=host,
                    proxy=None,
                    subprotocols=[SUBPROTOCOL],  # type: ignore[list-item]
                    compression=None,
                    open_timeout=OPEN_SECONDS,
                    ping_interval=config.keepalive_ms / 1_000,
                    ping_timeout=config.ping_timeout_ms / 1_000,
                    close_timeout=2,
                    max_size=MAX_FRAME_BYTES,
                    max_queue=4,
                    user_agent_header=None,
                )
            )
        except (OSError, TimeoutError, WebSocketException) as error:
            connection.close()
            raise unreachable(f"websocket {type(error).__name__}") from error

    async def read(self) -> bytes | None:
        """The next frame."""
        with self._said():
            frame = await self._connection.recv()
        if not isinstance(frame, bytes):
            raise unreachable("a text where a frame belongs")
        return frame

    async def write(self, frame: bytes) -> None:
        """Put a frame on the stream."""
        with self._said():
            await self._connection.send(frame)

    async def finish(self) -> None:
        """Close it in good order."""
        await self._connection.close()

    async def close(self) -> None:
        """Cut it."""
        cut(self._connection.transport)
        with contextlib.suppress(OSError):
            await self._connection.wait_closed()

    @contextmanager
    def _said(self) -> Iterator[None]:
        try:
            yield
        except ConnectionClosed as error:
            said = error.rcvd.reason if error.rcvd is not None else ""
            raise ended(said, "websocket closed") from error
