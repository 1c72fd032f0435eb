"""A coordinator that holds the federation's real transport keys and lies: nothing is spent, one event names each lie.

The node is a real process; the other end of its TLS is the attacker, in this one. It has every signature that people
once made, and any number of keys of its own. An offer that is refused is named by a ``refused`` entry of the trust's
ledger, a document or a frame by an ``alarm``.
"""

from __future__ import annotations

import base64
import dataclasses
import datetime
import json
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.factories.trust import key, person
from tests.lib.hostile import QUIET, Hostile
from tests.lib.lone_node import ODS, lone_node, status_of
from tests.lib.processes import wait_for
from trustquery.identity import Intent, NodeEntry, Permit, Revocations, Revoked, Roster, canonical
from trustquery.identity.envelope import Envelope, payload_type
from trustquery.protocol.messages import PROTOCOL_VERSION, Documents, Hello, Message, Offer
from trustquery.v1 import session_pb2 as pb
from trustquery.wire import decode, encode

pytestmark = pytest.mark.timeout(240)
SQL = "SELECT count(*) AS attendances FROM emergency_attendance"
ROW = {"person_id": "p1", "arrival_at": datetime.datetime(2020, 1, 1), "age_on_arrival": 50}
ANSWER = "slot_ms = 100\nallowance_ms = 2000"
LINK = "reconnect_ms = 50\nreconnect_max_ms = 100"
ROOTS, COMMITTEE = ("root0", "root1"), ("ann", "bob")
OWN = ("coordinator", "coordinator-2")
RSS_KB = 100 * 1024


@pytest.fixture(scope="module")
def lone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hostile]:
    folder = tmp_path_factory.mktemp("hostile") / "node"
    folder.mkdir()
    with lone_node(folder, {"emergency_attendance": [ROW]}, SQL, ANSWER, link=LINK) as found:
        hostile = Hostile(found)
        # An honest offer changes the spend, so that an unchanged one says something.
        before = hostile.spend()
        assert status_of(found.ask()) == "answer"
        assert hostile.spend() != before
        yield hostile
        # And after every attack it is the same node that answers an honest question.
        before = hostile.spend()
        assert status_of(found.ask()) == "answer"
        assert hostile.spend() != before


# -- what the attacker makes -------------------------------------------------------------------------------------------


def offered(lone: Hostile, **changes: Any) -> tuple[Intent, Offer]:
    """A fresh honest offer, and its intent with changes."""
    ((_, offer),) = lone.lone.offers(1)
    whole = Intent.read(offer.intent)
    return Intent.model_validate(whole.model_dump() | changes), offer


def intent_by(signer: str, **changes: Any) -> Callable[[Hostile], Offer]:
    def make(lone: Hostile) -> Offer:
        intent, offer = offered(lone, **changes)
        return dataclasses.replace(offer, intent=intent.sign(key(signer)).encode())

    return make


def permit_with(*signers: str, **changes: Any) -> Callable[[Hostile], Offer]:
    """The analyst's own intent under a permit that the attacker made."""

    def make(lone: Hostile) -> Offer:
        permit = Permit.model_validate(lone.lone.permit.model_dump() | changes)
        intent, offer = offered(lone, permit_hash=permit.sha256, project=permit.project)
        signed = permit.sign(*map(key, signers)).encode()
        return dataclasses.replace(offer, intent=intent.sign(key("ada")).encode(), permit=signed)

    return make


def invented_user(lone: Hostile) -> Offer:
    member = lone.lone.permit.members[0].model_dump() | {"key": key("coordinator").public.hex()}
    permit = Permit.model_validate(lone.lone.permit.model_dump() | {"members": (member,)})
    intent, offer = offered(lone, permit_hash=permit.sha256, key_id=key("coordinator").key_id)
    signed = permit.sign(*map(key, OWN)).encode()
    return dataclasses.replace(offer, intent=intent.sign(key("coordinator")).encode(), permit=signed)


def changed_model(lone: Hostile) -> Offer:
    _, offer = offered(lone)
    place = offer.model.index(b"attendances")
    return dataclasses.replace(offer, model=offer.model[:place] + b"b" + offer.model[place + 1 :])


