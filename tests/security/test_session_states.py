"""TRN-06: every kind of message in every state of a session, said by either side: what is not in turn ends it."""

from __future__ import annotations

from typing import get_args

import pytest

from tests.lib.refusals import code_of
from trustquery.identity import new_secret
from trustquery.protocol import messages as m
from trustquery.protocol.session import Inbound, Recent, Side, session_name
from trustquery.wire import encode

ID, ID32 = "ab" * 32, b"\xab" * 32
OURS, THEIRS = b"\x01" * 32, b"\x02" * 32
JOIN = m.Join(1, bytes(64))
KINDS: dict[str, m.Message] = {
    "Hello": m.Hello((m.PROTOCOL_VERSION,), "RX1", new_secret(32)),
    "Join": JOIN,
    "Heartbeat": m.Heartbeat(),
    "Documents": m.Documents(b"roster"),
    "stances": m.Documents(stances=(b"stance",)),
    "Preview": m.Preview(ID32, b"model", b"permit", ID, "file", "none", "none", 2),
    "PreviewReply": m.PreviewReply(ID32, True),
    "Offer": m.Offer(b"intent", b"permit", b"model"),
    "AnswerMessage": m.AnswerMessage(ID, b"envelope", bytes(8)),
    "Ack": m.Ack(ID),
    "Cancel": m.Cancel(ID),
    "WitnessRequest": m.WitnessRequest(ID32, "origin", 0, b"checkpoint"),
    "Cosignature": m.Cosignature(ID32, b"", "policy-witness-unavailable"),
    "Goodbye": m.Goodbye("restart"),
    "Renew": m.Renew(b"request"),
    "Certificate": m.Certificate(b"certificate"),
}
STATES = ("new", "greeted", "joined", "answering", "over", "broken")
BOTH = {"Heartbeat", "WitnessRequest", "Cosignature", "Goodbye"}
# By hand, from what each side has to say; everything else is out of turn.
MAY: dict[Side, dict[str, set[str]]] = {
    "node": {
        "new": {"Hello"},
        "greeted": {"Join"},
        "joined": BOTH | {"stances", "PreviewReply", "AnswerMessage", "Renew"},
    },
    "coordinator": {
        "new": {"Hello"},
        "greeted": BOTH | {"Documents", "Preview", "Offer", "Ack", "Cancel", "Certificate"},
    },
}


def greeting(sender: Side) -> m.Hello:
    return m.Hello((m.PROTOCOL_VERSION,), "RX1", THEIRS, OURS if sender == "coordinator" else b"")


def name_of(sender: Side) -> bytes:
    return session_name(sender, *((THEIRS, OURS) if sender == "node" else (OURS, THEIRS)))


def in_state(sender: Side, state: str) -> tuple[Inbound, int]:
    """A session in a state, and the number of its next frame."""
    inbound, number = Inbound(sender=sender, nonce=OURS), 1

    def say(message: m.Message, only: int | None = None) -> None:
        nonlocal number
        for frame in encode(message, number, name_of(sender) if number > 1 else b"")[:only]:
            inbound.receive(frame)
            number += 1

    if state != "new":
        say(greeting(sender))
    if state not in ("new", "greeted") and sender == "node":
        say(JOIN)
    if state == "answering":
        say(KINDS["AnswerMessage"], only=1)
    if state == "over":
        say(KINDS["Goodbye"])
    if state == "broken":
        assert code_of(inbound.receive, b"\xff") == "node-message-invalid"
    return inbound, number


def test_every_kind_of_message_is_in_turn_somewhere() -> None:
    assert {type(message) for message in KINDS.values()} == set(get_args(m.Message))
    assert set().union(*(said for states in MAY.values() for said in states.values())) == set(KINDS)


CASES = [
    (sender, state, kind)
    for sender in ("node", "coordinator")
    for state in STATES
    for kind in KINDS
    if not (sender == "coordinator" and state in ("joined", "answering"))
]


@pytest.mark.acceptance("TRN-06")
@pytest.mark.parametrize(("sender", "state", "kind"), CASES)
def test_every_message_in_every_state(sender: Side, state: str, kind: str) -> None:
    """TRN-06: in turn it comes through; out of turn nothing does, neither it nor what would follow it rightly."""
    inbound, number = in_state(sender, state)
    message = greeting(sender) if (kind, state) == ("Hello", "new") else KINDS[kind]
    frames = encode(message, number, name_of(sender) if number > 1 else b"")
    if kind in MAY[sender].get(state, set()):
        assert [inbound.receive(frame) for frame in frames][-1] == message
        return
    assert code_of(inbound.receive, frames[0]) == "node-message-invalid"
    for follows in (number, number + 1):
        for right in (greeting(sender), JOIN, m.Heartbeat()):
            for name in (b"", name_of(sender)):
                (frame,) = encode(right, follows, name)
                assert code_of(inbound.receive, frame) == "node-message-invalid"


@pytest.mark.acceptance("TRN-06")
@pytest.mark.parametrize("sender", ["node", "coordinator"])
def test_a_nonce_serves_once(sender: Side) -> None:
    """TRN-06: heard on an earlier stream, or this side's own one back."""
    heard = Recent()
    (frame,) = encode(greeting(sender), 1)
    assert Inbound(sender=sender, nonce=OURS, nonces=heard).receive(frame)
    assert code_of(Inbound(sender=sender, nonce=OURS, nonces=heard).receive, frame) == "node-message-invalid"
    mirrored = m.Hello((m.PROTOCOL_VERSION,), "RX1", OURS, OURS if sender == "coordinator" else b"")
    (frame,) = encode(mirrored, 1)
    assert code_of(Inbound(sender=sender, nonce=OURS).receive, frame) == "node-message-invalid"


@pytest.mark.acceptance("TRN-06")
@pytest.mark.parametrize("sender", ["node", "coordinator"])
def test_nothing_is_read_after_the_first_problem(sender: Side, monkeypatch: pytest.MonkeyPatch) -> None:
    """TRN-06, TRN-07: also where the problem is a fault of the reader's own."""
    inbound, number = in_state(sender, "joined" if sender == "node" else "greeted")
    (frame,) = encode(m.Heartbeat(), number, name_of(sender))

    def planted(_: bytes) -> object:
        raise RuntimeError("planted")

    with monkeypatch.context() as patch:
        patch.setattr("trustquery.protocol.session.decode", planted)
        with pytest.raises(RuntimeError):
            inbound.receive(frame)
    assert code_of(inbound.receive, frame) == "node-message-invalid"
