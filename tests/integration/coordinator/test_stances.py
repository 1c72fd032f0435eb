"""Stances as the coordinator takes them: by the roster's key of the very node, about a permit that is known."""

from __future__ import annotations

from typing import Any

import pytest

from coordinator.projects.desks import EARLY_SECONDS
from coordinator.projects.stances import StanceDesk, read_stance
from coordinator.rosters import Rosters
from coordinator.store import ProjectRow, Store
from coordinator.store.models import PermitRow
from tests.factories.trust import NOW, People, key
from tests.lib.refusals import code_of
from trustquery.projects.decisions import Stance

PEOPLE = People()
PERMIT = PEOPLE.the_permit
OLD = "0b" * 32


def stance(**changes: Any) -> Stance:
    facts: dict[str, Any] = {
        "federation": "test", "node": "ash", "project": "stays", "permit_hash": PERMIT.sha256, "word": "accepted",
        "acceptance_hash": "0c" * 32, "conditions": (), "reason": "", "rho_nano": 10**9, "said": NOW,
        "expires": NOW + 1_000,
    }  # fmt: skip
    return Stance(**(facts | changes))


def declined(**changes: Any) -> Stance:
    no = {"word": "declined", "acceptance_hash": "", "rho_nano": 0, "reason": "We see no benefit."}
    return stance(**(no | changes))


def signed(found: Stance, name: str = "ash") -> bytes:
    return found.sign(key(name)).encode()


@pytest.fixture
def keeper(store: Store) -> StanceDesk:
    rosters = Rosters(store, PEOPLE.root)
    rosters.install(PEOPLE.the_roster.sign(key("root0"), key("root1")).encode(), NOW)
    envelope = PERMIT.sign(key("ann"), key("bob")).encode()
    with store.projects.change("stays", NOW) as change:
        row = {"project": "stays", "application": "", "updated": NOW}
        change.add(PermitRow(version=1, permit_hash=OLD, envelope=b"", state="replaced", **row))
        change.add(PermitRow(version=2, permit_hash=PERMIT.sha256, envelope=envelope, state="in-use", **row))
        change.add(
            ProjectRow(name="stays", version=2, permit=envelope, permit_hash=PERMIT.sha256, state="approved", added=NOW)
        )
        change.note("approve", "committee", "approved")
    return StanceDesk(store, rosters, "test", lambda: NOW)


def test_each_word_is_kept_with_a_line_in_the_record(store: Store, keeper: StanceDesk) -> None:
    conditions = {"word": "accepted-with-conditions", "conditions": ("Tell us first",)}
    for found in (stance(), stance(**conditions, said=NOW + 1), declined(said=NOW + 2)):
        keeper.take("ash", signed(found))
        (row,) = store.projects.stances("stays")
        assert (row.node, row.word, row.said, row.envelope) == ("ash", found.word, found.said, signed(found))
    record = [(row.action, row.actor, row.text, row.public) for row in store.projects.events("stays")]
    assert record[1:] == [
        ("accept", "ash", "ash accepts the permit", True),
        ("accept", "ash", "ash accepts the permit with conditions: Tell us first", True),
        ("decline", "ash", "ash declines the permit: We see no benefit.", True),
    ]


def test_what_is_said_again_changes_nothing(store: Store, keeper: StanceDesk) -> None:
    keeper.take("ash", signed(declined()))
    before = len(store.projects.events("stays"))
    for again in (declined(), stance(), stance(said=NOW - 1)):
        keeper.take("ash", signed(again))
    assert [row.word for row in store.projects.stances()] == ["declined"]
    assert len(store.projects.events("stays")) == before


def test_two_trusts_and_two_permits_are_kept_apart(store: Store, keeper: StanceDesk) -> None:
    keeper.take("ash", signed(stance()))
    keeper.take("birch", signed(declined(node="birch"), "birch"))
    keeper.take("ash", signed(stance(permit_hash=OLD, said=NOW - 5)))
    assert {(row.node, row.permit_hash, row.word) for row in store.projects.stances()} == {
        ("ash", PERMIT.sha256, "accepted"),
        ("birch", PERMIT.sha256, "declined"),
        ("ash", OLD, "accepted"),
    }


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (signed(stance(), "birch"), "auth-document"),
        (signed(stance(), "coordinator"), "auth-document"),
        (stance().sign(key("ash"), key("eve")).encode(), "auth-document"),
        (signed(stance(node="birch")), "auth-document"),
        (signed(stance(federation="other")), "auth-document"),
        (PEOPLE.the_acceptance.sign(key("ash")).encode(), "auth-document"),
        (b"", "auth-document"),
        (b"{}", "auth-document"),
        (signed(stance(said=NOW + EARLY_SECONDS + 1)), "auth-document"),
        (signed(stance(permit_hash="0d" * 32)), "project-unknown"),
        (signed(stance(project="beds")), "project-unknown"),
    ],
)
def test_what_does_not_hold_is_refused_and_leaves_no_trace(
    store: Store, keeper: StanceDesk, data: bytes, code: str
) -> None:
    before = [row.text for row in store.projects.events("stays")]
    assert code_of(keeper.take, "ash", data) == code
    assert store.projects.stances() == []
    assert [row.text for row in store.projects.events("stays")] == before


def test_a_node_off_the_roster_says_nothing(keeper: StanceDesk) -> None:
    assert code_of(keeper.take, "cedar", signed(stance(node="cedar"), "cedar")) == "auth-certificate"


def test_before_there_is_a_roster_nobody_says_anything(store: Store) -> None:
    keeper = StanceDesk(store, Rosters(store, PEOPLE.root), "test", lambda: NOW)
    assert code_of(keeper.take, "ash", signed(stance())) == "config-missing"


def test_reading_alone_needs_no_store() -> None:
    entry = PEOPLE.the_roster.node("ash")
    assert entry is not None
    assert read_stance(signed(stance()), entry, "test") == stance()
    assert code_of(read_stance, signed(stance()), entry, "other") == "auth-document"