def old_signatures(lone: Hostile) -> Offer:
    """A permit for more than was approved, under the signatures of what was approved."""
    permit = Permit.model_validate(lone.lone.permit.model_dump() | {"rho_nano": lone.lone.permit.rho_nano * 10})
    intent, offer = offered(lone, permit_hash=permit.sha256)
    kept = Envelope.decode(offer.permit, kind=Permit.KIND)
    changed = Envelope(Permit.KIND, permit.payload(), kept.signatures).encode()
    return dataclasses.replace(offer, intent=intent.sign(key("ada")).encode(), permit=changed)


def swapped_kinds(lone: Hostile) -> Offer:
    _, offer = offered(lone)
    whole = json.loads(offer.permit) | {"payloadType": payload_type("acceptance")}
    return dataclasses.replace(offer, permit=canonical.encode(whole))


def stripped(lone: Hostile) -> Offer:
    _, offer = offered(lone)
    return dataclasses.replace(offer, permit=canonical.encode(json.loads(offer.permit) | {"signatures": []}))


def doubled(lone: Hostile) -> Offer:
    """One committee member's signature twice: the threshold is two people."""
    _, offer = offered(lone)
    whole = json.loads(offer.permit)
    return dataclasses.replace(
        offer, permit=canonical.encode(whole | {"signatures": [whole["signatures"][0], whole["signatures"][0]]})
    )


def other_bytes(lone: Hostile) -> Offer:
    """The id of a release that was answered, with another intent by the same analyst."""
    answered = lone.lone.node.ledger("SELECT release_id FROM release LIMIT 1")[0][0]
    return intent_by("ada", release_id=answered)(lone)


PAST = 1_700_000_000
OFFERS: dict[str, tuple[Callable[[Hostile], Offer], str]] = {
    "intent signed by the coordinator": (intent_by("coordinator"), "auth-document"),
    "intent by an invented user": (invented_user, "auth-document"),
    "permit by an invented committee": (permit_with(*OWN), "auth-document"),
    "permit by one of two": (permit_with("ann"), "auth-document"),
    "project that the trust did not accept": (permit_with(*COMMITTEE, project="other"), "policy-not-accepted"),
    "permit changed under its old signatures": (old_signatures, "auth-document"),
    "one token of the model changed": (changed_model, "auth-document"),
    "another plan's hash": (intent_by("ada", plan_hash="1" * 64), "query-plan-mismatch"),
    "a smaller charge than the plan's": (intent_by("ada", rho_nano=1), "budget-charge-mismatch"),
    "a larger charge than the plan's": (intent_by("ada", rho_nano=2_000), "budget-charge-mismatch"),
    "offer addressed to another node": (intent_by("ada", nodes=("RX2", "RX3")), "auth-document"),
    "another federation's offer": (intent_by("ada", federation="other"), "auth-document"),
    "expired intent": (intent_by("ada", not_after=PAST), "node-deadline"),
    "kinds swapped": (swapped_kinds, "auth-document"),
    "signatures stripped": (stripped, "auth-document"),
    "one signature twice": (doubled, "auth-document"),
    "an answered release's id again": (other_bytes, "node-release-conflict"),
}


@pytest.mark.acceptance("AUZ-06", "AUZ-08")
@pytest.mark.parametrize("attack", OFFERS)
def test_a_forged_offer_costs_nothing_and_is_one_entry(lone: Hostile, attack: str) -> None:
    """AUZ-06: also AUZ-08 and lies about budgets; each is refused with its code."""
    make, wanted = OFFERS[attack]
    offer, before, events = make(lone), lone.spend(), len(lone.events())
    assert lone.offer(offer) == [wanted]
    assert lone.settled(events) == [("refused", "", "")]
    assert lone.spend() == before


