"""The session's rules without its socket: numbering, greeting, who may say what, putting vectors together.

``Outbound`` and ``Inbound`` turn messages into frames and back. Both ends of the link run the same code. Every frame
after the two greetings names its stream by both nonces, so that one captured anywhere else ends the session at once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Literal

from trustquery.errors import TrustQueryError
from trustquery.protocol.messages import (
    PROTOCOL_VERSION,
    Ack,
    AnswerMessage,
    Cancel,
    Certificate,
    Cosignature,
    Documents,
    Goodbye,
    Heartbeat,
    Hello,
    Join,
    Message,
    Offer,
    Preview,
    PreviewReply,
    Renew,
    WitnessRequest,
)
from trustquery.wire import CHUNK_BYTES, SESSION_BYTES, AnswerHead, VectorPart, decode, encode

__all__ = [
    "MAX_STANCES",
    "MAX_STANCES_BYTES",
    "MAX_VECTOR_BYTES",
    "Inbound",
    "Outbound",
    "Recent",
    "Side",
    "session_name",
    "stance_messages",
]

Side = Literal["node", "coordinator"]

MAX_VECTOR_BYTES = 64 * 1024 * 1024
"""33,000 areas x 90 bins is 24 MB; a policy's cap on cells is far below this."""

MAX_STANCES = 200
"""Most stances in one message."""
MAX_STANCES_BYTES = 2 * 1024 * 1024
"""Longest stances of one message, all together; the longest that can be signed is about half of it."""

_BOTH = frozenset({Hello, Heartbeat, WitnessRequest, Cosignature, Goodbye})
_MAY_SAY: dict[Side, frozenset[type[object]]] = {
    "node": _BOTH | {Documents, PreviewReply, AnswerMessage, Join, Renew},
    "coordinator": _BOTH | {Documents, Preview, Offer, Ack, Cancel, Certificate},
}


def _wrong(place: str) -> TrustQueryError:
    return TrustQueryError("node-message-invalid", place=place)


def session_name(sender: Side, node_nonce: bytes, coordinator_nonce: bytes) -> bytes:
    """What names a stream in each frame of one side: it depends on a fresh nonce of either, and on who speaks."""
    whole = (
        b"tq/session/v1/"
        + sender.encode()
        + b"\0"
        + hashlib.sha256(node_nonce).digest()
        + hashlib.sha256(coordinator_nonce).digest()
    )
    return hashlib.sha256(whole).digest()[:SESSION_BYTES]


class Recent:
    """What was seen of late: a set that forgets the oldest, so that nobody can make it grow.

    Args:
        most: how many it holds.
    """

    def __init__(self, most: int = 65_536) -> None:
        self._most = most
        self._held: dict[bytes, None] = {}

    def __contains__(self, item: object) -> bool:
        return item in self._held

    def new(self, item: bytes) -> bool:
        """Whether this is seen for the first time; it is held from now on."""
        if item in self._held:
            return False
        self._held[item] = None
        if len(self._held) > self._most:
            del self._held[next(iter(self._held))]
        return True


def stance_messages(stances: Iterable[bytes]) -> list[Documents]:
    """Messages that carry these stances in their order, each within the limits."""
    found: list[list[bytes]] = []
    size = 0
    for data in stances:
        if not found or len(found[-1]) >= MAX_STANCES or size + len(data) > MAX_STANCES_BYTES:
            found.append([])
            size = 0
        found[-1].append(data)
        size += len(data)
    return [Documents(stances=tuple(part)) for part in found]


class Outbound:
    """Numbers what one side says, from 1. Frames must be written in the order they were made."""

    def __init__(self) -> None:
        self._next = 1
        self._session = b""

    def begin(self, session: bytes) -> None:
        """Name the stream in every frame from here on: both sides have greeted."""
        self._session = session

    def frames(self, message: Message) -> list[bytes]:
        """The frames of one message.

        Raises:
            TrustQueryError: ``node-message-invalid``; no number is used up.
        """
        made = encode(message, self._next, self._session)
        self._next += len(made)
        return made


