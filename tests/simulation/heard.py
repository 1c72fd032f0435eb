"""What went over the wire, as somebody beside it hears it: frames put together again, before the network loses any."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from node_agent.budget.port import pack
from tests.simulation.witnesses import CENTRE
from trustquery.errors import TrustQueryError
from trustquery.identity import Answer
from trustquery.protocol.messages import Ack, Cosignature, WitnessRequest
from trustquery.wire import AnswerHead, VectorPart, decode

if TYPE_CHECKING:
    from tests.simulation.history import History
    from tests.simulation.network import Connection

__all__ = ["Heard", "Said"]


@dataclass(frozen=True)
class Said:
    """A whole answer that left a node; ``sha256`` is of its bytes as the ledger keeps them."""

    release_id: str
    status: str
    sha256: str
    vector: bytes


class Heard:
    """Listens to every stream of a history."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._open: dict[int, tuple[AnswerHead, list[bytes]]] = {}

    def node_said(self, connection: Connection, frame: bytes) -> None:
        """A node wrote a frame."""
        _, _, body = decode(frame)
        self._trace(connection.node, "says", body, frame)
        if isinstance(body, AnswerHead):
            self._open[connection.number] = (body, [])
            if body.parts == 0:
                self._whole(connection)
        elif isinstance(body, WitnessRequest):
            # To a node it goes on under another id; what is passed on is heard when the coordinator says it.
            self._history.witnesses.asks(body.witness, body)
        elif isinstance(body, Cosignature):
            self._history.witnesses.replies(connection.node, body)
        elif isinstance(body, VectorPart) and connection.number in self._open:
            head, parts = self._open[connection.number]
            parts.append(body.data)
            if len(parts) == head.parts:
                self._whole(connection)

    def _whole(self, connection: Connection) -> None:
        head, parts = self._open.pop(connection.number)
        vector = b"".join(parts)
        digest = hashlib.sha256(pack(head.envelope, vector)).hexdigest()
        try:
            status = str(Answer.read(head.envelope).status)
        except TrustQueryError:
            status = "unreadable"
        said = Said(head.release_id, status, digest, vector)
        self._history.node_released(connection.node, said)

    def coordinator_said(self, connection: Connection, frame: bytes) -> None:
        """The coordinator wrote a frame."""
        _, _, body = decode(frame)
        self._trace("centre", f"to {connection.node}", body, frame)
        if isinstance(body, WitnessRequest):
            self._history.witnesses.asks(connection.node, body)
        elif isinstance(body, Cosignature):
            self._history.witnesses.replies(CENTRE, body)
        elif isinstance(body, Ack):
            self._history.centre_book.acknowledged(connection.node, body.release_id)

    def _trace(self, who: str, how: str, body: object, frame: bytes) -> None:
        release = str(getattr(body, "release_id", ""))[:8]
        digest = hashlib.sha256(frame).hexdigest()[:8]
        why = getattr(body, "refusal", "") or getattr(body, "witness", "")
        self._history.tell(who, f"{how} {type(body).__name__} {release}{why} {digest}")
