"""What the federation has revoked does not answer, whoever holds documents back or puts old ones in their place.

Statements are by a key that the root delegated; the coordinator only carries them. Each refusal comes before data are
read and costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from node_agent.policy_store import DocumentStore
from node_agent.policy_store.files import replace_file
from tests.factories.trust import NOW, People, key
from tests.lib.document_gate import COMMITTEE, DocumentGate, document_gate
from tests.lib.memory_ledger import MemoryLedger
from tests.lib.refusals import code_of
from tests.security.test_forgery import answers, changed
from trustquery.identity import Revocations, Revoked, Root, Roster
from trustquery.identity.rotation import successor_of
from trustquery.protocol.messages import Documents

DAY, HOUR = 86_400, 3_600
ROOT_KEYS = ("root0", "root1")


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[DocumentGate]:
    with document_gate(tmp_path) as world:
        world.accept()
        yield world


def revoked_key(name: str) -> Revoked:
    return Revoked(kind="key", id=key(name).public.hex(), until=0)


def said(*revoked: Revoked, signer: str = "statement", **changes: Any) -> bytes:
    """A statement's envelope: the second, of an hour ago, unless told otherwise."""
    facts: dict[str, Any] = {"version": 2, "revoked": tuple(sorted(revoked, key=lambda item: (item.kind, item.id)))}
    return Revocations(**(People().the_statement.model_dump() | facts | changes)).sign(key(signer)).encode()


def roster_of(*signers: str, **changes: Any) -> bytes:
    return Roster(**(People().the_roster.model_dump() | changes)).sign(*map(key, signers or ROOT_KEYS)).encode()


def take(gate: DocumentGate, data: bytes) -> tuple[str, ...]:
    return gate.kept.take(Documents(revocations=data), gate.book, gate.clock.wall())


# -- what is revoked --------------------------------------------------------------------------------------------------

WHAT: dict[str, tuple[Callable[[DocumentGate], Revoked], str]] = {
    "the analyst's key": (lambda gate: revoked_key("ada"), "the key that signed the query"),
    "the permit": (
        lambda gate: Revoked(kind="permit", id=gate.people.the_permit.sha256, until=gate.people.the_permit.expires),
        "the project's permit",
    ),
    "a committee member's key": (
        lambda gate: revoked_key("ann"),
        "the key of a committee member who signed the permit",
    ),
    "this node's key": (lambda gate: revoked_key("ash"), "this node's key"),
    "this node's certificate": (lambda gate: Revoked(kind="certificate", id="a5", until=0), "this node's certificate"),
}


@pytest.mark.acceptance("AUZ-06")
@pytest.mark.parametrize("name", WHAT)
def test_what_is_revoked_is_refused_at_once_and_by_its_name(gate: DocumentGate, name: str) -> None:
    """AUZ-06: an answer was given a moment ago; the statement comes; the question is refused, and costs nothing."""
    answers(gate)
    what, words = WHAT[name]
    assert take(gate, said(what(gate))) == ()
    gate.rested()
    answer = gate.ask(gate.offer(gate.people.the_intent("two")))
    assert answer is not None
    assert [(reason["code"], reason["fields"]) for reason in answer.reasons] == [("auth-revoked", {"what": words})]
    assert gate.steps[-1] == "verify"
    assert gate.engine.runs == 1


def test_what_concerns_somebody_else_changes_nothing(gate: DocumentGate) -> None:
    others = (revoked_key("eve"), revoked_key("birch"), Revoked(kind="permit", id="0" * 64, until=0))
    assert take(gate, said(*others, Revoked(kind="certificate", id="a50", until=0))) == ()
    answers(gate)


@pytest.mark.parametrize("name", WHAT)
def test_what_is_revoked_between_question_and_answer_never_leaves(gate: DocumentGate, name: str) -> None:
    """The statement comes while the answer waits for its slot: withheld, and charged."""
    what = WHAT[name][0](gate)
    gate.trouble["witness"] = lambda: None if take(gate, said(what)) == () else pytest.fail("not taken")
    assert gate.ask() is None
    assert gate.sent == []
    ((state,),) = gate.book._db.rows("SELECT state FROM release")
    assert state == "WITHHELD"
    assert gate.book._db.rows("SELECT refunded FROM charge") == [(0,)] * 4