class Inbound:
    """Reads what the other side says; the first problem ends the session, and nothing after it is read.

    Args:
        sender: which side is being read.
        nonce: the fresh nonce of this side's own Hello, 32 bytes. The coordinator's Hello must repeat it; a node speaks
            first and repeats nothing.
        nonces: the sender's nonces of late, over all streams; None where nobody keeps them (a single session).
        max_vector_bytes: largest vector put together, bytes.

    Attributes:
        hello: the sender's Hello, once it has come.
    """

    def __init__(
        self,
        *,
        sender: Side,
        nonce: bytes,
        nonces: Recent | None = None,
        max_vector_bytes: int = MAX_VECTOR_BYTES,
    ) -> None:
        self._sender = sender
        self._nonce = nonce
        self._nonces = nonces
        self._heard = self._said = b""
        self._ended = ""
        self._joined = False
        self._offers = Recent()
        self._limit = max_vector_bytes
        self._expected = 1
        self._head: AnswerHead | None = None
        self._parts: list[bytes] = []
        self.hello: Hello | None = None

    @property
    def session(self) -> bytes:
        """What names this stream in the frames of this side; empty before the sender's Hello."""
        return self._said

    def receive(self, frame: bytes) -> Message | None:
        """Read the next frame.

        Returns:
            A whole message, or None while an answer's vector is incomplete.

        Raises:
            TrustQueryError: ``node-message-invalid``, also for every frame after the first problem or a Goodbye.
        """
        if self._ended:
            raise _wrong(self._ended)
        # Set first: whatever is raised in there, also by a fault of our own, nothing more is read.
        self._ended = "ended"
        message = self._read(frame)
        self._ended = "goodbye" if isinstance(message, Goodbye) else ""
        return message

    def _read(self, frame: bytes) -> Message | None:
        sequence, session, body = decode(frame)
        if sequence != self._expected:
            raise _wrong("sequence")
        if session != self._heard:
            raise _wrong("session")
        self._expected += 1
        if self._head is not None:
            return self._continue(self._head, body)
        if isinstance(body, VectorPart):
            raise _wrong("chunk")
        if isinstance(body, AnswerHead):
            if not self._joined:
                raise _wrong("answer")
            return self._begin(body)
        if type(body) not in _MAY_SAY[self._sender]:
            raise _wrong(type(body).__name__)
        if isinstance(body, Hello):
            self._greet(body)
        elif self.hello is None:
            raise _wrong("hello")
        elif self._sender == "node" and isinstance(body, Join) == self._joined:
            # A node proves its identity key in its second message, and once.
            raise _wrong("join")
        elif isinstance(body, Join):
            self._joined = True
        elif isinstance(body, Documents):
            self._check_documents(body)
        elif isinstance(body, Offer) and not self._offers.new(hashlib.sha256(body.intent).digest()):
            # An honest coordinator repeats an offer on a new stream, never on the same one.
            raise _wrong("offer again")
        return body

    def _greet(self, hello: Hello) -> None:
        if self.hello is not None or not hello.node:
            raise _wrong("hello")
        if PROTOCOL_VERSION not in hello.versions:
            theirs = ", ".join(str(version) for version in hello.versions[:4]) or "none"
            raise TrustQueryError(
                "node-protocol-version", place="hello.versions", ours=str(PROTOCOL_VERSION), theirs=theirs
            )
        if hello.echo != (self._nonce if self._sender == "coordinator" else b""):
            raise _wrong("hello.echo")
        if hello.nonce == self._nonce or (self._nonces is not None and not self._nonces.new(hello.nonce)):
            raise _wrong("hello.nonce")
        nonces = (self._nonce, hello.nonce) if self._sender == "coordinator" else (hello.nonce, self._nonce)
        self._heard = session_name(self._sender, *nonces)
        self._said = session_name("node" if self._sender == "coordinator" else "coordinator", *nonces)
        self.hello = hello

    def _check_documents(self, documents: Documents) -> None:
        """A node speaks for its trust and for nobody else; the coordinator speaks for no trust."""
        if self._sender == "coordinator":
            if documents.stances:
                raise _wrong("documents.stances")
            return
        if documents != Documents(stances=documents.stances) or not documents.stances:
            raise _wrong("documents")
        size = sum(map(len, documents.stances))
        if len(documents.stances) > MAX_STANCES or size > MAX_STANCES_BYTES:
            raise _wrong("documents.stances")

    def _begin(self, head: AnswerHead) -> AnswerMessage | None:
        if head.parts == 0:
            return AnswerMessage(head.release_id, head.envelope, head=head.head)
        if (head.parts - 1) * CHUNK_BYTES >= self._limit:
            raise _wrong("answer.vector")
        self._head = head
        return None

    def _continue(self, head: AnswerHead, body: object) -> AnswerMessage | None:
        if not isinstance(body, VectorPart) or body.release_id != head.release_id:
            raise _wrong("chunk")
        last = body.index == head.parts - 1
        if body.count != head.parts or body.index != len(self._parts):
            raise _wrong("chunk")
        # All parts but the last are full, so that one vector has one form on the wire.
        if (not last and len(body.data) != CHUNK_BYTES) or (last and len(body.data) % 8):
            raise _wrong("chunk")
        self._parts.append(body.data)
        if not last:
            return None
        vector = b"".join(self._parts)
        if len(vector) > self._limit:
            raise _wrong("answer.vector")
        self._head, self._parts = None, []
        return AnswerMessage(head.release_id, head.envelope, vector, head.head)
