"""The session's rules: order, greeting, who may say what, vectors in parts."""

from typing import Any

import pytest

from trustquery import wire
from trustquery.errors import TrustQueryError
from trustquery.protocol import messages as m
from trustquery.protocol.session import (
    MAX_STANCES,
    MAX_STANCES_BYTES,
    Inbound,
    Outbound,
    Recent,
    Side,
    session_name,
)
from trustquery.v1 import session_pb2 as pb
from trustquery.wire import CHUNK_BYTES

H32 = "ab" * 32
NONCE, OURS = b"\x07" * 32, b"\x08" * 32
HELLO = m.Hello((m.PROTOCOL_VERSION,), "RX1", NONCE)
REPLY = m.Hello((m.PROTOCOL_VERSION,), "coordinator", NONCE, OURS)
NAMES = {"node": session_name("node", NONCE, OURS), "coordinator": session_name("coordinator", OURS, NONCE)}
NEXT = 3
"""Number of the first frame after greeting and join, or after greeting and heartbeat."""


def encode(message: m.Message, sequence: int, sender: Side = "node") -> list[bytes]:
    """Frames of the stream that ``greeted`` begins; the first one is before it has a name."""
    return wire.encode(message, sequence, NAMES[sender] if sequence > 1 else b"")


def inbound_of(sender: Side = "node", **options: Any) -> Inbound:
    return Inbound(sender=sender, nonce=OURS, **options)


def greeted(sender: Side = "node", **options: Any) -> Inbound:
    inbound = inbound_of(sender, **options)
    inbound.receive(encode(HELLO if sender == "node" else REPLY, 1)[0])
    inbound.receive(encode(m.Join(1, bytes(64)) if sender == "node" else m.Heartbeat(), 2, sender)[0])
    return inbound


def refused(inbound: Inbound, frame: bytes) -> str:
    with pytest.raises(TrustQueryError) as caught:
        inbound.receive(frame)
    assert caught.value.code == "node-message-invalid"
    return caught.value.problem.place


def test_hello_comes_first_and_once() -> None:
    assert refused(inbound_of(), encode(m.Heartbeat(), 1)[0]) == "hello"
    assert refused(inbound_of(), encode(m.AnswerMessage(H32, b""), 1)[0]) == "answer"
    inbound = greeted()
    assert inbound.hello == HELLO
    assert refused(inbound, encode(HELLO, NEXT)[0]) == "hello"


@pytest.mark.parametrize("sequence", [2, 4, 2**63])
def test_a_repeat_or_a_gap_is_refused(sequence: int) -> None:
    assert refused(greeted(), encode(m.Heartbeat(), sequence)[0]) == "sequence"


def test_the_nonce_must_be_echoed() -> None:
    assert refused(inbound_of("coordinator"), encode(HELLO, 1)[0]) == "hello.echo"
    assert inbound_of("coordinator").receive(encode(REPLY, 1)[0]) == REPLY
    echoing = m.Hello((m.PROTOCOL_VERSION,), "RX1", NONCE, OURS)
    assert refused(inbound_of(), encode(echoing, 1)[0]) == "hello.echo"


def test_another_protocol_version_is_refused() -> None:
    for versions, theirs in (((1,), "1"), ((2, 1), "2, 1"), ((4,), "4"), ((), "none")):
        with pytest.raises(TrustQueryError) as caught:
            inbound_of().receive(encode(m.Hello(versions, "RX1", NONCE), 1)[0])
        assert caught.value.code == "node-protocol-version"
        assert (caught.value.problem.place, caught.value.problem.fields) == (
            "hello.versions", {"ours": "3", "theirs": theirs}
        )  # fmt: skip
    assert inbound_of().receive(encode(m.Hello((4, 3, 1), "RX1", NONCE), 1)[0])