@pytest.mark.parametrize(("name", "goes"), [("ada", False), ("ann", False), ("eve", True)])
def test_after_a_restart_the_last_look_goes_by_the_documents_here(gate: DocumentGate, name: str, goes: bool) -> None:
    from node_agent.gate.endings import resume

    gate.kept.take_permit(gate.people.the_permit.sign(*map(key, COMMITTEE)).encode(), NOW)
    gate.trouble["witness"] = lambda: setattr(gate.clock, "down", True)
    assert gate.ask() is None
    (release,) = gate.book.unsent()
    assert take(gate, said(revoked_key(name))) == ()
    gate.clock.down = False
    resume(release, gate.ports)
    assert [gate.read(message).status for message in gate.sent] == (["answer"] if goes else [])


# -- whose word it is -------------------------------------------------------------------------------------------------


@pytest.mark.acceptance("AUZ-06", "TRN-03")
def test_an_edited_or_forged_statement_is_refused(gate: DocumentGate) -> None:
    """AUZ-06, TRN-03: every field; the one in force stays, and the coordinator's own key makes none."""
    statement = Revocations.read(said(revoked_key("eve"), Revoked(kind="permit", id="0" * 64, until=NOW + DAY)))
    for what, data in changed(statement, statement.sign(key("statement"))):
        assert take(gate, data) == ("auth-document",), what
    for signer in ("coordinator", "ash", "ann", "root0"):
        assert take(gate, said(revoked_key("ada"), signer=signer)) == ("auth-document",)
    assert gate.kept.revocations(NOW)[0] == gate.people.the_statement
    answers(gate)


