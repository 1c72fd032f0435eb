"""The session's rules without its socket: numbering, greeting, who may say what, putting vectors together.

``Outbound`` and ``Inbound`` turn messages into frames and back. Both ends of the link run the same code.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from trustquery.errors import TrustQueryError
from trustquery.protocol.messages import (
    PROTOCOL_VERSION,
    Ack,
    AnswerMessage,
    Cancel,
    Cosignature,
    Documents,
    Goodbye,
    Heartbeat,
    Hello,
    Message,
    Offer,
    Preview,
    PreviewReply,
    WitnessRequest,
)
from trustquery.wire import CHUNK_BYTES, AnswerHead, VectorPart, decode, encode

__all__ = ["MAX_STANCES", "MAX_STANCES_BYTES", "MAX_VECTOR_BYTES", "Inbound", "Outbound", "Side", "stance_messages"]

Side = Literal["node", "coordinator"]

MAX_VECTOR_BYTES = 64 * 1024 * 1024
"""33,000 areas x 90 bins is 24 MB; a policy's cap on cells is far below this."""

MAX_STANCES = 200
"""Most stances in one message."""
MAX_STANCES_BYTES = 2 * 1024 * 1024
"""Longest stances of one message, all together; the longest that can be signed is about half of it."""

_BOTH = frozenset({Hello, Heartbeat, WitnessRequest, Cosignature, Goodbye})
_MAY_SAY: dict[Side, frozenset[type[object]]] = {
    "node": _BOTH | {Documents, PreviewReply, AnswerMessage},
    "coordinator": _BOTH | {Documents, Preview, Offer, Ack, Cancel},
}


def _wrong(place: str) -> TrustQueryError:
    return TrustQueryError("node-message-invalid", place=place)


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

    def frames(self, message: Message) -> list[bytes]:
        """The frames of one message.

        Raises:
            TrustQueryError: ``node-message-invalid``; no number is used up.
        """
        made = encode(message, self._next)
        self._next += len(made)
        return made


class Inbound:
    """Reads what the other side says; the first problem ends the session.

    Args:
        sender: which side is being read.
        echo: the nonce this side sent, which the sender's Hello must repeat; empty when this side has not
            spoken yet (the node speaks first).
        max_vector_bytes: largest vector put together, bytes.
    """

    def __init__(self, *, sender: Side, echo: bytes = b"", max_vector_bytes: int = MAX_VECTOR_BYTES) -> None:
        self._sender = sender
        self._echo = echo
        self._limit = max_vector_bytes
        self._expected = 1
        self._head: AnswerHead | None = None
        self._parts: list[bytes] = []
        self.hello: Hello | None = None

    def receive(self, frame: bytes) -> Message | None:
        """Read the next frame.

        Returns:
            A whole message, or None while an answer's vector is incomplete.

        Raises:
            TrustQueryError: ``node-message-invalid``.
        """
        sequence, body = decode(frame)
        if sequence != self._expected:
            raise _wrong("sequence")
        self._expected += 1
        if self._head is not None:
            return self._continue(self._head, body)
        if isinstance(body, VectorPart):
            raise _wrong("chunk")
        if isinstance(body, AnswerHead):
            if self.hello is None or self._sender != "node":
                raise _wrong("answer")
            return self._begin(body)
        if type(body) not in _MAY_SAY[self._sender]:
            raise _wrong(type(body).__name__)
        if isinstance(body, Hello):
            self._greet(body)
        elif self.hello is None:
            raise _wrong("hello")
        elif isinstance(body, Documents):
            self._check_documents(body)
        return body

    def _greet(self, hello: Hello) -> None:
        if self.hello is not None or not hello.node:
            raise _wrong("hello")
        if PROTOCOL_VERSION not in hello.versions:
            raise _wrong("hello.versions")
        if hello.echo != self._echo:
            raise _wrong("hello.echo")
        self.hello = hello

    def _check_documents(self, documents: Documents) -> None:
        """A node speaks for its trust and for nobody else; the coordinator speaks for no trust."""
        if self._sender == "coordinator":
            if documents.stances:
                raise _wrong("documents.stances")
            return
        if documents.roster or documents.revocations or documents.permits or not documents.stances:
            raise _wrong("documents")
        size = sum(map(len, documents.stances))
        if len(documents.stances) > MAX_STANCES or size > MAX_STANCES_BYTES:
            raise _wrong("documents.stances")

    def _begin(self, head: AnswerHead) -> AnswerMessage | None:
        if head.parts == 0:
            return AnswerMessage(head.release_id, head.envelope)
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
        return AnswerMessage(head.release_id, head.envelope, vector)
