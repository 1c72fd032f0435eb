"""Keeps one session to the coordinator and hands its messages to worker threads, so that the stream never waits.

Answers go out through ``deliver`` from any thread. Without a session they are dropped here: the ledger has them, and
every new session begins by repeating what was sent and never acknowledged, in the same bytes.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from node_agent.budget import REPEAT_SECONDS
from node_agent.config import LinkConfig
from node_agent.enrolment.renewing import Renewal
from node_agent.enrolment.startup import Startup
from node_agent.gate.case import Peer
from node_agent.gate.endings import repeat
from node_agent.gate.gate import pass_offer
from node_agent.gate.ports import Ports
from node_agent.gate.preview import answer_preview
from node_agent.gate.send import holds_release
from node_agent.link.backoff import delays
from node_agent.link.grpc_stream import GrpcStream, passes
from node_agent.link.places import Places
from node_agent.link.running import Running
from node_agent.link.session import Session
from node_agent.link.streams import REFUSALS, Stream
from node_agent.link.ways import RETRY_SECONDS, Ways
from node_agent.link.websocket_stream import WebSocketStream, websocket_address
from node_agent.network import DIRECT, Network, aside, dial
from node_agent.policy_store import DocumentStore
from trustquery.errors import TrustQueryError
from trustquery.protocol.frames import Transport
from trustquery.protocol.messages import (
    Ack,
    AnswerMessage,
    Certificate,
    Cosignature,
    Documents,
    Goodbye,
    Heartbeat,
    Join,
    Message,
    Offer,
    Preview,
    WitnessRequest,
)
from trustquery.protocol.session import Recent, stance_messages
from trustquery.protocol.witnessing import Witnessing

__all__ = ["Link"]

OFFERS_AT_ONCE = 128
HAND_OVER_SECONDS = 15.0
RENEW_LOOK_SECONDS = 0.5
PROBE_SECONDS = 5.0
"""How long a look whether the other transport's port opens may take."""


