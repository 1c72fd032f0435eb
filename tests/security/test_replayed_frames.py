"""TRN-05: a frame captured on any stream, said again later, on another stream or to another node, has no effect.

Both transports carry the same frames to the same rules, so the rules are fuzzed without a socket; the hostile
coordinator's suite says the same to a real node, and ``test_session_states`` to a real coordinator.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from coordinator.fleet.links import Link
from coordinator.fleet.peers import Peer
from node_agent.budget.alarms import AlarmReader
from tests.factories.trust import key
from tests.lib.document_gate import DocumentGate, document_gate
from tests.lib.refusals import code_of
from trustquery.errors import TrustQueryError
from trustquery.identity import new_secret
from trustquery.protocol import messages as m
from trustquery.protocol.session import Inbound, Outbound, Recent, Side, session_name
from trustquery.wire import CHUNK_BYTES

SIDES: tuple[Side, ...] = ("node", "coordinator")
NODES = ("RX1", "RX2", "RX3")
STREAMS_EACH = 3
FULL, SLICE = 100_000, 10_000
ID, ID32 = "ab" * 32, b"\xab" * 32
SAYS: dict[Side, tuple[m.Message, ...]] = {
    "node": (
        m.Heartbeat(),
        m.Documents(stances=(b"stance",)),
        m.PreviewReply(ID32, True),
        m.AnswerMessage(ID, b"envelope", bytes(16)),
        m.Renew(b"request"),
        m.Goodbye("restart"),
    ),
    "coordinator": (
        m.Documents(b"roster", b"statement", (b"permit",)),
        m.Offer(b"intent", b"permit", b"model"),
        m.Preview(ID32, b"model", b"permit", ID, "file", "none", "none", 2),
        m.Ack(ID),
        m.Heartbeat(),
        m.Certificate(b"certificate"),
        m.Cancel(ID),
        m.Goodbye("restart"),
    ),
}


@dataclass(frozen=True)
class Captured:
    """Everything that was said on one stream: nonces and frames of each side."""

    nonces: dict[Side, bytes]
    frames: dict[Side, list[bytes]]


def conversation(node: str, rounds: int) -> Captured:
    """An honest stream; whatever it says, another one of the same node says as well."""
    nonces: dict[Side, bytes] = {"node": new_secret(32), "coordinator": new_secret(32)}
    frames: dict[Side, list[bytes]] = {"node": [], "coordinator": []}
    hellos: dict[Side, m.Hello] = {
        "node": m.Hello((m.PROTOCOL_VERSION,), node, nonces["node"]),
        "coordinator": m.Hello((m.PROTOCOL_VERSION,), "coordinator", nonces["coordinator"], nonces["node"]),
    }
    for side in SIDES:
        outbound, found = Outbound(), frames[side]
        found += outbound.frames(hellos[side])
        outbound.begin(session_name(side, nonces["node"], nonces["coordinator"]))
        if side == "node":
            found += outbound.frames(m.Join(rounds, bytes(64)))
        for message in SAYS[side]:
            found += outbound.frames(message)
    return Captured(nonces, frames)


def other_side(side: Side) -> Side:
    return "coordinator" if side == "node" else "node"


def handled(inbound: Inbound, frames: list[bytes]) -> tuple[list[m.Message], bool]:
    """What came through before the stream ended, and whether it ended by a refusal."""
    found: list[m.Message] = []
    for frame in frames:
        try:
            message = inbound.receive(frame)
        except TrustQueryError as error:
            if error.code != "node-message-invalid":
                raise
            return found, True
        if message is not None:
            found.append(message)
    return found, False


@pytest.mark.acceptance("TRN-05")
def test_no_captured_frame_has_an_effect_at_any_place(request: pytest.FixtureRequest) -> None:
    """TRN-05: any frame of any stream of any node, at any place of any stream."""
    rounds = FULL if request.config.getoption("--full-size") else SLICE
    seed = random.SystemRandom().getrandbits(32)
    chance = random.Random(seed)
    streams = [conversation(node, number) for node in NODES for number in range(1, STREAMS_EACH + 1)]
    pool = [
        (place, side, number)
        for place, stream in enumerate(streams)
        for side in SIDES
        for number in range(len(stream.frames[side]))
    ]
    known = Recent()
    assert all(known.new(stream.nonces[side]) for stream in streams for side in SIDES)
    for round_ in range(rounds):
        victim = chance.randrange(len(streams))
        reader: Side = chance.choice(SIDES)
        said = streams[victim].frames[other_side(reader)]
        at = chance.randrange(1, len(said))
        source, side, number = chance.choice(pool)
        if (source, side, number) == (victim, other_side(reader), at):
            continue
        replayed = streams[source].frames[side][number]
        inbound = Inbound(sender=other_side(reader), nonce=streams[victim].nonces[reader])
        before, ended = handled(inbound, said[:at])
        assert not ended
        context = f"seed {seed}, round {round_}"
        # Closed at once: neither the frame itself nor what honestly follows it comes through.
        assert handled(inbound, [replayed]) == ([], True), context
        for honest in said[at:]:
            assert handled(inbound, [honest]) == ([], True), context
        assert len(before) <= at


@pytest.mark.acceptance("TRN-05")
@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize("reader", ["node", "coordinator"])
def test_a_whole_captured_stream_is_refused_from_its_first_frames(reader: Side, restarted: bool) -> None:
    """TRN-05: also by a process that has just started and remembers no nonce: all it hears is a greeting."""
    captured = conversation("RX1", 1)
    known = Recent()
    if not restarted:
        known.new(captured.nonces[other_side(reader)])
    inbound = Inbound(sender=other_side(reader), nonce=new_secret(32), nonces=known)
    found, ended = handled(inbound, captured.frames[other_side(reader)])
    assert ended
    # The coordinator's greeting repeats a nonce of the node's that this one never said.
    greets = restarted and reader == "coordinator"
    assert [type(message) for message in found] == ([m.Hello] if greets else [])


@pytest.mark.acceptance("TRN-05")
def test_a_part_of_a_vector_fits_no_other_answer() -> None:
    """TRN-05: the parts of a large vector, taken from a stream with the same numbers and the same release."""
    vector = bytes(2 * CHUNK_BYTES)
    nonces = [new_secret(32) for _ in range(3)]
    heard: list[list[bytes]] = []
    for theirs in nonces[:2]:
        outbound = Outbound()
        frames = outbound.frames(m.Hello((m.PROTOCOL_VERSION,), "RX1", theirs))
        outbound.begin(session_name("node", theirs, nonces[2]))
        frames += outbound.frames(m.Join(1, bytes(64))) + outbound.frames(m.AnswerMessage(ID, b"e", vector))
        heard.append(frames)
    for cut in range(3, len(heard[0])):
        inbound = Inbound(sender="node", nonce=nonces[2])
        assert not handled(inbound, heard[0][:cut])[1]
        assert handled(inbound, heard[1][cut:]) == ([], True)


# -- an offer, said again in a frame of its own ------------------------------------------------------------------------


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[DocumentGate]:
    with document_gate(tmp_path) as world:
        world.accept()
        yield world


def alarms(gate: DocumentGate) -> list[tuple[str, str]]:
    return [(alarm.code, alarm.place) for alarm in AlarmReader(gate.book._db).all()]


@pytest.mark.acceptance("TRN-05")
def test_an_acknowledged_offer_again_is_one_alarm_and_an_unacknowledged_one_is_none(gate: DocumentGate) -> None:
    """TRN-05: the same bytes each time, and one charge."""
    first = gate.ask()
    assert first is not None
    spent = gate.spending()[:2]
    assert gate.ask() == first
    assert alarms(gate) == []
    gate.book.acknowledged(gate.people.the_intent().release_id)
    for _ in range(3):
        assert gate.ask() == first
        assert alarms(gate) == [("node-offer-repeated", "offer")]
    assert (gate.spending()[:2], gate.engine.runs) == (spent, 1)


@pytest.mark.acceptance("TRN-05")
def test_an_offer_to_another_node_is_refused(gate: DocumentGate) -> None:
    """TRN-05: signed for others, it is refused here and costs nothing."""
    foreign = gate.people.the_intent(nodes=("elm", "oak"))
    whole = gate.offer()
    assert gate.refused(m.Offer(foreign.sign(key("ada")).encode(), whole.permit, whole.model)) == ["auth-document"]


async def _queued() -> list[m.Message]:
    link = Link("RX1", Peer("", "", "a5"))
    offer = m.Offer(b"intent", b"permit", b"model")
    assert all(link.send(message) for message in (offer, m.Heartbeat(), offer, m.Offer(b"another", b"", b"")))
    return [link.outgoing.get_nowait() for _ in range(link.outgoing.qsize())]


@pytest.mark.acceptance("TRN-05")
def test_an_honest_coordinator_says_no_offer_twice_on_a_stream() -> None:
    """TRN-05: whoever finds the query for the node, so that no honest stream looks like a replay."""
    kinds = [type(message) for message in asyncio.run(_queued())]
    assert kinds == [m.Offer, m.Heartbeat, m.Offer]


@pytest.mark.acceptance("TRN-05")
def test_an_offer_again_on_the_same_stream_ends_it() -> None:
    """TRN-05: with other numbers of its own, and another time to its end: it is the same signed intent."""
    outbound = Outbound()
    ours = new_secret(32)
    inbound = Inbound(sender="coordinator", nonce=ours)
    hello = m.Hello((m.PROTOCOL_VERSION,), "coordinator", new_secret(32), ours)
    inbound.receive(outbound.frames(hello)[0])
    outbound.begin(session_name("coordinator", ours, hello.nonce))
    inbound.receive(outbound.frames(m.Offer(b"intent", b"permit", b"model", 5))[0])
    (again,) = outbound.frames(m.Offer(b"intent", b"permit", b"model", 4))
    assert code_of(inbound.receive, again) == "node-message-invalid"
    (honest,) = outbound.frames(m.Offer(b"another", b"permit", b"model"))
    assert code_of(inbound.receive, honest) == "node-message-invalid"
