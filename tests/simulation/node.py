"""A node: the gate, the ledger, the link and its session that ship, on a simulated machine.

What stands in for the rest: documents that always verify the same way, an engine that answers with made-up numbers
after a while or not at all, noise from the seed, a certificate that TLS would have checked.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from node_agent.budget import SqliteLedger
from node_agent.config import LinkConfig
from node_agent.gate import witnessing as witnessing_module
from node_agent.gate.cosigning import Cosigning
from node_agent.gate.ports import Ports, Settings
from node_agent.gate.rates import Rates, Seats
from node_agent.link import link as link_module
from node_agent.service import Service
from tests.factories.trust import key
from tests.simulation.hands import Gone
from tests.simulation.invariants import NodeBook
from tests.simulation.machines import Machine, SimClock
from tests.simulation.parts import ShownHeads, Watched
from tests.torture.disk import LOSSES, Note, Platter, write_image
from trustquery.codelists import Pin
from trustquery.errors import TrustQueryError
from trustquery.identity import Acceptance, Envelope, Permit, Revocations, Root, Roster
from trustquery.log import Checkpoint, node_origin
from trustquery.planning import compile_plan
from trustquery.policy import Policy
from trustquery.privacy.noise import add_noise
from trustquery.protocol.enrolment import join_message
from trustquery.protocol.messages import Join, Message

if TYPE_CHECKING:
    from tests.simulation.history import History

__all__ = ["Node"]

LINK = LinkConfig(heartbeat_ms=6_000, reconnect_ms=300, reconnect_max_ms=3_000, transport="grpc")


class Node:
    """One trust's node, over all its lives.

    Attributes:
        machine: the life of now; ``lives`` how many there were.
        skew: seconds by which its wall clock is wrong.
        stops: sizes of the ledger at which the trust stopped answering; ``paused`` while it does not.
    """

    def __init__(self, history: History, name: str) -> None:
        self.history = history
        self.name = name
        self.book = NodeBook(history, name)
        self.machine = Machine(history, name)
        self.machine.alive = False
        self.ledger: SqliteLedger | None = None
        self.link: link_module.Link | None = None
        self.skew = history.script.skew.get(name, 0.0)
        self.lives = 0
        self.paused = False
        self.stops: list[int] = []
        self.policy_now = history.world.policy(name, witnessed=history.script.witnessed)
        self.cosigning: Cosigning | None = None
        self.rolled_back = False
        self._backup: dict[str, bytes] | None = None
        self.cosigned_then: Checkpoint | None = None
        self._image: dict[str, bytes] = {}
        self._joins = 0
        self._folder: Path | None = None

    # -- life and death -------------------------------------------------------------------------------------------

    def start(self) -> None:
        """A new life, on what is left of the disk."""
        history = self.history
        self.lives += 1
        machine = self.machine = Machine(history, self.name)
        machine.platter = Platter()
        for name, content in self._image.items():
            for note in (Note("create", name), Note("write", name, 0, content), Note("sync", name), Note("folder")):
                machine.platter.take(note)
        machine.calls_left = history.script.next_cut(self.name, self.lives)
        history.tell(self.name, f"starts for the {self.lives}. time")
        with contextlib.suppress(Gone):
            machine.run(self._boot)

    def _boot(self) -> None:
        machine, history = self.machine, self.history
        self._folder = Path(tempfile.mkdtemp(dir=history.folder, prefix=f"{self.name}-"))
        write_image(self._folder, self._image)
        self.ledger = None
        try:
            ledger = SqliteLedger(self._folder / "ledger.sqlite")
        except TrustQueryError as error:
            if machine.alive:
                history.wrong(f"I2 at {self.name}: the ledger does not open ({error.code})")
                machine.alive = False
            return
        self.ledger = ledger
        self.book.restarted(ledger)
        ended = ledger.recover(history.wall(self.name))
        self.wrote("recover", ledger)
        history.tell(self.name, f"is up: {ledger.size()} entries, {len(ended)} were under way")
        ports = self._ports(Watched(ledger, self), machine)
        machine.begin(self._live(ports, ledger))

    async def _live(self, ports: Ports, ledger: SqliteLedger) -> None:
        startup = SimpleNamespace(
            dial=self.history.network.dial, node=self.name, federation="test",
            coordinator=SimpleNamespace(grpc_address="centre:1", websocket_address=""),
        )  # fmt: skip
        machine = self.machine
        service: Any = SimpleNamespace(
            startup=SimpleNamespace(federation="test", node=self.name, key=key(self.name)),
            ledger=Watched(ledger, self), documents=self, policies=self, clock=ports.clock, later=ports.later,
        )  # fmt: skip
        renewal: Any = SimpleNamespace(startup=startup, due=lambda: False, join=self._join)
        documents: Any = SimpleNamespace(take=lambda *_: ())
        self.link = link_module.Link(
            renewal, LINK, ports, documents, Service.witnessing(service, ports), stances=tuple,
            on_change=lambda _: None, on_failure=self._failed,
        )  # fmt: skip
        Service.resume(service, ports)
        machine.thread(lambda: Service.watch_witnesses(service, ports, self._failed))
        await self.link.run()

    def _failed(self, error: BaseException) -> None:
        machine = self.machine
        if machine.alive:
            self.history.wrong(f"a fault at {self.name}: {type(error).__name__}: {error}")

    def loses_power(self, kind: str) -> None:
        """The machine is gone, and with it what was not on the disk. From whatever thread did the last thing."""
        machine = self.machine
        platter, chance = machine.platter, self.history.chance
        machine.alive = False
        assert platter is not None
        loss = "nothing" if kind == "kill" else chance.choice(LOSSES)
        self._image = {name: data for name, data in platter.cut(loss, chance).items() if name != "ledger.lock"}
        self.history.tell(self.name, f"{kind}, {loss} of what was not synced is lost")

    def buried(self) -> None:
        """After its threads and tasks have ended: the ledger's file is let go, unseen."""
        if self.ledger is not None:
            self.ledger._db.failed = True
            self.ledger.close()
            self.ledger = None
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def back_up(self) -> None:
        """Somebody copies the disk."""
        if self.machine.alive and self.machine.platter is not None and self.ledger is not None:
            image = self.machine.platter.cut("nothing", self.history.chance)
            self._backup = {name: data for name, data in image.items() if name != "ledger.lock"}

    def put_back(self) -> None:
        """The machine starts again on the copy, as if nothing had happened since."""
        if self.machine.alive and self._backup is not None and self.ledger is not None:
            self.cosigned_then = self.history.witnesses.largest.get(self.name)
            self.history.dies(self.machine, "kill")
            self._image = self._backup
            self.rolled_back = True
            self.book.forget()
            self.history.tell(self.name, "is put back to the copy")

    async def restart(self) -> None:
        """End as on SIGTERM, then start again."""
        machine, link, ledger = self.machine, self.link, self.ledger
        if not machine.alive or link is None or ledger is None:
            return
        self.history.tell(self.name, "is told to end")
        machine.stopping = True
        for worker in list(machine.workers):
            if worker.parked:
                worker.resume()
        await link.close()
        for _ in range(400):
            if not any(not item.done for item in machine.workers) or not machine.alive:
                break
            for worker in list(machine.workers):
                if worker.parked:
                    worker.resume()
            await self.history.pause(0.01)
        if machine.alive:
            try:
                machine.run(ledger.close)
            except Gone:
                return
            self.ledger = None
            self.loses_power("kill")
            self.history.bury(machine, 0.2)

    # -- ports ----------------------------------------------------------------------------------------------------

    def wrote(self, method: str, ledger: SqliteLedger) -> None:
        """A call that writes has returned."""
        if self.machine.alive and not ledger.failed:
            self.book.look(ledger)
            self.history.tell(self.name, f"{method}: {ledger.size()} entries")

    def _say(self, message: Message) -> None:
        if self.link is not None:
            self.link.deliver(message)

    def _log(self, event: str, **facts: object) -> None:
        self.history.tell(self.name, f"logs {event} {facts.get('code', '')}")

    def _join(self, nonce: bytes) -> Join:
        self._joins += 1
        return Join(self._joins, key(self.name).sign(join_message("test", self.name, nonce, self._joins)))

    def _ports(self, watched: Any, machine: Machine) -> Ports:
        history, world = self.history, self.history.world
        origin, clock = node_origin("test", self.name), SimClock(machine, lambda: self.skew, history.loop.now)

        # It calls these while it holds its lock, so nobody hesitates in them.
        cosigning = self.cosigning = Cosigning(
            cast(Any, Watched(watched._ledger, self, hesitant=False)), origin, key(self.name),
            lambda: witnessing_module.wanted_by(self, self, history.wall(self.name)), self._say, lambda: clock.now,
            lambda: history.wall(self.name), self._log,
        )  # fmt: skip
        heads = ShownHeads(watched._ledger, origin, key(self.name), cosigning.shown)
        heads.book = self.book

        def later(task: Callable[[], None]) -> None:
            logs: Any = SimpleNamespace(log=ports.log)
            Service.later(logs, task)

        nothing: Any = SimpleNamespace()
        ports = Ports(
            node=self.name,
            federation="test",
            key=key(self.name),
            certificate=lambda: f"serial-{self.name}",
            clock=clock,
            ledger=watched,
            inputs=lambda query: world.people.public,
            engine=lambda dataset, public, treatment: history.engine(self),
            documents=self,
            governance=self,
            catalogue=lambda dataset: world.people.catalogue,
            budget_subject=lambda dataset: dataset,
            compile_plan=compile_plan,
            draw=history.draw,
            noise=add_noise,
            release_keys=lambda counts, plan: dict(counts),
            send=self._say,
            heads=heads,
            cosigning=cosigning,
            log=self._log,
            settings=Settings(slot_ms=500, allowance_ms=1_000, queue_ms=3_000),
            rates=Rates(),
            seats=Seats(history.script.seats),
            reviews=nothing,
            observer=lambda step: history.hesitate(),
            later=later,
        )
        return ports

    # -- the ports documents and governance -----------------------------------------------------------------------

    def root(self) -> Root:
        return self.history.world.people.root

    def roster(self, now: int) -> Roster:
        return self.history.world.people.the_roster

    def check_inputs(self, pins: Iterable[Pin]) -> None:
        pass

    def revocations(self, now: int) -> tuple[Revocations, frozenset[str]]:
        return self.history.world.people.the_statement, frozenset({key("statement").key_id})

    def permit(self, project: str, now: int) -> tuple[Permit, Envelope]:
        return self.history.world.permit

    def policy(self) -> Policy:
        return self.policy_now

    def acceptance(self, project: str) -> Acceptance:
        return self.history.world.acceptances[self.name]

    def stopped(self) -> bool:
        return self.paused

    def stopped_after(self, seq: int) -> bool:
        return self.paused or any(size >= seq for size in self.stops)