class Link:
    """The node's side of the connection.

    Args:
        renewal: the node's identity, its certificate and when that is renewed, its join counter.
        ports: the gate's ports; their ``send`` is this link's ``deliver``.
        documents: takes roots, roster, revocation statement and permits.
        witnessing: cosigns others' heads.
        stances: envelopes of what the trust says of the permits kept here.
        on_change: called when the connection comes or goes.
        on_failure: called with the error after which the node must stop answering.
        network: how the node reaches the outside.
        retry_seconds: how long a WebSocket that gRPC fell back to is used before gRPC is tried again.
    """

    def __init__(
        self,
        renewal: Renewal,
        config: LinkConfig,
        ports: Ports,
        documents: DocumentStore,
        witnessing: Witnessing,
        *,
        stances: Callable[[], tuple[bytes, ...]],
        on_change: Callable[[bool], None],
        on_failure: Callable[[BaseException], None],
        network: Network = DIRECT,
        retry_seconds: float = RETRY_SECONDS,
    ) -> None:
        self._renewal = renewal
        self._renewed = asyncio.Event()
        self._moving = asyncio.Lock()
        self._config = config
        self._ports = ports
        self._documents = documents
        self._witnessing = witnessing
        self._stances = stances
        self._told: set[bytes] = set()
        self._on_change = on_change
        self._on_failure = on_failure
        self._network = network
        self._retry_seconds = retry_seconds
        self._places = Places.of(config)
        self._ways = Ways(config.transport, bool(websocket_address(renewal.startup, config)))
        self._greeted = False
        self._session: Session | None = None
        self._nonces = Recent()
        self._acknowledged = Recent()
        self._loop = asyncio.get_running_loop()
        self._offers = ThreadPoolExecutor(OFFERS_AT_ONCE, thread_name_prefix="offer")
        self._quick = ThreadPoolExecutor(4, thread_name_prefix="quick")
        self._closing = False

    # -- the connection ------------------------------------------------------------------------------------------

    @property
    def transport(self) -> Transport:
        """What carries the session, or is dialled next."""
        return self._ways.current

    @property
    def fallen_back(self) -> bool:
        """Whether that is a WebSocket because gRPC did not pass."""
        return self._ways.fallen_back

    async def run(self) -> None:
        """Connect, and connect again, until closed or cancelled."""
        waits = delays(self._config.reconnect_ms, self._config.reconnect_max_ms)
        asking = asyncio.create_task(self._ask_for_certificates())
        try:
            while not self._closing:
                began = self._loop.time()
                self._greeted = refused = False
                try:
                    await self._sessions()
                except TrustQueryError as error:
                    refused = error.code in REFUSALS
                    place = error.problem.place
                    self._ports.log("link down", code=error.code, place=place, transport=self.transport)
                if not self._greeted and not refused and not self._closing:
                    await self._note_failure()
                if self._loop.time() - began > self._config.reconnect_max_ms / 1_000:
                    waits = delays(self._config.reconnect_ms, self._config.reconnect_max_ms)
                # Another replica is dialled at once, give or take; only a round in vain waits longer.
                longer = self._places.failed()
                if not self._closing:
                    await asyncio.sleep(next(waits if longer else delays(self._config.reconnect_ms, 1)))
        finally:
            asking.cancel()

    @property
    def _startup(self) -> Startup:
        """The node's anchors, with the address of the replica that is in use, or tried next."""
        return self._places.at(self._renewal.startup)

    async def _dial(self) -> Running:
        kind = WebSocketStream if self.transport == "websocket" else GrpcStream
        startup = self._startup
        stream: Stream = await kind.dial(startup, self._config, self._network)
        self._acknowledged = Recent()
        session = Session(stream, startup.node, self, self._config.heartbeat_ms, self._nonces)
        return Running(stream, session, self._ended)

    def _ended(self, session: Session) -> None:
        if self._session is session:
            self._session = None
            self._on_change(False)

    async def _sessions(self) -> None:
        """One session, and after each renewal the next one, which begins before the one before it ends."""
        # A certificate that came as the last stream ended is the one that is used now.
        self._renewed.clear()
        current = await self._dial()
        retry = asyncio.create_task(self._retry_grpc()) if self.fallen_back else None
        try:
            while True:
                renewed = asyncio.create_task(self._renewed.wait())
                try:
                    await asyncio.wait({current.task, renewed}, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    renewed.cancel()
                if current.task.done():
                    return current.task.result()
                self._renewed.clear()
                async with self._moving:
                    current = await self._hand_over(current)
        finally:
            if retry is not None:
                retry.cancel()
            await current.end()

    async def _hand_over(self, current: Running) -> Running:
        """Connect with the new certificate, then let the old session go; where that fails, the old one stays."""
        try:
            following = await self._dial()
        except TrustQueryError as error:
            # The certificate in use is good for as long again; the next session uses the new one.
            self._ports.log("hand-over failed", code=error.code)
            return current
        greeted = asyncio.create_task(following.session.greeted.wait())
        try:
            await asyncio.wait(
                {greeted, following.task}, timeout=HAND_OVER_SECONDS, return_when=asyncio.FIRST_COMPLETED
            )
            if following.session.greeted.is_set() and not following.task.done():
                await current.retire()
                # Whatever the old session took with it is repeated from the ledger, in the same bytes.
                self._work(self._quick, self._repeat)
                following, current = current, following
                self._ports.log("certificate in use")
            return current
        finally:
            greeted.cancel()
            await following.end()

    async def _ask_for_certificates(self) -> None:
        while True:
            await asyncio.sleep(RENEW_LOOK_SECONDS)
            if self._session is not None and self._renewal.due():
                self._session.send(self._renewal.request())

    def _take_certificate(self, message: Certificate) -> None:
        """A new certificate; one that does not fit changes nothing."""
        self._renewal.take(message.certificate)
        self._ports.log("certificate renewed")
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._renewed.set)

    def join(self, nonce: bytes) -> Join:
        """The proof that this node joins this session."""
        return self._renewal.join(nonce)

    async def _note_failure(self) -> None:
        """Count a stream that ended before its greeting, unless the coordinator or the network is away."""
        startup = self._startup
        grpc, websocket = startup.coordinator.grpc_address, websocket_address(startup, self._config)
        opens = await self._opens(websocket if self.transport == "grpc" else grpc)
        if self._ways.failed(opens):
            self._ports.log("transport", now=self.transport, fallback=self.fallen_back)

    async def _opens(self, address: str) -> bool:
        if not address:
            return False
        opening = aside(lambda: dial(address, self._network.proxy_for(address), PROBE_SECONDS).close())
        try:
            await asyncio.wait_for(asyncio.wrap_future(opening), PROBE_SECONDS)
        except (TrustQueryError, TimeoutError):
            return False
        return True

    async def _retry_grpc(self) -> None:
        """Go back to gRPC once it is seen to pass; the session in hand goes on until then."""
        while True:
            await asyncio.sleep(self._retry_seconds)
            if await passes(self._startup, self._config, self._network, PROBE_SECONDS):
                # A session that is being handed over would be missed.
                async with self._moving:
                    self._ways.prefer_grpc()
                    self._ports.log("transport", now=self.transport, fallback=False)
                    if self._session is not None:
                        self._session.send(Goodbye("restart"))
                return

    def connected(self, session: Session) -> None:
        """A new session: say every stance, and repeat what was sent and not acknowledged."""
        self._session = session
        self._greeted = True
        self._ways.worked()
        self._places.worked()
        self._told = set()
        self._on_change(True)
        self.tell()
        self._work(self._quick, self._ports.cosigning.connected)
        self._work(self._quick, self._repeat)

    def heartbeat(self) -> Heartbeat:
        """The head of the last slot, the policy in force, and whether the ledger is frozen."""
        try:
            policy_hash = self._ports.governance.policy().sha256
        except TrustQueryError:
            policy_hash = ""
        return Heartbeat(self._ports.heads.note, policy_hash, self._ports.cosigning.frozen)

    def broke(self, frame: bytes, error: TrustQueryError) -> None:
        """Enter it in the ledger, in a worker: one event for each session that ends so."""
        now, place = self._ports.clock.wall(), error.problem.place
        self._work(
            self._quick, lambda: self._ports.ledger.note_alarm(error.code, f"frame {place}", frame, now, once=False)
        )

    def withheld(self, message: Message) -> bool:
        """The last look at the stop mark, before bytes go to the stream: whatever way they came here."""
        return isinstance(message, AnswerMessage) and holds_release(message) and self._ports.governance.stopped()

    def deliver(self, message: Message) -> None:
        """Put a message on the stream, from any thread."""

        def put() -> None:
            if self._session is not None:
                self._session.send(message)

        # The loop may be gone already: the ledger keeps the answer for the next start.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(put)

    def tell(self) -> None:
        """Say every stance that this session has not been told yet; from any thread."""
        self._work(self._quick, self._tell)

    def _tell(self) -> None:
        stances = self._stances()

        def put() -> None:
            new = tuple(data for data in stances if data not in self._told)
            if self._session is not None and new:
                self._told.update(new)
                for message in stance_messages(new):
                    self._session.send(message)

        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(put)

    async def close(self) -> None:
        """Say goodbye, take no more work, let what is under way reach a safe point."""
        said, self._closing = self._closing, True
        if self._session is not None and not said:
            self._session.send(Goodbye("restart"))
            await asyncio.sleep(0.05)
        for pool in (self._offers, self._quick):
            await asyncio.to_thread(pool.shutdown, True, cancel_futures=True)

    # -- messages ------------------------------------------------------------------------------------------------

    def received(self, message: Message) -> None:
        """Hand a message to a worker. The time of an offer's arrival is the start of its slots."""
        arrived = self._ports.clock.monotonic()
        # Frames come here after the greeting alone, and that is after TLS.
        peer = Peer(authenticated=True, acknowledged=self._acknowledged)
        match message:
            case Offer():
                self._work(self._offers, lambda: pass_offer(message, peer, arrived, self._ports))
            case Preview():
                self._work(self._quick, lambda: self.deliver(answer_preview(message, peer, self._ports)))
            case Documents():
                self._work(self._quick, lambda: self._take(message))
            case Ack():
                self._acknowledged.new(bytes.fromhex(message.release_id))
                self._work(self._quick, lambda: self._ports.ledger.acknowledged(message.release_id))
            case Certificate():
                self._work(self._quick, lambda: self._take_certificate(message))
            case WitnessRequest():
                self._work(self._quick, lambda: self.deliver(self._witnessing.answer(message)))
            case Cosignature():
                self._work(self._quick, lambda: self._ports.cosigning.heard(message))
            case _:
                # Cancel changes nothing: a release that has started runs to its slot, so that time tells nothing.
                pass

    def _work(self, pool: ThreadPoolExecutor, task: Callable[[], object]) -> None:
        if not self._closing:
            pool.submit(task).add_done_callback(self._finished)

    def _finished(self, future: Future[object]) -> None:
        if future.cancelled():
            return
        error = future.exception()
        if error is None:
            return
        if self._ports.ledger.failed or not isinstance(error, TrustQueryError):
            self._loop.call_soon_threadsafe(self._on_failure, error)
        else:
            self._ports.log("work failed", code=error.code)

    def _take(self, message: Documents) -> None:
        now = self._ports.clock.wall()

        def alarm(code: str, kind: str, data: bytes) -> None:
            self._ports.ledger.note_alarm(code, kind, data, now, once=True)

        refused = self._documents.take(message, self._ports.ledger, now, alarm)
        self._ports.log(
            "documents",
            permits=len(message.permits),
            withdrawals=len(message.withdrawals),
            revocations=bool(message.revocations),
            refused=list(refused),
        )

    def _repeat(self) -> None:
        oldest = self._ports.clock.wall() - REPEAT_SECONDS
        for release in self._ports.ledger.unacknowledged():
            if release.not_after > oldest:
                repeat(release.release_id, self._ports)
