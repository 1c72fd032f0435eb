"""What a node says of each permit: as governance decided, about the permit that is kept, and nothing by hand."""

from __future__ import annotations

import base64
import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from node_agent.policy_store import Stances
from node_agent.policy_store.desk import Desk
from node_agent.policy_store.files import replace_file
from node_agent.policy_store.stances import NO_LONGER
from tests.factories.trust import NOW, key
from tests.lib.document_gate import COMMITTEE, GOVERNANCE, DocumentGate, document_gate
from tests.lib.refusals import code_of
from trustquery.errors import Problem, TrustQueryError
from trustquery.identity import Acceptance, Permit
from trustquery.projects.decisions import Stance

DAY = 86_400
WHY = "The benefit for our patients is not clear to us."


@dataclasses.dataclass
class Trust:
    """A node whose federation has sent it a permit."""

    gate: DocumentGate
    now: int = NOW

    def __post_init__(self) -> None:
        self.again()
        self.send(self.gate.people.the_permit)

    def again(self) -> None:
        """As after a restart."""
        world = self.gate
        self.stances = Stances(world.kept, world.store, world.book.book, key("ash"), lambda: self.now)

    def send(self, permit: Permit) -> Permit:
        self.gate.kept.take_permit(permit.sign(*map(key, COMMITTEE)).encode(), NOW)
        return permit

    def accept(self, **changes: Any) -> Acceptance:
        acceptance = Acceptance(**(self.gate.people.the_acceptance.model_dump() | changes))
        self.gate.store.accept(acceptance.sign(*map(key, GOVERNANCE)))
        return acceptance

    def decline(self, reason: str = WHY) -> dict[str, Any]:
        """What the desk of the running node says to the command."""
        document = base64.b64encode(json.dumps({"project": "stays", "reason": reason}).encode()).decode()
        desk = Desk(self.gate.home.control / "desk", self.gate.office, self.stances, self.gate.bench)
        request = {"format": "tq-desk-1", "act": "decline", "document": document}
        replace_file(desk.folder / "one.request", json.dumps(request).encode())
        desk.serve()
        reply = json.loads((desk.folder / "one.reply").read_bytes())
        if "problems" in reply:
            raise TrustQueryError.of([Problem.from_document(item) for item in reply["problems"]])
        outcome: dict[str, Any] = reply["outcome"]
        return outcome

    def said(self) -> Stance | None:
        """What it says now of the permit kept here."""
        self.stances.look()
        found = [Stance.verify(data, {key("ash").key_id: key("ash").public}, 1)[0] for data in self.stances.to_tell()]
        assert len(found) < 2
        return found[0] if found else None

    def word(self) -> str:
        found = self.said()
        return found.word if found is not None else ""


@pytest.fixture
def trust(tmp_path: Path) -> Iterator[Trust]:
    with document_gate(tmp_path) as gate:
        yield Trust(gate)


def test_before_anybody_decided_it_says_nothing(trust: Trust) -> None:
    assert trust.said() is None


def test_an_acceptance_is_said_with_its_hash_and_cap(trust: Trust) -> None:
    acceptance = trust.accept(rho_nano=400_000_000)
    said = trust.said()
    assert said is not None
    assert said.model_dump() == {
        "federation": "test", "node": "ash", "project": "stays",
        "permit_hash": trust.gate.people.the_permit.sha256, "word": "accepted",
        "acceptance_hash": acceptance.sha256, "conditions": (), "reason": "", "rho_nano": 400_000_000, "said": NOW,
        "expires": acceptance.expires,
    }  # fmt: skip


def test_conditions_are_said_in_their_words(trust: Trust) -> None:
    trust.accept(conditions=("No figures of this trust alone", "Tell us before you publish"))
    said = trust.said()
    assert said is not None
    assert (said.word, said.conditions) == (
        "accepted-with-conditions",
        ("No figures of this trust alone", "Tell us before you publish"),
    )


def test_more_conditions_than_a_stance_holds_are_counted(trust: Trust) -> None:
    trust.accept(conditions=tuple(f"condition {number}" for number in range(60)))
    said = trust.said()
    assert said is not None
    assert (len(said.conditions), said.conditions[-1]) == (50, "and 11 more, which the trust's acceptance holds")


def test_a_cap_above_the_permits_is_the_permits(trust: Trust) -> None:
    trust.accept(rho_nano=10**12)
    said = trust.said()
    assert said is not None
    assert said.rho_nano == trust.gate.people.the_permit.rho_nano


def test_a_stance_is_made_once_and_kept_over_a_restart(trust: Trust) -> None:
    trust.accept()
    first = trust.said()
    assert not trust.stances.look()
    trust.now += 1_000
    trust.again()
    assert trust.said() == first


