"""Which transport to dial next: gRPC first, a WebSocket where gRPC does not pass, and whatever works for as long as it
does.
"""

from __future__ import annotations

from typing import Literal

from trustquery.protocol.frames import Transport

__all__ = ["FAILURES", "RETRY_SECONDS", "Ways"]

FAILURES = 3
"""Failures in a row after which the other transport is tried."""
RETRY_SECONDS = 86_400.0
"""How long a WebSocket is used before gRPC is tried again, seconds; a restart tries it at once."""


class Ways:
    """The choice of one running node.

    Args:
        setting: ``coordinator.transport`` of ``node.toml``.
        fallback: whether the coordinator has a WebSocket.
    """

    def __init__(self, setting: Literal["auto", "grpc", "websocket"], fallback: bool) -> None:
        self._free = setting == "auto" and fallback
        self._failures = 0
        self.current: Transport = "websocket" if setting == "websocket" else "grpc"

    @property
    def fallen_back(self) -> bool:
        """Whether the WebSocket is used because gRPC did not pass."""
        return self._free and self.current == "websocket"

    def worked(self) -> None:
        """A session was greeted."""
        self._failures = 0

    def failed(self, other_opens: bool) -> bool:
        """No session was greeted.

        Args:
            other_opens: whether a connection to the other transport's port opened just now. Where it did not, the
                coordinator or the network is away, and nothing is learned about HTTP/2.

        Returns:
            Whether the transport has changed.
        """
        self._failures = self._failures + 1 if other_opens else 0
        if not self._free or self._failures < FAILURES:
            return False
        self._failures = 0
        self.current = "websocket" if self.current == "grpc" else "grpc"
        return True

    def prefer_grpc(self) -> None:
        """GRPC was seen to pass."""
        if self._free:
            self.current, self._failures = "grpc", 0
