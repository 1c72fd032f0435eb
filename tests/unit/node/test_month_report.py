"""A month's report from evidence drawn by hand: what it counts, what it does not know, and that it says so."""

from __future__ import annotations

import csv
import dataclasses
import datetime
import io
import json
from typing import Any

import pytest

from node_agent.budget import Charged, Decided
from node_agent.budget.history import Happened, Passed
from node_agent.budget.states import State
from node_agent.logs import Refused
from node_agent.reports.evidence import Evidence, Known, last_month, read_month
from node_agent.reports.month import Month
from node_agent.reports.month_page import page, rows, sheet
from node_agent.reports.reckoning import LATER, month_of
from tests.factories.trust import People, policy_text
from tests.lib.gate_world import World
from tests.lib.refusals import code_of
from trustquery.identity import Acceptance, Member, Permit, canonical
from trustquery.policy import Policy

TODAY = datetime.date(2027, 3, 15)
SPAN = read_month("2027-02", TODAY)
FIRST = (datetime.date(2027, 2, 1) - datetime.date(1970, 1, 1)).days
LAST = FIRST + 27
PEOPLE = People()


def known(**changes: Any) -> Known:
    permit = Permit(**(PEOPLE.the_permit.model_dump() | changes))
    acceptance = Acceptance(**(PEOPLE.the_acceptance.model_dump() | {"permit_hash": permit.sha256}))
    return Known(permit, acceptance)


def decided(release_id: str, day: int = FIRST, rules: tuple[str, ...] = (), **changes: Any) -> Decided:
    """What the gate records of the standard question, under another release id."""
    world = World()
    world.ask()
    (found,) = world.ledger.decided
    data = canonical.encode(json.loads(found.input) | changes)
    return dataclasses.replace(found, release_id=release_id, input=data, allowed=not rules, rules=rules, day=day)


def passed(release_id: str, day: int = FIRST, state: State = State.SENT, *, stored: bool = False) -> Passed:
    return Passed(release_id, "0a" * 32, "stays", "ada", state, stored, day)


def charged(release_id: str, rho: int, day: int = FIRST, *scopes: str) -> tuple[Charged, ...]:
    subjects = {"node-wide": "", "dataset": "made-up", "project": "stays", "analyst": "ada", "profiles": "made-up"}
    chosen = scopes or ("node-wide", "dataset", "project", "analyst")
    return tuple(Charged(release_id, scope, subjects[scope], rho, 0, day) for scope in chosen)


def month(**changes: Any) -> Month:
    facts: dict[str, Any] = {
        "trust": "Ash Trust", "node": "ash", "federation": "test", "policy": Policy.from_toml(policy_text()),
        "known": {"stays": known()}, "subjects": ("made-up",),
    }  # fmt: skip
    return month_of(Evidence(**(facts | changes)), SPAN)


# -- the month --------------------------------------------------------------------------------------------------------


def test_the_last_full_month() -> None:
    assert [last_month(datetime.date(*day)) for day in ((2027, 3, 1), (2027, 1, 31), (2028, 3, 31))] == [
        "2027-02", "2026-12", "2028-02"
    ]  # fmt: skip


def test_a_month_is_its_days_and_one_that_is_not_over_ends_today() -> None:
    assert (SPAN.first, SPAN.last, SPAN.whole) == (FIRST, LAST, True)
    now = read_month("2027-03", TODAY)
    assert (now.last - now.first, now.whole) == (14, False)
    assert code_of(read_month, "2027-04", TODAY) == "usage-invalid"
    assert any("not over" in note for note in month_of(Evidence("A", "a", "t"), now).notes)


# -- questions --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "stored", "outcome"),
    [
        (State.SENT, False, "released"), (State.SENT, True, "released again"), (State.DEAD, False, "no answer"),
        (State.WITHHELD, False, "held back"), (State.EXPIRED, False, "not run"), (State.RESERVED, False, "under way"),
        (State.STARTED, False, "under way"), (State.COMMITTED, False, "under way"), (State.HELD, False, "under way"),
        (State.WITNESSED, False, "under way"),
    ],
)  # fmt: skip
def test_every_state_of_a_release_has_a_word(state: State, stored: bool, outcome: str) -> None:
    found = month(releases=(passed("a", state=state, stored=stored),), decisions=(decided("a"),))
    (question,) = found.questions
    assert question.outcome == outcome
    assert question.left is (state is State.SENT)


