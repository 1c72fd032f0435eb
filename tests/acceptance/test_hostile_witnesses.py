"""A coordinator that lies about witnesses, at a real node: nothing leaves, and one event names each forgery.

It holds the federation's real transport keys and carries every request and every cosignature. Two of the four witnesses
answer honestly; with the third it may do what it likes, and the fourth, itself, is silent.
"""

from __future__ import annotations

import datetime
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.factories.trust import key
from tests.lib.hostile import Hostile
from tests.lib.lone_node import ODS, lone_node
from tests.lib.processes import wait_for
from tests.lib.witness_heads import KeptHeads
from trustquery.identity import Answer, Roster
from trustquery.log import Checkpoint, coordinator_origin, cosign, node_origin
from trustquery.policy.countersigning import COORDINATOR
from trustquery.protocol.messages import Cosignature, WitnessRequest
from trustquery.protocol.witnessing import Witnessing

pytestmark = pytest.mark.timeout(240)
SQL = "SELECT count(*) AS attendances FROM emergency_attendance"
ROW = {"person_id": "p1", "arrival_at": datetime.datetime(2020, 1, 1), "age_on_arrival": 50}
ANSWER = "slot_ms = 100\nallowance_ms = 1000"
OTHERS = ("RX2", "RX3", "RX4")
RULE = '"any"\n[witnesses]\nnames = ["coordinator", "RX2", "RX3", "RX4"]\nquorum = 3\nfaulty = 1\n'
Bend = Callable[["Carrier", Cosignature], Cosignature | None]


class Carrier:
    """Real witness cores behind a carrier that may bend what RX2 says.

    Attributes:
        bend: what becomes of RX2's reply; None where nothing is bent.
        earlier: RX2's first true line.
        note: the head that is asked about.
    """

    def __init__(self) -> None:
        self.bend: Bend | None = None
        self.earlier = b""
        self.note = b""
        self.roster: Roster | None = None
        self._cores = {name: self._core(name) for name in (COORDINATOR, *OTHERS)}

    def _core(self, name: str) -> Witnessing:
        me = coordinator_origin("test") if name == COORDINATOR else node_origin("test", name)
        now: Callable[[], int] = lambda: int(time.time())  # noqa: E731
        return Witnessing(me, key(name), KeptHeads(), self._roster, lambda: False, lambda *about: None, now)

    def _roster(self) -> Roster:
        assert self.roster is not None
        return self.roster

    def __call__(self, request: WitnessRequest) -> Cosignature | None:
        self.note = request.checkpoint
        if self.bend is not None and request.witness == COORDINATOR:
            return None
        reply = self._cores[request.witness].answer(request)
        if request.witness != "RX2":
            return reply
        if self.bend is not None:
            return self.bend(self, reply)
        self.earlier = self.earlier or reply.cosignature
        return reply


@pytest.fixture(scope="module")
def lone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Hostile, Carrier]]:
    folder = tmp_path_factory.mktemp("hostile-witnesses") / "node"
    folder.mkdir()
    policy = {"bootstrap": "false", "hours": RULE}
    with lone_node(folder, {"emergency_attendance": [ROW]}, SQL, ANSWER, policy=policy, others=OTHERS) as found:
        carrier = Carrier()
        carrier.roster = Roster.read(found.observer.documents.roster)
        found.observer.cosigns = carrier
        assert found.ask().vector
        yield Hostile(found), carrier


def line_by(name: str, signer: str, size: int | None = None) -> Bend:
    def bend(carrier: Carrier, reply: Cosignature) -> Cosignature:
        note = carrier.note if size is None else Checkpoint(node_origin("test", ODS), size, bytes(32)).sign(key(ODS))
        return replace(reply, cosignature=cosign(note, node_origin("test", name), key(signer), 5), kept=b"")

    return bend


def kept_by(signer: str) -> Bend:
    note = Checkpoint(node_origin("test", ODS), 10**6, bytes(32)).sign(key(signer))
    return lambda carrier, reply: Cosignature(reply.request_id, refusal="witness-conflict", kept=note)


LIES: dict[str, tuple[Bend, list[tuple[str, str, str]]]] = {
    "dropped": (lambda carrier, reply: None, []),
    "refused in its name": (lambda carrier, reply: Cosignature(reply.request_id, refusal="witness-fork"), []),
    "an old line again": (
        lambda carrier, reply: replace(reply, cosignature=carrier.earlier), [("alarm", "witness-line", "witness RX2")]
    ),
    "an invented witness": (line_by("RX9", "invented"), [("alarm", "witness-line", "witness RX2")]),
    "an invented key": (line_by("RX2", "invented"), [("alarm", "witness-line", "witness RX2")]),
    "a line for another head": (line_by("RX2", "RX2", 7), [("alarm", "witness-line", "witness RX2")]),
    "a head that the node never had": (kept_by("invented"), [("alarm", "witness-kept", "witness RX2")]),
    "delayed for another request": (
        lambda carrier, reply: replace(reply, request_id=bytes(32)), []
    ),
}  # fmt: skip


@pytest.mark.acceptance("AUZ-06")
@pytest.mark.parametrize("lie", LIES)
def test_without_the_true_quorum_nothing_leaves(lone: tuple[Hostile, Carrier], lie: str) -> None:
    """AUZ-06: a forged cosignature is one event; a withheld one is a wait."""
    hostile, carrier = lone
    bend, wanted = LIES[lie]
    events, arrived = len(hostile.events()), len(hostile.lone.observer.arrived)
    ((release_id, offer),) = hostile.lone.offers(1)

    def state() -> Any:
        return hostile.lone.node.ledger(f"SELECT state FROM release WHERE release_id = '{release_id}'")

    carrier.bend = bend
    hostile.lone.observer.offer(ODS, offer)
    wait_for(lambda: state() == [("COMMITTED",)], 15, "a release that waits")
    time.sleep(0.6)
    assert state() == [("COMMITTED",)]
    assert len(hostile.lone.observer.arrived) == arrived
    assert hostile.events()[events:] == wanted
    carrier.bend = None
    wait_for(lambda: len(hostile.lone.observer.arrived) > arrived, 15, "the answer")
    assert state() == [("SENT",)]
    assert hostile.events()[events:] == wanted


@pytest.mark.acceptance("LED-07")
def test_a_real_node_on_an_old_copy_of_its_ledger_lets_nothing_leave(lone: tuple[Hostile, Carrier]) -> None:
    """LED-07: the whole federation's part, with the repair, is in test_witnesses.py. It is the last here."""
    hostile, _ = lone
    found = hostile.lone
    folder = found.node.home.path / "ledger"
    old = folder.with_name("old")
    found.node.end()
    shutil.copytree(folder, old)
    found.node.start()
    assert found.ask().vector
    found.node.end()
    shutil.rmtree(folder)
    old.rename(folder)
    found.node.start()
    before = hostile.spend()
    ((release_id, offer),) = found.offers(1)
    arrived = len(found.observer.arrived)
    found.observer.offer(ODS, offer)
    wait_for(lambda: len(found.observer.arrived) > arrived, 20, "a refusal")
    answer = Answer.read(found.observer.arrived[-1][1].envelope)
    assert (answer.release_id, [reason["code"] for reason in answer.reasons]) == (release_id, ["ledger-frozen"])
    assert hostile.spend() == before
    assert [event for event in hostile.events() if event[1] == "ledger-frozen"] == [
        ("alarm", "ledger-frozen", "ledger")
    ]
