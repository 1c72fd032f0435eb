"""What carries the frames of a session: a stream of whole byte strings in both directions.

gRPC is the first choice, a WebSocket the second, where something between breaks HTTP/2. Frames, numbering, limits and
the checks of who is there are the same on both (ADR 0040).
"""

from __future__ import annotations

from typing import Literal, Protocol

__all__ = ["REFUSED", "SUBPROTOCOL", "WEBSOCKET_PATH", "Frames", "Transport"]

Transport = Literal["grpc", "websocket"]

WEBSOCKET_PATH = "/v1/session"
SUBPROTOCOL = "tq-session-1"
REFUSED = 4000
"""Close code of a WebSocket that the coordinator ends; the reason is an error code, ``replaced`` or ``restart``."""


class Frames(Protocol):
    """One end of a session's stream."""

    async def read(self) -> bytes | None:
        """The next frame; None when the peer has said all."""
        ...

    async def write(self, frame: bytes) -> None:
        """Put a frame on the stream; waits while the peer does not read."""
        ...