def test_what_a_question_cost_is_what_the_ledger_charged() -> None:
    found = month(
        releases=(passed("a"), passed("b", day=LAST, stored=True)),
        decisions=(decided("a"), decided("b", LAST)),
        charges=(*charged("a", 30_000_000), *charged("b", 30_000_000, LAST, "project", "analyst")),
    )
    assert [(item.rho_nano, item.project_rho_nano) for item in found.questions] == [
        (30_000_000, 30_000_000), (0, 30_000_000)
    ]  # fmt: skip
    assert found.rho_nano == 30_000_000


def test_only_the_months_days_count_and_caps_are_those_of_its_end() -> None:
    old, before, after = FIRST - 400, FIRST - 1, LAST + 1
    found = month(
        releases=(passed("b"), passed("d", day=after)),
        decisions=(decided("b"),),
        charges=(*charged("x", 10_000_000, old), *charged("a", 20_000_000, before), *charged("b", 30_000_000)),
    )
    assert [item.release_id for item in found.questions] == ["b"]
    left = {(item.what, item.period): (item.cap_nano, item.spent_nano, str(item.share)) for item in found.left}
    assert left["everything this trust answers", "any 12 months"] == (500_000_000, 50_000_000, "90.0")
    assert left["everything this trust answers", "lifetime"] == (2_000_000_000, 60_000_000, "97.0")
    (part,) = found.parts
    assert [(item.period, item.cap_nano, item.spent_nano) for item in part.left] == [
        ("any 12 months", 300_000_000, 50_000_000), ("lifetime", 300_000_000, 60_000_000)
    ]  # fmt: skip


def test_a_question_decided_before_midnight_and_reserved_after_is_not_refused() -> None:
    found = month(releases=(passed("a", day=LAST + 1),), decisions=(decided("a", LAST),))
    assert found.questions == ()


def test_the_least_of_policy_permit_and_acceptance_is_a_projects_cap() -> None:
    smaller = known(rho_nano=100_000_000)
    found = month(releases=(passed("a"),), decisions=(decided("a"),), known={"stays": smaller})
    (part,) = found.parts
    assert {item.period: item.cap_nano for item in part.left} == {"any 12 months": 300_000_000, "lifetime": 100_000_000}
    unaccepted = Known(smaller.permit)
    (part,) = month(releases=(passed("a"),), decisions=(decided("a"),), known={"stays": unaccepted}).parts
    assert part.left == ()


def test_a_refusal_names_its_rules_else_the_logs_code_else_that_nobody_knows() -> None:
    found = month(
        decisions=(decided("a", rules=("cells", "rho-per-query")), decided("b"), decided("c")),
        logged={"b": Refused(("budget-exhausted",), FIRST)},
    )
    reasons = {item.release_id: item.reasons for item in found.questions}
    assert reasons == {"a": ("cells", "rho-per-query"), "b": ("budget-exhausted",), "c": (LATER,)}
    assert all(item.outcome == "refused" and item.rho_nano == 0 for item in found.questions)
    assert sum(LATER in note for note in found.notes) == 1


def test_a_refusal_before_the_policy_has_the_logs_day_or_the_days_between() -> None:
    entries = (
        Happened(5, "refused", "logged", "", FIRST - 3, LAST),
        Happened(6, "refused", "other month", "", FIRST - 3, LAST),
        Happened(7, "refused", "gone", "", FIRST - 3, LAST),
        Happened(8, "refused", "decided", "", FIRST - 3, LAST),
    )
    logged = {
        "logged": Refused(("auth-document",), FIRST + 4),
        "other month": Refused(("auth-document",), FIRST - 2),
        "beyond the rate": Refused(("node-rate",), FIRST + 5),
    }
    found = month(refusals=entries, logged=logged, decided=frozenset({"decided"}))
    assert [(item.first, item.last, item.codes) for item in found.early] == [
        (FIRST + 4, FIRST + 4, ("auth-document",)), (FIRST - 3, LAST, ()), (FIRST + 5, FIRST + 5, ("node-rate",))
    ]  # fmt: skip
    assert any("neighbouring month" in note for note in found.notes)


