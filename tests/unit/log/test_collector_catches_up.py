"""A log that restarts behind what its witnesses signed goes on once it may show more."""

from __future__ import annotations

from tests.factories.trust import key
from trustquery.log import Checkpoint, Tree, node_origin
from trustquery.protocol.cosigning import Believed, Collector, Wanted
from trustquery.protocol.messages import Cosignature


class _Log:
    """A tree of so many entries."""

    def __init__(self, size: int) -> None:
        self.tree = Tree()
        for number in range(size):
            self.tree.append(bytes([number]) * 32)

    def size(self) -> int:
        return len(self.tree)

    def root(self, size: int) -> bytes:
        return self.tree.root(size)

    def proof(self, old: int, size: int) -> tuple[bytes, ...]:
        return self.tree.consistency_proof(old, size) if old else ()


def test_a_head_that_no_witness_can_sign_any_more_gives_way_to_the_next_one() -> None:
    origin, log, made = node_origin("test", "ash"), _Log(9), iter(range(100))
    wanted = Wanted({"elm": Believed(node_origin("test", "elm"), key("elm").public)}, 1)
    collector = Collector(origin, key("ash").public, wanted, log, lambda: bytes([next(made)]) * 32)

    def head(size: int) -> bytes:
        return Checkpoint(origin, size, log.root(size)).sign(key("ash"))

    (asked,) = collector.show(head(6), 6, 0.0).asks
    # In its life before, the log showed eight entries, and died before it heard that they were signed.
    collector.heard(Cosignature(asked.request_id, refusal="witness-conflict", kept=head(8)), 0.1)
    (again,) = collector.show(head(9), 9, 0.2).asks
    assert (again.old_size, again.checkpoint) == (8, head(9))
