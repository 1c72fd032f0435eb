"""One history: a script, the machines, and everything that the seed decides on the way."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import hashlib
import random
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tests.factories.trust import NOW
from tests.simulation import shims
from tests.simulation.centre import Centre, CentreBook
from tests.simulation.clients import Clients
from tests.simulation.ends import check_ends
from tests.simulation.hands import Gone, Hands
from tests.simulation.heard import Heard, Said
from tests.simulation.loop import START, StuckError, VirtualLoop
from tests.simulation.machines import MACHINE, Machine
from tests.simulation.network import Network
from tests.simulation.node import Node
from tests.simulation.script import TROUBLE_S, Event, Script, script_of
from tests.simulation.witnesses import WitnessBook
from tests.simulation.world import World, world
from trustquery.planning import Plan

__all__ = ["History"]

MOST_WRONG = 5


class History:
    """Everything of one seed.

    Attributes:
        violations: what was broken, in words.
        lines: the trace, where it is kept; ``digest`` is of all of it in any case.
        healed: whether the last fault is over.
    """

    def __init__(self, seed: int, *, keep: bool = False, script: Script | None = None) -> None:
        self.script = script or script_of(seed)
        self.seed = seed
        self.chance = random.Random(f"history {seed}")
        self.world: World = world()
        self.hands = Hands()
        self.loop = VirtualLoop(self._work)
        self.loop.set_task_factory(self._task)
        self.violations: list[str] = []
        self.counts: collections.Counter[str] = collections.Counter()
        self.lines: list[str] = []
        self.healed = False
        self.over = False
        self._keep = keep
        self._digest = hashlib.sha256()
        self._tasks: list[asyncio.Task[Any]] = []
        self.network = Network(self)
        self.heard = Heard(self)
        self.witnesses = WitnessBook(self)
        self.checked_results: set[str] = set()
        store = self.world.store()
        self.centre_book = CentreBook(self, store)
        self.centre = Centre(self, store)
        self.nodes = {name: Node(self, name) for name in self.script.nodes}
        self.clients = Clients(self)
        self.folder = Path()

    # -- telling --------------------------------------------------------------------------------------------------

    def tell(self, who: str, what: str) -> None:
        """A line of the trace."""
        line = f"{self.loop.now - START:9.4f} {who:<8} {what}"
        self._digest.update(line.encode() + b"\n")
        if self._keep:
            self.lines.append(line)

    def wrong(self, what: str) -> None:
        """An invariant is broken."""
        if len(self.violations) < MOST_WRONG and not self.over:
            self.violations.append(what)
            self.tell("LAW", what)

    @property
    def digest(self) -> str:
        """Print of the whole trace."""
        return self._digest.hexdigest()

    # -- time and chance ------------------------------------------------------------------------------------------

    def true_wall(self, skew: float = 0.0) -> int:
        """Seconds since 1970 by a clock that is wrong by so much."""
        return int(NOW + self.loop.now - START + skew)

    def wall(self, node: str) -> int:
        """A node's wall clock, without a doubt about it."""
        return self.true_wall(self.nodes[node].skew)

    def moment(self) -> float:
        """A short while: how long a thread waits for its turn."""
        return self.chance.random() ** 4 * 0.05

    def takes(self, what: str) -> float:
        """How long an engine or the noise takes, seconds."""
        if self.chance.random() < self.script.engine_trouble and not self.healed:
            return self.chance.uniform(0.8, 3.0)
        return self.chance.uniform(0.01, 0.6)

    def sleep(self, seconds: float) -> None:
        """Let the thread at hand wait; it may be resumed sooner."""
        worker = self.hands.worker()
        assert worker is not None, "only a thread waits"
        timer = self.loop.call_later(seconds, worker.resume)
        worker.park()
        timer.cancel()

    def hesitate(self) -> None:
        """Let another thread go first, sometimes."""
        if self.hands.worker() is not None and self.chance.random() < self.script.hesitation:
            self.sleep(self.moment())

    async def pause(self, seconds: float) -> None:
        """Let a coroutine wait."""
        await asyncio.sleep(seconds)

    # -- what production code hands to others ---------------------------------------------------------------------

    def _task(self, loop: asyncio.AbstractEventLoop, work: Any, **more: Any) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = asyncio.Task(work, loop=loop, **more)
        context = more.get("context")
        machine = context.get(MACHINE) if context is not None else MACHINE.get()
        (machine.tasks if machine is not None else self._tasks).append(task)
        return task

    def _work(self, work: Callable[[], Any]) -> asyncio.Future[Any]:
        """A piece of work for a thread that waits for nothing: done at one go, a moment from now."""
        machine, future = MACHINE.get(), self.loop.create_future()
        if machine is None or not machine.alive:
            future.cancel()
            return future

        def do() -> None:
            if not machine.alive:
                return
            try:
                if machine is self.centre.machine and self.chance.random() < 0.5:
                    machine.touch()
                result = work()
                if machine is self.centre.machine:
                    self.centre_book.look()
                    machine.touch()
            except Gone:
                return
            except Exception as error:
                if not future.done():
                    future.set_exception(error)
            else:
                if not future.done():
                    future.set_result(result)

        self.loop.call_later(self.moment(), do)
        return future

    def engine(self, node: Node) -> Any:
        """An engine of one passage."""
        return SimpleNamespace(
            data_version=1, opt_outs=(), tables=lambda dataset: frozenset({"person", "event"}), vector=self._vector
        )

    def _vector(self, query: object, plan: Plan) -> list[int]:
        if self.chance.random() < self.script.engine_trouble * 0.3 and not self.healed:
            if self.chance.random() < 0.5:
                raise RuntimeError("an engine's own words")
            return [1]
        return [self.chance.randrange(100) for _ in range(plan.length)]

    def draw(self, plan: Plan) -> list[int]:
        """Noise."""
        return [self.chance.randrange(-9, 10) for _ in range(plan.length)]

    # -- life and death -------------------------------------------------------------------------------------------

    def dies(self, machine: Machine, kind: str = "") -> None:
        """A machine dies here and now; its burial follows as soon as nothing of it runs."""
        if not machine.alive:
            return
        node = self.nodes.get(machine.name)
        self.counts["deaths"] += 1
        if node is not None:
            kind = kind or self.chance.choice(("kill", "power"))
            self.counts["kills" if kind == "kill" else "power_cuts"] += 1
            node.loses_power(kind)
        else:
            self.counts["kills"] += 1
            machine.alive = False
            self.tell("centre", "is killed")
        self.bury(machine, self.chance.choice((0.05, 0.5, 3.0)))

    def bury(self, machine: Machine, away: float) -> None:
        """End what ran on a dead machine, and start it again after a while."""
        self._outside(self.loop.call_soon, self._buried, machine, away)

    def _outside(self, call: Callable[..., Any], *arguments: Any) -> None:
        context = MACHINE.set(None)
        try:
            call(*arguments)
        finally:
            MACHINE.reset(context)

    def _buried(self, machine: Machine, away: float) -> None:
        machine.bury()
        self.network.gone(machine)
        owner: Any = self.nodes.get(machine.name, self.centre)
        if isinstance(owner, Node):
            owner.buried()

        def again() -> None:
            if not self.over:
                owner.start()

        self.loop.call_later(away if not self.healed else 0.05, again)

    def node_released(self, name: str, said: Said) -> None:
        """A whole answer left a node."""
        node = self.nodes[name]
        if node.ledger is not None:
            node.book.said(said, node.ledger)

    # -- the course of it -----------------------------------------------------------------------------------------

    async def _happen(self, event: Event) -> None:
        await self.pause(event.at)
        self.tell("chance", f"{event.kind} {event.who} {event.amount or ''}")
        node: Any = self.nodes.get(event.who, self.centre)
        match event.kind:
            case "part":
                self.network.part(event.who, event.amount)
            case "reset":
                self.network.reset(event.who)
            case "kill" | "power":
                self.dies(node.machine, event.kind)
            case "restart":
                await asyncio.wait({node.machine.begin(node.restart())})
            case "jump":
                node.skew += event.amount
                if isinstance(node, Node) and node.ledger is not None and node.machine.alive:
                    node.book.look(node.ledger)
            case "pause":
                node.paused = True
                node.stops.append(node.ledger.size() if node.ledger is not None else 10**9)
            case "resume":
                node.paused = False
            case "backup":
                node.back_up()
            case "rollback":
                node.put_back()
            case "repeat" | "rogue":
                self.clients.mischief(event.kind, event.who)

    async def _heal(self) -> None:
        await self.pause(TROUBLE_S)
        self.tell("chance", "everything is healed")
        self.healed = True
        self.network.heal()
        for name, node in self.nodes.items():
            node.skew, node.machine.calls_left, node.paused = 0.0, None, False
            self.script.cuts[name] = []
        self.centre.skew, self.centre.machine.calls_left = 0.0, None
        self.script.cuts["centre"] = []

    async def _run(self) -> None:
        self.centre.start()
        for node in self.nodes.values():
            node.start()
        events = [self._happen(event) for event in self.script.events]
        await asyncio.gather(self._heal(), *events, *self.clients.all())
        await check_ends(self)

    def run(self) -> History:
        """Let it happen."""
        with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
            self.folder = Path(folder)
            shims.SECRETS.chance = random.Random(f"secrets {self.seed}")
            asyncio.set_event_loop(None)
            try:
                self.loop.run_until_complete(self._run())
            except StuckError:
                self.wrong("everything waits and nothing is due")
            finally:
                self._end()
        for fault in (*self.loop.faults, *self.hands.faults):
            self.violations.append(f"a fault: {fault}")
        return self

    def _end(self) -> None:
        """Let go of everything."""
        self.over = True
        machines = [self.centre.machine, *(node.machine for node in self.nodes.values())]
        for machine in machines:
            machine.alive = False
            machine.bury()
        for task in self._tasks:
            task.cancel()
        tasks = [task for owner in machines for task in owner.tasks] + self._tasks
        with contextlib.suppress(StuckError, asyncio.CancelledError):
            self.loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        for node in self.nodes.values():
            node.buried()
        self.loop.close()
