"""TRN-07: whatever is to be verified and cannot be, because it is unsigned or because the verifier itself fails.

The fault comes at every single call in turn, at the gate, at the documents and at the session. Nothing is answered,
nothing is charged, and one entry of the ledger says so; where that entry cannot be written, nothing is said at all.
"""

from __future__ import annotations

import base64
import dataclasses
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from node_agent.gate import authenticate, model, revoked, verify
from node_agent.gate.case import Peer
from node_agent.gate.gate import pass_offer
from node_agent.policy_store import DocumentStore
from tests.factories.trust import NOW, key
from tests.lib.document_gate import DocumentGate, document_gate
from tests.lib.refusals import code_of
from trustquery.errors import TrustQueryError
from trustquery.identity import Envelope, Revocations, canonical
from trustquery.identity.documents import Document
from trustquery.protocol.messages import Documents, Offer

VERIFIERS: dict[str, tuple[Any, str]] = {
    "reading an envelope": (Envelope, "decode"),
    "checking signatures": (Envelope, "signers"),
    "counting signatures": (Envelope, "require"),
    "reading a document": (Document, "from_payload"),
    "the peer": (authenticate, "check"),
    "the project": (verify, "project_of"),
    "the roster": (verify, "own_roster"),
    "the statement": (revoked, "current"),
    "what is revoked": (revoked, "check"),
    "the model": (model, "read"),
}
FAULTS = (RuntimeError, TypeError)


class Injected:
    """Counts the calls of one function, and raises at one of them."""

    def __init__(self, patch: pytest.MonkeyPatch, owner: Any, name: str) -> None:
        self.calls, self.at, self.fault = 0, 0, RuntimeError
        whole = vars(owner)[name]
        inner: Callable[..., Any] = whole.__func__ if isinstance(whole, classmethod) else whole

        def called(*arguments: Any, **named: Any) -> Any:
            self.calls += 1
            if self.calls == self.at:
                raise self.fault("planted")
            return inner(*arguments, **named)

        patch.setattr(owner, name, classmethod(called) if isinstance(whole, classmethod) else called)

    def plant(self, at: int, fault: type[Exception]) -> None:
        self.calls, self.at, self.fault = 0, at, fault  # type: ignore[assignment]


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[DocumentGate]:
    with document_gate(tmp_path) as world:
        world.accept()
        yield world


def events(gate: DocumentGate) -> list[str]:
    rows = gate.book._db.rows("SELECT kind FROM leaf WHERE kind IN ('refused', 'alarm') ORDER BY seq")
    return [str(kind) for (kind,) in rows]


def unread(gate: DocumentGate) -> None:
    """As after a start: nothing that was verified once is remembered."""
    gate.rested()
    gate.kept = DocumentStore(gate.home.documents, gate.people.root)
    gate.ports = dataclasses.replace(gate.ports, documents=gate.kept)
    gate.steps.clear()


