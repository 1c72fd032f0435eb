"""The running node: opens the ledger, takes up what a restart interrupted, keeps the link, ends cleanly.

``run`` is what ``tq-node run`` calls. Tests that kill the real process give it an observer of the gate's steps.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from node_agent.budget import SqliteLedger, State
from node_agent.clock import SystemClock
from node_agent.config import AnswerConfig, Home, NodeConfig, load_config
from node_agent.engines.base import Engine
from node_agent.engines.duckdb import DuckDBEngine
from node_agent.engines.processes import Processes
from node_agent.enrolment.renewing import Renewal
from node_agent.enrolment.startup import Startup, certificate_serial, check_certificate, load_startup
from node_agent.gate.cosigning import Cosigning, FrozenError
from node_agent.gate.endings import resume
from node_agent.gate.heads import Heads
from node_agent.gate.optouts import EVERYBODY
from node_agent.gate.ports import Ports, Settings, ShuttingDownError, nothing
from node_agent.gate.rates import Rates, Seats
from node_agent.gate.witnessing import wanted_by
from node_agent.inputs import InputFolder
from node_agent.link.link import Link
from node_agent.network import network_of
from node_agent.optout.schedule import Schedule
from node_agent.policy_store import DocumentStore, Office, PolicyStore, Stances
from node_agent.policy_store.desk import Desk
from node_agent.policy_store.files import replace_file
from node_agent.policy_store.marks import Marks
from node_agent.retention import Retention
from node_agent.reviews import Bench, ReviewFolder
from node_agent.sources.store import Store, store_key
from trustquery.catalogue import Catalogue, load
from trustquery.codelists import PublicTables
from trustquery.errors import TrustQueryError
from trustquery.log import node_origin
from trustquery.planning import compile_plan
from trustquery.privacy.noise import add_noise, draw_noise, release_keys, warm_up
from trustquery.protocol.cosigning import Wanted
from trustquery.protocol.messages import AnswerMessage, Message
from trustquery.protocol.witnessing import Witnessing

__all__ = ["Service", "run"]

_WATCH_SECONDS = 0.1
_DUE_SECONDS = 1.0
_WITNESS_SECONDS = 0.25


def settings_of(config: AnswerConfig) -> Settings:
    """The gate's share of ``[answer]``."""
    return Settings(
        slot_ms=config.slot_ms,
        allowance_ms=config.allowance_ms,
        rows_per_second=config.rows_per_second,
        draws_per_second=config.draws_per_second,
        queue_ms=config.queue_ms,
    )


