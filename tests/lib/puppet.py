"""A puppet trust: it speaks the real protocol over real TLS, but its vectors are the test's, without data or noise."""

from __future__ import annotations

import contextlib
import hashlib
import queue
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import grpc

from tests.lib.coordinator import EnrolledNode
from trustquery.catalogue import load
from trustquery.codelists import PublicTables, shipped
from trustquery.errors import Problem
from trustquery.identity import Answer, Intent, SigningKey, new_secret
from trustquery.model import Query
from trustquery.planning import compile_plan
from trustquery.protocol.enrolment import join_message
from trustquery.protocol.messages import (
    PROTOCOL_VERSION,
    Ack,
    AnswerMessage,
    Documents,
    Hello,
    Join,
    Message,
    Offer,
    Preview,
    PreviewReply,
    ScopeShare,
)
from trustquery.protocol.pairs import write_pairs
from trustquery.protocol.session import Inbound, Outbound
from trustquery.wire import SESSION_METHOD

__all__ = ["Puppet", "connected"]


@dataclass
class Puppet:
    """One trust on strings.

    Attributes:
        value: what every cell of its vector holds.
        keys: what it has found, by label, where keys are unknown.
        refuse: the problem it answers with instead, also to a preview.
        silent: it reads offers and says nothing.
        twist: changes the answer's fields before they are signed.
        spoil: changes the vector's bytes after they were signed.
        signer: signs its answers in place of its own key.
        stray: beside each true answer, the same for a release that was never offered.
        deaf: it joins, and then reads nothing and says nothing, with its stream open.
        delay: seconds from an offer to its answer.
        public: the public tables that it holds.
        counter: its join counter; 0 for one that grows with time. ``joined`` is what it has shown.
    """

    node: EnrolledNode
    address: str
    authority_pem: bytes
    value: int = 100
    keys: dict[str, int] = field(default_factory=dict)
    refuse: Problem | None = None
    silent: bool = False
    twist: dict[str, object] = field(default_factory=dict)
    spoil: Callable[[bytes], bytes] = bytes
    signer: SigningKey | None = None
    stray: bool = False
    deaf: bool = False
    delay: float = 0.0
    received: list[Message] = field(default_factory=list)
    status: grpc.StatusCode | None = None
    counter: int = 0
    joined: int = 0
    public: PublicTables = field(default_factory=shipped)

    def start(self) -> Puppet:
        """Dial in; returns once the coordinator has said Hello."""
        self._queue: queue.Queue[bytes | None] = queue.Queue()
        self._greeted, self._stopped = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._greeted.wait(10), self.status
        return self

    def stop(self) -> None:
        """Hang up."""
        self._stopped.set()
        self._queue.put(None)
        self._channel.close()
        self._thread.join(10)

    def say(self, message: Message) -> None:
        """Send a message."""
        for frame in self._outbound.frames(message):
            self._queue.put(frame)

    def _frames(self) -> Iterator[bytes]:
        while (frame := self._queue.get()) is not None:
            yield frame

    def _run(self) -> None:
        credentials = grpc.ssl_channel_credentials(self.authority_pem, self.node.tls_key, self.node.certificate)
        self._channel = grpc.secure_channel(self.address, credentials, options=[("grpc.use_local_subchannel_pool", 1)])
        self._outbound = Outbound()
        nonce = new_secret(32)
        inbound = Inbound(sender="coordinator", nonce=nonce)
        self.say(Hello((PROTOCOL_VERSION,), self.node.ods, nonce))
        session: grpc.StreamStreamMultiCallable[bytes, bytes] = self._channel.stream_stream(SESSION_METHOD)
        call = session(self._frames())
        try:
            for frame in call:
                message = inbound.receive(frame)
                if isinstance(message, Hello):
                    self._outbound.begin(inbound.session)
                if message is not None:
                    self.received.append(message)
                    self._react(message)
                if self.deaf and isinstance(message, Hello):
                    self._stopped.wait()
        except grpc.RpcError as error:
            self.status = error.code()
        except ValueError:
            self.status = grpc.StatusCode.CANCELLED
        self._greeted.set()

    def _react(self, message: Message) -> None:
        match message:
            case Hello():
                # Time never goes back, so a later puppet of the same trust has a larger counter.
                self.joined = self.counter or time.time_ns() // 1_000
                proof = join_message("test", self.node.ods, message.nonce, self.joined)
                self.say(Join(self.joined, self.node.key.sign(proof)))
                self._greeted.set()
            case Preview():
                reasons = (self.refuse.document(),) if self.refuse else ()
                shares = (ScopeShare("project", 900_000, 20_000),)
                self.say(PreviewReply(message.preview_id, not reasons, reasons, () if reasons else shares))
            case Offer() if not self.silent:
                self._stopped.wait(self.delay)
                answer = self.answer(message)
                self.say(answer)
                if self.stray:
                    self.say(replace(answer, release_id="cd" * 32))

    def answer(self, offer: Offer) -> AnswerMessage:
        """The signed answer to an offer."""
        intent = Intent.read(offer.intent)
        query = Query.from_payload(offer.model)
        plan = compile_plan(query, load(query.catalogue_id), self.public)
        if plan.has_unknown_keys:
            vector, length = write_pairs(self.keys), len(self.keys)
        else:
            vector, length = struct.pack(f"<{plan.length}q", *[self.value] * plan.length), plan.length
        if self.refuse is not None:
            vector, length = b"", 0
        fields: dict[str, object] = {
            "federation": intent.federation,
            "release_id": intent.release_id,
            "query_hash": intent.query_hash,
            "plan_hash": intent.plan_hash,
            "node": self.node.ods,
            "data_version": 1,
            "policy_hash": "ab" * 32,
            "mode": "local",
            "status": "answer" if self.refuse is None else "refused",
            "vector_sha256": hashlib.sha256(vector).hexdigest() if self.refuse is None else "",
            "vector_length": length,
            "rho_nano": plan.rho_nano if self.refuse is None else 0,
            "ledger_seq": 1,
            "reasons": ((self.refuse or Problem("policy-bootstrap")).document(),),
        }
        document = Answer.model_validate(fields | self.twist)
        return AnswerMessage(
            intent.release_id, document.sign(self.signer or self.node.key).encode(), self.spoil(vector)
        )

    def acknowledged(self) -> int:
        """How many answers the coordinator holds durably."""
        return sum(isinstance(message, Ack) for message in self.received)

    def documents(self) -> list[Documents]:
        """Every Documents message so far."""
        return [message for message in self.received if isinstance(message, Documents)]


@contextlib.contextmanager
def connected(*puppets: Puppet) -> Iterator[None]:
    """All of them dialled in."""
    started: list[Puppet] = []
    try:
        for puppet in puppets:
            started.append(puppet.start())
        yield
    finally:
        for puppet in started:
            puppet.stop()
