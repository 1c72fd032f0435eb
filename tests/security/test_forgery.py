"""A coordinator that edits or forges a query, a project, an approval or an analyst: the node refuses, field by field.

Every field of every document on the way is changed, taken away and added to, one at a time. The coordinator has the
signatures that people once made, and any number of keys of its own, which it may also name after those people.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.factories.trust import NOW, key
from tests.lib.document_gate import COMMITTEE, GOVERNANCE, DocumentGate, document_gate
from tests.lib.refusals import code_of
from trustquery.identity import Acceptance, Intent, Permit, Roster, canonical
from trustquery.identity.envelope import Envelope, sign
from trustquery.protocol.messages import Documents, Offer

ROOT_KEYS = ("root0", "root1")
OWN = ("coordinator", "coordinator-2")
"""Keys that the coordinator makes itself; the first is also the one that the roster gives it."""
INSTEAD = {
    "purpose": "health-research", "role": "lead", "key_kind": "keyring", "mode": "secure-sum", "reuse": "fresh",
    "opt_out_treatment": "exempt-with-basis", "disclosure_profile": "standard", "as_of": "2001-01-01",
    "article_6": "6(1)(a)", "article_9": "9(2)(a)", "plan_format": "tq-plan-1", "ods": "RX9",
}  # fmt: skip
"""Other values that the same field could hold, so that it is not the form that is refused."""

Path_ = tuple[str | int, ...]


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[DocumentGate]:
    with document_gate(tmp_path) as world:
        world.accept()
        yield world


def other(name: str, value: Any) -> Any:
    """Another value of the same kind."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if value is None:
        return 1
    if name in INSTEAD:
        return INSTEAD[name]
    if len(value) == 64 and set(value) <= set("0123456789abcdef"):
        return ("1" if value[0] != "1" else "2") + value[1:]
    return str(int(value) + 1) if value.isdecimal() else value + "x"


def edits(value: Any, where: Path_ = ()) -> Iterator[tuple[str, Any]]:
    """Every document that differs in one place: where, and the whole of it."""
    label = ".".join(map(str, where)) or "document"
    if isinstance(value, dict):
        for name in sorted(value):
            yield f"{label} without {name}", {key_: kept for key_, kept in value.items() if key_ != name}
            for inner, changed in edits(value[name], (*where, name)):
                yield inner, {**value, name: changed}
        yield f"{label} with more", {**value, "zz_more": 1}
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield f"{label} without {place}", value[:place] + value[place + 1 :]
            for inner, changed in edits(item, (*where, place)):
                yield inner, [*value[:place], changed, *value[place + 1 :]]
        yield f"{label} with more", [*value, value[0] if value else "more"]
    else:
        yield label, other(str(where[-1]), value)


def leaves(value: Any) -> int:
    """How many values a document holds."""
    if isinstance(value, dict | list):
        return sum(map(leaves, value.values() if isinstance(value, dict) else value))
    return 1


def forgeries(kind: str, payload: bytes, signed: Envelope) -> Iterator[tuple[str, bytes]]:
    """What a coordinator can make of a changed payload."""
    yield "under the old signatures", Envelope(kind, payload, signed.signatures).encode()
    own = sign(kind, payload, map(key, OWN))
    yield "signed by its own keys", own.encode()
    names = sorted(name for name, _ in signed.signatures)
    named = tuple((name, signature) for name, (_, signature) in zip(names, own.signatures, strict=False))
    yield "signed by its own keys under people's names", Envelope(kind, payload, named).encode()
    both = tuple(sorted([*signed.signatures, *own.signatures]))
    yield "with its signatures beside the old ones", Envelope(kind, payload, both).encode()


def changed(document: Any, signed: Envelope) -> list[tuple[str, bytes]]:
    """Every forgery of every edit of one document."""
    whole = json.loads(document.payload())
    found = []
    for where, edit in edits(whole):
        assert edit != whole, where
        payload = canonical.encode(edit)
        found += [(f"{document.KIND}: {where}, {how}", data) for how, data in forgeries(document.KIND, payload, signed)]
    # Every value, and every field of every table, was in turn.
    assert len(found) >= 4 * (leaves(whole) + len(type(document).model_fields))
    return found


def must_refuse(gate: DocumentGate, offers: Sequence[tuple[str, Offer]], allowed: set[str]) -> None:
    for what, offer in offers:
        codes = gate.refused(offer)
        assert codes, what
        assert set(codes) <= allowed, (what, codes)


def answers(gate: DocumentGate) -> None:
    """The control: what nobody changed is answered, so it is the change that was refused."""
    gate.rested()
    answer = gate.ask()
    assert answer is not None
    assert (answer.status, gate.engine.runs) == ("answer", 1)


@pytest.mark.acceptance("AUZ-06")
def test_an_edited_or_forged_intent_is_refused(gate: DocumentGate) -> None:
    """AUZ-06: the query as it was asked, and who asked it."""
    intent = gate.people.the_intent()
    whole = gate.offer()
    offers = [(what, Offer(data, whole.permit, whole.model)) for what, data in changed(intent, intent.sign(key("ada")))]
    # Silence where the intent names no release that a node could speak of; a member's print where another is named.
    must_refuse(gate, offers, {"", "auth-document", "project-not-a-member", "node-message-invalid"})
    answers(gate)