@pytest.mark.parametrize(
    ("sender", "message"),
    [
        ("node", m.Offer(b"", b"", b"")),
        ("node", m.Ack(H32)),
        ("node", m.Documents()),
        ("node", m.Documents(roster=b"r")),
        ("node", m.Documents(stances=(b"s",), withdrawals=(b"w",))),
        ("node", m.Documents(revocations=b"r", stances=(b"s",))),
        ("node", m.Documents(permits=(b"p",), stances=(b"s",))),
        ("node", m.Documents(stances=(b"s",) * (MAX_STANCES + 1))),
        ("node", m.Documents(stances=(b"s" * (MAX_STANCES_BYTES // 2), b"s" * (MAX_STANCES_BYTES // 2 + 1)))),
        ("coordinator", m.Documents(stances=(b"s",))),
        ("coordinator", m.Documents(b"r", b"", (b"p",), (b"s",))),
        ("coordinator", m.AnswerMessage(H32, b"")),
        ("coordinator", m.PreviewReply(NONCE, True)),
        ("coordinator", m.Join(1, bytes(64))),
        ("coordinator", m.Renew(b"request")),
        ("node", m.Certificate(b"certificate")),
    ],
)
def test_each_side_says_only_its_own_lines(sender: Side, message: m.Message) -> None:
    refused(greeted(sender), encode(message, NEXT, sender)[0])


def test_a_node_says_stances_and_the_coordinator_everything_else() -> None:
    stances = m.Documents(stances=(b"s",) * (MAX_STANCES - 1) + (b"s" * (MAX_STANCES_BYTES - MAX_STANCES + 1),))
    assert greeted("node").receive(encode(stances, NEXT)[0]) == stances
    theirs = m.Documents(b"r", b"v", (b"p",))
    assert greeted("coordinator").receive(encode(theirs, NEXT, "coordinator")[0]) == theirs
    assert refused(inbound_of(), encode(stances, 1)[0]) == "hello"


def _chunk(sequence: int, index: int, count: int, data: bytes, release: bytes = b"\xab" * 32) -> bytes:
    chunk = pb.Chunk(release_id=release, index=index, count=count, data=data)
    return pb.Frame(sequence=sequence, session=NAMES["node"], chunk=chunk).SerializeToString()


def begun(parts: int) -> Inbound:
    inbound = greeted()
    answer = pb.Answer(release_id=b"\xab" * 32, envelope=b"e", chunk_count=parts)
    assert inbound.receive(pb.Frame(sequence=NEXT, session=NAMES["node"], answer=answer).SerializeToString()) is None
    return inbound


@pytest.mark.parametrize(
    "frame",
    [
        _chunk(NEXT + 1, 1, 2, bytes(8)),
        _chunk(NEXT + 1, 0, 3, bytes(CHUNK_BYTES)),
        _chunk(NEXT + 1, 0, 2, bytes(8)),
        _chunk(NEXT + 1, 0, 2, bytes(CHUNK_BYTES), b"\xcd" * 32),
        encode(m.Heartbeat(), NEXT + 1)[0],
    ],
)
def test_parts_come_whole_in_order_and_together(frame: bytes) -> None:
    refused(begun(2), frame)


def test_a_last_part_of_odd_length_is_refused() -> None:
    assert refused(begun(1), _chunk(NEXT + 1, 0, 1, bytes(9))) == "chunk"


def test_a_part_without_its_answer_is_refused() -> None:
    assert refused(greeted(), _chunk(NEXT, 0, 1, bytes(8))) == "chunk"


def test_a_vector_over_the_limit_is_refused_before_it_is_read() -> None:
    inbound = greeted(max_vector_bytes=CHUNK_BYTES)
    head = pb.Answer(release_id=b"\xab" * 32, envelope=b"e", chunk_count=2)
    assert (
        refused(inbound, pb.Frame(sequence=NEXT, session=NAMES["node"], answer=head).SerializeToString())
        == "answer.vector"
    )
    inbound = greeted(max_vector_bytes=8)
    frames = encode(m.AnswerMessage(H32, b"e", bytes(16)), NEXT)
    assert inbound.receive(frames[0]) is None
    assert refused(inbound, frames[1]) == "answer.vector"


def test_an_unwritable_message_uses_no_number() -> None:
    outbound = Outbound()
    with pytest.raises(TrustQueryError):
        outbound.frames(m.Ack("bad"))
    assert outbound.frames(HELLO) == encode(HELLO, 1)
    outbound.begin(NAMES["node"])
    assert outbound.frames(m.Heartbeat()) == encode(m.Heartbeat(), 2)


def test_what_is_remembered_is_bounded_and_the_oldest_goes_first() -> None:
    recent = Recent(most=2)
    assert [recent.new(item) for item in (b"a", b"b", b"a", b"c", b"b", b"a")] == [True, True, False, True, False, True]
    assert (b"a" in recent, b"b" in recent, b"c" in recent) == (True, False, True)
