"""Who may change what, and when: at once for what only tightens, two people and 24 hours for everything else."""

from __future__ import annotations

import base64
import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from node_agent.budget import Book, SqliteLedger
from node_agent.config import Home
from node_agent.policy_store import DocumentStore, Office, PolicyStore, Stances, save_governance
from node_agent.policy_store.desk import Desk
from node_agent.policy_store.files import replace_file
from node_agent.reviews import Bench, ReviewFolder
from tests.factories.trust import NOW, People, key, person, signed_policy
from tests.lib.ledger_edits import editing
from tests.lib.refusals import code_of
from trustquery.errors import TrustQueryError
from trustquery.identity import Acceptance, GovernanceList, Order, Person
from trustquery.identity.governance import loosenings, successor, without
from trustquery.policy import Policy

DAY = 86_400
NAMES = ("grace", "ivan", "olu")
FIRST = GovernanceList(format="tq-governance-1", people=tuple(map(person, NAMES)), threshold=2)


@dataclasses.dataclass
class Trust:
    """One node's ledger, store and office, and a wall clock that a test may set."""

    home: Home
    now: int = NOW
    ledger: SqliteLedger = dataclasses.field(init=False)
    store: PolicyStore = dataclasses.field(init=False)
    office: Office = dataclasses.field(init=False)
    stances: Stances = dataclasses.field(init=False)
    bench: Bench = dataclasses.field(init=False)

    def open(self) -> Trust:
        self.ledger = SqliteLedger(self.home.ledger)
        self.store = PolicyStore(self.home, "test", "ash", self.ledger.book)
        self.office = Office(self.store, self.ledger.book, lambda: self.now)
        documents = DocumentStore(self.home.documents, People().root)
        self.stances = Stances(documents, self.store, self.ledger.book, key("ash"), lambda: self.now)
        self.bench = Bench(ReviewFolder(self.home.reviews), self.store, self.ledger, lambda: self.now * 1_000, 1_000)
        return self

    def restart(self) -> None:
        self.ledger.close()
        self.open()

    @property
    def book(self) -> Book:
        return self.ledger.book

    def kinds(self) -> list[str]:
        """Kinds of all entries of the ledger, in order."""
        return [row[0] for row in self.ledger._db.rows("SELECT kind FROM leaf ORDER BY seq")]

    def order(self, act: Any, about: str, *names: str) -> bytes:
        return Order(federation="test", node="ash", act=act, about=about).sign(*map(key, names)).encode()


@pytest.fixture
def trust(tmp_path: Path) -> Iterator[Trust]:
    home = Home(tmp_path)
    home.create()
    save_governance(home.startup / "governance.json", FIRST)
    found = Trust(home).open()
    yield found
    found.ledger.close()


def listed(old: GovernanceList, people: tuple[Person, ...], *names: str, threshold: int = 2) -> bytes:
    return successor(old, "ash", people, threshold).sign(*map(key, names)).encode()


# -- tightening and loosening -----------------------------------------------------------------------------------------


@pytest.mark.acceptance("AUZ-09")
def test_a_tightening_takes_one_person_and_acts_at_once(trust: Trust) -> None:
    trust.office.activate(signed_policy("grace", "ivan"))
    outcome = trust.office.activate(signed_policy("olu", version="2", max_cells="99"))
    assert (outcome.state, trust.store.policy().version, trust.book.waiting()) == ("in force", 2, ())
    assert trust.store.policy().queries.max_cells == 99
    trust.restart()
    assert trust.store.policy().version == 2
    # One person, but a listed one.
    assert code_of(trust.office.activate, signed_policy("eve", version="3", max_cells="98")) == "policy-signature"


@pytest.mark.acceptance("AUZ-09")
@pytest.mark.parametrize("names", [("grace",), ("grace", "grace"), ("grace", "eve")])
def test_a_loosening_with_one_signature_is_refused(trust: Trust, names: tuple[str, ...]) -> None:
    trust.office.activate(signed_policy("grace", "ivan"))
    assert code_of(trust.office.activate, signed_policy(*names, version="2", max_cells="101")) == "policy-two-people"
    assert (trust.store.policy().version, trust.book.waiting()) == (1, ())
    trust.now += 10 * DAY
    assert trust.office.take_due() == ()
    assert trust.store.policy().version == 1


