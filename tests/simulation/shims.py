"""The few names of the standard library in the code that ships which stand for threads, chance or sockets.

They are put in place once a process, and ask the machine on which they run. Nothing else of what ships is replaced.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import random
import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import structlog

from node_agent import service as service_module
from node_agent.gate import engine as engine_module
from node_agent.gate import rates as rates_module
from node_agent.link import link as link_module
from tests.simulation.machines import MACHINE, Disks, Machine
from tests.simulation.network import CHANGED, Frame
from tests.simulation.parts import Dialling, Pool
from tests.torture.disk import recording
from trustquery.identity import keys as keys_module
from trustquery.protocol import session as session_module

__all__ = ["instead", "simulated"]


@contextlib.contextmanager
def instead(owner: Any, name: str, replacement: Any) -> Iterator[None]:
    """Put something in another's place for a while."""
    kept = getattr(owner, name)
    setattr(owner, name, replacement)
    try:
        yield
    finally:
        setattr(owner, name, kept)


def _here() -> Machine:
    machine = MACHINE.get()
    assert machine is not None
    return machine


class _Thread:
    """``threading.Thread`` of work that may wait: it gets the baton."""

    def __init__(self, *, target: Callable[[], None], **_more: Any) -> None:
        self._target = target

    def start(self) -> None:
        _here().thread(self._target)


class _Quick:
    """``threading.Thread`` of work that waits for nothing, engine or noise: done at once, after as long as it takes."""

    def __init__(self, *, target: Callable[[], None], name: str, **_more: Any) -> None:
        self._target, self._name = target, name

    def start(self) -> None:
        machine = _here()

        def work() -> None:
            if machine.alive:
                self._target()

        machine.history.loop.call_later(machine.history.takes(self._name), work)


class _Queue:
    """``queue.SimpleQueue`` between such work and who waits for it."""

    def __init__(self) -> None:
        self._items: list[Any] = []
        self._history = _here().history
        self._waits: Any = None

    def put(self, item: Any) -> None:
        self._items.append(item)
        if self._waits is not None:
            self._history.loop.call_soon(self._waits.resume)

    def get(self, timeout: float) -> Any:
        until = self._history.loop.now + timeout
        while not self._items:
            left = until - self._history.loop.now
            if left <= 0:
                raise queue.Empty
            self._waits = self._history.hands.worker()
            try:
                self._history.sleep(left)
            finally:
                self._waits = None
        return self._items.pop(0)


class _Semaphore:
    """``threading.Semaphore`` with a time to wait."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._waits: list[Any] = []

    def acquire(self, timeout: float) -> bool:
        history = _here().history
        until = history.loop.now + timeout
        while self._count == 0:
            left = until - history.loop.now
            if left <= 0:
                return False
            worker = history.hands.worker()
            self._waits.append(worker)
            try:
                history.sleep(left)
            finally:
                self._waits.remove(worker)
        self._count -= 1
        return True

    def release(self) -> None:
        self._count += 1
        if self._waits:
            _here().history.loop.call_soon(self._waits[0].resume)


class _Secrets:
    """``secrets`` from the seed of the history under way."""

    def __init__(self) -> None:
        self.chance = random.Random(0)

    def token_bytes(self, length: int) -> bytes:
        return self.chance.randbytes(length)


SECRETS = _Secrets()


def _prefix(receive: Callable[..., Any]) -> Callable[..., Any]:
    """What one end of a session takes is what the other wrote, in order, from its beginning."""

    def watched(self: Any, frame: bytes) -> Any:
        found = receive(self, frame)
        machine = MACHINE.get()
        if machine is not None and isinstance(frame, Frame):
            taken = getattr(self, "simulated_taken", 0)
            # Changed bytes are the transport's to see (TLS), and after it the signatures': the numbering cannot.
            if frame.number not in (taken, CHANGED):
                machine.history.wrong(f"session: {machine.name} took frame {frame.number} for frame {taken}")
            self.simulated_taken = taken + 1
        return found

    return watched


@contextlib.contextmanager
def simulated() -> Iterator[Disks]:
    """Put everything in place; the disks of all machines."""
    disks, inbound = Disks(), session_module.Inbound
    quiet = structlog.make_filtering_bound_logger(logging.CRITICAL)
    places: tuple[tuple[Any, str, Any], ...] = (
        (engine_module, "threading", SimpleNamespace(Thread=_Quick)),
        (engine_module, "queue", SimpleNamespace(SimpleQueue=_Queue, Empty=queue.Empty)),
        (rates_module, "threading", SimpleNamespace(Semaphore=_Semaphore, Lock=threading.Lock)),
        (service_module, "threading", SimpleNamespace(Thread=_Thread, Event=threading.Event)),
        (link_module, "ThreadPoolExecutor", Pool),
        (link_module, "GrpcStream", Dialling),
        (keys_module, "secrets", SECRETS),
        (inbound, "receive", _prefix(inbound.receive)),
    )
    with contextlib.ExitStack() as stack:
        for place in places:
            stack.enter_context(instead(*place))
        kept = structlog.get_config()
        structlog.configure(wrapper_class=quiet, cache_logger_on_first_use=False)
        stack.callback(lambda: structlog.configure(**kept))
        stack.enter_context(recording(disks))
        yield disks
