"""The life of a project at the centre, step by step, over a real store: who may move it, with which signature."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from coordinator.projects.office import ProjectOffice
from coordinator.rosters import Rosters
from coordinator.store import ProjectRow, Store
from tests.factories.documents import NOW, node_entry, person, root, roster
from tests.factories.projects import application, team_member
from tests.lib.refusals import code_of
from trustquery.identity import Permit, SigningKey
from trustquery.projects.application import Application
from trustquery.projects.decisions import CloseDown, Decision, Stance, Verdict
from trustquery.projects.life import APPLICATION_MOVES, PROJECT_MOVES, ApplicationState, ProjectState
from trustquery.projects.permits import permit_from
from trustquery.projects.questions import BY_NAME

DAY = 86_400
ADA, EVE, ANN, BOB, CAT = (SigningKey.generate() for _ in range(5))
HOLDERS = [SigningKey.generate() for _ in range(3)]
NODES = {name: SigningKey.generate() for name in ("RX1", "RX2", "RX3")}
COMMITTEE = {"ann": ANN, "bob": BOB, "cat": CAT}


@dataclass
class World:
    """An office with a clock that the test sets."""

    store: Store
    now: list[int] = field(default_factory=lambda: [NOW])

    def __post_init__(self) -> None:
        anchor = root(*HOLDERS)
        rosters = Rosters(self.store, anchor)
        entries = tuple(node_entry(ods, key) for ods, key in NODES.items())
        committee = tuple(person(name, key) for name, key in COMMITTEE.items())
        rosters.install(roster(entries, committee).sign(*HOLDERS[:2]).encode(), NOW)
        self.office = ProjectOffice(self.store, rosters, "test", lambda: self.now[0])

    def write(self, found: Application, by: str = "ada") -> None:
        """Save every answer."""
        answers = found.model_dump(mode="json")
        self.office.writing.save(found.project, by, {name: answers[name] for name in BY_NAME})

    def submit(self, key: SigningKey = ADA, **changed: Any) -> Application:
        """Start, write, sign and submit."""
        found = application(**({"key": ADA.public.hex(), "submitted": self.now[0]} | changed))
        self.office.writing.start(found.project, "ada")
        self.write(found)
        self.office.writing.submit(found.project, "ada", found.sign(key).encode())
        return found

    def permit(self, found: Application, version: int = 1, **changed: Any) -> Permit:
        """The permit of an application."""
        made = permit_from(found, version, self.now[0])
        return Permit(**(made.model_dump() | changed)) if changed else made

    def approve(self, made: Permit, *names: str) -> str:
        """Each of these members signs in turn."""
        state = ""
        for number, name in enumerate(names, 1):
            keys = [COMMITTEE[item] for item in names[:number]]
            state = self.office.committee.approve(made.project, name, made.sign(*keys).encode())
        return state

    def approved(self, **changed: Any) -> tuple[Application, Permit]:
        """A project that two members have approved."""
        found = self.submit(**changed)
        made = self.permit(found)
        assert self.approve(made, "ann", "bob") == "approved"
        return found, made

    def say(self, ods: str, made: Permit, word: str = "accepted", **changed: Any) -> None:
        """A trust's word."""
        facts: dict[str, Any] = {
            "federation": "test",
            "node": ods,
            "project": made.project,
            "permit_hash": made.sha256,
            "word": word,
            "acceptance_hash": "" if word == "declined" else "cc" * 32,
            "conditions": ("No publication of our own figures.",) if word == "accepted-with-conditions" else (),
            "reason": "We do not hold these data." if word == "declined" else "",
            "rho_nano": 0 if word == "declined" else 10**8,
            "said": self.now[0],
            "expires": made.expires,
        }
        self.office.stances.take(ods, Stance(**(facts | changed)).sign(NODES[ods]).encode())

    def decide(self, verdict: Verdict, about: str, *names: str, by: str = "", reason: str = "Because.") -> Decision:
        """A signed decision, handed in by the last who signed."""
        made = Decision(
            federation="test", project="stays", about=about, verdict=verdict, reason=reason, decided=self.now[0]
        )
        envelope = made.sign(*(COMMITTEE[name] for name in names)).encode()
        return self.office.committee.decide("stays", by or names[-1], envelope, (made.verdict,))

    def project(self) -> ProjectRow:
        """The project."""
        row = self.store.projects.get("stays")
        assert row is not None
        return row

    def state(self) -> str:
        """The newest application's."""
        return self.store.projects.applications("stays")[-1].state

    def words(self) -> list[str]:
        """What the record says, as anybody may read it."""
        return [event.text for event in self.store.projects.events("stays") if event.public]