def test_missing_names_and_records_are_said_to_be_missing() -> None:
    found = month(releases=(passed("a"),), charges=charged("a", 1), known={})
    (question,) = found.questions
    assert (question.person, question.name, question.dataset, question.recorded) == ("ada", "", "made-up", False)
    assert rows(found)[0]["person"] == "ada"
    notes = "\n".join(found.notes)
    assert "No permit kept here names ada" in notes
    assert "Of 1 the input of the decision is not kept here" in notes
    assert "The permit of this project is not kept here any more." in page(found)
    # With everything at hand there is nothing to say but whose caps they are.
    whole = month(releases=(passed("a"),), decisions=(decided("a"),))
    assert len(whole.notes) == 1


def test_an_input_of_another_version_is_missing_too() -> None:
    odd = dataclasses.replace(decided("a"), input=b'{"format":9}')
    (question,) = month(releases=(passed("a"),), decisions=(odd,)).questions
    assert (question.project, question.recorded) == ("stays", False)


def test_without_a_policy_there_are_no_caps() -> None:
    found = month(policy=None, releases=(passed("a"),), decisions=(decided("a"),))
    assert (found.left, found.parts[0].left) == ((), ())
    assert "No policy is in force." in page(found)


# -- documents --------------------------------------------------------------------------------------------------------


def test_what_changed_is_told_once_by_its_own_date_or_between_two_days() -> None:
    begun = (FIRST + 2) * 86_400
    permit = {"valid_from": begun, "expires": begun + 86_400 * 30}
    accepted = Acceptance(**(PEOPLE.the_acceptance.model_dump() | {"accepted": begun + 86_400, "conditions": ("x",)}))
    project = dataclasses.replace(known(**permit), acceptance=accepted)
    entries = (
        Happened(1, "policy", "", "aa" * 32, FIRST - 5, FIRST + 1),
        Happened(2, "governance", "", "bb" * 32, FIRST + 1, FIRST + 1),
        Happened(3, "permit", "", project.permit.sha256, FIRST, FIRST + 3),
        Happened(4, "acceptance", "", "cc" * 32, FIRST, FIRST + 3),
        Happened(5, "stopped", "", "", FIRST + 3, FIRST + 3),
        Happened(6, "resumed", "", "", 0, FIRST + 3),
    )
    found = month(
        known={"stays": project}, changes=entries, versions={"aa" * 32: ("policy", 3)}, names={"cc" * 32: ("x", "beds")}
    )
    assert [(item.first, item.last, item.text) for item in found.changes] == [
        (FIRST - 5, FIRST + 1, "Policy version 3 came into force."),
        (FIRST + 1, FIRST + 1, f"A list of governance people (hash {'bb' * 6}) came into force."),
        (FIRST + 2, FIRST + 2, "Permit version 1 of project stays began."),
        (0, FIRST + 3, "Answering was resumed, by two people's order."),
        (FIRST, FIRST + 3, "An acceptance (project beds) was used for the first time."),
        (FIRST + 3, FIRST + 3, "Answering was stopped."),
        (
            FIRST + 3,
            FIRST + 3,
            "Project stays was accepted, at most rho 1 (epsilon 9.5839 at delta 1e-8), with 1 condition.",
        ),
    ]
    assert "between 27 January 2027 and 2 February 2027: Policy version 3" in page(found)


# -- what others wrote ------------------------------------------------------------------------------------------------


def test_other_peoples_words_are_only_words() -> None:
    member = Member(**(PEOPLE.the_permit.members[0].model_dump() | {"name": "=HYPERLINK(1)|<b>x</b>"}))
    bad = known(title="# A | title\n\n## of [two](http://x) lines", members=(member,))
    found = month(releases=(passed("a"),), decisions=(decided("a"),), known={"stays": bad})
    text = page(found)
    assert "## \\# A \\| title \\#\\# of \\[two\\](http://x) lines\n" in text
    assert "<b>" not in text
    heading, row = csv.reader(io.StringIO(sheet(found)))
    assert row[heading.index("person")].startswith("'=HYPERLINK(1)")
    assert all(cell[:1] not in ("=", "+", "-", "@", "\t", "\r") for cell in row)
