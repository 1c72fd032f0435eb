"""Frames: everything the sides can say survives the wire, and nothing else is readable."""

import contextlib
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trustquery.errors import TrustQueryError
from trustquery.protocol import messages as m
from trustquery.protocol.session import Inbound, Outbound, session_name
from trustquery.v1 import session_pb2 as pb
from trustquery.wire import CHUNK_BYTES, SESSION_BYTES, AnswerHead, VectorPart, decode, encode

H32 = "ab" * 32
ID = b"\x07" * 32
SESSION = b"\x09" * SESSION_BYTES

b32 = st.binary(min_size=32, max_size=32)
h32 = b32.map(bytes.hex)
small = st.binary(max_size=200)
pem = st.binary(min_size=1, max_size=200)
words = st.text(max_size=40)
u32 = st.integers(0, 2**32 - 1)
problem = st.dictionaries(words, words | st.integers(-(2**53) + 1, 2**53 - 1), max_size=3)
shares = st.builds(m.ScopeShare, words, u32, u32)

MESSAGES: dict[type, st.SearchStrategy[m.Message]] = {
    m.Hello: st.builds(
        m.Hello,
        st.lists(u32, max_size=3).map(tuple),
        words,
        b32,
        st.just(b"") | b32,
        small,
        st.just("") | h32,
        st.lists(words, max_size=3).map(tuple),
    ),
    m.Heartbeat: st.builds(m.Heartbeat, small, st.just("") | h32, st.booleans()),
    m.Documents: st.builds(m.Documents, small, small, *(st.lists(small, max_size=3).map(tuple) for _ in range(3))),
    m.Preview: st.builds(m.Preview, b32, small, small, h32, words, words, words, u32),
    m.PreviewReply: st.builds(m.PreviewReply, b32, st.just(True), st.just(()), st.lists(shares, max_size=3).map(tuple))
    | st.builds(m.PreviewReply, b32, st.just(False), st.lists(problem, min_size=1, max_size=3).map(tuple)),
    m.Offer: st.builds(m.Offer, small, small, small, u32),
    m.AnswerMessage: st.builds(m.AnswerMessage, h32, small, st.lists(b32, max_size=4).map(b"".join), small),
    m.Ack: st.builds(m.Ack, h32),
    m.Cancel: st.builds(m.Cancel, h32),
    m.WitnessRequest: st.builds(
        m.WitnessRequest, b32, words, st.integers(0, 2**64 - 1), small, st.lists(small, max_size=3).map(tuple), words
    ),
    m.Cosignature: st.builds(m.Cosignature, b32, small, words, small),
    m.Goodbye: st.builds(m.Goodbye, words),
    m.Join: st.builds(m.Join, st.integers(1, 2**53), st.binary(min_size=64, max_size=64)),
    m.Renew: st.builds(m.Renew, pem),
    m.Certificate: st.builds(m.Certificate, pem),
}
any_message = st.one_of(*MESSAGES.values())


def refused(data: bytes) -> str:
    with pytest.raises(TrustQueryError) as caught:
        decode(data)
    assert caught.value.code == "node-message-invalid"
    return caught.value.problem.place


def test_every_kind_of_message_is_covered() -> None:
    assert set(MESSAGES) == set(get_args(m.Message))


@settings(deadline=None)
@given(any_message, st.integers(1, 2**40), st.sampled_from([b"", SESSION]))
def test_round_trip(message: m.Message, sequence: int, session: bytes) -> None:
    frames = encode(message, sequence, session)
    number, said, body = decode(frames[0])
    assert (number, said) == (sequence, session)
    if not isinstance(message, m.AnswerMessage):
        assert len(frames) == 1
        assert body == message
    else:
        assert isinstance(body, AnswerHead)
        parts = [decode(frame)[2] for frame in frames[1:]]
        assert body.parts == len(parts)
        assert all(isinstance(part, VectorPart) for part in parts)
        assert b"".join(part.data for part in parts if isinstance(part, VectorPart)) == message.vector


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with contextlib.suppress(TrustQueryError):
        decode(data)


