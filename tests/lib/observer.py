"""A coordinator that looks at nothing but the wire: when an answer's last byte came, and how long each frame was.

It is the strongest observer of a node's link that there is: the other end of its TLS.
"""

from __future__ import annotations

import datetime
import queue
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import grpc

from tests.lib.coordinator import EnrolledNode
from trustquery.identity import SigningKey, new_secret
from trustquery.identity.certificates import Authority, certificate_request, new_tls_key, spiffe_name
from trustquery.protocol.messages import (
    PROTOCOL_VERSION,
    Ack,
    AnswerMessage,
    Documents,
    Hello,
    Message,
    Offer,
    WitnessRequest,
)
from trustquery.protocol.session import Inbound, Outbound
from trustquery.wire import SERVICE

__all__ = ["Observer", "Seen"]

PATIENCE = 60.0

Raw = Callable[[list[bytes]], list[bytes]]
"""Makes frames by hand, of all that this session was sent so far."""


@dataclass(frozen=True)
class Seen:
    """One answer as the wire shows it: seconds from offer to last byte, length of each frame, the message.

    Lengths are less that of the frame's own number, which tells how many frames the observer has seen already.
    """

    seconds: float
    frames: tuple[int, ...]
    message: AnswerMessage


def varint_length(number: int) -> int:
    """Bytes that a number takes in a frame: seven bits each (protobuf encoding, "Base 128 Varints")."""
    return max(1, -(-number.bit_length() // 7))


class Observer:
    """The coordinator's end of the link to any number of nodes.

    Args:
        federation: name of the federation.

    Attributes:
        documents: what every node is sent after its greeting.
        greetings: for each of the next sessions, what makes the first frames in place of an honest greeting.
        stances: every stance that a node said, with the name of the node that greeted.
        cosigns: what comes of a request for a cosignature; None where nobody replies.
        acknowledges: whether answers are acknowledged.
        sessions: how many have greeted.
        arrived: every answer there was, with the wall-clock time of its last byte, seconds since 1970.
    """

    def __init__(self, federation: str) -> None:
        now = datetime.datetime.now(datetime.UTC)
        self.federation = federation
        self.authority = Authority.generate(federation, now)
        self.documents = Documents()
        self.cosigns: Callable[[WitnessRequest], Message | None] | None = None
        self.acknowledges, self.sessions = True, 0
        self.arrived: list[tuple[float, AnswerMessage]] = []
        self.greetings: list[Callable[[Hello], list[bytes]]] = []
        self._current: dict[str, object] = {}
        self.stances: list[tuple[str, bytes]] = []
        self._outgoing: dict[str, queue.Queue[Message | Raw]] = {}
        self._greeted: dict[str, threading.Event] = {}
        self._waiting: dict[tuple[str, str], queue.SimpleQueue[tuple[float, tuple[int, ...], AnswerMessage]]] = {}
        self._server = grpc.server(ThreadPoolExecutor(16), options=[("grpc.so_reuseport", 0)])
        tls_key = new_tls_key()
        certificate = self.authority.issue_server(tls_key, hosts=["localhost"], now=now)
        handler: Any = grpc.stream_stream_rpc_method_handler(self._session)
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {"Session": handler}),))
        credentials = grpc.ssl_server_credentials(
            [(tls_key, certificate)], self.authority.certificate_pem, require_client_auth=True
        )
        self.address = f"localhost:{self._server.add_secure_port('localhost:0', credentials)}"
        self._server.start()

    def enrol(self, ods: str) -> EnrolledNode:
        """Keys and a certificate for a node."""
        key, tls_key = SigningKey.generate(), new_tls_key()
        uri, now = spiffe_name(self.federation, ods), datetime.datetime.now(datetime.UTC)
        certificate = self.authority.issue_node(certificate_request(tls_key, ods), uri=uri, now=now)
        self._outgoing[ods], self._greeted[ods] = queue.Queue(), threading.Event()
        return EnrolledNode(ods, key, tls_key, certificate)

    def _session(self, frames: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        nonce = new_secret(32)
        inbound, outbound = Inbound(sender="node", nonce=nonce), Outbound()
        hello = inbound.receive(next(frames))
        assert isinstance(hello, Hello)
        node = hello.node
        if self.greetings:
            yield from self.greetings.pop(0)(hello)
            while context.is_active():
                time.sleep(0.02)
            return
        mine = self._current[node] = object()
        sent: list[bytes] = []

        def said(frames: list[bytes]) -> list[bytes]:
            sent.extend(frames)
            return frames

        yield from said(outbound.frames(Hello((PROTOCOL_VERSION,), "coordinator", nonce, hello.nonce)))
        outbound.begin(inbound.session)
        yield from said(outbound.frames(self.documents))
        threading.Thread(target=self._listen, args=(node, inbound, frames), daemon=True).start()
        self._greeted[node].set()
        self.sessions += 1
        while context.is_active():
            try:
                message = self._outgoing[node].get(timeout=1)
            except queue.Empty:
                continue
            if self._current[node] is not mine:
                # The node has dialled again: it is for the session that stands.
                self._outgoing[node].put(message)
                return
            yield from said(message(sent) if callable(message) else outbound.frames(message))

    def _listen(self, node: str, inbound: Inbound, frames: Iterator[bytes]) -> None:
        lengths: list[int] = []
        try:
            # The greeting was the first.
            for number, frame in enumerate(frames, start=2):
                now = time.perf_counter()
                lengths.append(len(frame) - varint_length(number))
                message = inbound.receive(frame)
                if isinstance(message, AnswerMessage):
                    self.arrived.append((time.time(), message))
                    if self.acknowledges:
                        self._outgoing[node].put(Ack(message.release_id))
                    waiting = self._waiting.get((node, message.release_id))
                    if waiting is not None:
                        waiting.put((now, tuple(lengths), message))
                if isinstance(message, WitnessRequest) and self.cosigns is not None:
                    reply = self.cosigns(message)
                    if reply is not None:
                        self._outgoing[node].put(reply)
                if isinstance(message, Documents):
                    self.stances += [(node, data) for data in message.stances]
                if message is not None:
                    lengths = []
        except grpc.RpcError:
            pass

    def ready(self, node: str) -> bool:
        """Whether the node has greeted."""
        return self._greeted[node].is_set()

    def ask(self, node: str, release_id: str, offer: Offer) -> Seen:
        """Offer, wait for the answer, and say what was seen of it."""
        found: queue.SimpleQueue[tuple[float, tuple[int, ...], AnswerMessage]] = queue.SimpleQueue()
        self._waiting[node, release_id] = found
        began = time.perf_counter()
        self._outgoing[node].put(offer)
        now, lengths, message = found.get(timeout=PATIENCE)
        del self._waiting[node, release_id]
        return Seen(now - began, lengths, message)

    def offer(self, node: str, offer: Offer) -> None:
        """Offer, without waiting."""
        self._outgoing[node].put(offer)

    def send(self, node: str, message: Message | Raw) -> None:
        """Say anything, or put frames made by hand on the stream."""
        self._outgoing[node].put(message)

    def stop(self) -> None:
        """Hang up on everybody."""
        self._server.stop(0)