@pytest.fixture
def world(store: Store) -> World:
    return World(store)


# -- writing -----------------------------------------------------------------------------------------------------------


def test_answers_are_saved_as_they_come_and_taken_back(world: World) -> None:
    world.office.writing.start("stays", "ada")
    left = world.office.writing.save("stays", "ada", {"title": "Stays", "rho": "0.5"})
    assert len(left) == len(BY_NAME) - 2
    left = world.office.writing.save("stays", "ada", {"title": None})
    assert len(left) == len(BY_NAME) - 1


def test_one_wrong_answer_keeps_none_of_them(world: World) -> None:
    world.office.writing.start("stays", "ada")
    wrong = {"title": "Stays", "purpose": "marketing", "rho": "-1", "nonsense": 1}
    assert code_of(world.office.writing.save, "stays", "ada", wrong) == "project-answer"
    assert world.store.projects.applications("stays")[0].answers == "{}"


@pytest.mark.parametrize(
    "purpose", ["marketing", "insurance", "law-enforcement", "Health-research", "health-research ", ""]
)
def test_purposes_outside_health_cannot_be_expressed(world: World, purpose: str) -> None:
    world.office.writing.start("stays", "ada")
    assert code_of(world.office.writing.save, "stays", "ada", {"purpose": purpose}) == "project-answer"


@pytest.mark.parametrize(
    "answer",
    [{"article_6": "public task"}, {"article_6": "6(1)(g) x"}, {"article_9": "9(2)(k) x"}, {"common_law": ""}],
)
def test_a_lawful_basis_is_needed(world: World, answer: dict[str, str]) -> None:
    world.office.writing.start("stays", "ada")
    assert code_of(world.office.writing.save, "stays", "ada", answer) == "project-answer"


def test_a_name_is_never_used_twice(world: World) -> None:
    world.office.writing.start("stays", "ada")
    world.office.writing.withdraw("stays", "ada")
    assert code_of(world.office.writing.start, "stays", "eve") == "project-name-taken"


def test_only_a_lead_on_its_own_team_signs_an_application(world: World) -> None:
    assert code_of(world.submit, EVE) == "auth-document"
    analyst = team_member(EVE.public.hex(), person="eve", role="analyst")
    world.office.writing.withdraw("stays", "ada")
    both = {"project": "again", "team": (team_member(ADA.public.hex()), analyst)}
    assert code_of(lambda: world.submit(EVE, **both)) == "auth-document"


@pytest.mark.parametrize(
    "changed",
    [
        {"title": "Another title"},
        {"rho": "2"},
        {"version": 2, "previous": "aa" * 32},
        {"federation": "other"},
        {"terms": "ab" * 32},
        {"submitted": NOW - 15 * DAY},
        {"submitted": NOW + 301},
    ],
)
def test_what_is_signed_is_what_the_draft_says(world: World, changed: dict[str, Any]) -> None:
    world.office.writing.start("stays", "ada")
    world.write(application(key=ADA.public.hex()))
    signed = application(**({"key": ADA.public.hex(), "submitted": NOW} | changed))
    assert code_of(world.office.writing.submit, "stays", "ada", signed.sign(ADA).encode()) == "auth-document"
    assert world.state() == "draft"


