"""The session's rules: order, greeting, who may say what, vectors in parts."""

import pytest

from trustquery.errors import TrustQueryError
from trustquery.protocol import messages as m
from trustquery.protocol.session import MAX_STANCES, MAX_STANCES_BYTES, Inbound, Outbound, Side
from trustquery.v1 import session_pb2 as pb
from trustquery.wire import CHUNK_BYTES, encode

H32 = "ab" * 32
NONCE = b"\x07" * 32
HELLO = m.Hello((1,), "RX1", NONCE)


def greeted(sender: Side = "node") -> Inbound:
    inbound = Inbound(sender=sender)
    inbound.receive(encode(HELLO, 1)[0])
    return inbound


def refused(inbound: Inbound, frame: bytes) -> str:
    with pytest.raises(TrustQueryError) as caught:
        inbound.receive(frame)
    assert caught.value.code == "node-message-invalid"
    return caught.value.problem.place


def test_hello_comes_first_and_once() -> None:
    assert refused(Inbound(sender="node"), encode(m.Heartbeat(), 1)[0]) == "hello"
    assert refused(Inbound(sender="node"), encode(m.AnswerMessage(H32, b""), 1)[0]) == "answer"
    inbound = greeted()
    assert inbound.hello == HELLO
    assert refused(inbound, encode(HELLO, 2)[0]) == "hello"


@pytest.mark.parametrize("sequence", [1, 3, 2**63])
def test_a_repeat_or_a_gap_is_refused(sequence: int) -> None:
    assert refused(greeted(), encode(m.Heartbeat(), sequence)[0]) == "sequence"


def test_the_nonce_must_be_echoed() -> None:
    inbound = Inbound(sender="coordinator", echo=b"\x01" * 32)
    assert refused(inbound, encode(HELLO, 1)[0]) == "hello.echo"
    inbound = Inbound(sender="coordinator", echo=NONCE)
    assert inbound.receive(encode(m.Hello((1,), "coordinator", b"\x02" * 32, NONCE), 1)[0])
    assert refused(Inbound(sender="node"), encode(m.Hello((1,), "RX1", NONCE, NONCE), 1)[0]) == "hello.echo"


def test_another_protocol_version_is_refused() -> None:
    assert refused(Inbound(sender="node"), encode(m.Hello((2,), "RX1", NONCE), 1)[0]) == "hello.versions"
    assert Inbound(sender="node").receive(encode(m.Hello((2, 1), "RX1", NONCE), 1)[0])


@pytest.mark.parametrize(
    ("sender", "message"),
    [
        ("node", m.Offer(b"", b"", b"")),
        ("node", m.Ack(H32)),
        ("node", m.Documents()),
        ("node", m.Documents(roster=b"r")),
        ("node", m.Documents(revocations=b"r", stances=(b"s",))),
        ("node", m.Documents(permits=(b"p",), stances=(b"s",))),
        ("node", m.Documents(stances=(b"s",) * (MAX_STANCES + 1))),
        ("node", m.Documents(stances=(b"s" * (MAX_STANCES_BYTES // 2), b"s" * (MAX_STANCES_BYTES // 2 + 1)))),
        ("coordinator", m.Documents(stances=(b"s",))),
        ("coordinator", m.Documents(b"r", b"", (b"p",), (b"s",))),
        ("coordinator", m.AnswerMessage(H32, b"")),
        ("coordinator", m.PreviewReply(NONCE, True)),
    ],
)
def test_each_side_says_only_its_own_lines(sender: Side, message: m.Message) -> None:
    refused(greeted(sender), encode(message, 2)[0])


def test_a_node_says_stances_and_the_coordinator_everything_else() -> None:
    stances = m.Documents(stances=(b"s",) * (MAX_STANCES - 1) + (b"s" * (MAX_STANCES_BYTES - MAX_STANCES + 1),))
    assert greeted("node").receive(encode(stances, 2)[0]) == stances
    theirs = m.Documents(b"r", b"v", (b"p",))
    assert greeted("coordinator").receive(encode(theirs, 2)[0]) == theirs
    assert refused(Inbound(sender="node"), encode(stances, 1)[0]) == "hello"


def _chunk(sequence: int, index: int, count: int, data: bytes, release: bytes = b"\xab" * 32) -> bytes:
    chunk = pb.Chunk(release_id=release, index=index, count=count, data=data)
    return pb.Frame(sequence=sequence, chunk=chunk).SerializeToString()


def begun(parts: int) -> Inbound:
    inbound = greeted()
    answer = pb.Answer(release_id=b"\xab" * 32, envelope=b"e", chunk_count=parts)
    assert inbound.receive(pb.Frame(sequence=2, answer=answer).SerializeToString()) is None
    return inbound


@pytest.mark.parametrize(
    "frame",
    [
        _chunk(3, 1, 2, bytes(8)),
        _chunk(3, 0, 3, bytes(CHUNK_BYTES)),
        _chunk(3, 0, 2, bytes(8)),
        _chunk(3, 0, 2, bytes(CHUNK_BYTES), b"\xcd" * 32),
        encode(m.Heartbeat(), 3)[0],
    ],
)
def test_parts_come_whole_in_order_and_together(frame: bytes) -> None:
    refused(begun(2), frame)


def test_a_last_part_of_odd_length_is_refused() -> None:
    assert refused(begun(1), _chunk(3, 0, 1, bytes(9))) == "chunk"


def test_a_part_without_its_answer_is_refused() -> None:
    assert refused(greeted(), _chunk(2, 0, 1, bytes(8))) == "chunk"


def test_a_vector_over_the_limit_is_refused_before_it_is_read() -> None:
    inbound = Inbound(sender="node", max_vector_bytes=CHUNK_BYTES)
    inbound.receive(encode(HELLO, 1)[0])
    head = pb.Answer(release_id=b"\xab" * 32, envelope=b"e", chunk_count=2)
    assert refused(inbound, pb.Frame(sequence=2, answer=head).SerializeToString()) == "answer.vector"
    inbound = Inbound(sender="node", max_vector_bytes=8)
    inbound.receive(encode(HELLO, 1)[0])
    frames = encode(m.AnswerMessage(H32, b"e", bytes(16)), 2)
    assert inbound.receive(frames[0]) is None
    assert refused(inbound, frames[1]) == "answer.vector"


def test_an_unwritable_message_uses_no_number() -> None:
    outbound = Outbound()
    with pytest.raises(TrustQueryError):
        outbound.frames(m.Ack("bad"))
    assert outbound.frames(HELLO) == encode(HELLO, 1)
    assert outbound.frames(m.Heartbeat()) == encode(m.Heartbeat(), 2)