@pytest.mark.acceptance("LED-06")
def test_an_answered_id_with_another_query_is_refused_and_logged(lone: Hostile) -> None:
    """LED-06: validly signed by the analyst; the entry names the release and this very intent."""
    ((answered, kept),) = lone.lone.node.ledger("SELECT release_id, query_hash FROM release LIMIT 1")
    usual = lone.lone.sql
    lone.lone.sql = "SELECT sum(age_on_arrival) AS years FROM emergency_attendance"
    try:
        intent, offer = offered(lone, release_id=answered)
    finally:
        lone.lone.sql = usual
    assert intent.query_hash != kept
    before, events = lone.spend(), len(lone.events())
    assert lone.offer(dataclasses.replace(offer, intent=intent.sign(key("ada")).encode())) == ["node-release-conflict"]
    assert lone.settled(events) == [("refused", "", "")]
    ((payload,),) = lone.lone.node.ledger("SELECT payload FROM leaf WHERE kind = 'refused' ORDER BY seq DESC LIMIT 1")
    entry = json.loads(payload)
    assert (entry["release_id"], entry["intent_hash"]) == (answered, intent.sha256)
    assert lone.spend() == before


# -- documents ---------------------------------------------------------------------------------------------------------


def roster_with(*signers: str, **changes: Any) -> Callable[[Hostile], Documents]:
    def make(lone: Hostile) -> Documents:
        kept = Roster.read(lone.lone.observer.documents.roster)
        return Documents(Roster.model_validate(kept.model_dump() | changes).sign(*map(key, signers)).encode())

    return make


def statement_with(signer: str, **changes: Any) -> Callable[[Hostile], Documents]:
    def make(lone: Hostile) -> Documents:
        kept = Revocations.read(lone.lone.observer.documents.revocations)
        changed = Revocations.model_validate(kept.model_dump() | changes)
        return Documents(revocations=changed.sign(key(signer)).encode())

    return make


def lone_permit(*signers: str, **changes: Any) -> Callable[[Hostile], Documents]:
    def make(lone: Hostile) -> Documents:
        permit = Permit.model_validate(lone.lone.permit.model_dump() | changes)
        return Documents(permits=(permit.sign(*map(key, signers)).encode(),))

    return make


def nested(lone: Hostile) -> Documents:
    return Documents(permits=(b"[" * 1_000_000,))


def nested_payload(lone: Hostile) -> Documents:
    payload = base64.b64encode(b'{"a":' * 100_000 + b"1" + b"}" * 100_000).decode()
    whole = {"payload": payload, "payloadType": payload_type("roster"), "signatures": []}
    return Documents(roster=canonical.encode(whole))


NEW = NodeEntry(node="RX9", ods="RX9", name="RX9", key=key("coordinator").public.hex(), tls_key_sha256="0" * 64)
INVENTED = tuple(person(name) for name in OWN)
OVER = {"issued": PAST, "expires": PAST + 60}
STALE, FORGED, INVALID = "policy-document-stale", "auth-document", "node-message-invalid"
DOCUMENTS: dict[str, tuple[Callable[[Hostile], Documents | Offer], str, str]] = {
    "a roster with an invented node": (roster_with(*OWN, version=2, nodes=(NEW,)), FORGED, "roster"),
    "a roster with an invented committee": (roster_with(*OWN, version=3, committee=INVENTED), FORGED, "roster"),
    "a roster by one of two roots": (roster_with("root0", version=4), FORGED, "roster"),
    "another roster of the version in force": (roster_with(*ROOTS, nodes=(NEW,)), STALE, "roster"),
    "an expired roster": (roster_with(*ROOTS, version=5, **OVER), STALE, "roster"),
    "another federation's roster": (roster_with(*ROOTS, version=6, federation="other"), FORGED, "roster"),
    "a statement of its own": (statement_with("coordinator", version=2), FORGED, "revocations"),
    "an expired statement": (
        statement_with("statement", version=2, **OVER),
        STALE,
        "revocations",
    ),
    "a permit by an invented committee": (lone_permit(*OWN, project="new"), FORGED, "permit"),
    "an offer that nobody can read": (lambda _: Offer(b"{}", b"{}", b"{}"), FORGED, "offer"),
    "an offer that is too large, nested deeply": (
        lambda _: Offer(b'{"a":' * 100_000, b"{}", b"{}"),
        "node-message-invalid",
        "offer",
    ),
    "deeply nested JSON": (nested, FORGED, "permit"),
    "deeply nested JSON in an envelope": (nested_payload, FORGED, "roster"),
}


