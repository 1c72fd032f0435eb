"""Where the coordinator is: one address, or one for each of its replicas, tried in turn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from node_agent.config import LinkConfig
from node_agent.enrolment.startup import Startup
from trustquery.identity import new_secret

__all__ = ["Places"]


class Places:
    """The address in use, and the next one.

    Args:
        also: ``coordinator.also`` of ``node.toml``, host:port each; ``also_websocket`` in the same order.
        start: which one is tried first; None for one by chance, so that a fleet spreads over the replicas.
    """

    def __init__(self, also: Sequence[str], also_websocket: Sequence[str], start: int | None = None) -> None:
        self._grpc = ("", *also)
        self._websocket = ("", *also_websocket)
        by_chance = int.from_bytes(new_secret(4), "big")
        self._place = (by_chance if start is None else start) % len(self._grpc)
        self._tried = 0

    @classmethod
    def of(cls, config: LinkConfig) -> Places:
        """As ``node.toml`` says."""
        return cls(config.also, config.also_websocket)

    def at(self, startup: Startup) -> Startup:
        """The node's anchors, with the address in use: every replica has the same authority."""
        if not self._place:
            return startup
        where = {"grpc_address": self._grpc[self._place]}
        if len(self._websocket) == len(self._grpc):
            where["websocket_address"] = self._websocket[self._place]
        return replace(startup, coordinator=startup.coordinator.model_copy(update=where))

    def worked(self) -> None:
        """A session was greeted there: the next time that it ends, a new round begins."""
        self._tried = 0

    def failed(self) -> bool:
        """A session ended there, or never began: the next address is in use now.

        Returns:
            Whether every address has been tried since one worked: time to wait longer.
        """
        self._place = (self._place + 1) % len(self._grpc)
        self._tried += 1
        return self._tried % len(self._grpc) == 0
