"""Who cosigned which head, as somebody beside the wire knows it: what ``I4`` is judged by, never by the node's word.

W1  A witness never cosigns backwards: each head that it cosigns of a log extends the one before it. A node whose disk
    was put back is no honest witness any more; the policy's quorum allows for one such.
W2  No two heads of one log that do not extend each other both have a quorum.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.factories.trust import key
from tests.simulation.auditor import root_of
from trustquery.errors import TrustQueryError
from trustquery.log import Checkpoint, coordinator_origin, cosigners, node_origin, with_lines
from trustquery.protocol.messages import Cosignature, WitnessRequest

if TYPE_CHECKING:
    from tests.simulation.history import History

__all__ = ["CENTRE", "QUORUM", "WitnessBook"]

CENTRE = "coordinator"
QUORUM = 3


class WitnessBook:
    """Every cosignature of a history.

    Attributes:
        largest: by node, its largest head that has a quorum.
    """

    def __init__(self, history: History) -> None:
        self._history = history
        self._asked: dict[bytes, tuple[str, bytes]] = {}
        self._signed: dict[str, dict[tuple[int, bytes], set[str]]] = {}
        self._last: dict[tuple[str, str], Checkpoint] = {}
        self.largest: dict[str, Checkpoint] = {}

    def asks(self, witness: str, request: WitnessRequest) -> None:
        """Somebody asks a witness; ``witness`` is who will answer this very request."""
        self._asked[request.request_id] = (witness, request.checkpoint)

    def replies(self, witness: str, reply: Cosignature) -> None:
        """A witness answers."""
        asked, note = self._asked.get(reply.request_id, ("", b""))
        if not reply.cosignature or asked != witness:
            return
        name = coordinator_origin("test") if witness == CENTRE else node_origin("test", witness)
        public = key("coordinator" if witness == CENTRE else witness).public
        try:
            head = Checkpoint.read(note)
            if name not in cosigners(with_lines(note, [reply.cosignature]), {name: public}):
                return
        except TrustQueryError:
            return
        self._history.counts["cosignatures"] += 1
        self._backwards(witness, head)
        signers = self._signed.setdefault(head.origin, {}).setdefault((head.size, head.root), set())
        signers.add(witness)
        node = head.origin.rpartition("/")[2]
        if len(signers) == QUORUM:
            largest = self.largest.setdefault(node, head)
            self.largest[node] = head if head.size > largest.size else largest
            self._two(head)

    def _backwards(self, witness: str, head: Checkpoint) -> None:
        before = self._last.get((witness, head.origin))
        self._last[witness, head.origin] = head
        node = self._history.nodes.get(witness)
        if before is None or (node is not None and node.rolled_back):
            return
        if head.size < before.size or (head.size == before.size and head.root != before.root):
            self._history.wrong(f"W1: {witness} cosigned {head.origin} at {before.size} and then at {head.size}")

    def _two(self, head: Checkpoint) -> None:
        for (size, root), signers in self._signed[head.origin].items():
            if size == head.size and root != head.root and len(signers) >= QUORUM:
                self._history.wrong(f"W2: two heads of {head.origin} at {size} have a quorum")

    def covers(self, node: str, seq: int, hashes: list[bytes]) -> bool:
        """Whether a quorum has cosigned a head of this very log that holds the entry with this number."""
        heads = self._signed.get(node_origin("test", node), {})
        return any(
            seq <= size <= len(hashes) and len(signers) >= QUORUM and root == root_of(hashes[:size])
            for (size, root), signers in heads.items()
        )