def test_a_yes_that_is_taken_back_is_a_no_with_its_reason(trust: Trust) -> None:
    trust.accept()
    assert trust.word() == "accepted"
    trust.now += 60
    outcome = trust.decline()
    said = trust.said()
    assert said is not None
    assert (outcome["state"], outcome["sha256"]) == ("declined", said.sha256)
    assert (said.word, said.reason, said.acceptance_hash, said.rho_nano) == ("declined", WHY, "", 0)
    assert said.said == NOW + 60
    assert code_of(trust.gate.store.acceptance, "stays") == "policy-not-accepted"


def test_a_no_to_what_was_never_accepted_is_a_stance_too(trust: Trust) -> None:
    outcome = trust.decline()
    assert (outcome["state"], trust.word()) == ("not accepted", "declined")


@pytest.mark.parametrize("reason", ["", "  \n", "x" * 4_001])
def test_a_no_needs_a_reason_and_without_one_nothing_changes(trust: Trust, reason: str) -> None:
    trust.accept()
    assert code_of(trust.decline, reason) == "usage-invalid"
    assert trust.word() == "accepted"


def test_a_no_about_no_permit_is_obeyed_and_told_to_nobody(trust: Trust) -> None:
    (trust.gate.home.documents / "permits" / "stays.dsse").unlink()
    trust.accept()
    outcome = trust.decline()
    assert (outcome["state"], outcome["sha256"], trust.said()) == ("declined", "", None)


def test_of_two_stances_the_later_is_told_by_its_time_even_where_the_clock_went_back(trust: Trust) -> None:
    trust.accept()
    first = trust.said()
    trust.now -= 10_000
    trust.decline()
    second = trust.said()
    assert first is not None
    assert second is not None
    assert (second.word, second.said) == ("declined", first.said + 1)


def test_a_copy_of_an_acceptance_that_was_declined_is_not_said(trust: Trust) -> None:
    """The gate refuses it, by the ledger; the stance must not differ from the gate."""
    file = trust.gate.home.policy / "acceptances" / "stays.dsse"
    trust.accept()
    copy = file.read_bytes()
    trust.decline()
    file.write_bytes(copy)
    assert trust.word() == "declined"
    assert trust.gate.refused() == ["policy-document-stale"]
    # Two people may say yes anew.
    trust.now += 10
    trust.gate.clock.now += 10
    trust.accept(accepted=NOW + 5)
    assert trust.word() == "accepted"
    answer = trust.gate.ask()
    assert answer is not None
    assert answer.status == "answer"


def test_where_a_signers_key_left_the_list_the_node_says_that_the_yes_is_gone(trust: Trust) -> None:
    trust.accept()
    assert trust.word() == "accepted"
    file = trust.gate.home.policy / "acceptances" / "stays.dsse"
    file.write_bytes(trust.gate.people.the_acceptance.sign(key("grace"), key("eve")).encode())
    said = trust.said()
    assert said is not None
    assert (said.word, said.reason) == ("declined", NO_LONGER)


def test_a_renewed_permit_waits_again(trust: Trust) -> None:
    trust.accept()
    assert trust.word() == "accepted"
    old = trust.gate.people.the_permit
    renewed = trust.send(Permit(**(old.model_dump() | {"version": 2})))
    assert trust.said() is None
    trust.accept(permit_hash=renewed.sha256, accepted=NOW - 30)
    said = trust.said()
    assert said is not None
    assert said.permit_hash == renewed.sha256


def test_an_acceptance_of_another_permit_trust_or_federation_is_not_said(trust: Trust) -> None:
    for changes in ({"permit_hash": "ab" * 32}, {"node": "birch"}, {"federation": "other"}, {"accepted": NOW + 1}):
        trust.accept(**changes)
        assert trust.said() is None, changes


def test_what_has_ended_is_not_told_any_more(trust: Trust) -> None:
    acceptance = trust.accept()
    assert trust.word() == "accepted"
    trust.now = acceptance.expires
    assert trust.said() is None


def test_a_stance_that_somebody_edits_is_made_anew(trust: Trust) -> None:
    trust.accept()
    assert trust.word() == "accepted"
    (file,) = (trust.gate.home.policy / "stances").glob("*.dsse")
    forged = Stance(**{**trust.said().model_dump(), "rho_nano": 1})  # type: ignore[union-attr]
    file.write_bytes(forged.sign(key("eve")).encode())
    said = trust.said()
    assert said is not None
    assert (said.word, said.rho_nano) == ("accepted", 10**9)


def test_nothing_is_read_again_while_nothing_changed(trust: Trust, monkeypatch: pytest.MonkeyPatch) -> None:
    trust.accept()
    assert trust.stances.look()
    read: list[str] = []
    kept = trust.gate.kept.kept

    def spy(name: str) -> object:
        read.append(name)
        return kept(name)

    monkeypatch.setattr(trust.gate.kept, "kept", spy)
    assert not trust.stances.look()
    assert read == []
    trust.accept(rho_nano=1)
    assert trust.stances.look()
    assert read
