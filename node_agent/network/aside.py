"""Work that may hang, such as a name lookup: done in a thread that nobody has to wait for.

Threads of the standard library's pools are waited for when the process ends; a name server that does not answer would
keep the node from ending.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from typing import TypeVar

__all__ = ["aside", "within"]

T = TypeVar("T")


def _forget(_: object) -> None:
    """There is nothing to give back."""


def aside(work: Callable[[], T], discard: Callable[[T], object] = _forget) -> Future[T]:
    """Begin the work; the future has its result or its error.

    Args:
        discard: gives back a result that comes after the future was cancelled: whoever waited has given up.
    """
    future: Future[T] = Future()

    def run() -> None:
        try:
            result = work()
        except BaseException as error:
            with contextlib.suppress(InvalidStateError):
                future.set_exception(error)
            return
        try:
            future.set_result(result)
        except InvalidStateError:
            discard(result)

    threading.Thread(target=run, name="aside", daemon=True).start()
    return future


def within(seconds: float, work: Callable[[], T], discard: Callable[[T], object] = _forget) -> T:
    """The work's result.

    Args:
        discard: gives back a result that comes too late.

    Raises:
        TimeoutError: it took longer than ``seconds``; it is left to itself.
    """
    future = aside(work, discard)
    try:
        return future.result(seconds)
    except TimeoutError:
        if not future.cancel() and future.exception() is None:
            # It came between the two.
            discard(future.result())
        raise