def test_a_submitted_application_is_not_changed_any_more(world: World) -> None:
    world.submit()
    assert code_of(world.office.writing.save, "stays", "ada", {"title": "Other"}) == "project-move"


# -- deciding ----------------------------------------------------------------------------------------------------------


def test_two_different_members_approve(world: World) -> None:
    found = world.submit()
    made = world.permit(found)
    assert world.approve(made, "ann") == "seconded"
    assert world.store.projects.get("stays") is None
    assert world.office.committee.approve("stays", "bob", made.sign(ANN, BOB).encode()) == "approved"
    assert (world.project().state, world.project().permit_hash) == ("approved", made.sha256)


def test_one_member_does_not_approve_twice(world: World) -> None:
    made = world.permit(world.submit())
    world.approve(made, "ann")
    assert code_of(world.office.committee.approve, "stays", "ann", made.sign(ANN).encode()) == "auth-not-permitted"


def test_nobody_hands_in_for_another_member(world: World) -> None:
    made = world.permit(world.submit())
    for who in ("bob", "ada", "nobody"):
        assert code_of(world.office.committee.approve, "stays", who, made.sign(ANN).encode()) == "auth-not-permitted"
    # Both signatures at once are one person's doing.
    both = made.sign(ANN, BOB).encode()
    assert code_of(world.office.committee.approve, "stays", "bob", both) == "auth-not-permitted"


def test_a_signature_that_was_there_may_not_be_dropped(world: World) -> None:
    made = world.permit(world.submit())
    world.approve(made, "ann")
    assert code_of(world.office.committee.approve, "stays", "bob", made.sign(BOB).encode()) == "auth-not-permitted"


@pytest.mark.acceptance("AUZ-07")
@pytest.mark.parametrize(
    "team",
    [
        (team_member(ADA.public.hex()), team_member(EVE.public.hex(), person="ann", role="analyst")),
        (team_member(ADA.public.hex()), team_member(ANN.public.hex(), person="someone", role="analyst")),
    ],
    ids=["same person", "same key"],
)
def test_who_is_on_the_team_does_not_approve(world: World, team: Any) -> None:
    made = world.permit(world.submit(team=team))
    assert code_of(world.approve, made, "ann") == "auth-not-permitted"
    assert world.approve(made, "bob", "cat") == "approved"


@pytest.mark.parametrize(
    "changed",
    [
        {"rho_nano": 2 * 10**9},
        {"purpose": "clinical-audit"},
        {"datasets": ("omop-5.4", "nhs-episodes")},
        {"min_trusts": 1},
        {"expires": NOW + 2 * DAY},
        {"opt_out_treatment": "applied"},
        {"application": "0b" * 32},
        {"title": "Stays "},
    ],
)
def test_a_permit_says_what_its_application_says(world: World, changed: dict[str, Any]) -> None:
    made = world.permit(world.submit(), **changed)
    assert code_of(world.approve, made, "ann") == "auth-document"


@pytest.mark.parametrize(("version", "code"), [(1, ""), (2, "policy-document-stale"), (3, "policy-document-stale")])
def test_permits_are_numbered_one_by_one(world: World, version: int, code: str) -> None:
    found = world.submit()
    assert code_of(lambda: world.approve(world.permit(found, version), "ann")) == code


def test_a_permit_begins_now_or_on_the_first_day(world: World) -> None:
    found = world.submit(starts="2026-09-01", ends="2027-08-31")
    for begins, code in ((NOW - 15 * DAY, "auth-document"), (NOW + 10 * DAY + 5, "auth-document"), (NOW - 60, "")):
        assert code_of(lambda begins=begins: world.approve(permit_from(found, 1, begins), "ann")) == code