@pytest.mark.acceptance("TRN-07")
@pytest.mark.parametrize("verifier", VERIFIERS)
def test_a_verifier_that_fails_answers_nothing(
    gate: DocumentGate, verifier: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TRN-07: at each call before anything is charged."""
    planted = Injected(monkeypatch, *VERIFIERS[verifier])
    tried = 0
    for number in range(1, 40):
        for fault in FAULTS:
            unread(gate)
            planted.plant(number, fault)
            whole = gate.offer(gate.people.the_intent(f"{verifier} {number} {fault.__name__}"))
            before, runs, seen, sent = gate.spending(), gate.engine.runs, events(gate), len(gate.sent)
            pass_offer(whole, Peer(authenticated=True), gate.clock.monotonic(), gate.ports)
            calls, planted.at = planted.calls, 0
            answer = gate.read(gate.sent[-1]) if len(gate.sent) > sent else None
            if calls < number:
                # The control: there is no such call, and it was answered.
                assert answer is not None
                assert answer.status == "answer"
                assert tried
                return
            if "commit" in gate.steps:
                # The last look before the answer leaves: it is charged already, and says nothing.
                assert len(gate.sent) == sent
                continue
            tried += 1
            assert answer is None or answer.status == "refused", (number, fault)
            assert (gate.spending(), gate.engine.runs) == (before, runs), (number, fault)
            assert len(events(gate)) == len(seen) + 1, (number, fault)
    raise AssertionError("it was called too often to be counted")


@pytest.mark.acceptance("TRN-07")
@pytest.mark.parametrize("verifier", ["reading an envelope", "checking signatures", "reading a document"])
def test_a_document_that_cannot_be_judged_is_not_taken(
    gate: DocumentGate, verifier: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TRN-07: the one in force stays, the node lives, and one alarm names it."""
    statement = Revocations(**(gate.people.the_statement.model_dump() | {"version": 2, "issued": NOW}))
    message = Documents(revocations=statement.sign(key("statement")).encode())
    kept = gate.home.documents / "revocations.dsse"
    before = kept.read_bytes()
    planted = Injected(monkeypatch, *VERIFIERS[verifier])
    named: list[tuple[str, str]] = []

    def alarm(code: str, kind: str, data: bytes) -> None:
        named.append((code, kind))
        gate.book.note_alarm(code, kind, data, NOW, once=True)

    for fault in FAULTS:
        unread(gate)
        planted.plant(1, fault)
        assert gate.kept.take(message, gate.book, NOW, alarm) == ("internal-fault",)
        assert kept.read_bytes() == before
    assert named == [("internal-fault", "revocations")] * len(FAULTS)
    assert events(gate) == ["alarm"], "the same bytes are one event"
    planted.plant(0, RuntimeError)
    assert gate.kept.take(message, gate.book, NOW, alarm) == ()
    assert kept.read_bytes() != before


def stripped(data: bytes) -> bytes:
    """An envelope without its signatures."""
    return canonical.encode(json.loads(data) | {"signatures": []})


@pytest.mark.acceptance("TRN-07")
@pytest.mark.parametrize("part", ["intent", "permit"])
def test_what_is_unsigned_is_one_event_and_no_answer(gate: DocumentGate, part: str) -> None:
    """TRN-07: without its signatures, and plain, without an envelope."""
    whole = gate.offer()
    data = getattr(whole, part)
    plain = base64.b64decode(json.loads(data)["payload"])
    for number, unsigned in enumerate((stripped(data), plain, b"{}", b""), start=1):
        changed: dict[str, Any] = {part: unsigned}
        codes = set(gate.refused(dataclasses.replace(whole, **changed)))
        assert codes <= {"", "auth-document", "node-message-invalid"}
        assert len(events(gate)) == number


@pytest.mark.acceptance("TRN-07")
@pytest.mark.parametrize("what", ["note_alarm", "note_refusal"])
def test_an_event_that_cannot_be_written_answers_nothing(
    gate: DocumentGate, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TRN-07: the write itself fails, with an alarm and with a refusal: silence, and the node stops answering."""
    whole = gate.offer()
    data = b"{}" if what == "note_alarm" else stripped(whole.intent)

    def broken(*_: object, **__: object) -> None:
        raise TrustQueryError("ledger-unwritable")

    monkeypatch.setattr(type(gate.book), what, broken)
    sent = len(gate.sent)
    offer = Offer(data, whole.permit, whole.model)
    assert code_of(pass_offer, offer, Peer(authenticated=True), 1_000.0, gate.ports) == "ledger-unwritable"
    assert len(gate.sent) == sent
    assert events(gate) == []


@pytest.mark.acceptance("TRN-07")
def test_an_alarm_over_a_repeated_offer_that_cannot_be_written_repeats_nothing(
    gate: DocumentGate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TRN-07: not even the bytes that left before."""
    assert gate.ask() is not None
    gate.book.acknowledged(gate.people.the_intent().release_id)

    def broken(*_: object, **__: object) -> None:
        raise TrustQueryError("ledger-unwritable")

    monkeypatch.setattr(type(gate.book), "note_alarm", broken)
    sent = len(gate.sent)
    assert code_of(pass_offer, gate.offer(), Peer(authenticated=True), 1_000.0, gate.ports) == "ledger-unwritable"
    assert len(gate.sent) == sent


@pytest.mark.acceptance("TRN-07")
def test_who_is_not_authenticated_is_told_nothing_of_the_data(gate: DocumentGate) -> None:
    """TRN-07: a stream whose other end proved nothing gets a refusal and costs nothing."""
    before = gate.spending()
    pass_offer(gate.offer(), Peer(authenticated=False), 1_000.0, gate.ports)
    assert (gate.spending(), gate.engine.runs) == (before, 0)
    assert gate.codes(gate.read(gate.sent[-1])) == ["auth-certificate"]
