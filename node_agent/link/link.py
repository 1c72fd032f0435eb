"""Keeps one session to the coordinator and hands its messages to worker threads, so that the stream never waits.

Answers go out through ``deliver`` from any thread. Without a session they are dropped here: the ledger has them, and
every new session begins by repeating what was sent and never acknowledged, in the same bytes.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import grpc

from node_agent.config import LinkConfig
from node_agent.enrolment.startup import Startup
from node_agent.gate.case import Peer
from node_agent.gate.endings import repeat
from node_agent.gate.gate import pass_offer
from node_agent.gate.ports import Ports
from node_agent.gate.preview import answer_preview
from node_agent.gate.send import holds_release
from node_agent.link.backoff import delays
from node_agent.link.channel import open_channel
from node_agent.link.session import Session
from node_agent.policy_store import DocumentStore
from trustquery.errors import TrustQueryError
from trustquery.protocol.messages import (
    Ack,
    AnswerMessage,
    Cosignature,
    Documents,
    Goodbye,
    Heartbeat,
    Message,
    Offer,
    Preview,
    WitnessRequest,
)
from trustquery.protocol.session import stance_messages

__all__ = ["Link"]

OFFERS_AT_ONCE = 128
REPEAT_SECONDS = 7 * 86_400
"""How long after its intent ended an unacknowledged answer is still repeated."""
_AUTHENTICATED = Peer(authenticated=True)


class Link:
    """The node's side of the connection.

    Args:
        ports: the gate's ports; their ``send`` is this link's ``deliver``.
        documents: takes roster and permits.
        stances: envelopes of what the trust says of the permits kept here.
        on_change: called when the connection comes or goes.
        on_failure: called with the error after which the node must stop answering.
    """

    def __init__(
        self,
        startup: Startup,
        config: LinkConfig,
        ports: Ports,
        documents: DocumentStore,
        *,
        stances: Callable[[], tuple[bytes, ...]],
        on_change: Callable[[bool], None],
        on_failure: Callable[[BaseException], None],
    ) -> None:
        self._startup = startup
        self._config = config
        self._ports = ports
        self._documents = documents
        self._stances = stances
        self._told: set[bytes] = set()
        self._on_change = on_change
        self._on_failure = on_failure
        self._session: Session | None = None
        self._loop = asyncio.get_running_loop()
        self._offers = ThreadPoolExecutor(OFFERS_AT_ONCE, thread_name_prefix="offer")
        self._quick = ThreadPoolExecutor(4, thread_name_prefix="quick")
        self._closing = False

    # -- the connection ------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Connect, and connect again, until closed or cancelled."""
        waits = delays(self._config.reconnect_ms, self._config.reconnect_max_ms)
        while not self._closing:
            channel = open_channel(self._startup, self._config)
            began = self._loop.time()
            try:
                await self._one(channel)
            except TrustQueryError as error:
                self._ports.log("link down", code=error.code, place=error.problem.place)
            finally:
                await channel.close()
            if self._loop.time() - began > self._config.reconnect_max_ms / 1_000:
                waits = delays(self._config.reconnect_ms, self._config.reconnect_max_ms)
            if not self._closing:
                await asyncio.sleep(next(waits))

    async def _one(self, channel: grpc.aio.Channel) -> None:
        session = Session(channel, self._startup.node, self, self._config.heartbeat_ms)
        try:
            await session.run()
        finally:
            if self._session is session:
                self._session = None
                self._on_change(False)

    def connected(self, session: Session) -> None:
        """A new session: say every stance, and repeat what was sent and not acknowledged."""
        self._session = session
        self._told = set()
        self._on_change(True)
        self.tell()
        self._work(self._quick, self._repeat)

    def heartbeat(self) -> Heartbeat:
        """The head of the last slot and the policy in force."""
        try:
            policy_hash = self._ports.governance.policy().sha256
        except TrustQueryError:
            policy_hash = ""
        return Heartbeat(self._ports.heads.note, policy_hash)

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
        match message:
            case Offer():
                self._work(self._offers, lambda: pass_offer(message, _AUTHENTICATED, arrived, self._ports))
            case Preview():
                self._work(self._quick, lambda: self.deliver(answer_preview(message, _AUTHENTICATED, self._ports)))
            case Documents():
                self._work(self._quick, lambda: self._take(message))
            case Ack():
                self._work(self._quick, lambda: self._ports.ledger.acknowledged(message.release_id))
            case WitnessRequest():
                self.deliver(Cosignature(message.request_id, b"", "policy-witness-unavailable"))
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
        refused = self._documents.take(message, self._ports.ledger, self._ports.clock.wall())
        self._ports.log("documents", permits=len(message.permits), refused=list(refused))

    def _repeat(self) -> None:
        oldest = self._ports.clock.wall() - REPEAT_SECONDS
        for release in self._ports.ledger.unacknowledged():
            if release.not_after > oldest:
                repeat(release.release_id, self._ports)