def test_a_returned_application_is_changed_and_sent_again(world: World) -> None:
    found = world.submit()
    world.approve(world.permit(found), "ann")
    world.decide("return", found.sha256, "bob", reason="Say who benefits.")
    assert world.state() == "returned"
    again = application(key=ADA.public.hex(), submitted=NOW, public_benefit="People wait less.")
    world.office.writing.save("stays", "ada", {"public_benefit": "People wait less."})
    world.office.writing.submit("stays", "ada", again.sign(ADA).encode())
    # The signature on what was returned counts for nothing now.
    assert world.approve(world.permit(again), "bob", "cat") == "approved"


def test_a_refusal_is_final(world: World) -> None:
    found = world.submit()
    world.decide("refuse", found.sha256, "ann")
    assert world.state() == "refused"
    assert code_of(world.approve, world.permit(found), "bob") == "project-move"
    assert code_of(world.office.writing.save, "stays", "ada", {"title": "x"}) == "project-move"


def test_a_decision_is_about_this_very_version(world: World) -> None:
    world.submit()
    assert code_of(world.decide, "refuse", "ab" * 32, "ann") == "auth-document"


def test_a_decision_is_handed_in_by_who_signed_it(world: World) -> None:
    found = world.submit()
    assert code_of(lambda: world.decide("refuse", found.sha256, "ann", by="bob")) == "auth-document"


@pytest.mark.parametrize("changed", [{"project": "other"}, {"federation": "other"}, {"decided": NOW - 15 * DAY}])
def test_a_decision_for_another_place_or_time_is_refused(world: World, changed: dict[str, Any]) -> None:
    found = world.submit()
    facts: dict[str, Any] = {
        "federation": "test",
        "project": "stays",
        "about": found.sha256,
        "verdict": "refuse",
        "reason": "x",
    }
    made = Decision(**({**facts, "decided": NOW} | changed)).sign(ANN).encode()
    assert code_of(world.office.committee.decide, "stays", "ann", made, ("refuse",)) == "auth-document"


# -- trusts ------------------------------------------------------------------------------------------------------------


def test_a_project_is_live_when_enough_trusts_have_accepted(world: World) -> None:
    _, made = world.approved()
    world.say("RX1", made)
    assert world.project().state == "approved"
    world.say("RX2", made, "declined")
    assert world.project().state == "approved"
    world.say("RX3", made, "accepted-with-conditions")
    assert world.project().state == "live"
    assert any("declines the permit: We do not hold these data." in words for words in world.words())


def test_a_trust_that_changes_its_mind_counts_no_longer(world: World) -> None:
    _, made = world.approved()
    world.say("RX1", made)
    world.say("RX2", made)
    world.now[0] += 1
    world.say("RX2", made, "declined")
    assert world.project().state == "approved"


def test_an_older_word_does_not_undo_a_later_one(world: World) -> None:
    _, made = world.approved()
    world.say("RX1", made)
    world.say("RX2", made, said=NOW - 5)
    world.say("RX2", made, "declined", said=NOW - 5)
    assert world.project().state == "live"


def test_a_trust_speaks_for_itself_alone(world: World) -> None:
    _, made = world.approved()
    assert code_of(lambda: world.say("RX1", made, node="RX2")) == "auth-document"
    assert code_of(lambda: world.say("RX1", made, permit_hash="ab" * 32)) == "project-unknown"
    assert code_of(lambda: world.say("RX1", made, said=NOW + 301)) == "auth-document"


# -- going on, and the end ---------------------------------------------------------------------------------------------


def live(world: World) -> tuple[Application, Permit]:
    found, made = world.approved()
    for ods in ("RX1", "RX2"):
        world.say(ods, made)
    return found, made


def test_one_member_suspends_and_two_resume(world: World) -> None:
    _, made = live(world)
    world.decide("suspend", made.sha256, "ann", reason="The lead has left.")
    assert world.project().state == "suspended"
    world.now[0] += 10
    assert code_of(lambda: world.decide("resume", made.sha256, "ann")) == "auth-document"
    world.decide("resume", made.sha256, "ann", "bob")
    assert world.project().state == "live"


