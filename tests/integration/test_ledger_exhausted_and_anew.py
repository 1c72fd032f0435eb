"""A ledger is lost for good: its budget counts as spent, and the node begins a new log under a new identity key.

The gate and the ledger on disk are the real ones; the four witnesses, the engine and time are in memory.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from node_agent.budget import ScopeLimit, ScopeName, SqliteLedger
from node_agent.gate.cosigning import Cosigning
from node_agent.gate.heads import Heads
from node_agent.gate.reserve import policy_limits
from tests.factories.trust import NOW, People, key
from tests.lib.witnessed_world import NAMES, RULE, WitnessedWorld
from trustquery.identity import Answer, NodeEntry, SigningKey
from trustquery.log import Checkpoint, coordinator_origin, cosigners, node_origin
from trustquery.protocol.messages import AnswerMessage
from trustquery.protocol.witnessing import Witnessing

ORIGIN = "test/node/ash"
OLD, NEW = key("ash"), key("ash-two")
LINES = {coordinator_origin("test"): key("coordinator").public} | {
    node_origin("test", name): key(name).public for name in NAMES[1:]
}
RAISED = {
    f"{section}__{cap}": "4"
    for section in ("budget.node_wide", "dataset.budget")
    for cap in ("rho_12_months", "rho_lifetime")
}


def people(signing: SigningKey, **policy: str) -> People:
    """The roster as the root's holders signed it, with this key for the node."""
    keys = {"ash": signing} | {name: key(name) for name in ("birch", "cedar", "elm")}
    nodes = tuple(
        NodeEntry(node=name, ods=f"RX{n}", name=name, key=found.public.hex(), tls_key_sha256="0" * 64)
        for n, (name, found) in enumerate(keys.items())
    )
    return People(roster={"nodes": nodes}, policy={"bootstrap": "false", "hours": f'"any"\n{RULE}'} | policy)


class Node(WitnessedWorld):
    """A process of the node on a ledger on disk, under one identity key."""

    def __init__(
        self, ledger: SqliteLedger, signing: SigningKey, witnesses: dict[str, Witnessing] | None, **policy: str
    ) -> None:
        super().__init__(witnesses)
        self.people, self.signing, self.disk = people(signing, **policy), signing, ledger
        cosigning = Cosigning(
            ledger, ORIGIN, signing, self.wanted, self.said.append, self.clock.monotonic, self.clock.wall, self._log
        )
        heads = Heads(ledger, ORIGIN, signing, cosigning.shown)
        self.ports = dataclasses.replace(self.ports, ledger=ledger, cosigning=cosigning, heads=heads, key=signing)

    def read(self, message: AnswerMessage) -> Answer:
        answer, _, _ = Answer.verify(message.envelope, {self.signing.key_id: self.signing.public}, 1)
        return answer

    def asks(self, name: str) -> list[str]:
        """Codes of the refusal; none for an answer."""
        found = self.ask(self.offer(self.people.the_intent(name)))
        return [] if found is not None and found.status == "answer" else self.codes(found)


def exhausted(node: Node) -> None:
    """What ``ledger repair --exhaust`` writes once two people's keys were found good."""
    frozen = node.disk.frozen()
    assert frozen is not None
    wanted: list[tuple[ScopeName, str]] = [("node-wide", ""), ("dataset", "made-up")]
    found = [(scope, subject, policy_limits(node.policy(), scope, subject)) for scope, subject in wanted]
    scopes = [ScopeLimit(scope, subject, limits) for scope, subject, limits in found if limits is not None]
    assert len(scopes) == 2
    node.disk.repair(frozen[1], "ab" * 32, scopes, NOW)


@pytest.mark.acceptance("LED-07")
def test_a_lost_ledger_is_counted_as_spent_and_goes_on_as_a_new_log_under_a_new_key(tmp_path: Path) -> None:
    """LED-07: at no moment of it does anything leave without a quorum, or for a budget that may have been spent."""
    first = Node(SqliteLedger(tmp_path / "first.sqlite"), OLD, None)
    first.deliver()
    assert first.asks("one") == []
    lost = first.disk.size()
    first.disk.close()

    # The disk is gone: a new ledger under the old key meets witnesses that hold the old one's head.
    ledger = SqliteLedger(tmp_path / "second.sqlite")
    second = Node(ledger, OLD, first.witnesses)
    second.deliver()
    assert second.asks("two") == ["ledger-frozen"]
    assert second.engine.runs == 0
    _, theirs = ledger.frozen() or (b"", b"")
    assert Checkpoint.verify(theirs, ORIGIN, OLD.public).size == lost
    exhausted(second)
    assert ledger.frozen() is None

    # A control: under the old key it freezes again, at the first round. Exhausting alone is no way on.
    third = Node(ledger, OLD, first.witnesses)
    third.deliver()
    assert third.asks("two") == ["ledger-frozen"]

    # It enrols with a new key. Before the root has signed a roster that names it, witnesses sign nothing.
    early = Node(ledger, NEW, first.witnesses)
    early.deliver()
    assert not early.ports.cosigning.frozen
    assert early.asks("three") == ["policy-witness-unavailable"]

    # With the roster a new log begins; all of the budget is spent.
    first.people = people(NEW)
    fourth = Node(ledger, NEW, first.witnesses)
    fourth.deliver()
    assert not fourth.ports.cosigning.frozen
    assert fourth.asks("four") == ["budget-exhausted"]
    assert fourth.engine.runs == 0

    # Governance raises the caps: an answer leaves under a quorum's lines over the new log.
    fifth = Node(ledger, NEW, first.witnesses, **RAISED)
    fifth.deliver()
    assert fifth.asks("five") == []
    (sent,) = [message for message in fifth.sent if fifth.read(message).status == "answer"]
    assert Checkpoint.verify(sent.head, ORIGIN, NEW.public).size > lost
    assert len(cosigners(sent.head, LINES)) >= 3
    # What was counted as spent stays so: two of rho for life, and this answer on top.
    assert ledger.spent("node-wide", "", NOW).rho_lifetime > 2 * 10**9
    ledger.close()

    # The old log's heads are where they were: whoever brings the old key and an old copy back is found out.
    first.people = people(OLD)
    clone = Node(SqliteLedger(tmp_path / "clone.sqlite"), OLD, first.witnesses)
    clone.deliver()
    assert clone.ports.cosigning.frozen
    clone.disk.close()
