"""What a simulated node puts around the ledger, the heads, the thread pool and the dialling of the code that ships."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from node_agent.budget import SqliteLedger
from node_agent.config import LinkConfig
from node_agent.gate.heads import Heads
from tests.simulation.invariants import NodeBook
from tests.simulation.machines import MACHINE

if TYPE_CHECKING:
    from tests.simulation.node import Node

__all__ = ["Dialling", "Pool", "ShownHeads", "Watched"]

_READS = frozenset({"find", "outbox", "has_left", "unsent", "unacknowledged", "stored_vector", "erased_day", "spent",
                    "seen_by", "no_answers", "seen", "time", "size", "head", "root", "proof",
                    "frozen", "last_seq", "cosigned_over", "is_settled"})  # fmt: skip


class Watched:
    """The ledger as the gate has it, with a moment's doubt around each call and a look at it after each write."""

    def __init__(self, ledger: SqliteLedger, node: Node, *, hesitant: bool = True) -> None:
        self._ledger = ledger
        self._node = node
        self._hesitate = node.history.hesitate if hesitant else lambda: None

    @property
    def failed(self) -> bool:
        return self._ledger.failed

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._ledger, name)

        if not callable(method):
            return method

        def call(*arguments: Any, **more: Any) -> Any:
            self._hesitate()
            try:
                return method(*arguments, **more)
            finally:
                if name not in _READS:
                    self._node.wrote(name, self._ledger)
                    self._hesitate()

        return call


class ShownHeads(Heads):
    """The heads that ship; it is noted whose slot was shown."""

    book: NodeBook

    def slot(self, release_id: str) -> None:
        super().slot(release_id)
        self.book.shown.add(release_id)


class Pool:
    """A pool of threads of a machine: ``concurrent.futures.ThreadPoolExecutor`` as the link uses it."""

    def __init__(self, *_arguments: Any, **_more: Any) -> None:
        found = MACHINE.get()
        assert found is not None
        self._machine = found

    def submit(self, task: Callable[[], object]) -> Future[object]:
        """Run a task in a thread of its own."""
        future: Future[object] = Future()

        def work() -> None:
            try:
                result = task()
            except Exception as error:
                if self._machine.alive:
                    future.set_exception(error)
            else:
                if self._machine.alive:
                    future.set_result(result)

        self._machine.thread(work)
        return future

    def shutdown(self, *_arguments: Any, **_more: Any) -> None:
        """Nothing is held open."""


class Dialling:
    """In place of ``GrpcStream``: dials over the simulated network."""

    @staticmethod
    async def dial(startup: Any, config: LinkConfig, network: Any) -> Any:
        return await startup.dial(startup.node)
