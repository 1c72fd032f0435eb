"""Nothing leaves without the quorum of the policy, whoever lies in between; a ledger that went back freezes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest

from node_agent.budget import State
from node_agent.gate.cosigning import MOST_WAITING, FrozenError
from node_agent.gate.endings import resume
from node_agent.gate.ports import ShuttingDownError
from tests.factories.trust import NOW, key
from tests.lib.memory_ledger import MemoryLedger
from tests.lib.witnessed_world import NAMES, WitnessedWorld
from trustquery.errors import TrustQueryError
from trustquery.log import Checkpoint, coordinator_origin, cosign, cosigners, node_origin
from trustquery.protocol.messages import AnswerMessage, Cosignature

LINES = {coordinator_origin("test"): key("coordinator").public} | {
    node_origin("test", name): key(name).public for name in NAMES[1:]
}


def sent_answers(world: WitnessedWorld) -> list[AnswerMessage]:
    """What left with figures or as a no-answer; refusals hold nothing."""
    return [message for message in world.sent if world.read(message).status != "refused"]


def test_an_answer_leaves_at_slot_2_with_three_of_four_lines_over_its_own_entry() -> None:
    world = WitnessedWorld()
    answer = world.ask()
    assert answer is not None
    assert answer.status == "answer"
    assert not answer.reasons
    (message,) = world.sent
    head = Checkpoint.verify(message.head, "test/node/ash", key("ash").public)
    assert head.size >= world.ledger.last_seq(message.release_id)
    assert len(cosigners(message.head, LINES)) == 3
    # As without witnesses: slot 1 at 3 s, slot 2 at 4 s.
    assert world.clock.monotonic() == 1_004.0


@pytest.mark.parametrize("silent", [{"birch"}, {"coordinator"}])
def test_one_silent_witness_changes_nothing(silent: set[str]) -> None:
    world = WitnessedWorld()
    world.silent = silent
    assert world.ask() is not None
    assert world.clock.monotonic() == 1_004.0


@pytest.mark.acceptance("LED-11")
@pytest.mark.parametrize("late", [2, 9])
def test_without_a_quorum_a_release_stays_committed_and_goes_on_at_a_whole_slot_when_it_comes(late: int) -> None:
    """LED-11: partition from witnesses; it heals after ``late`` slots."""
    world = WitnessedWorld()
    world.deliver()

    def part() -> None:
        world.silent = {"birch", "cedar"}

    def seen() -> None:
        assert [item.state for item in world.ledger.releases.values()] == [State.COMMITTED]
        assert world.sent == []
        world.silent = set()

    world.trouble["witness"] = part
    world.clock.at[3.5 + late] = seen
    answer = world.ask()
    assert answer is not None
    assert answer.status == "answer"
    left = world.clock.monotonic() - 1_000
    assert left == int(left)
    assert left >= 4 + late


@pytest.mark.acceptance("LED-11")
def test_a_no_answer_waits_for_the_quorum_like_an_answer() -> None:
    """LED-11: or else a partition would show which of the two it is."""
    world = WitnessedWorld()
    world.deliver()
    world.engine.result = RuntimeError("whatever")

    def seen() -> None:
        assert world.sent == []
        world.silent = set()

    world.trouble["engine"] = lambda: setattr(world, "silent", {"birch", "cedar"})
    world.clock.at[6.0] = seen
    answer = world.ask()
    assert answer is not None
    assert answer.status == "no-answer"
    assert world.clock.at == {}


@pytest.mark.acceptance("LED-11")
def test_a_ledger_that_nobody_has_confirmed_charges_nothing() -> None:
    """LED-11: from its start on without a quorum, the node refuses before anything is read or charged."""
    world = WitnessedWorld()
    world.silent = {"birch", "cedar"}
    assert world.codes(world.ask()) == ["policy-witness-unavailable"]
    assert world.engine.runs == 0
    assert world.ledger.charges == []
    world.silent = set()
    again = world.ask(world.offer(world.people.the_intent("two")))
    assert again is not None
    assert again.status == "answer"


def test_the_queue_for_witnesses_is_bounded() -> None:
    world = WitnessedWorld()
    world.deliver()
    waiting = [world.ports.cosigning.waiting() for _ in range(MOST_WAITING)]
    for one in waiting:
        one.__enter__()
    assert world.codes(world.ask()) == ["policy-witness-unavailable"]
    assert world.ledger.charges == []
    for one in waiting:
        one.__exit__(None, None, None)
    answer = world.ask(world.offer(world.people.the_intent("two")))
    assert answer is not None
    assert answer.status == "answer"


def test_a_restart_takes_up_what_waited_and_needs_a_quorum_of_its_own() -> None:
    world = WitnessedWorld()
    world.deliver()
    world.trouble["witness"] = lambda: setattr(world.clock, "down", True)
    assert world.ask() is None
    (release,) = world.ledger.releases.values()
    assert release.state is State.COMMITTED
    later = restarted(world)
    later.silent = {"birch", "cedar"}

    def heal() -> None:
        assert later.sent == []
        later.silent = set()

    later.clock.at[20.0] = heal
    resume(release, later.ports)
    assert later.ledger.releases[release.release_id].state is State.SENT
    assert later.clock.monotonic() >= 1_020.0


def restarted(world: WitnessedWorld, ledger: MemoryLedger | None = None) -> WitnessedWorld:
    """Another process on the same ledger, or a copy of it, with the same witnesses."""
    again = WitnessedWorld(world.witnesses)
    again.clock.now = world.clock.now
    again.use(ledger or world.ledger)
    return again


def copy_of(ledger: MemoryLedger) -> MemoryLedger:
    """The ledger as a backup, a snapshot or a copied folder holds it."""
    found = MemoryLedger()
    for name, value in vars(ledger).items():
        setattr(found, name, value.copy() if isinstance(value, dict | list) else value)
    return found


GONE_BACK: dict[str, Callable[[WitnessedWorld, MemoryLedger], MemoryLedger]] = {
    "an old copy put back": lambda world, old: old,
    "a deleted ledger": lambda world, old: MemoryLedger(),
}


@pytest.mark.acceptance("LED-07")
@pytest.mark.parametrize("how", GONE_BACK)
def test_a_ledger_that_went_back_freezes_before_any_release(how: str) -> None:
    """LED-07: the gate's part; the real process is in tests/acceptance/test_witnesses.py."""
    world = WitnessedWorld()
    world.deliver()
    old = copy_of(world.ledger)
    assert world.ask() is not None
    again = restarted(world, GONE_BACK[how](world, old))
    before = len(again.ledger.charges)
    assert again.codes(again.ask(again.offer(world.people.the_intent("two")))) == ["ledger-frozen"]
    assert len(again.ledger.charges) == before
    assert again.engine.runs == 0
    frozen = again.ledger.frozen()
    assert frozen is not None
    assert all(Checkpoint.verify(note, "test/node/ash", key("ash").public) for note in frozen)