@dataclass
class Service:
    """Everything a running node holds open."""

    home: Home
    config: NodeConfig
    startup: Startup
    ledger: SqliteLedger
    policies: PolicyStore
    office: Office
    documents: DocumentStore
    stances: Stances
    bench: Bench
    log: Callable[..., None]
    observer: Callable[[str], None] = nothing
    clock: SystemClock = field(default_factory=SystemClock)
    processes: Processes = field(default_factory=Processes)
    link: Link | None = None
    renewal: Renewal = field(init=False)
    failure: BaseException | None = None
    _told: int = 0
    _governed: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.renewal = Renewal(self.home, self.startup, self.clock.monotonic, self.clock.wall)

    def catalogue(self, dataset: str) -> Catalogue:
        """The catalogue of a dataset in ``node.toml``.

        Raises:
            TrustQueryError: ``data-table-unavailable``.
        """
        if dataset not in {source.dataset for source in self.config.sources}:
            raise TrustQueryError("data-table-unavailable", table="any table", dataset=dataset)
        return load(dataset)

    def engine(self, dataset: str, public: PublicTables, treatment: str) -> Engine:
        """An engine over the version of the prepared data now in use; a refresh takes effect at the next query.

        Args:
            treatment: of opt-outs; rows of those who opted out are left out of every scan unless it exempts.

        Raises:
            TrustQueryError: ``data-not-prepared``, ``data-table-unavailable``; ``policy-document-stale``: these are not
                the lists of opt-outs that the ledger has seen with this data version.
        """
        store, now, everybody = Store.open(self.home.store), self.clock.wall(), treatment in EVERYBODY
        self.ledger.note_refresh(store.data_version, now)
        if store.opt_outs:
            self.ledger.see("optouts", "lists", store.data_version, store.lists_sha256, now)
        key = store_key(self.home, self.config) if store.encrypted else None
        catalogue, limits = self.catalogue(dataset), self.config.engine
        return DuckDBEngine(store, limits, catalogue, self.processes, key, public, everybody=everybody)

    def send(self, message: AnswerMessage) -> None:
        """Hand an answer to the link."""
        self.say(message)

    def say(self, message: Message) -> None:
        """Hand any message to the link; without one it is dropped."""
        if self.link is not None:
            self.link.deliver(message)

    def wanted(self) -> Wanted | None:
        """Who must have cosigned the ledger's head now."""
        return wanted_by(self.policies, self.documents, self.clock.wall())

    def witnessing(self, ports: Ports) -> Witnessing:
        """This node as a witness of others."""

        def alarm(code: str, place: str, data: bytes) -> None:
            self.ledger.note_alarm(code, place, data, self.clock.wall(), once=True)

        return Witnessing(
            node_origin(self.startup.federation, self.startup.node),
            self.startup.key,
            self.ledger.kept_heads,
            lambda: self.documents.roster(self.clock.wall()),
            lambda: ports.cosigning.frozen,
            alarm,
            self.clock.wall,
        )

    def watch_witnesses(self, ports: Ports, failed: Callable[[BaseException], None]) -> None:
        """Show the ledger's head to the witnesses of the policy in force, and ask again who does not answer."""
        try:
            while True:
                ports.cosigning.tick(ports.heads.start)
                self.clock.wait_until(self.clock.monotonic() + _WITNESS_SECONDS)
        except ShuttingDownError:
            pass
        except Exception as error:
            failed(error)

    def ports(self) -> Ports:
        """The gate's ports."""
        node, federation = self.startup.node, self.startup.federation
        origin, key, ledger, clock = node_origin(federation, node), self.startup.key, self.ledger, self.clock
        cosigning = Cosigning(ledger, origin, key, self.wanted, self.say, clock.monotonic, clock.wall, self.log)
        return Ports(
            node=node,
            federation=federation,
            key=self.startup.key,
            certificate=lambda: certificate_serial(self.renewal.startup),
            clock=self.clock,
            ledger=self.ledger,
            inputs=InputFolder(self.home.inputs).pinned_by,
            engine=self.engine,
            documents=self.documents,
            governance=self.policies,
            catalogue=self.catalogue,
            budget_subject=lambda dataset: self.config.budget_subject(dataset, self.home),
            compile_plan=compile_plan,
            draw=draw_noise,
            noise=add_noise,
            release_keys=release_keys,
            send=self.send,
            heads=Heads(ledger, origin, key, cosigning.shown),
            cosigning=cosigning,
            log=self.log,
            settings=settings_of(self.config.answer),
            rates=Rates(),
            seats=Seats(self.config.answer.parallel),
            reviews=self.bench,
            observer=self.observer,
            later=self.later,
        )

    def resume(self, ports: Ports) -> None:
        """Take up, each at its own time, what was under way when the process last ended."""
        for release in self.ledger.unsent():
            if release.state not in (State.DEAD, State.EXPIRED):
                ports.heads.hold(release.release_id, release.reserved_seq)

            self.later(partial(resume, release, ports))

    def later(self, task: Callable[[], None]) -> None:
        """Do a task beside everything else; what it does not finish the next start takes up."""

        def work() -> None:
            try:
                task()
            except (FrozenError, ShuttingDownError):
                pass
            except Exception as error:
                # The bytes are in the ledger; the next start tries again.
                self.log("fault", kind=type(error).__name__)

        threading.Thread(target=work, name="later", daemon=True).start()

    def govern(self, failed: Callable[[BaseException], None]) -> None:
        """Take what people hand in, enter the marks they make, put in force what has waited long enough, and tell the
        federation what the trust says of its projects."""
        desk = Desk(self.home.control / "desk", self.office, self.stances, self.bench)
        looked = -_DUE_SECONDS
        try:
            desk.clear()
            while True:
                # Once more at the end: a stop that ends this process is entered before it does.
                last = self._governed.wait(_WATCH_SECONDS)
                self.office.note_marks()
                desk.serve()
                if self.clock.monotonic() - looked >= _DUE_SECONDS:
                    looked = self.clock.monotonic()
                    self.office.take_due()
                    self.tell()
                if last:
                    return
        except Exception as error:
            # An office that cannot enter what people decide must not go on answering.
            failed(error)

    def tell(self) -> None:
        """Look at what governance decided about projects, and have the link say what is new."""
        try:
            self.stances.look()
        except OSError as error:
            # An echo alone: whether a project is answered does not hang on it.
            self.log("stance not written", kind=type(error).__name__)
        if self.stances.changes != self._told and self.link is not None:
            self._told = self.stances.changes
            self.link.tell()

    def over(self) -> dict[str, str | bool]:
        """What carries the link."""
        link = self.link
        return {"transport": link.transport, "fallback": link.fallen_back} if link is not None else {}

    def write_status(self, connected: bool) -> None:
        """``status.json``, for ``tq-node status``: the link, nothing about queries."""
        status = {"pid": os.getpid(), "connected": connected, "since": self.clock.wall(), "node": self.startup.node}
        status |= self.over()
        try:
            replace_file(self.home.path / "status.json", json.dumps(status).encode())
        except OSError as error:
            # An echo alone. A full disk must neither keep the node from starting nor hide why it ends.
            self.log("status not written", kind=type(error).__name__)

    async def main(self) -> None:
        """Run until a signal, a stop mark or a failure."""
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, ended.set)

        def failed(error: BaseException) -> None:
            self.failure = self.failure or error
            ended.set()

        def failed_anywhere(error: BaseException) -> None:
            loop.call_soon_threadsafe(failed, error)

        def given_up(task: asyncio.Task[None]) -> None:
            if not task.cancelled() and task.exception() is not None:
                failed(task.exception() or SystemExit())

        def changed(connected: bool) -> None:
            self.log("connected" if connected else "disconnected", **self.over())
            self.write_status(connected)

        ports = self.ports()
        self.link = Link(
            self.renewal,
            self.config.coordinator,
            ports,
            self.documents,
            self.witnessing(ports),
            stances=self.stances.to_tell,
            on_change=changed,
            on_failure=failed,
            network=network_of(self.home, self.config),
        )
        self.write_status(False)
        self.resume(ports)
        witnesses = threading.Thread(
            target=self.watch_witnesses, args=(ports, failed_anywhere), name="witnesses", daemon=True
        )
        witnesses.start()
        schedule = Schedule(self.home, self.config, self.clock.wall, self.log)
        schedule.start()
        days = self.config.retention.answers_days
        retention = Retention(self.ledger, days, self.clock.wall, self.log, failed_anywhere)
        retention.start()
        governing = threading.Thread(target=self.govern, args=(failed_anywhere,), name="office", daemon=True)
        governing.start()
        dialling = asyncio.create_task(self.link.run())
        dialling.add_done_callback(given_up)
        try:
            while not ended.is_set() and not self.policies.must_exit():
                if self.ledger.failed:
                    failed(TrustQueryError("ledger-unwritable"))
                try:
                    await asyncio.wait_for(ended.wait(), _WATCH_SECONDS)
                except TimeoutError:
                    continue
        finally:
            self.clock.stop()
            schedule.stop()
            await asyncio.to_thread(retention.stop)
            self._governed.set()
            await asyncio.to_thread(governing.join)
            await asyncio.to_thread(witnesses.join)
            await self.link.close()
            dialling.cancel()
            await asyncio.gather(dialling, return_exceptions=True)
            self.write_status(False)


