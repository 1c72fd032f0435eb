"""Threads that run one at a time: whoever holds the baton runs, and hands it back when it waits.

The gate's passages are threads, and block. Here each is a real thread that waits for the baton, so that the code that
ships runs as it is, and the order in which passages move is the loop's: the seed's.
"""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable
from typing import Any

__all__ = ["Gone", "Hands", "Worker"]

_PATIENCE_S = 60.0
"""Real time after which a thread that does not hand the baton back is a fault of the simulation itself."""


def _taken() -> threading.Lock:
    """A lock that somebody else releases: the baton. A semaphore does the same in three times the time."""
    lock = threading.Lock()
    lock.acquire()
    return lock


class Gone(BaseException):
    """The machine on which this runs has lost power, or its process was killed."""


class Worker:
    """One thread.

    Attributes:
        parked: whether it waits for ``resume``.
    """

    def __init__(self, hands: Hands, task: Callable[[], None]) -> None:
        self._hands = hands
        self._task = task
        self._mine = _taken()
        self._error: BaseException | None = None
        self._value: Any = None
        self.parked = False
        self.done = False
        # What a passage says is said by the machine that it runs on.
        self._context = contextvars.copy_context()
        self._thread = threading.Thread(target=self._run, name="baton", daemon=True)

    def _run(self) -> None:
        self._mine.acquire()
        self._hands.local.worker = self
        try:
            if self._error is None:
                self._context.run(self._task)
        except Gone:
            pass
        except BaseException as error:
            self._hands.faults.append(f"a thread ended in {type(error).__name__}: {error}")
        finally:
            self.done = True
            self._hands.back.release()

    def start(self) -> None:
        """Let it run until it waits for the first time. From the loop's thread."""
        self._thread.start()
        self._pass()

    def resume(self, value: Any = None, error: BaseException | None = None) -> None:
        """Let it go on until it waits again. From the loop's thread."""
        if self.parked:
            self.parked = False
            self._value, self._error = value, error
            self._pass()

    def _pass(self) -> None:
        self._mine.release()
        if not self._hands.back.acquire(timeout=_PATIENCE_S):
            raise RuntimeError("a thread keeps the baton")
        if self.done:
            self._thread.join()

    def park(self) -> Any:
        """Hand the baton back; returns what ``resume`` brings. From this worker's thread."""
        self.parked = True
        self._hands.back.release()
        self._mine.acquire()
        if self._error is not None:
            error, self._error = self._error, None
            raise error
        return self._value


class Hands:
    """All threads of one history.

    Attributes:
        faults: threads that ended in an exception that nobody took.
    """

    def __init__(self) -> None:
        self.back = _taken()
        self.local = threading.local()
        self.faults: list[str] = []

    def worker(self) -> Worker | None:
        """The worker whose thread this is; None in the loop's thread."""
        return getattr(self.local, "worker", None)
