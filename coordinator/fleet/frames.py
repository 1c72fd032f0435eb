"""What the session's rules need of a node's stream, whatever carries it."""

from __future__ import annotations

from typing import Protocol

from coordinator.fleet.peers import Peer
from trustquery.protocol.frames import Frames

__all__ = ["NodeStream"]


class NodeStream(Frames, Protocol):
    """A stream that a node has dialled."""

    @property
    def where(self) -> str:
        """Where it comes from, for the log."""
        ...

    def identity(self) -> Peer:
        """What TLS proved about the other end.

        Raises:
            TrustQueryError: ``auth-certificate``.
        """
        ...

    async def refuse(self, reason: str) -> None:
        """End the stream so that the node notices at once.

        Args:
            reason: an error code, ``replaced`` or ``restart``; the node reads it.
        """
        ...
