"""Signed documents on the node's disk: who may put them there, and that old ones do not come back."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from node_agent.budget import Book, SqliteLedger
from node_agent.config import Home
from node_agent.policy_store import DocumentStore, Office, PolicyStore, load_governance, save_governance
from node_agent.policy_store.files import replace_file, safe_name
from tests.factories.trust import NOW, People, key, person, signed_policy
from tests.lib.memory_ledger import MemoryLedger
from tests.lib.refusals import code_of
from trustquery.codelists import CodingSystem, Pin
from trustquery.identity import GovernanceList
from trustquery.projects.inputs import InputDecision
from trustquery.protocol.messages import Documents

PIN = Pin("mine", 1, "ab" * 32)
LISTED = GovernanceList(format="tq-governance-1", people=(person("grace"), person("ivan"), person("olu")), threshold=2)


@pytest.fixture
def store(tmp_path: Path, book: Book) -> PolicyStore:
    home = Home(tmp_path)
    home.create()
    save_governance(home.startup / "governance.json", LISTED)
    return PolicyStore(home, "test", "ash", book)


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Book]:
    ledger = SqliteLedger(tmp_path / "ledger" / "ledger.sqlite")
    yield ledger.book
    ledger.close()


@pytest.fixture
def office(store: PolicyStore, book: Book) -> Office:
    return Office(store, book, lambda: NOW)


@pytest.fixture
def documents(tmp_path: Path) -> DocumentStore:
    return DocumentStore(tmp_path / "documents", People().root)


def test_without_a_policy_nothing_is_in_force(store: PolicyStore) -> None:
    assert code_of(store.policy) == "policy-absent"


def test_two_governance_people_put_a_policy_in_force(store: PolicyStore, office: Office) -> None:
    assert office.activate(signed_policy("grace", "olu")).state == "in force"
    assert store.policy().version == 1


@pytest.mark.parametrize("names", [(), ("eve", "mallory")])
def test_nobody_listed_is_nobody(store: PolicyStore, office: Office, names: tuple[str, ...]) -> None:
    assert code_of(office.activate, signed_policy(*names)) == "policy-signature"
    assert code_of(store.policy) == "policy-absent"


@pytest.mark.parametrize("names", [("grace",), ("grace", "grace"), ("grace", "eve")])
def test_the_first_policy_takes_two_different_people(
    store: PolicyStore, office: Office, names: tuple[str, ...]
) -> None:
    assert code_of(office.activate, signed_policy(*names)) == "policy-two-people"
    assert code_of(store.policy) == "policy-absent"


def test_a_policy_for_somebody_else_is_refused(office: Office) -> None:
    assert code_of(office.activate, signed_policy("grace", "ivan", trust='"birch"')) == "policy-invalid"
    assert code_of(office.activate, signed_policy("grace", "ivan", federation='"other"')) == "policy-invalid"


def test_versions_go_forwards(store: PolicyStore, office: Office) -> None:
    office.activate(signed_policy("grace", "ivan", version="2"))
    assert code_of(office.activate, signed_policy("grace", "ivan", version="1")) == "policy-document-stale"
    assert (
        code_of(office.activate, signed_policy("grace", "ivan", version="2", max_cells="99")) == "policy-document-stale"
    )
    assert (
        office.activate(signed_policy("grace", "olu", version="2")).state == "in force"
    )  # the same text, signed again
    assert store.policy().version == 2


def test_nobody_uses_up_all_later_versions(store: PolicyStore, office: Office) -> None:
    office.activate(signed_policy("grace", "ivan"))
    # A tightening takes one person: with this version nobody could ever change the policy again.
    assert code_of(office.activate, signed_policy("grace", version=str(2**53 - 1), max_cells="9")) == "policy-invalid"
    assert code_of(office.activate, signed_policy("grace", version="1002", max_cells="9")) == "policy-invalid"
    assert office.activate(signed_policy("grace", version="1001", max_cells="9")).state == "in force"


def test_a_file_that_somebody_edited_answers_nothing(store: PolicyStore, office: Office) -> None:
    office.activate(signed_policy("grace", "ivan"))
    store.policy()
    for text in (
        signed_policy("eve", "mallory", max_rho="0.01"),
        b"{}",
        signed_policy("grace", "ivan", max_rho="0.01"),
    ):
        store.policy_file(1).write_bytes(text)
        assert code_of(store.policy) == "policy-signature"
    store.policy_file(1).unlink()
    assert code_of(store.policy) == "policy-absent"


def test_an_acceptance_takes_two_people_and_can_be_taken_back(store: PolicyStore) -> None:
    acceptance = People().the_acceptance
    assert code_of(store.acceptance, "stays") == "policy-not-accepted"
    assert code_of(store.accept, acceptance.sign(key("grace"))) == "policy-signature"
    assert code_of(store.acceptance, "stays") == "policy-not-accepted"
    store.accept(acceptance.sign(key("grace"), key("ivan")))
    assert store.acceptance("stays") == acceptance
    assert store.given("stays") == (acceptance.accepted, acceptance.sha256)
    assert store.remove_acceptance("stays")
    assert not store.remove_acceptance("stays")
    assert not store.remove_acceptance("../policy")
    assert store.given("stays") is None
    assert code_of(store.acceptance, "stays") == "policy-not-accepted"


def test_stop_and_pause_last_until_they_are_resumed(store: PolicyStore, office: Office) -> None:
    assert (store.stopped(), store.must_exit()) == (False, False)
    store.marks.put("pause")
    assert (store.stopped(), store.must_exit()) == (True, False)
    store.marks.put("stop")
    assert (store.stopped(), store.must_exit()) == (True, True)
    office.note_marks()
    # A file that somebody removes lifts nothing: the ledger knows.
    store.marks.clear()
    assert (store.stopped(), store.must_exit()) == (True, True)


def test_a_control_folder_that_cannot_be_read_stops(store: PolicyStore, office: Office) -> None:
    folder = store.home.control
    folder.rmdir()
    assert (store.stopped(), store.must_exit()) == (True, False)
    folder.write_bytes(b"")
    assert store.stopped()
    assert office.note_marks() is None  # nobody decided anything
    folder.unlink()
    folder.mkdir()
    assert not store.stopped()


def test_resuming_takes_the_keys_of_two_different_people() -> None:
    LISTED.require([key("grace"), key("olu")], "resume")
    for names in ((), ("grace",), ("grace", "grace"), ("grace", "eve")):
        assert code_of(LISTED.require, [key(name) for name in names], "resume") == "auth-not-allowed"


def test_the_governance_list_is_written_once(tmp_path: Path) -> None:
    path = tmp_path / "governance.json"
    assert code_of(load_governance, path) == "config-missing"
    save_governance(path, LISTED)
    assert load_governance(path) == LISTED
    assert code_of(save_governance, path, LISTED) == "config-exists"
    path.write_text(path.read_text().replace('"threshold":2', '"threshold":1'))
    assert code_of(load_governance, path) == "config-invalid"


@pytest.mark.parametrize("people", [("grace",), ("grace", "grace")])
def test_one_person_is_no_governance(people: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=r".+"):
        GovernanceList(format="tq-governance-1", people=tuple(map(person, people)), threshold=2)


# -- the federation's documents ---------------------------------------------------------------------------------------


def roster(*signers: str, **changes: Any) -> bytes:
    return People(roster=changes).the_roster.sign(*map(key, signers)).encode()


def test_a_roster_needs_the_root_and_a_time(documents: DocumentStore) -> None:
    ledger = MemoryLedger()
    assert code_of(documents.roster, NOW) == "policy-document-stale"
    for bad in (roster("root0"), roster("ann", "bob"), roster("coordinator", "root1")):
        assert code_of(documents.take_roster, bad, ledger, NOW) == "auth-document"
    assert code_of(documents.take_roster, roster("root0", "root1", federation="other"), ledger, NOW) == "auth-document"
    assert code_of(documents.take_roster, roster("root0", "root1"), ledger, NOW + 86_400) == "policy-document-stale"
    assert code_of(documents.take_roster, roster("root0", "root1"), ledger, NOW - 86_701) == "policy-document-stale"
    documents.take_roster(roster("root0", "root2"), ledger, NOW)
    assert documents.roster(NOW).version == 1
    assert code_of(documents.roster, NOW + 86_400) == "policy-document-stale"


def test_a_clock_five_minutes_behind_takes_a_fresh_roster(documents: DocumentStore) -> None:
    issued = NOW - 86_400
    documents.take_roster(roster("root0", "root1"), MemoryLedger(), issued - 300)
    assert documents.roster(issued - 300).version == 1
    assert code_of(documents.roster, issued - 301) == "policy-document-stale"


def test_a_roster_never_goes_backwards(documents: DocumentStore) -> None:
    ledger = MemoryLedger()
    documents.take_roster(roster("root0", "root1", version=3), ledger, NOW)
    assert code_of(documents.take_roster, roster("root0", "root1", version=2), ledger, NOW) == "policy-document-stale"
    assert documents.roster(NOW).version == 3


def test_a_message_is_taken_as_far_as_it_verifies(documents: DocumentStore) -> None:
    ledger = MemoryLedger()
    people = People()
    good = people.the_permit.sign(key("ann"), key("bob")).encode()
    beds = dataclasses.replace(people, permit={"project": "beds"}).the_permit.sign(key("ann")).encode()
    message = Documents(roster("root0", "root1"), b"", (good, beds, b"junk"))
    assert documents.take(message, ledger, NOW) == ("auth-document", "auth-document")
    assert documents.projects() == ("stays",)
    permit, envelope = documents.permit("stays", NOW)
    assert (permit, envelope.sha256) == (people.the_permit, people.the_permit.sha256)
    assert code_of(documents.permit, "beds", NOW) == "project-unknown"
    assert code_of(documents.permit, "../roster", NOW) == "project-unknown"


def test_an_older_permit_does_not_replace_a_newer(documents: DocumentStore) -> None:
    ledger = MemoryLedger()
    documents.take_roster(roster("root0", "root1"), ledger, NOW)
    versions = {n: People(permit={"version": n}).the_permit.sign(key("ann"), key("bob")).encode() for n in (1, 2)}
    documents.take_permit(versions[2], NOW)
    assert code_of(documents.take_permit, versions[1], NOW) == "policy-document-stale"
    assert documents.permit("stays", NOW)[0].version == 2


def input_decision(by: str = "ann", person: str = "", **changed: Any) -> bytes:
    facts: dict[str, Any] = {
        "federation": "test", "id": "mine", "version": 1, "table_hash": PIN.sha256, "system": CodingSystem.ICD10,
        "column": "icd", "verdict": "withdraw", "reason": "It missed I64.", "person": person or by, "decided": NOW,
    }  # fmt: skip
    return InputDecision(**(facts | changed)).sign(key(by)).encode()


def test_a_withdrawal_is_the_committees_word_and_is_never_unsaid(documents: DocumentStore) -> None:
    ledger = MemoryLedger()
    assert code_of(documents.take_withdrawal, input_decision(), NOW) == "policy-document-stale"
    others = [
        input_decision("zed"), input_decision("zed", "ann"), input_decision("bob", "ann"),
        input_decision(verdict="approve"), input_decision(federation="other"), b"junk",
    ]  # fmt: skip
    message = Documents(roster("root0", "root1"), withdrawals=tuple(others))
    assert documents.take(message, ledger, NOW) == ("auth-document",) * len(others)
    documents.check_inputs([PIN])
    assert documents.take(Documents(withdrawals=(input_decision(),)), ledger, NOW) == ()
    assert code_of(documents.check_inputs, [PIN]) == "query-input-withdrawn"
    documents.check_inputs([dataclasses.replace(PIN, version=2, sha256="cd" * 32)])
    # The coordinator may leave it out, send it again, or send what once approved it: it stays.
    documents.take(Documents(withdrawals=(input_decision(),)), ledger, NOW)
    documents.take(Documents(withdrawals=(input_decision(verdict="approve"),)), ledger, NOW)
    documents.take(Documents(), ledger, NOW)
    assert code_of(documents.check_inputs, [PIN]) == "query-input-withdrawn"


@pytest.mark.parametrize("name", ["", ".", "..", ".hidden", "a/b", "a\\b", "a\0b", "a b", "é"])
def test_names_that_are_no_file_names(name: str) -> None:
    with pytest.raises(ValueError, match="not a document name"):
        safe_name(name)


def test_a_file_is_replaced_whole_and_private(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "file"
    replace_file(path, b"one")
    replace_file(path, b"two")
    assert path.read_bytes() == b"two"
    assert path.stat().st_mode & 0o077 == 0
    assert [item.name for item in path.parent.iterdir()] == ["file"]