@pytest.mark.acceptance("AUZ-09")
def test_a_loosening_takes_two_people_and_24_hours_to_the_second(trust: Trust) -> None:
    trust.office.activate(signed_policy("grace", "ivan"))
    outcome = trust.office.activate(signed_policy("grace", "olu", version="2", max_cells="101"))
    assert (outcome.state, outcome.effective) == ("waiting", NOW + DAY)
    assert any("101" in sentence for sentence in outcome.loosened)
    for now in (NOW, NOW + 1, NOW + DAY - 1):
        trust.now = now
        assert trust.office.take_due() == ()
        assert trust.store.policy().version == 1
        # Handing it in again neither hastens it nor starts the wait again.
        again = trust.office.activate(signed_policy("grace", "olu", version="2", max_cells="101"))
        assert (again.state, again.effective) == ("waiting", NOW + DAY)
    trust.now = NOW + DAY
    assert [item.state for item in trust.office.take_due()] == ["in force"]
    assert trust.store.policy().queries.max_cells == 101
    assert trust.kinds() == ["governance", "policy", "lodged", "policy"]


@pytest.mark.acceptance("AUZ-09")
def test_setting_the_clock_back_or_touching_files_does_not_hasten_it(trust: Trust) -> None:
    import os

    trust.office.activate(signed_policy("grace", "ivan"))
    # Lodged while the clock was set back by a year: the time that counts is that of the last entry.
    trust.now = NOW - 365 * DAY
    outcome = trust.office.activate(signed_policy("grace", "ivan", version="2", max_cells="101"))
    assert outcome.effective == NOW + DAY
    trust.now = NOW + DAY - 1
    (waiting,) = trust.book.waiting()
    os.utime(trust.store.waiting_file(waiting), (0, 0))
    trust.restart()
    assert trust.office.take_due() == ()
    assert trust.store.policy().version == 1


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE lodged SET lodged = lodged - 86400",
        "UPDATE lodged SET state = 'withdrawn'",
        "DELETE FROM lodged",
        "UPDATE governed SET sha256 = (SELECT sha256 FROM lodged) WHERE kind = 'policy'",
        "UPDATE governed SET version = 9 WHERE kind = 'policy' AND version = 1",
        "DELETE FROM governed WHERE kind = 'governance'",
        "DELETE FROM governed",
    ],
)
def test_a_book_that_somebody_edited_does_not_open(trust: Trust, statement: str) -> None:

    trust.office.activate(signed_policy("grace", "ivan"))
    trust.office.activate(signed_policy("grace", "ivan", version="2", max_cells="99"))
    trust.office.activate(signed_policy("grace", "ivan", version="3", max_cells="101"))
    trust.ledger.close()
    with editing(trust.home.ledger) as connection:
        assert connection.execute(statement).rowcount > 0
    assert code_of(SqliteLedger, trust.home.ledger) == "ledger-corrupt"
    with editing(trust.home.ledger) as connection:
        connection.execute("DELETE FROM leaf")  # so that the fixture's close finds a file


def test_one_person_withdraws_a_change_that_waits(trust: Trust) -> None:
    trust.office.activate(signed_policy("grace", "ivan"))
    outcome = trust.office.activate(signed_policy("grace", "ivan", version="2", max_cells="101"))
    assert code_of(trust.office.obey, trust.order("withdraw", outcome.sha256, "eve")) == "policy-signature"
    assert code_of(trust.office.obey, trust.order("withdraw", "ab" * 32, "olu")) == "policy-not-waiting"
    assert trust.office.obey(trust.order("withdraw", outcome.sha256, "olu")).state == "withdrawn"
    trust.now += 2 * DAY
    assert trust.office.take_due() == ()
    assert (trust.store.policy().version, trust.kinds()[-1]) == (1, "withdrawn")
    # Lodged again, the change waits its 24 hours again.
    again = trust.office.activate(signed_policy("grace", "ivan", version="2", max_cells="101"))
    assert again.effective == trust.now + DAY


@pytest.mark.acceptance("AUZ-09")
@pytest.mark.parametrize("waiting", ["2", "4"])
def test_what_comes_into_force_withdraws_what_waits(trust: Trust, waiting: str) -> None:
    """Else a change lodged yesterday would open again, today, what one person closed this morning."""
    trust.office.activate(signed_policy("grace", "ivan"))
    trust.office.activate(signed_policy("grace", "ivan", version=waiting, max_cells="101"))
    trust.office.activate(signed_policy("grace", version="3", max_cells="50"))
    assert trust.book.waiting() == ()
    trust.now += 2 * DAY
    trust.office.take_due()
    assert trust.store.policy().queries.max_cells == 50
    trust.restart()
    assert trust.store.policy().version == 3


