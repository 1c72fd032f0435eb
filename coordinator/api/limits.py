"""Limits on what comes in: how large, how often."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from typing import Protocol

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from coordinator.api.problems import respond
from coordinator.store import SharedFleet
from trustquery.errors import TrustQueryError

__all__ = ["MAX_BODY_BYTES", "BodyLimit", "Rate", "RateLimit", "SharedRate"]

MAX_BODY_BYTES = 2 * 1024 * 1024


class BodyLimit:
    """Answers 413 to a request body above the limit, whatever its headers say."""

    def __init__(self, app: ASGIApp, limit: int = MAX_BODY_BYTES) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        taken, answered = 0, False

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > self._limit:
                raise TrustQueryError("usage-too-large", limit=self._limit)
            return message

        async def checked(message: Message) -> None:
            """The application may turn the error above into an answer of its own; this one is sent instead."""
            nonlocal answered
            if taken <= self._limit:
                await send(message)
            elif not answered:
                answered = True
                await respond(TrustQueryError("usage-too-large", limit=self._limit))(scope, receive, send)

        await self._app(scope, counted, checked)


class Rate(Protocol):
    """How often somebody may come."""

    async def count(self, key: str) -> None:
        """Count one request.

        Raises:
            TrustQueryError: ``node-rate``: one too many.
        """
        ...


class RateLimit:
    """At most ``burst`` at once and ``per_minute`` on average, for each key.

    Args:
        clock: seconds, never going back.
    """

    _MOST_KEYS = 10_000

    def __init__(self, *, burst: int, per_minute: float, clock: Callable[[], float]) -> None:
        self._burst = float(burst)
        self._rate = per_minute / 60
        self._clock = clock
        self._left: dict[str, tuple[float, float]] = {}

    async def count(self, key: str) -> None:
        """Count one request, as a ``Rate``.

        Raises:
            TrustQueryError: ``node-rate``.
        """
        self.take(key)

    def take(self, key: str) -> None:
        """Count one request.

        Raises:
            TrustQueryError: ``node-rate``.
        """
        now = self._clock()
        left, at = self._left.get(key, (self._burst, now))
        left = min(self._burst, left + (now - at) * self._rate)
        if left < 1:
            raise TrustQueryError("node-rate")
        if len(self._left) >= self._MOST_KEYS:
            # Forgetting everyone is kind for a moment; growing without limit is not.
            self._left.clear()
        self._left[key] = (left - 1, now)


class SharedRate:
    """The same, counted by all replicas together; what one process would refuse by itself asks no database.

    Args:
        name: of this rate among others.
        clock: seconds, never going back.
    """

    def __init__(
        self, fleet: SharedFleet, name: str, *, burst: int, per_minute: float, clock: Callable[[], float]
    ) -> None:
        self._here = RateLimit(burst=burst, per_minute=per_minute, clock=clock)
        self._fleet, self._name, self._burst, self._per_minute = fleet, name, burst, per_minute

    async def count(self, key: str) -> None:
        """Count one request.

        Raises:
            TrustQueryError: ``node-rate``.
        """
        self._here.take(key)
        whose = hashlib.sha256(f"{self._name} {key}".encode()).hexdigest()
        if not await asyncio.to_thread(self._fleet.take, whose, self._burst, self._per_minute):
            raise TrustQueryError("node-rate")