@pytest.mark.parametrize("length", [8, CHUNK_BYTES - 8, CHUNK_BYTES, CHUNK_BYTES + 8, 3 * CHUNK_BYTES])
def test_a_vector_is_cut_and_put_together(length: int) -> None:
    hello = m.Hello((m.PROTOCOL_VERSION,), "RX1", ID)
    answer = m.AnswerMessage(H32, b"envelope", bytes(range(8)) * (length // 8))
    outbound, inbound = Outbound(), Inbound(sender="node", nonce=bytes(32))
    assert inbound.receive(outbound.frames(hello)[0]) == hello
    outbound.begin(session_name("node", ID, bytes(32)))
    inbound.receive(outbound.frames(m.Join(1, bytes(64)))[0])
    frames = outbound.frames(answer)
    assert len(frames) == 1 + -(-length // CHUNK_BYTES)
    results = [inbound.receive(frame) for frame in frames]
    assert results[:-1] == [None] * (len(frames) - 1)
    assert results[-1] == answer


def test_an_unknown_field_is_refused_at_any_depth() -> None:
    extra = b"\xfa\x7f\x01x"  # field 2047, one byte
    frame = pb.Frame(sequence=1, ack=pb.Ack(release_id=ID)).SerializeToString()
    assert refused(frame + extra) == "unknown field"
    inner = pb.Ack(release_id=ID).SerializeToString() + extra
    frame = b"\x08\x01" + b"\x8a\x01" + bytes([len(inner)]) + inner  # field 17 is ack
    assert refused(frame) == "unknown field"
    share = pb.ScopeShare(scope="project").SerializeToString() + extra
    reply = b"\x0a\x20" + ID + b"\x10\x01" + b"\x22" + bytes([len(share)]) + share
    assert refused(b"\x08\x01\x72" + bytes([len(reply)]) + reply) == "unknown field"


@pytest.mark.parametrize(
    ("frame", "place"),
    [
        (pb.Frame(sequence=1), "body"),
        (pb.Frame(ack=pb.Ack(release_id=ID)), "sequence"),
        (pb.Frame(sequence=1, ack=pb.Ack(release_id=b"short")), "ack.release_id"),
        (pb.Frame(sequence=1, session=bytes(15), ack=pb.Ack(release_id=ID)), "session"),
        (pb.Frame(sequence=1, session=bytes(17), ack=pb.Ack(release_id=ID)), "session"),
        (pb.Frame(sequence=1, hello=pb.Hello(node="RX1", nonce=b"short")), "hello.nonce"),
        (pb.Frame(sequence=1, join=pb.Join(counter=0, proof=bytes(64))), "join.counter"),
        (pb.Frame(sequence=1, join=pb.Join(counter=2**53 + 1, proof=bytes(64))), "join.counter"),
        (pb.Frame(sequence=1, join=pb.Join(counter=1, proof=bytes(63))), "join.proof"),
        (pb.Frame(sequence=1, renew=pb.Renew()), "renew.request"),
        (pb.Frame(sequence=1, certificate=pb.Certificate(certificate=b"x" * 8_001)), "certificate.certificate"),
        (pb.Frame(sequence=1, hello=pb.Hello(node="RX1", nonce=ID, policy_hash=b"x")), "hello.policy_hash"),
        (pb.Frame(sequence=1, hello=pb.Hello(node="RX1", nonce=ID, echo=b"x")), "hello.echo"),
        (
            pb.Frame(sequence=1, ack=pb.Ack(release_id=ID), chunk=pb.Chunk(release_id=ID, count=1, data=b"x" * 8)),
            "body",
        ),
        (pb.Frame(sequence=1, chunk=pb.Chunk(release_id=ID, index=1, count=1, data=b"x" * 8)), "chunk"),
        (pb.Frame(sequence=1, chunk=pb.Chunk(release_id=ID, index=0, count=1)), "chunk"),
        (
            pb.Frame(sequence=1, preview_reply=pb.PreviewReply(preview_id=ID, reasons=b"{}")),
            "preview_reply.reasons",
        ),
        (
            pb.Frame(sequence=1, preview_reply=pb.PreviewReply(preview_id=ID, accepted=True, reasons=b'[{"a":1}]')),
            "preview_reply.reasons",
        ),
        (
            pb.Frame(
                sequence=1,
                preview_reply=pb.PreviewReply(
                    preview_id=ID, accepted=True, reasons=b'[{"code":["policy-review-held"]}]'
                ),
            ),
            "preview_reply.reasons",
        ),
        (
            pb.Frame(sequence=1, preview_reply=pb.PreviewReply(preview_id=ID, reasons=b'[{"a": 1}]')),
            "preview_reply.reasons",
        ),
        (pb.Frame(sequence=1, preview_reply=pb.PreviewReply(preview_id=ID)), "preview_reply.reasons"),
    ],
)
def test_bad_frames_are_refused(frame: pb.Frame, place: str) -> None:
    assert refused(frame.SerializeToString()) == place


def test_not_protobuf_and_too_long_are_refused() -> None:
    assert refused(b"\xff\xff\xff") == "frame"
    assert refused(bytes(9 * 1024 * 1024)) == "frame"


@pytest.mark.parametrize(
    "message",
    [
        m.Ack("AB" * 32),
        m.Ack("short"),
        m.AnswerMessage(H32, b"", b"seven b"),
        m.Offer(b"", b"", b"", -1),
        m.WitnessRequest(ID, "", -1, b""),
        m.PreviewReply(ID, False),
        m.PreviewReply(ID, True, ({"code": "x"},)),
        m.PreviewReply(ID, True, (), (m.ScopeShare("x", -1, 0),)),
        m.Hello((-1,), "RX1", ID),
        m.Documents(bytes(9 * 1024 * 1024)),
    ],
)
def test_unwritable_messages_are_refused(message: m.Message) -> None:
    with pytest.raises(TrustQueryError) as caught:
        encode(message, 1)
    assert caught.value.code == "node-message-invalid"