@pytest.mark.parametrize("harm", ["gone", "edited", "one signature", "another policy"])
def test_a_waiting_file_that_is_not_what_was_lodged_never_takes_effect(trust: Trust, harm: str) -> None:
    trust.office.activate(signed_policy("grace", "ivan"))
    trust.office.activate(signed_policy("grace", "ivan", version="2", max_cells="101"))
    (item,) = trust.book.waiting()
    path = trust.store.waiting_file(item)
    if harm == "gone":
        path.unlink()
    else:
        path.write_bytes(
            {
                "edited": b"{}",
                "one signature": signed_policy("grace", version="2", max_cells="101"),
                "another policy": signed_policy("grace", "ivan", version="2", max_cells="5000"),
            }[harm]
        )
    trust.now += DAY
    assert [found.state for found in trust.office.take_due()] == ["withdrawn"]
    assert trust.store.policy().version == 1


def test_what_cannot_be_entered_does_not_happen(trust: Trust, monkeypatch: pytest.MonkeyPatch) -> None:
    import apsw

    trust.office.activate(signed_policy("grace", "ivan"))

    def full(*arguments: object) -> int:
        raise apsw.FullError("database or disk is full")

    monkeypatch.setattr(trust.ledger._db, "run", full)
    assert code_of(trust.office.activate, signed_policy("grace", version="2", max_cells="99")) == "ledger-unwritable"
    monkeypatch.undo()
    trust.restart()
    assert trust.store.policy().version == 1


def test_a_replaced_first_list_is_noticed(trust: Trust) -> None:
    trust.office.activate(signed_policy("grace", "ivan"))
    path = trust.home.startup / "governance.json"
    path.unlink()
    save_governance(path, GovernanceList(format="tq-governance-1", people=(person("eve"), person("mo")), threshold=2))
    assert code_of(lambda: trust.store.governance) == "policy-signature"
    assert code_of(trust.office.activate, signed_policy("eve", "mo", version="2")) == "policy-signature"
    assert code_of(trust.store.policy) == "policy-signature"


# -- stop and resume ---------------------------------------------------------------------------------------------------


def test_an_order_to_resume_is_about_one_stop_and_works_once(trust: Trust) -> None:
    trust.store.marks.put("pause")
    first = trust.office.note_marks()
    assert first is not None
    assert code_of(trust.office.obey, trust.order("resume", first.sha256, "grace")) == "policy-two-people"
    assert code_of(trust.office.obey, trust.order("resume", "ab" * 32, "grace", "ivan")) == "policy-document-stale"
    order = trust.order("resume", first.sha256, "grace", "ivan")
    assert trust.office.obey(order).state == "answering"
    assert not trust.store.stopped()
    trust.store.marks.put("stop")
    assert code_of(trust.office.obey, order) == "policy-document-stale"
    assert trust.store.must_exit()
    assert trust.kinds() == ["governance", "paused", "resumed", "stopped"]


def test_a_stop_holds_what_was_reserved_before_it_also_after_resume(trust: Trust) -> None:
    trust.store.marks.put("stop")
    mark = trust.office.note_marks()
    assert mark is not None
    trust.office.obey(trust.order("resume", mark.sha256, "grace", "ivan"))
    assert trust.store.stopped_after(mark.seq)
    assert not trust.store.stopped_after(trust.ledger.size())


def test_a_pause_after_a_stop_adds_nothing(trust: Trust) -> None:
    trust.store.marks.put("stop")
    trust.office.note_marks()
    trust.store.marks.put("pause")
    trust.office.note_marks()
    assert trust.kinds() == ["governance", "stopped"]


# -- the people --------------------------------------------------------------------------------------------------------


def test_removing_a_lost_key_takes_two_people_and_acts_at_once(trust: Trust) -> None:
    trust.office.activate(signed_policy("olu", "ivan"))
    next_list = without(FIRST, "ash", "olu")
    assert loosenings(FIRST, next_list) == ()
    one = next_list.sign(key("grace")).encode()
    assert code_of(trust.office.activate, one) == "policy-two-people"
    two = next_list.sign(key("grace"), key("ivan")).encode()
    assert trust.office.activate(two).state == "in force"
    assert [item.person for item in trust.store.governance.people] == ["grace", "ivan"]
    # The policy stays: it was checked by the people of its time, and the ledger holds its hash.
    assert trust.store.policy().version == 1
    trust.restart()
    assert (trust.store.policy().version, trust.store.governance.version) == (1, 2)
    # But that key signs nothing any more.
    assert code_of(trust.office.activate, signed_policy("olu", version="2", max_cells="9")) == "policy-signature"