@pytest.mark.parametrize("attack", DOCUMENTS)
def test_a_forged_or_older_document_is_not_taken_and_is_one_alarm(lone: Hostile, attack: str) -> None:
    """AUZ-06: sent three times, it is one event; nothing of the node's memory is lost to it (INP-02)."""
    make, code, place = DOCUMENTS[attack]
    message, before, events = make(lone), lone.spend(), len(lone.events())
    memory = lone.rss_kb()
    for again in range(3):
        if again and isinstance(message, Offer):
            # On the same stream the second one is an attack of its own.
            lone.next_session()
        lone.send(message)
    assert lone.settled(events) == [("alarm", code, place)]
    assert lone.spend() == before
    assert lone.rss_kb() - memory <= RSS_KB


def test_nothing_goes_back_to_an_older_roster_or_statement(lone: Hostile) -> None:
    """AUZ-06: validly signed once, and a newer one has come since; nor does a statement forget what one revoked."""
    first, before, start = lone.lone.observer.documents, lone.spend(), len(lone.events())
    roster = roster_with(*ROOTS, version=2)(lone).roster
    revoked = (Revoked(kind="key", id=key("mallory").public.hex(), until=0),)
    statement = statement_with("statement", version=2, revoked=revoked)(lone).revocations
    newer = dataclasses.replace(first, roster=roster, revocations=statement)
    forgets = statement_with("statement", version=3)(lone)
    lone.send(newer)
    kept = lone.lone.node.home.documents / "revocations.dsse"
    wait_for(lambda: kept.read_bytes() == statement, 10, "the newer documents")
    assert len(lone.events()) == start
    lone.lone.observer.documents = newer
    for message, code, place in (
        (Documents(roster=first.roster), STALE, "roster"),
        (Documents(revocations=first.revocations), STALE, "revocations"),
        (forgets, FORGED, "revocations"),
    ):
        events = len(lone.events())
        lone.send(message)
        assert lone.settled(events) == [("alarm", code, place)]
    assert (kept.read_bytes(), lone.spend()) == (statement, before)


# -- frames ------------------------------------------------------------------------------------------------------------


def frames_of(message: Message, offset: int = 1) -> Callable[[list[bytes]], list[bytes]]:
    """A message in frames of this very stream, numbered from the next number or another."""
    return lambda sent: encode(message, len(sent) + offset, decode(sent[-1])[1])


def reordered(sent: list[bytes]) -> list[bytes]:
    return frames_of(Documents(), 2)(sent) + frames_of(Documents())(sent)


def elsewhere(session: bytes) -> Callable[[list[bytes]], list[bytes]]:
    """The next frame of this stream, which says that it is another's."""
    return lambda sent: encode(Documents(), len(sent) + 1, session)


def greeting(**changes: Any) -> Callable[[Hello], list[bytes]]:
    return lambda hello: encode(
        dataclasses.replace(Hello((PROTOCOL_VERSION,), "coordinator", bytes(32), hello.nonce), **changes), 1
    )


def without_nonce(hello: Hello) -> bytes:
    """A greeting whose nonce field is not there at all."""
    whole = pb.Frame()
    whole.ParseFromString(greeting()(hello)[0])
    whole.hello.ClearField("nonce")
    return whole.SerializeToString()


FRAMES: dict[str, tuple[Callable[[list[bytes]], list[bytes]], str]] = {
    "a captured frame again": (lambda sent: [sent[1]], "sequence"),
    "two frames in the other order": (reordered, "sequence"),
    "a number skipped": (frames_of(Documents(), 2), "sequence"),
    "a number used": (frames_of(Documents(), 0), "sequence"),
    "a frame of another stream": (elsewhere(b"s" * 16), "session"),
    "a frame of no stream": (elsewhere(b""), "session"),
    "a second greeting": (frames_of(Hello((PROTOCOL_VERSION,), "x", bytes(32))), "hello"),
    "a stance, which only a trust says": (frames_of(Documents(stances=(b"{}",))), "documents.stances"),
    "bytes that are no frame": (lambda sent: [b"\xff" * 40], "frame"),
    "a field that nobody knows": (
        lambda sent: [frames_of(Documents())(sent)[0] + b"\xc2\x02\x00"], "unknown field"),
    "groups within groups": (lambda sent: [b"\x0b" * 1_000_000], "unknown field"),
}  # fmt: skip
GREETINGS: dict[str, tuple[Callable[[Hello], list[bytes]], str]] = {
    "another nonce repeated": (greeting(echo=b"1" * 32), "hello.echo"),
    "no nonce repeated": (greeting(echo=b""), "hello.echo"),
    "its own nonce back": (lambda hello: greeting(nonce=hello.nonce)(hello), "hello.nonce"),
    "a nonce without a byte": (lambda hello: [without_nonce(hello)], "hello.nonce"),
    "an older protocol": (greeting(versions=(PROTOCOL_VERSION - 1,)), "hello.versions"),
    "documents before the greeting": (lambda hello: encode(Documents(), 1), "hello"),
}


