"""A machine: a process that can be killed, a disk that forgets, two clocks that go wrong.

Whatever runs knows on which machine it runs (a context variable), so that the death of one ends all that it does: its
tasks, its threads, its streams, the timers that it set. What code of a dead machine still does reaches nobody.
"""

from __future__ import annotations

import asyncio
import contextvars
import math
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from node_agent.gate.ports import ShuttingDownError
from tests.factories.trust import NOW
from tests.simulation.hands import Gone, Worker
from tests.simulation.loop import START
from tests.torture.disk import Note, Platter, Recorder

if TYPE_CHECKING:
    from tests.simulation.history import History

__all__ = ["MACHINE", "Disks", "Machine", "SimClock"]

MACHINE: contextvars.ContextVar[Machine | None] = contextvars.ContextVar("machine", default=None)
"""The machine on which the code at hand runs; None for the simulation itself."""


class Machine:
    """One life of a process: from a start to its death or its end.

    Attributes:
        alive: whether what it does counts.
        stopping: whether it was asked to end.
        tasks: every task that was begun on it; ``workers`` every thread.
        platter: its disk; None for a machine whose disk is not simulated.
        calls_left: calls to the disk, or pieces of work, after which it dies; None for a machine that nobody kills.
    """

    def __init__(self, history: History, name: str) -> None:
        self.history = history
        self.name = name
        self.alive = True
        self.stopping = False
        self.tasks: list[asyncio.Task[Any]] = []
        self.workers: list[Worker] = []
        self.platter: Platter | None = None
        self.calls_left: int | None = None
        self._context = contextvars.copy_context()
        self._context.run(MACHINE.set, self)

    def run(self, work: Callable[..., Any], *arguments: Any) -> Any:
        """Do something on this machine, now."""
        return self._context.copy().run(work, *arguments)

    def begin(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Begin a coroutine on this machine."""
        return self.history.loop.create_task(work, context=self._context.copy())

    def thread(self, work: Callable[[], None]) -> Worker:
        """Begin a thread on this machine, a moment from now."""
        worker: Worker = self.run(Worker, self.history.hands, work)
        self.workers = [item for item in self.workers if not item.done]
        self.workers.append(worker)

        def begin() -> None:
            if self.alive:
                worker.start()

        self.history.loop.call_later(self.history.moment(), begin)
        return worker

    def touch(self) -> None:
        """Count a call to the disk or a piece of work; the machine dies where its time has come.

        Raises:
            Gone: it does.
        """
        if self.alive and self.calls_left is not None:
            self.calls_left -= 1
            if self.calls_left < 0:
                self.calls_left = None
                self.history.dies(self)
                raise Gone

    def bury(self) -> None:
        """End everything on it. From the loop's thread."""
        for task in self.tasks:
            if not task.done():
                task.cancel()
        for worker in self.workers:
            worker.resume(error=Gone())


class Disks(Recorder):
    """Every ledger's disk: what happens to a file is noted on the platter of the machine that did it."""

    def note(self, note: Note) -> None:
        machine = MACHINE.get()
        if machine is not None and machine.alive and machine.platter is not None:
            machine.platter.take(note)

    def strike(self) -> None:
        machine = MACHINE.get()
        if machine is not None and machine.platter is not None:
            machine.touch()


class SimClock:
    """A node's clocks: the wall's may be wrong and jump, the other only has another beginning."""

    def __init__(self, machine: Machine, skew: Callable[[], float], began: float) -> None:
        self._machine = machine
        self._history = machine.history
        self._skew = skew
        self._began = began

    def wall(self) -> int:
        """Whole seconds since 1970."""
        return self.wall_ms() // 1_000

    def wall_ms(self) -> int:
        """Whole milliseconds since 1970."""
        self._history.hesitate()
        return math.floor((NOW + self._history.loop.now - START + self._skew()) * 1_000)

    def monotonic(self) -> float:
        """Seconds that never go backwards."""
        self._history.hesitate()
        return self.now

    @property
    def now(self) -> float:
        """The same, without a doubt."""
        return self._history.loop.now - self._began

    def wait_until(self, moment: float) -> None:
        """Sleep until a monotonic time, or a little longer.

        Raises:
            ShuttingDownError: the node is going down.
        """
        if not self._machine.stopping:
            late = self._history.chance.random() * 0.02
            self._history.sleep(max(0.0, moment - self.now) + late)
        if self._machine.stopping:
            raise ShuttingDownError