def test_a_waiting_change_that_a_removed_key_signed_is_withdrawn(trust: Trust) -> None:
    trust.office.activate(signed_policy("grace", "ivan"))
    trust.office.activate(signed_policy("grace", "olu", version="2", max_cells="101"))
    trust.office.activate(without(FIRST, "ash", "olu").sign(key("grace"), key("ivan")).encode())
    trust.now += DAY
    assert [item.state for item in trust.office.take_due()] == ["withdrawn"]
    assert trust.store.policy().version == 1


def test_an_acceptance_that_a_removed_key_signed_must_be_signed_again(trust: Trust) -> None:
    acceptance = People().the_acceptance
    trust.store.accept(acceptance.sign(key("grace"), key("olu")))
    assert trust.store.acceptance("stays") == acceptance
    trust.office.activate(without(FIRST, "ash", "olu").sign(key("grace"), key("ivan")).encode())
    assert code_of(trust.store.acceptance, "stays") == "policy-not-accepted"
    trust.store.accept(acceptance.sign(key("grace"), key("ivan")))
    assert trust.store.acceptance("stays") == acceptance


def test_an_acceptance_that_was_declined_does_not_come_back_from_a_copy(trust: Trust) -> None:
    people = People(acceptance={"accepted": NOW - 10})
    accepted = people.the_acceptance.sign(key("grace"), key("ivan"))

    def seen(acceptance: Acceptance) -> None:
        trust.ledger.see("acceptance", "stays", acceptance.accepted, acceptance.sha256, trust.now)

    trust.store.accept(accepted)
    seen(trust.store.acceptance("stays"))
    assert trust.office.decline("stays").state == "declined"
    assert code_of(trust.store.acceptance, "stays") == "policy-not-accepted"
    assert trust.kinds()[-1] == "declined"
    # Somebody puts the file back.
    trust.store.accept(accepted)
    trust.restart()
    assert code_of(seen, trust.store.acceptance("stays")) == "policy-document-stale"
    # Two people say yes again.
    trust.store.accept(People(acceptance={"accepted": NOW - 5}).the_acceptance.sign(key("grace"), key("ivan")))
    seen(trust.store.acceptance("stays"))
    assert trust.office.decline("other").state == "not accepted"


def test_declining_what_was_never_seen_holds_as_well_and_no_file_blocks_the_future(trust: Trust) -> None:
    late = People(acceptance={"accepted": NOW + 10**6, "expires": NOW + 10**7}).the_acceptance
    trust.store.accept(late.sign(key("grace"), key("ivan")))
    trust.office.decline("stays")
    assert code_of(trust.ledger.see, "acceptance", "stays", NOW, "0" * 64, NOW) == "policy-document-stale"
    trust.ledger.see("acceptance", "stays", NOW + 1, "0" * 64, NOW + 1)


@pytest.mark.parametrize(
    ("people", "threshold", "words"),
    [
        ((*NAMES, "may"), 2, "May (may) may sign"),
        (("grace", "ivan", "may"), 2, "May (may) may sign"),
    ],
)
def test_adding_a_person_waits_24_hours(trust: Trust, people: tuple[str, ...], threshold: int, words: str) -> None:
    data = listed(FIRST, tuple(map(person, people)), "grace", "ivan", threshold=threshold)
    outcome = trust.office.activate(data)
    assert (outcome.state, outcome.effective) == ("waiting", NOW + DAY)
    assert words in " ".join(outcome.loosened)
    assert code_of(trust.office.activate, signed_policy("grace", "may")) == "policy-two-people"
    trust.now += DAY
    trust.office.take_due()
    assert [item.person for item in trust.store.governance.people] == list(people)
    assert trust.office.activate(signed_policy("grace", "may")).state == "in force"


def test_another_key_for_a_person_waits_and_a_higher_threshold_does_not(trust: Trust) -> None:
    fresh = Person(person="olu", name="Olu", key=key("olu-2").public.hex())
    assert trust.office.activate(listed(FIRST, (*FIRST.people[:2], fresh), "grace", "ivan")).state == "waiting"
    stricter = listed(FIRST, FIRST.people, "grace", "ivan", threshold=3)
    assert trust.office.activate(stricter).state == "in force"
    assert (trust.store.governance.threshold, trust.book.waiting()) == (3, ())
    # From now on it takes three, also to go back to two.
    back = listed(trust.store.governance, FIRST.people, "grace", "ivan", threshold=2)
    assert code_of(trust.office.activate, back) == "policy-two-people"
    back = listed(trust.store.governance, FIRST.people, *NAMES, threshold=2)
    assert trust.office.activate(back).state == "waiting"


