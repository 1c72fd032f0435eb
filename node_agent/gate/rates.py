"""Admission: how often, and how many at once. Refusing costs nothing and depends on traffic alone."""

from __future__ import annotations

import heapq
import threading
from collections import deque

from trustquery.errors import TrustQueryError

__all__ = ["Rates", "Seats"]

_MINUTE = 60.0
_HOUR = 3_600.0
_MAX_NAMES = 10_000


class Rates:
    """Sliding windows over monotonic time.

    Args:
        offers_per_minute: offers of all kinds before any signature is checked.
        previews_per_minute: previews.
        refusals_per_minute: refusals that become ledger entries; more are only logged locally.
    """

    def __init__(
        self, *, offers_per_minute: int = 600, previews_per_minute: int = 600, refusals_per_minute: int = 60
    ) -> None:
        self._limits = {
            "offer": offers_per_minute,
            "preview": previews_per_minute,
            "refusal": refusals_per_minute,
        }
        self._seen: dict[str, deque[float]] = {}
        self._lock = threading.Lock()

    def allows(self, kind: str, now: float) -> bool:
        """Count one event of a kind; False when its minute is full."""
        return self._take(kind, self._limits[kind], _MINUTE, now)

    def allows_person(self, person: str, per_hour: int, now: float) -> bool:
        """Count one intent of a person; False when the hour is full."""
        return self._take(f"person {person}", per_hour, _HOUR, now)

    def _take(self, name: str, limit: int, span: float, now: float) -> bool:
        with self._lock:
            times = self._seen.setdefault(name, deque())
            while times and times[0] <= now - span:
                times.popleft()
            if len(times) >= limit:
                return False
            times.append(now)
            if len(self._seen) > _MAX_NAMES:
                self._seen = {key: kept for key, kept in self._seen.items() if kept and kept[-1] > now - _HOUR}
            return True


class Seats:
    """How many releases may be between *reserve* and their first slot.

    A seat is given back at the slot and never when the engine is done, so that waiting for one tells nothing about
    how long another query took. Each seat knows since when it was planned to be free: a wait is counted from plan to
    plan, because how late a busy machine is depends on what its engines find.
    """

    def __init__(self, count: int) -> None:
        self._free = threading.Semaphore(count)
        self._since = [0.0] * count
        self._lock = threading.Lock()

    def take(self, wait_seconds: float) -> float:
        """Wait for a seat.

        Returns:
            Since when it was planned to be free, monotonic seconds.

        Raises:
            TrustQueryError: ``node-rate``.
        """
        if not self._free.acquire(timeout=max(0.0, wait_seconds)):
            raise TrustQueryError("node-rate")
        with self._lock:
            return heapq.heappop(self._since)

    def give_back(self, planned: float = 0.0) -> None:
        """Free the seat.

        Args:
            planned: since when it was planned to be free: the slot it was held for, or what ``take`` returned where it
                was not used.
        """
        with self._lock:
            heapq.heappush(self._since, planned)
        self._free.release()
