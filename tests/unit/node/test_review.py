"""Human review at a trust: whatever two people do, when anything leaves was fixed before, and only two yeses let it."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from node_agent.budget import State
from node_agent.budget.port import unpack
from node_agent.gate import endings
from node_agent.inputs import InputFolder
from node_agent.reviews.view import view_of
from tests.factories.trust import NOW, People, key, person
from tests.lib.gate_world import World
from trustquery.errors import TrustQueryError
from trustquery.identity import GovernanceList, Member, SigningKey
from trustquery.reviews import MOVES, Hearing, Reason, Review, Stage, Verdict, digest_of

MINUTES = 2
ONE = People().the_intent().release_id
# Two seconds allowance and the declared rows and draws make slot 3; then two minutes of slots of a second.
READY, DEADLINE, LEAVES = 3.0, 123.0, 124.0
VECTOR = b"".join(value.to_bytes(8, "little") for value in (7, 8, 9, 0, 1))


def world(**changes: Any) -> World:
    """A trust that reviews every query for two minutes."""
    return World(People(policy={"every_query": "true", "review_minutes": str(MINUTES)}, **changes))


def verdict(found: World, name: str, *reasons: Reason, **changes: Any) -> Review:
    """What a person says of the release that is held; a refusal where there are reasons."""
    held = found.bench.held(ONE)
    hearing = found.bench.verdicts(held)
    again = hearing.stage is Stage.DIFFER
    facts: dict[str, Any] = {
        "federation": "test",
        "body": "ash",
        "release_id": ONE,
        "plan_hash": held.release.plan_hash,
        "vector_sha256": digest_of(held.vector),
        "round": 2 if again else 1,
        "seen": hearing.seen if again else (),
        "verdict": Verdict.REFUSE if reasons else Verdict.APPROVE,
        "reasons": reasons,
        "reviewer": name,
        "given": found.clock.wall(),
    }
    return Review(**(facts | changes))


def says(found: World, name: str, *reasons: Reason, signer: SigningKey | None = None, **changes: Any) -> Stage:
    """A person hands a verdict in."""
    return found.bench.take(verdict(found, name, *reasons, **changes).sign(signer or key(name)).encode())


def refused(found: World, name: str, *reasons: Reason, **changes: Any) -> str:
    """The code with which a verdict is not taken."""
    with pytest.raises(TrustQueryError) as caught:
        says(found, name, *reasons, **changes)
    return caught.value.code


Acts = Callable[[World], object]
SMALL = Reason.SMALL_GROUPS


def agree(found: World) -> None:
    assert says(found, "grace") is Stage.ONE
    assert says(found, "ivan") is Stage.APPROVED


def agree_to_refuse(found: World) -> None:
    says(found, "grace", SMALL)
    assert says(found, "ivan", Reason.PURPOSE) is Stage.REFUSED


def differ(found: World) -> None:
    says(found, "grace")
    assert says(found, "ivan", SMALL) is Stage.DIFFER


def differ_then_approve(found: World) -> None:
    differ(found)
    assert says(found, "grace") is Stage.DIFFER
    assert says(found, "ivan") is Stage.APPROVED


def differ_then_refuse(found: World) -> None:
    differ(found)
    says(found, "ivan", SMALL)
    assert says(found, "grace", Reason.COMBINATION) is Stage.REFUSED


def differ_to_the_end(found: World) -> None:
    differ(found)
    says(found, "grace")
    assert says(found, "ivan", SMALL) is Stage.DIFFER


def differ_and_one_is_silent(found: World) -> None:
    differ(found)
    says(found, "ivan")


def change_of_mind(found: World) -> None:
    differ_to_the_end(found)
    assert says(found, "ivan") is Stage.APPROVED


BY_DEADLINE = "two people of the trust did not approve it by the deadline"
PATHS: dict[str, tuple[Acts, str]] = {
    "both approve": (agree, ""),
    "both refuse": (agree_to_refuse, "two people of the trust refused it (purpose, small-groups)"),
    "differ, then approve": (differ_then_approve, ""),
    "differ, then refuse": (differ_then_refuse, "two people of the trust refused it (small-groups, combination)"),
    "differ to the end": (differ_to_the_end, BY_DEADLINE),
    "differ, and one is silent": (differ_and_one_is_silent, BY_DEADLINE),
    "differ, and change their mind": (change_of_mind, ""),
    "one approves, one is missing": (lambda found: says(found, "grace"), BY_DEADLINE),
    "one refuses, one is missing": (lambda found: says(found, "grace", SMALL), BY_DEADLINE),
    "both missing": (lambda found: None, BY_DEADLINE),
}


@pytest.mark.parametrize("moment", [4.0, 60.0, DEADLINE - 1])
@pytest.mark.parametrize("path", PATHS)
def test_every_path_ends_at_the_same_planned_time_with_the_committed_bytes_or_none(path: str, moment: float) -> None:
    acts, why = PATHS[path]
    found = world()
    sizes: list[int] = []

    def act() -> None:
        before = (found.ledger.size(), len(found.sent), found.ports.heads.note)
        acts(found)
        # A verdict makes no entry, says nothing and moves no head: nobody outside can tell that there is one.
        assert before == (found.ledger.size(), len(found.sent), found.ports.heads.note)
        sizes.append(found.ledger.size())

    # Time stands still between waits: what happens meanwhile happens when the wait for the deadline begins.
    wait = found.clock.wait_until

    def waiting(until_: float) -> None:
        if round(until_ - 1_000.0, 3) == DEADLINE and not sizes:
            found.clock.now = 1_000.0 + moment
            act()
        wait(until_)

    found.clock.wait_until = waiting  # type: ignore[assignment, method-assign]
    answer = found.ask()
    assert answer is not None
    assert (found.clock.waited[0], found.clock.waited[-2:]) == (READY, [DEADLINE, LEAVES])
    release = found.ledger.releases[ONE]
    assert release.planned_slot == DEADLINE
    # Whatever was said: charged, in every scope.
    assert set(found.ledger.totals().values()) == {(1_000_000, 0, 1)}
    assert len(found.ledger.totals()) == 4
    (message,) = found.sent
    if why:
        assert (release.state, answer.status, message.vector) == (State.WITHHELD, "no-answer", b"")
        assert answer.rho_nano == 1_000_000
        (reason,) = answer.reasons
        assert (reason["code"], reason["fields"]) == ("policy-review-withheld", {"why": why})
    else:
        assert (release.state, answer.status) == (State.SENT, "answer")
        assert message.vector == VECTOR
        content = found.ledger.outbox(ONE)
        assert content is not None
        assert (message.envelope, message.vector) == unpack(content)
        assert answer.vector_sha256 == hashlib.sha256(VECTOR).hexdigest()


@pytest.mark.parametrize("result", [RuntimeError("value 'X0' in row 7"), [7, 8, 9, 0, 1]])
def test_a_question_that_dies_is_said_when_a_verdict_would_be(result: Any) -> None:
    found = world()
    found.engine.result = result
    answer = found.ask()
    assert answer is not None
    assert answer.status == "no-answer"
    assert (found.clock.waited[0], found.clock.waited[-1]) == (READY, LEAVES)


def held(**changes: Any) -> World:
    """A release that is held, with everything after that still to come."""
    found = world(**changes)
    object.__setattr__(found.ports, "later", lambda task: setattr(found, "rest", task))
    assert found.ask() is None
    assert found.ledger.releases[ONE].state is State.HELD
    return found


def ends(found: World) -> None:
    """The deadline comes."""
    endings.resume(found.ledger.releases[ONE], found.ports)


def test_a_held_release_blocks_no_seat_and_hides_no_head() -> None:
    found = held()
    assert found.clock.waited == [READY]
    assert found.ports.seats.take(0) >= 0
    assert found.ports.seats.take(0) >= 0
    assert found.ports.heads.note


def test_a_verdict_to_the_second_before_the_deadline_counts_and_one_at_it_does_not() -> None:
    found = held()
    says(found, "grace")
    found.clock.now = 1_000.0 + DEADLINE - 0.001
    assert says(found, "ivan") is Stage.APPROVED
    found = held()
    says(found, "grace")
    found.clock.now = 1_000.0 + DEADLINE
    assert refused(found, "ivan") == "policy-review-closed"
    ends(found)
    assert found.ledger.releases[ONE].state is State.WITHHELD


def test_nobody_reviews_their_own_question_by_name_by_key_or_by_a_second_account() -> None:
    same_key = {"person": "zoe", "name": "Zoe", "key": key("ada").public.hex()}
    for other in (
        person("ada"),
        person("ada").model_copy(update=same_key),
        person("lovelace").model_copy(update={"name": "ADA"}),
    ):
        found = held()
        found.listed = GovernanceList(format="tq-governance-1", people=(person("grace"), other), threshold=2)
        signer = key("ada") if other.key == key("ada").public.hex() else key("lovelace")
        assert refused(found, other.person, signer=signer) == "policy-review-person"
        # Put beside the others by hand it counts as little.
        found.bench.folder.put(ONE, 1, other.person, verdict(found, other.person).sign(signer).encode())
        says(found, "grace")
        ends(found)
        assert found.ledger.releases[ONE].state is State.WITHHELD


def test_nobody_of_the_projects_team_reviews_it() -> None:
    ada = People().the_permit.members[0]
    grace = ada.model_dump() | {"person": "grace.h", "name": "Grace", "key": key("other").public.hex()}
    found = held(permit={"members": (ada, Member(**grace))})
    assert refused(found, "grace") == "policy-review-person"


def test_one_person_is_one_verdict() -> None:
    found = held()
    says(found, "grace")
    assert refused(found, "grace") == "policy-review-given"
    assert refused(found, "grace", SMALL) == "policy-review-given"
    # The same verdict in a second file is none the more.
    found.bench.folder.put(ONE, 1, "second", verdict(found, "grace").sign(key("grace")).encode())
    ends(found)
    assert found.ledger.releases[ONE].state is State.WITHHELD
    # One key for another's name, and two people under one verdict.
    found = held()
    assert refused(found, "ivan", signer=key("grace")) == "policy-signature"
    both = verdict(found, "ivan").sign(key("ivan"), key("grace")).encode()
    with pytest.raises(TrustQueryError, match="policy-signature"):
        found.bench.take(both)


def test_a_third_person_and_a_late_round_are_not_taken() -> None:
    found = held()
    differ(found)
    assert refused(found, "judy") == "policy-review-closed"
    assert refused(found, "judy", round=1, seen=()) == "policy-review-closed"
    assert refused(found, "ivan", seen=("0" * 64, "1" * 64)) == "policy-review-differs"
    says(found, "ivan")
    assert says(found, "grace") is Stage.APPROVED
    assert refused(found, "ivan", SMALL) == "policy-review-closed"
    found = held()
    assert refused(found, "grace", round=2, seen=("0" * 64, "1" * 64)) == "policy-review-closed"


WRONG = {
    "release": ({"release_id": "ab" * 32}, "policy-review-unknown"),
    "vector": ({"vector_sha256": "0" * 64}, "policy-review-differs"),
    "plan": ({"plan_hash": "0" * 64}, "policy-review-differs"),
    "trust": ({"body": "birch"}, "policy-review-differs"),
    "federation": ({"federation": "other"}, "policy-review-differs"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_verdict_about_something_else_is_none(what: str) -> None:
    changes, code = WRONG[what]
    found = held()
    says(found, "grace")
    assert refused(found, "ivan", **changes) == code
    found.bench.folder.put(ONE, 1, "ivan", verdict(found, "ivan", **changes).sign(key("ivan")).encode())
    ends(found)
    assert found.ledger.releases[ONE].state is State.WITHHELD


def test_a_stranger_and_someone_taken_off_the_list_count_no_more() -> None:
    found = held()
    assert refused(found, "mallory") == "policy-signature"
    agree(found)
    found.listed = GovernanceList(format="tq-governance-1", people=(person("grace"), person("judy")), threshold=2)
    ends(found)
    assert found.ledger.releases[ONE].state is State.WITHHELD


def test_the_first_verdict_is_not_shown_before_both_are_in() -> None:
    found = held()
    says(found, "grace", SMALL)
    assert found.bench.verdicts(found.bench.held(ONE)).shown == ()
    says(found, "ivan")
    shown = found.bench.verdicts(found.bench.held(ONE)).shown
    assert {item.reviewer: item.verdict for item in shown} == {"grace": Verdict.REFUSE, "ivan": Verdict.APPROVE}


STOPS: dict[str, Callable[[World], None]] = {
    "stopped": lambda found: setattr(found, "marked", True),
    "declined": lambda found: setattr(found, "declined", True),
}


@pytest.mark.parametrize("approved", [True, False])
@pytest.mark.parametrize("stop", STOPS)
def test_a_stop_while_it_is_held_withholds_it_in_silence(stop: str, approved: bool) -> None:
    found = held()
    (agree if approved else agree_to_refuse)(found)
    STOPS[stop](found)
    ends(found)
    assert (found.ledger.releases[ONE].state, found.sent) == (State.WITHHELD, [])
    assert set(found.ledger.totals().values()) == {(1_000_000, 0, 1)}


@pytest.mark.parametrize("stop", STOPS)
def test_a_stop_between_the_two_slots_withholds_it(stop: str) -> None:
    found = held()
    agree(found)
    found.clock.at[LEAVES] = lambda: STOPS[stop](found)
    ends(found)
    assert (found.ledger.releases[ONE].state, found.sent) == (State.WITHHELD, [])


@pytest.mark.parametrize("acts", [agree, agree_to_refuse])
@pytest.mark.parametrize("at", [20.0, DEADLINE + 500])
def test_a_restart_loses_nothing(acts: Acts, at: float) -> None:
    found = held()
    acts(found)
    # A restart: nothing but the ledger and the folder is left.
    found.clock.now, found.clock.waited = 1_000.0 + at, []
    assert found.ledger.recover(found.clock.wall()) == ()
    (release,) = found.ledger.unsent()
    endings.resume(release, found.ports)
    assert found.clock.now == 1_000.0 + max(at, LEAVES)
    assert [message.vector for message in found.sent] == [VECTOR if acts is agree else b""]


@pytest.mark.parametrize("lost", ["asked.json", "1-ivan.dsse"])
def test_a_file_that_is_lost_or_changed_holds_back(lost: str) -> None:
    spoils: tuple[Callable[[Path], object], ...] = (lambda path: path.unlink(), lambda path: path.write_bytes(b"{}"))
    for spoil in spoils:
        found = held()
        agree(found)
        spoil(found.bench.folder.path / ONE / lost)
        ends(found)
        assert (found.ledger.releases[ONE].state, found.sent[0].vector) == (State.WITHHELD, b"")


def test_another_question_in_its_place_is_refused() -> None:
    found = held()
    other = world()
    asked = found.bench.folder.asked(ONE)
    assert asked is not None
    offer = other.offer(other.people.the_intent(not_after=NOW + 1_800))
    found.bench.keep(type(asked)(ONE, offer, asked.why, asked.ready_ms))
    with pytest.raises(TrustQueryError, match="policy-review-differs"):
        found.bench.held(ONE)
    ends(found)
    assert found.ledger.releases[ONE].state is State.WITHHELD


def test_a_review_that_outlives_the_intent_is_refused_before_anything_is_read() -> None:
    found = World(People(policy={"every_query": "true", "review_minutes": "60"}))
    answer = found.ask()
    assert found.codes(answer) == ["node-deadline"]
    assert (found.engine.runs, found.ledger.totals()) == (0, {})


def test_a_stored_answer_is_looked_at_as_well() -> None:
    found = held()
    agree(found)
    ends(found)
    found.clock.now += 600
    assert found.ask(found.offer(found.people.the_intent("two"))) is None
    two = found.people.the_intent("two").release_id
    assert (found.ledger.releases[two].state, found.ledger.releases[two].stored) == (State.HELD, True)


def test_what_cannot_be_kept_for_review_is_not_started() -> None:
    found = world()

    def full(asked: object) -> None:
        raise OSError("no space")

    found.bench.keep = full  # type: ignore[method-assign]
    answer = found.ask()
    assert found.codes(answer) == ["internal-fault"]
    assert (found.engine.runs, found.ledger.totals()) == (0, {})


def test_the_view_is_the_question_in_words_and_the_noised_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    found = held()
    monkeypatch.setattr("node_agent.reviews.view.load", lambda dataset: found.people.catalogue)
    seen = view_of(found.bench.held(ONE), "ash", InputFolder(found.bench.folder.path / "none").pinned_by)
    words = " ".join(seen.words)
    for part in ("Project stays", "health-service-planning", "Ada of University", "every query", "Grouped by sex"):
        assert part in words
    assert [getattr(row[1], "value", None) for row in seen.table.rows] == [7, 8, 9, 0, 1]


def test_every_four_verdicts_move_as_the_table_says() -> None:
    found, moved = held(), set()
    acts = [(name, reasons) for name in ("grace", "ivan") for reasons in ((), (SMALL,))]
    for sequence in itertools.product(acts, repeat=4):
        for path in (found.bench.folder.path / ONE).glob("*.dsse"):
            path.unlink()
        before = Stage.NONE
        for name, reasons in sequence:
            try:
                after = says(found, name, *reasons)
            except TrustQueryError:
                continue
            if after is not before:
                moved.add((before, after))
            before = after
    assert moved == {(before, after) for before, afters in MOVES.items() for after in afters}


def test_more_than_two_first_verdicts_or_two_of_one_person_count_for_nothing() -> None:
    found = held()
    three = [verdict(found, name) for name in ("grace", "ivan", "judy")]
    assert Hearing.of(three).stage is Stage.NONE
    assert Hearing.of([three[0], three[0], three[1]]).stage is Stage.NONE
    assert Hearing.of(three[:2]).stage is Stage.APPROVED


@pytest.mark.parametrize(
    "changes",
    [
        {"reasons": (SMALL,)},
        {"verdict": Verdict.REFUSE},
        {"verdict": Verdict.REFUSE, "reasons": (SMALL, Reason.PURPOSE)},
        {"round": 2},
        {"round": 1, "seen": ("0" * 64, "1" * 64)},
        {"round": 2, "seen": ("1" * 64, "0" * 64)},
        {"round": 3},
    ],
)
def test_a_verdict_that_contradicts_itself_cannot_be_written(changes: dict[str, Any]) -> None:
    good = verdict(held(), "grace").model_dump()
    with pytest.raises(ValidationError):
        Review(**(good | changes))