@pytest.mark.acceptance("AUZ-06")
def test_an_edited_or_forged_permit_is_refused(gate: DocumentGate) -> None:
    """AUZ-06: the project, and who may ask in it; also where the analyst's intent is made to name the new permit."""
    permit = gate.people.the_permit
    whole = gate.offer()
    edited = changed(permit, permit.sign(*map(key, COMMITTEE)))
    must_refuse(gate, [(what, Offer(whole.intent, data, whole.model)) for what, data in edited], {"auth-document"})
    for what, data in edited:
        assert code_of(gate.kept.take_permit, data, NOW) == "auth-document", what
    assert gate.kept.projects() == ()
    for what, data in edited[:: len(edited) // 20]:
        digest = Envelope.decode(data, kind=Permit.KIND).sha256
        forged = gate.people.the_intent(permit_hash=digest, key_id=key("coordinator").key_id)
        assert gate.refused(Offer(forged.sign(key("coordinator")).encode(), data, whole.model)) == ["auth-document"], (
            what
        )
    answers(gate)


@pytest.mark.acceptance("AUZ-06")
def test_an_edited_or_forged_acceptance_is_refused(gate: DocumentGate) -> None:
    """AUZ-06: the approval, even laid into the node's own folder."""
    acceptance = gate.people.the_acceptance
    signed = acceptance.sign(*map(key, GOVERNANCE))
    for what, data in changed(acceptance, signed):
        gate.put_acceptance("stays", data)
        assert gate.refused() == ["policy-not-accepted"], what
    gate.put_acceptance("stays", signed.encode())
    answers(gate)


@pytest.mark.acceptance("AUZ-06", "AUZ-08")
def test_an_edited_model_is_refused(gate: DocumentGate) -> None:
    """AUZ-06, AUZ-08: the query itself, every node of it, under the analyst's signature and under the coordinator's."""
    whole = gate.offer()
    model = json.loads(gate.people.query.payload())
    offers = []
    for where, edit in edits(model):
        payload = canonical.encode(edit)
        offers.append((f"model: {where}", Offer(whole.intent, whole.permit, payload)))
    assert len(offers) > leaves(model)
    # A model that is still one is another query than the signed one; the others are none, or no longer fit the trust.
    allowed = {"auth-document", "project-dataset-not-permitted", "query-catalogue-mismatch", "data-table-unavailable"}
    for what, offer in offers:
        codes = gate.refused(offer)
        assert all(code in allowed or code.startswith("query-") for code in codes), (what, codes)
    for where, edit in edits(model):
        payload = canonical.encode(edit)
        forged = gate.people.the_intent(query_hash=hashlib.sha256(payload).hexdigest())
        for signer in OWN:
            assert gate.refused(Offer(forged.sign(key(signer)).encode(), whole.permit, payload)), where
    answers(gate)


@pytest.mark.acceptance("AUZ-06")
def test_an_edited_or_forged_roster_is_refused(gate: DocumentGate) -> None:
    """AUZ-06: who approves and who belongs; the roster in force stays."""
    roster = gate.people.the_roster
    for what, data in changed(roster, roster.sign(*map(key, ROOT_KEYS))):
        assert gate.kept.take(Documents(roster=data), gate.book, NOW) == ("auth-document",), what
    assert gate.kept.roster(NOW) == roster
    answers(gate)


@pytest.mark.acceptance("AUZ-06")
def test_a_whole_chain_of_its_own_is_refused(gate: DocumentGate) -> None:
    """AUZ-06: analyst, project, approval and query that agree with each other, with nobody's signature but its own."""
    people = gate.people
    member = people.the_permit.members[0].model_dump() | {"key": key("coordinator").public.hex()}
    permit = Permit(**(people.the_permit.model_dump() | {"members": (member,), "version": 2}))
    intent = Intent(
        **(people.the_intent().model_dump() | {"permit_hash": permit.sha256, "key_id": key("coordinator").key_id})
    )
    acceptance = Acceptance(**(people.the_acceptance.model_dump() | {"permit_hash": permit.sha256}))
    committee = [person.model_dump() | {"key": key(name).public.hex()} for person, name in zip(
        people.the_roster.committee, OWN, strict=True)]  # fmt: skip
    roster = Roster(**(people.the_roster.model_dump() | {"committee": tuple(committee), "version": 2}))
    assert gate.kept.take(Documents(roster=roster.sign(*map(key, OWN)).encode()), gate.book, NOW) == ("auth-document",)
    gate.put_acceptance("stays", acceptance.sign(*map(key, OWN)).encode())
    offer = Offer(
        intent.sign(key("coordinator")).encode(), permit.sign(*map(key, OWN)).encode(), people.query.payload()
    )
    assert gate.refused(offer) == ["auth-document"]
    # Even past the committee, governance has not said yes to it.
    approved = Offer(offer.intent, permit.sign(*map(key, COMMITTEE)).encode(), offer.model)
    assert gate.refused(approved) == ["policy-not-accepted"]


@pytest.mark.acceptance("AUZ-06")
def test_bytes_beside_the_signed_ones_are_refused(gate: DocumentGate) -> None:
    """AUZ-06: another spelling of a signed document, or another type of document, is not the signed one."""
    whole = gate.offer()
    for name, data in (("intent", whole.intent), ("permit", whole.permit)):
        envelope = json.loads(data)
        payload = base64.b64decode(envelope["payload"])
        spelt = json.dumps(json.loads(payload), indent=1).encode()
        for text in (
            canonical.encode({**envelope, "payload": base64.b64encode(spelt).decode()}),
            canonical.encode({**envelope, "payloadType": "application/vnd.trustquery.stance.v1+json"}),
            canonical.encode({**envelope, "signatures": []}),
            canonical.encode({**envelope, "more": 1}),
            data + b"\n",
            b" " + data,
        ):
            parts = {"intent": whole.intent, "permit": whole.permit} | {name: text}
            assert set(gate.refused(Offer(parts["intent"], parts["permit"], whole.model))) <= {"", "auth-document"}
    answers(gate)