def test_a_list_for_another_trust_or_out_of_turn_is_refused(trust: Trust) -> None:
    other = successor(FIRST, "birch", FIRST.people, 3).sign(key("grace"), key("ivan")).encode()
    assert code_of(trust.office.activate, other) == "policy-signature"
    second = successor(FIRST, "ash", FIRST.people, 3)
    third = successor(second, "ash", FIRST.people, 3).sign(*map(key, NAMES)).encode()
    assert code_of(trust.office.activate, third) == "policy-document-stale"
    trust.office.activate(second.sign(key("grace"), key("ivan")).encode())
    assert trust.office.activate(third).state == "in force"
    assert code_of(trust.office.activate, second.sign(key("grace"), key("ivan"), key("olu")).encode()) in (
        "policy-document-stale",
        "policy-signature",
    )


def test_no_list_is_ever_shorter_than_two() -> None:
    two = without(FIRST, "ash", "olu")
    assert code_of(without, two, "ash", "ivan") == "usage-invalid"
    assert code_of(without, two, "ash", "nobody") == "usage-invalid"
    assert code_of(successor, FIRST, "ash", FIRST.people[:1], 2) == "usage-invalid"


def test_the_first_list_keeps_the_bytes_it_had_before_lists_had_versions() -> None:
    assert set(FIRST.model_dump(mode="json")) == {"format", "people", "threshold"}
    assert GovernanceList.from_payload(FIRST.payload()) == FIRST
    second = without(FIRST, "ash", "olu")
    assert GovernanceList.from_payload(second.payload()) == second
    assert second.previous == FIRST.sha256


def test_every_version_is_kept_and_checked_by_its_hash(trust: Trust) -> None:
    trust.office.activate(signed_policy("grace", "ivan"))
    trust.office.activate(signed_policy("grace", version="2", max_cells="99"))
    kept = [found.version for _, found in trust.store.policy_versions() if isinstance(found, Policy)]
    assert kept == [1, 2]
    trust.store.policy_file(1).write_bytes(signed_policy("grace", "ivan", max_cells="98"))
    first, second = trust.store.policy_versions()
    assert isinstance(first[1], TrustQueryError)
    assert isinstance(second[1], Policy)


# -- the desk ----------------------------------------------------------------------------------------------------------


def handed_in(trust: Trust, content: bytes) -> dict[str, Any]:
    """What the running node's desk says to a request file."""
    desk = Desk(trust.home.control / "desk", trust.office, trust.stances, trust.bench)
    replace_file(desk.folder / "one.request", content)
    desk.serve()
    assert not (desk.folder / "one.request").exists()
    found: dict[str, Any] = json.loads((desk.folder / "one.reply").read_bytes())
    return found


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{}", b"\xff", b'{"format":"tq-desk-2","act":"note","document":""}',
     b'{"format":"tq-desk-1","act":"activate","document":"!"}', b'{"format":"tq-desk-1","act":"format","document":""}'],
)  # fmt: skip
def test_a_request_that_is_none_is_answered_and_changes_nothing(trust: Trust, content: bytes) -> None:
    before = trust.kinds()
    assert handed_in(trust, content)["problems"][0]["code"] == "usage-invalid"
    assert trust.kinds() == before


def test_whoever_can_write_there_hands_in_no_more_than_was_signed(trust: Trust) -> None:
    def request(act: str, document: bytes) -> bytes:
        text = base64.b64encode(document).decode()
        return json.dumps({"format": "tq-desk-1", "act": act, "document": text}).encode()

    trust.office.activate(signed_policy("grace", "ivan"))
    alone = handed_in(trust, request("activate", signed_policy("grace", version="2", max_cells="101")))
    assert alone["problems"][0]["code"] == "policy-two-people"
    forged = handed_in(trust, request("activate", signed_policy("eve", "mo", version="2", max_cells="101")))
    assert forged["problems"][0]["code"] == "policy-signature"
    assert handed_in(trust, request("activate", b"{}"))["problems"][0]["code"] == "policy-signature"
    done = handed_in(trust, request("activate", signed_policy("grace", version="2", max_cells="99")))
    assert done["outcome"]["state"] == "in force"
    assert trust.store.policy().version == 2
