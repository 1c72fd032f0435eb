"""The node's clocks. The gate sees them as a port, so that tests can hold time still."""

from __future__ import annotations

import threading
import time

from node_agent.gate.ports import ShuttingDownError

__all__ = ["SystemClock"]


class SystemClock:
    """Wall and monotonic time of this machine; waits end early when the node shuts down."""

    def __init__(self) -> None:
        self._stopping = threading.Event()

    def wall(self) -> int:
        """Whole seconds since 1970."""
        return int(time.time())

    def wall_ms(self) -> int:
        """Whole milliseconds since 1970."""
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        """Seconds that never go backwards."""
        return time.monotonic()

    def wait_until(self, moment: float) -> None:
        """Sleep until a monotonic time.

        Raises:
            ShuttingDownError: the node is going down; what is committed is taken up again at the next start.
        """
        if self._stopping.wait(max(0.0, moment - time.monotonic())):
            raise ShuttingDownError

    def stop(self) -> None:
        """End every wait, now and later."""
        self._stopping.set()