@pytest.mark.acceptance("TRN-05", "TRN-06")
@pytest.mark.parametrize("attack", [*FRAMES, *GREETINGS])
def test_a_frame_that_is_not_allowed_ends_the_session_and_is_one_alarm(lone: Hostile, attack: str) -> None:
    """TRN-05, TRN-06: closed at once, also where the nonce is absent, a reflection, or another's."""
    before, events, memory = lone.spend(), len(lone.events()), lone.rss_kb()
    if attack in FRAMES:
        make, place = FRAMES[attack]
        lone.send(make)
    else:
        greet, place = GREETINGS[attack]
        lone.greet(greet)
    code = "node-protocol-version" if place == "hello.versions" else "node-message-invalid"
    assert lone.settled(events) == [("alarm", code, f"frame {place}")]
    wait_for(lone.connected, 10, "the next session")
    assert lone.spend() == before
    assert lone.rss_kb() - memory <= RSS_KB


@pytest.mark.acceptance("TRN-05")
def test_a_captured_offer_again_on_the_same_stream_ends_it_and_is_one_alarm(lone: Hostile) -> None:
    """TRN-05: no honest coordinator says an offer twice on one stream. Nothing is drawn or charged."""
    ((release_id, offer),) = lone.lone.offers(1)
    lone.lone.observer.ask(ODS, release_id, offer)
    before, events = lone.spend(), len(lone.events())
    lone.send(offer)
    assert lone.settled(events) == [("alarm", "node-message-invalid", "frame offer again")]
    wait_for(lone.connected, 10, "the next session")
    assert lone.spend() == before


@pytest.mark.acceptance("TRN-05")
def test_a_captured_offer_again_on_a_new_stream_has_the_same_bytes_and_is_one_alarm(lone: Hostile) -> None:
    """TRN-05: the coordinator has said that it holds the answer, so no honest one offers the query again."""
    ((release_id, offer),) = lone.lone.offers(1)
    first = lone.lone.observer.ask(ODS, release_id, offer).message
    lone.next_session()
    before, events = lone.spend(), len(lone.events())
    assert lone.lone.observer.ask(ODS, release_id, offer).message == first
    assert lone.settled(events) == [("alarm", "node-offer-repeated", "offer")]
    lone.next_session()
    lone.send(offer)
    time.sleep(QUIET)
    assert len(lone.events()) == events + 1, "the same bytes are one event, however often they come"
    assert lone.spend() == before


@pytest.mark.acceptance("TRN-05")
def test_an_offer_again_after_a_lost_acknowledgement_is_no_attack(lone: Hostile) -> None:
    """The protocol's own way: the same bytes leave again, nothing is drawn or charged, and nobody is accused."""
    ((release_id, offer),) = lone.lone.offers(1)
    lone.lone.observer.acknowledges = False
    try:
        first = lone.lone.observer.ask(ODS, release_id, offer).message
        lone.next_session()
        before, events = lone.spend(), lone.events()
        assert lone.lone.observer.ask(ODS, release_id, offer).message == first
    finally:
        lone.lone.observer.acknowledges = True
    time.sleep(QUIET)
    assert (lone.spend(), lone.events()) == (before, events)


def test_people_of_the_trust_see_every_alarm(lone: Hostile) -> None:
    def shown(*words: str) -> Any:
        command = lone.lone.node.cli(*words, "--format", "json")
        return json.loads(subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout)[
            "data"
        ]

    alarms = [event for event in lone.events() if event[0] == "alarm"]
    listed = shown("ledger", "alarms")
    assert [(row["code"], row["place"]) for row in listed] == [event[1:] for event in alarms]
    assert shown("status")["alarms"] == len(alarms)
    shown("ledger", "verify")