@pytest.mark.acceptance("TRN-03")
def test_every_bit_of_a_signed_roster_and_statement_counts(gate: DocumentGate) -> None:
    """TRN-03: one bit flipped anywhere in either envelope."""
    for data, part in ((roster_of(version=2), "roster"), (said(revoked_key("eve")), "revocations")):
        for place in range(0, 8 * len(data), 7):
            bent = bytearray(data)
            bent[place // 8] ^= 1 << place % 8
            sent: dict[str, Any] = {part: bytes(bent)}
            assert gate.kept.take(Documents(**sent), gate.book, NOW) == ("auth-document",), (part, place)
    answers(gate)


def test_a_roster_cannot_name_the_coordinator_or_a_node_as_delegate() -> None:
    for name in ("coordinator", "ash", "birch"):
        with pytest.raises(ValueError, match="neither the coordinator's nor a node's"):
            roster_of(statement_keys=(key(name).public.hex(),))
    with pytest.raises(ValueError, match="at least 1"):
        roster_of(statement_keys=())


# -- withholding, and going back --------------------------------------------------------------------------------------


@pytest.mark.acceptance("AUZ-06")
def test_a_coordinator_that_withholds_statements_gets_refusals(gate: DocumentGate) -> None:
    """AUZ-06: the trust's policy says 48 hours; a second later nothing is answered, and a new statement ends that."""
    gate.people.intent["not_after"] = NOW + 10 * DAY
    # The roster of these tests lives one more day; a longer one stands in.
    gate.kept.take_roster(roster_of(version=2, expires=NOW + 20 * DAY), gate.book, NOW)
    gate.clock.now += 47 * HOUR - 60
    answers(gate)
    gate.clock.now = 1_000 + 47 * HOUR + 1
    gate.rested()
    answer = gate.ask(gate.offer(gate.people.the_intent("two")))
    assert answer is not None
    assert [reason["fields"]["rule"] for reason in answer.reasons] == ["revocations"]
    assert take(gate, said(revoked_key("eve"), version=3, issued=gate.clock.wall())) == ()
    gate.rested()
    third = gate.ask(gate.offer(gate.people.the_intent("three")))
    assert third is not None
    assert third.status == "answer"


def test_a_clock_put_back_makes_no_statement_younger(gate: DocumentGate) -> None:
    gate.kept.take_roster(roster_of(version=2, issued=NOW - 10 * DAY, expires=NOW + 20 * DAY), gate.book, NOW)
    gate.clock.now += 48 * HOUR
    gate.people.intent["not_after"] = NOW + 10 * DAY
    assert gate.refused() == ["policy-refused"]
    gate.clock.now -= 48 * HOUR
    assert gate.refused(gate.offer(gate.people.the_intent("two"))) == ["policy-refused"]


def test_none_at_all_or_one_that_has_ended_refuses(gate: DocumentGate) -> None:
    file = gate.home.documents / "revocations.dsse"
    kept = file.read_bytes()
    file.unlink()
    assert gate.refused() == ["policy-revocations-absent"]
    for faulty in (b"", b"{}", kept[:-1]):
        file.write_bytes(faulty)
        assert gate.refused() == ["policy-revocations-absent"]
    file.write_bytes(kept)
    assert take(gate, said(expires=NOW + 2)) == ()
    gate.clock.now += 2
    assert gate.refused() == ["policy-revocations-absent"]


def test_a_roster_ends_with_its_day(gate: DocumentGate) -> None:
    gate.people.intent["not_after"] = NOW + 10 * DAY
    gate.clock.now += DAY - 60
    answers(gate)
    gate.clock.now = 1_000 + DAY
    assert gate.refused(gate.offer(gate.people.the_intent("two"))) == ["policy-document-stale"]


@pytest.mark.acceptance("AUZ-06")
@pytest.mark.parametrize("kind", ["roster", "revocations", "roots"])
def test_an_older_document_put_back_on_the_disk_is_refused_also_after_a_restart(gate: DocumentGate, kind: str) -> None:
    """AUZ-06: validly signed, and once in force; the ledger knows a later one."""
    folder = gate.home.documents
    before = {path.name: path.read_bytes() for path in folder.glob("*.dsse")}
    second = successor_of(gate.people.root, (*gate.people.root.keys[:2], key("root3").public.hex()), 2)
    roots = (second.sign(key("root0"), key("root1"), key("root3")).encode(),)
    later = Documents(roster_of(version=2), said(), roots=roots)
    assert gate.kept.take(later, gate.book, NOW) == ()
    answers(gate)
    if kind == "roots":
        (folder / "roots" / "00000002.dsse").unlink()
    else:
        replace_file(folder / f"{kind}.dsse", before[f"{kind}.dsse"])
    for documents in (gate.kept, DocumentStore(folder, gate.people.root)):
        object.__setattr__(gate.ports, "documents", documents)
        assert gate.refused(gate.offer(gate.people.the_intent("two"))) == ["policy-document-stale"]


# -- a statement never forgets ----------------------------------------------------------------------------------------


def test_a_statement_that_forgets_is_refused(gate: DocumentGate) -> None:
    ending = Revoked(kind="permit", id="0" * 64, until=NOW + DAY)
    assert take(gate, said(revoked_key("eve"), ending)) == ()
    for forgetting in (
        (),
        (ending,),
        (revoked_key("eve"),),
        (revoked_key("eve"), Revoked(kind="permit", id="0" * 64, until=NOW + 1)),
    ):
        assert take(gate, said(*forgetting, version=3)) == ("auth-document",)
    assert take(gate, said(revoked_key("eve"), ending, version=3, issued=NOW - 2 * HOUR)) == ("auth-document",)
    longer = Revoked(kind="permit", id="0" * 64, until=0)
    assert take(gate, said(revoked_key("eve"), longer, version=3)) == ()
    assert take(gate, said(revoked_key("eve"), ending, version=4)) == ("auth-document",)


def test_what_has_ended_by_itself_may_be_left_out(gate: DocumentGate) -> None:
    ending = Revoked(kind="permit", id="0" * 64, until=NOW + 60)
    assert take(gate, said(ending)) == ()
    gate.clock.now += 60
    assert take(gate, said(version=3, issued=NOW + 59)) == ("auth-document",)
    assert take(gate, said(version=3, issued=NOW + 60)) == ()


def test_a_stolen_statement_key_is_left_off_the_next_roster_and_binds_nobody(gate: DocumentGate) -> None:
    """It used up every number and revoked everybody: the root names another key, whose count begins anew."""
    everybody = tuple(revoked_key(name) for name in ("ada", "ann", "bob", "ash"))
    assert take(gate, said(*everybody, version=2**50)) == ()
    assert gate.refused() == ["auth-revoked"]
    gate.kept.take_roster(roster_of(version=2, statement_keys=(key("delegate").public.hex(),)), gate.book, NOW)
    assert gate.refused() == ["policy-revocations-absent"]
    assert take(gate, said(version=2**50 + 1)) == ("auth-document",)
    assert take(gate, said(version=1, signer="delegate")) == ()
    gate.rested()
    answers(gate)


def test_two_delegates_count_together() -> None:
    """Neither's older statement takes the place of the other's newer one, whichever file lies on the disk."""
    both = tuple(key(name).public.hex() for name in ("statement", "delegate"))
    seen, ring = MemoryLedger(), {key(name).key_id for name in ("statement", "delegate")}
    from node_agent.policy_store.newest import see_statement

    roster = Roster.read(roster_of(statement_keys=both))
    first, second = (Revocations.read(said(version=number)) for number in (4, 5))
    see_statement(seen, first, {key("statement").key_id}, roster, NOW)
    see_statement(seen, second, {key("delegate").key_id}, roster, NOW)
    assert code_of(see_statement, seen, first, {key("statement").key_id}, roster, NOW) == "policy-document-stale"
    other = Revocations.read(said(revoked_key("eve"), version=5))
    assert code_of(see_statement, seen, other, {key("statement").key_id}, roster, NOW) == "policy-document-stale"
    see_statement(seen, second, ring, roster, NOW)


# -- the next root ----------------------------------------------------------------------------------------------------


def next_root(
    old: Root, *signers: str, keys: tuple[str, ...] = ("root0", "root1", "root3"), threshold: int = 2
) -> bytes:
    new = successor_of(old, (key(name).public.hex() for name in keys), threshold)
    return new.sign(*map(key, signers)).encode()


@pytest.mark.acceptance("AUZ-06")
def test_a_next_root_takes_enough_old_keys_and_every_new_one(gate: DocumentGate) -> None:
    """AUZ-06: neither one holder, nor all new ones, nor the coordinator makes a root."""
    old = gate.people.root
    for signers in (
        ("root0",), ("root0", "root1"), ("root0", "root3"), ("root3",), ("root1", "root3"),
        ("coordinator", "coordinator-2", "root3"), ("root0", "root1", "coordinator"),
    ):  # fmt: skip
        assert gate.kept.take(Documents(roots=(next_root(old, *signers),)), gate.book, NOW) == ("auth-document",)
    third = next_root(Root.read(next_root(old)), "root0", "root1", "root3")
    assert gate.kept.take(Documents(roots=(third,)), gate.book, NOW) == ("auth-document",)
    assert gate.kept.root() == old
    answers(gate)


def test_nodes_follow_a_chain_and_the_stolen_keys_sign_nothing_more(gate: DocumentGate) -> None:
    old = gate.people.root
    second = next_root(old, "root0", "root1", "root3")
    third = next_root(Root.read(second), "root1", "root3", "root4", keys=("root1", "root3", "root4"))
    assert gate.kept.take(Documents(roots=(second, third)), gate.book, NOW) == ()
    assert gate.kept.root().version == 3
    # The roster in force was signed by root0 and root1, of whom one is a holder still: that is too few.
    assert gate.refused() == ["auth-document"]
    stolen = gate.kept.take(Documents(roster_of("root0", "root2", version=2)), gate.book, NOW)
    assert stolen == ("auth-document",)
    assert gate.kept.take(Documents(roster_of("root3", "root4", version=2)), gate.book, NOW) == ()
    answers(gate)
    assert gate.kept.take(Documents(roots=(second,)), gate.book, NOW) == ()
    assert gate.kept.root().version == 3
