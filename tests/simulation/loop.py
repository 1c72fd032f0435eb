"""An event loop whose time is a number: it jumps to the next thing that is due, and a seed decides what takes how long.

The coroutines that ship run on it unchanged. Work that they would hand to a thread runs here, one piece at a time,
after a delay that the seed chose; so what a second run does is what the first one did, to the byte.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

__all__ = ["START", "StuckError", "VirtualLoop"]

START = 1_000.0
"""Where virtual time begins, seconds."""
_FINEST = 1e-6


class StuckError(Exception):
    """Nothing is due any more, and somebody still waits."""


class _Selector:
    """Looks at no socket: to wait is to let time pass."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop

    def select(self, timeout: float | None) -> list[object]:
        if timeout is None:
            raise StuckError
        self._loop.now += max(0.0, timeout)
        return []


class VirtualLoop(asyncio.BaseEventLoop):
    """The loop.

    Args:
        work: takes a function that production code hands to a thread, and returns the future of its result.

    Attributes:
        now: virtual time, seconds.
        faults: what ended in an exception that nobody took.
    """

    def __init__(self, work: Callable[[Callable[..., Any]], asyncio.Future[Any]]) -> None:
        super().__init__()
        self.now = START
        self.faults: list[str] = []
        self._selector = _Selector(self)
        self._clock_resolution = _FINEST
        self._work_in_thread = work
        self.set_exception_handler(self._note)

    def time(self) -> float:
        """Virtual time, seconds."""
        return self.now

    def run_in_executor(  # type: ignore[override]
        self, executor: Any, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        """Run what would run in a thread."""
        return self._work_in_thread(lambda: func(*args))

    def _note(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        self.faults.append(f"{context.get('message')}: {type(error).__name__}: {error}")

    def _process_events(self, event_list: Any) -> None:
        pass

    def _write_to_self(self) -> None:
        pass