@pytest.mark.acceptance("LED-08")
def test_of_two_clones_the_second_freezes_within_one_round() -> None:
    """LED-08: with both heads, signed by the node's own key, as proof."""
    world = WitnessedWorld()
    world.deliver()
    clone = restarted(world, copy_of(world.ledger))
    clone.deliver()
    assert clone.ports.cosigning.frozen is False
    world.clock.wait_until(world.clock.now + 1)
    # The clone showed its head; the original meets witnesses that have cosigned the clone.
    assert world.ask() is None
    assert world.ports.cosigning.frozen
    assert sent_answers(world) == []
    ours, theirs = world.ledger.frozen() or (b"", b"")
    assert Checkpoint.verify(ours, "test/node/ash", key("ash").public) != Checkpoint.verify(
        theirs, "test/node/ash", key("ash").public
    )
    answer = clone.ask(clone.offer(world.people.the_intent("three")))
    assert answer is not None
    assert answer.status == "answer"


def test_a_frozen_node_cosigns_nothing_and_repeats_nothing() -> None:
    world = WitnessedWorld()
    assert world.ask() is not None
    world.ports.cosigning._freeze(world.ports.heads.note, NOW)
    with pytest.raises(FrozenError):
        world.ports.cosigning.covers(0)
    count = len(world.sent)
    world.ask(world.offer())
    assert [world.codes(world.read(message)) for message in world.sent[count:]] in ([], [["ledger-frozen"]])


# -- whoever carries the messages lies ---------------------------------------------------------------------------------


def forged(name: str, reply: Cosignature) -> Cosignature:
    line = cosign(b"x\n1\ny\n\n\xe2\x80\x94 x AAAAAAA=\n", "x", key("birch"), 1)
    return dataclasses.replace(reply, cosignature=line, refusal="", kept=b"")