def run(
    home: Home,
    *,
    log: Callable[..., None],
    observer: Callable[[str], None] = nothing,
    ready: Callable[[], None] = lambda: None,
    startup: Startup | None = None,
) -> None:
    """Run the node of a home folder until it is told to end.

    Args:
        observer: called with the name of each gate step as it begins.
        ready: called once everything has been verified, before dialling.
        startup: where it was opened already, as for keys whose passphrase somebody typed.

    Raises:
        TrustQueryError: configuration, enrolment or ledger problems; ``node-engine-isolation``;
            ``ledger-unwritable`` when a write failed.
    """
    config = load_config(home)
    startup = startup or load_startup(home)
    check_certificate(startup)
    if Marks(home.control).found() == "stop":
        raise TrustQueryError("policy-stopped")
    # Before any thread or channel exists: loading a native library beside gRPC's start has crashed a node.
    warm_up()
    ledger, processes = SqliteLedger(home.ledger), Processes()
    try:
        documents = DocumentStore(home.documents, startup.root)
        policies = PolicyStore(home, startup.federation, startup.node, ledger.book)
        if policies.must_exit():
            raise TrustQueryError("policy-stopped")
        clock = SystemClock()
        office = Office(policies, ledger.book, clock.wall, log)
        stances = Stances(documents, policies, ledger.book, startup.key, clock.wall)
        bench = Bench(ReviewFolder(home.reviews), policies, ledger, clock.wall_ms, config.answer.slot_ms)
        service = Service(
            home, config, startup, ledger, policies, office, documents, stances, bench, log, observer, clock,
            processes=processes,
        )  # fmt: skip
        office.take_due()
        processes.start()
        now = clock.wall()
        ended = ledger.recover(now)
        log("started", entries=ledger.size(), interrupted=len(ended), data=_note_data(service, now))
        _say_policy(policies, ledger, log)
        ready()
        asyncio.run(service.main())
    finally:
        processes.close()
        ledger.close()
    if service.failure is not None:
        if isinstance(service.failure, TrustQueryError):
            raise service.failure
        raise TrustQueryError("internal-fault", incident="service") from service.failure
    log("ended")


def _note_data(service: Service, now: int) -> int:
    try:
        version = Store.open(service.home.store).data_version
    except TrustQueryError:
        return 0
    service.ledger.note_refresh(version, now)
    return version


def _say_policy(policies: PolicyStore, ledger: SqliteLedger, log: Callable[..., None]) -> None:
    try:
        policy = policies.policy()
        log("policy", version=policy.version, sha256=policy.sha256)
    except TrustQueryError as error:
        if ledger.failed:
            raise
        log("no policy in force", code=error.code)
