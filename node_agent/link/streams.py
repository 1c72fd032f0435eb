"""What a session needs of its stream, whatever carries it."""

from __future__ import annotations

from typing import Protocol

from trustquery.errors import TrustQueryError
from trustquery.protocol.frames import Frames
from trustquery.protocol.messages import PROTOCOL_VERSION

__all__ = ["REFUSALS", "Stream", "ended", "unreachable"]

REFUSALS: dict[str, dict[str, str]] = {
    "auth-certificate": {},
    "auth-revoked": {"what": "this node's key or certificate"},
    "node-clone-suspected": {"node": "this node"},
    "node-message-invalid": {},
    "node-protocol-version": {"ours": str(PROTOCOL_VERSION), "theirs": "another"},
}
"""Reasons that the coordinator gives itself: whatever carried them passes. With the fields of their texts."""


def unreachable(place: str) -> TrustQueryError:
    """The stream has ended, or never began."""
    return TrustQueryError("node-unreachable", place=place[:80], address="the coordinator")


def ended(reason: str, how: str) -> TrustQueryError:
    """The stream has ended with a reason.

    Args:
        reason: what the peer or the transport said.
        how: which kind of end it was.
    """
    if reason in REFUSALS:
        return TrustQueryError(reason, place="the coordinator refused the session", **REFUSALS[reason])
    return unreachable(f"{how} {reason}".strip())


class Stream(Frames, Protocol):
    """A dialled stream; every method raises ``node-unreachable`` or a ``node-proxy-…`` once it is gone."""

    async def finish(self) -> None:
        """Nothing more will be written."""
        ...

    async def close(self) -> None:
        """Cut it: what still waits in a buffer of the transport does not leave."""
        ...