class Carrier:
    """A carrier's memory, for lies that need one."""

    def __init__(self) -> None:
        self.first: dict[str, Cosignature] = {}
        self.kept: list[Cosignature] = []

    def old_line(self, name: str, reply: Cosignature) -> Cosignature:
        if reply.cosignature:
            return dataclasses.replace(reply, cosignature=self.first[name].cosignature)
        return reply

    def swapped(self, name: str, reply: Cosignature) -> Cosignature:
        """The line of the witness asked before."""
        self.kept.append(reply)
        return dataclasses.replace(self.kept[-2 if len(self.kept) > 1 else -1], request_id=reply.request_id)

    def repeated_ids(self, name: str, reply: Cosignature) -> Cosignature | None:
        self.kept.append(reply)
        return self.kept[0]


def own_witness(name: str, reply: Cosignature) -> Cosignature:
    """A witness that the coordinator made up signs in the place of the one that was named."""
    if not reply.cosignature:
        return reply
    note = b"test/node/ash\n1\n" + b"A" * 43 + b"=\n\n\xe2\x80\x94 test/node/ash AAAAAAA=\n"
    return dataclasses.replace(reply, cosignature=cosign(note, node_origin("test", name), key("invented"), NOW))


def other_kept(name: str, reply: Cosignature) -> Cosignature:
    note = Checkpoint("test/node/ash", 10**6, bytes(32)).sign(key("coordinator"))
    return dataclasses.replace(reply, cosignature=b"", refusal="witness-conflict", kept=note)


CARRIER = Carrier()
LIES: dict[str, tuple[Callable[[str, Cosignature], Cosignature | None], set[str]]] = {
    "drops": (lambda name, reply: None, set()),
    "forges a line": (forged, {"witness-line"}),
    "an old line": (CARRIER.old_line, {"witness-line"}),
    "another witness's line": (Carrier().swapped, {"witness-line"}),
    "one reply for all": (Carrier().repeated_ids, set()),
    "invents witnesses": (own_witness, {"witness-line"}),
    "invents a head that was kept": (other_kept, {"witness-kept"}),
    "refuses for them": (
        lambda name, reply: dataclasses.replace(reply, cosignature=b"", refusal="witness-fork"), set()
    ),
}  # fmt: skip


@pytest.mark.parametrize("lie", LIES)
def test_a_lying_carrier_gains_nothing_but_a_wait(lie: str) -> None:
    world = WitnessedWorld()
    world.deliver()
    bend, codes = LIES[lie]

    def start() -> None:
        CARRIER.first = {name: reply for name, reply in world.replies if reply.cosignature}
        world.bend = bend

    def end() -> None:
        # Hundreds of slots later, nothing has left; and then it goes on as if nothing had been.
        assert sent_answers(world) == []
        assert not world.ports.cosigning.frozen
        world.bend = lambda name, reply: reply

    world.trouble["witness"] = start
    world.clock.at[40.0] = end
    answer = world.ask()
    assert answer is not None
    assert answer.status == "answer"
    assert world.clock.monotonic() >= 1_040
    alarms = [about for what, about in world.ledger.events if what == "alarm"]
    assert set(alarms) == codes
    assert len(alarms) == len(world.ledger.alarms) <= 3 * len(NAMES)


def test_a_head_replayed_low_does_not_bring_an_old_ledger_through() -> None:
    """A carrier that shows an old node old heads cannot get it a single line: the witnesses go by what they kept."""
    world = WitnessedWorld()
    world.deliver()
    old = copy_of(world.ledger)
    kept = Checkpoint("test/node/ash", old.size(), old.root(old.size())).sign(key("ash"))
    assert world.ask() is not None
    again = restarted(world, old)
    again.bend = lambda name, reply: dataclasses.replace(reply, kept=kept) if reply.kept else reply
    assert again.codes(again.ask(again.offer(world.people.the_intent("two")))) == ["policy-witness-unavailable"]
    assert sent_answers(again) == []


def test_a_shutdown_ends_the_wait() -> None:
    world = WitnessedWorld()
    world.deliver()
    world.trouble["witness"] = lambda: setattr(world, "silent", set(NAMES))
    world.clock.at[8.0] = lambda: setattr(world.clock, "down", True)
    assert world.ask() is None
    with pytest.raises(ShuttingDownError):
        world.clock.wait_until(0)


def test_a_roster_that_is_not_there_is_said_once_and_not_at_every_look() -> None:
    world = WitnessedWorld()
    real = world.wanted

    def none() -> None:
        raise TrustQueryError("policy-document-stale", document="roster")

    world.ports.cosigning._wanted_now = none
    for _ in range(5):
        world.deliver()
    assert [event for event, _ in world.logged] == ["no witnesses"]
    world.ports.cosigning._wanted_now = real
    answer = world.ask()
    assert answer is not None
    assert answer.status == "answer"
