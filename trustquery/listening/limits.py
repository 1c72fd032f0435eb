"""The settings of a listener that everybody can reach."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Limits"]


class Limits(BaseModel):
    """What is held for peers that nobody has authenticated, for each listener.

    Attributes:
        connections: open at once; one more is closed unread.
        connections_per_source: open at once from one IPv4 address or one IPv6 network of 64 bits.
        head_seconds: for TLS; then again, from there or from an answer, to the last byte of the next request's head.
        body_seconds: from there to the last byte of its body; also how long a peer may read nothing of its answer.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    connections: int = Field(default=1_000, ge=10, le=100_000)
    connections_per_source: int = Field(default=100, ge=1, le=100_000)
    head_seconds: int = Field(default=10, ge=1, le=60)
    body_seconds: int = Field(default=60, ge=1, le=600)