def test_a_decision_counts_once(world: World) -> None:
    _, made = live(world)
    first = Decision(federation="test", project="stays", about=made.sha256, verdict="suspend", reason="x", decided=NOW)
    world.office.committee.decide("stays", "ann", first.sign(ANN).encode(), ("suspend",))
    world.now[0] += 10
    world.decide("resume", made.sha256, "ann", "bob")
    again = first.sign(ANN, CAT).encode()
    assert code_of(world.office.committee.decide, "stays", "cat", again, ("suspend",)) == "policy-document-stale"


def test_a_permit_ends_by_itself_and_is_renewed_by_two(world: World) -> None:
    found, made = live(world)
    world.now[0] = made.expires
    world.office.tick()
    assert world.project().state == "expired"
    renewed = world.permit(found, 2)
    assert world.approve(renewed, "bob", "cat") == "approved"
    assert (world.project().version, world.project().state) == (2, "approved")
    assert world.state() == "approved"


def test_work_goes_on_under_the_old_permit_until_trusts_accept_the_new_one(world: World) -> None:
    found, _ = live(world)
    world.office.writing.amend("stays", "ada")
    amended = application(key=ADA.public.hex(), submitted=NOW, version=2, previous=found.sha256, title="More stays")
    world.write(amended)
    world.office.writing.submit("stays", "ada", amended.sign(ADA).encode())
    later = world.permit(amended, 2)
    world.approve(later, "ann", "bob")
    assert (world.project().version, world.project().state) == (1, "live")
    world.say("RX1", later)
    assert world.project().version == 1
    world.say("RX3", later)
    assert (world.project().version, world.project().state) == (2, "live")
    assert [row.state for row in world.store.projects.permits("stays")] == ["replaced", "in-use"]


def test_a_suspension_is_not_got_round_by_what_was_approved_before(world: World) -> None:
    found, made = live(world)
    renewed = world.permit(found, 2)
    world.approve(renewed, "ann", "bob")
    world.decide("suspend", made.sha256, "cat")
    for ods in ("RX1", "RX2", "RX3"):
        world.say(ods, renewed)
    world.now[0] = made.expires
    world.office.tick()
    assert (world.project().version, world.project().state) == (1, "expired")


def test_a_lead_closes_with_a_report_and_that_is_the_end(world: World) -> None:
    found, made = live(world)
    report = CloseDown(
        federation="test", project="stays", permit_hash=made.sha256, findings="Stays got shorter.", outputs=(),
        kept="Nothing.", closed=NOW,
    )  # fmt: skip
    assert code_of(world.office.close, "stays", "eve", report.sign(EVE).encode()) == "auth-document"
    world.office.close("stays", "ada", report.sign(ADA).encode())
    assert world.project().state == "closed"
    assert world.words()[-1] == "The project was closed. Stays got shorter."
    assert code_of(world.office.writing.amend, "stays", "ada") == "project-move"
    assert code_of(world.approve, world.permit(found, 2), "ann") == "project-move"
    world.now[0] = made.expires + 1
    world.office.tick()
    assert world.project().state == "closed"


# -- the tables --------------------------------------------------------------------------------------------------------


def _walk(moves: Any, states: Any) -> None:
    assert len({(move.before, move.action) for move in moves}) == len(moves), "one action, one outcome"
    reached = {move.after for move in moves} | {next(iter(states))}
    assert reached == set(states), "every state can be reached"


def test_the_tables_are_sound() -> None:
    _walk(APPLICATION_MOVES, ApplicationState)
    _walk(PROJECT_MOVES, ProjectState)


def test_a_change_without_an_event_does_not_happen(world: World, store: Store) -> None:
    world.office.writing.start("stays", "ada")

    def change(then: Callable[[Any], None]) -> None:
        with store.projects.change("stays", NOW) as opened:
            then(opened)

    def quietly(opened: Any) -> None:
        opened.applications()[0].state = "approved"

    assert code_of(change, quietly) == "internal-fault"
    assert world.state() == "draft"
