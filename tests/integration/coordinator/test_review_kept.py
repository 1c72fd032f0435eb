"""Project review and retention: criteria of what was approved alone, and nothing left of figures at their age."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from coordinator.config import RetentionSettings
from coordinator.projects.releases import publish, reviewed_digest
from coordinator.retention import Retention
from coordinator.store import QueryRow
from tests.lib.review_site import DAY, FIGURE, ReviewSite, figures_in, reviewing
from trustquery.errors import TrustQueryError
from trustquery.identity import Envelope, Intent
from trustquery.projects.register import iso_day
from trustquery.question.result import require_shown
from trustquery.reviews import Reason
from trustquery.reviews.shown import REVIEWED_BY

A = "a1" * 32
AGE = 90 * DAY
FACTS = {
    "format", "kind", "federation", "body", "release_id", "plan_hash", "vector_sha256", "round", "seen", "verdict",
    "reasons", "reviewer", "given",
}  # fmt: skip


@pytest.fixture
def world(tmp_path: Path) -> Iterator[ReviewSite]:
    with reviewing(tmp_path) as made:
        yield made


@pytest.fixture
def held(world: ReviewSite) -> Intent:
    return world.in_review(world.site.project(output_review="yes"), A)


def row(world: ReviewSite) -> QueryRow:
    found = world.site.store.queries.get(A)
    assert found is not None
    return found


def keep(world: ReviewSite) -> None:
    Retention(world.site.store, RetentionSettings(results_days=90), lambda: world.site.now).tick()


def use(world: ReviewSite) -> dict[str, Any]:
    """The one use of the public log."""
    (found,) = world.site.get("/public/queries/data.json").json()["uses"]
    assert isinstance(found, dict)
    return found


def approve(world: ReviewSite, held: Intent) -> None:
    for who in ("olive", "oscar"):
        assert world.give(who, world.review(who, held)).status_code < 300


def settle(world: ReviewSite, held: Intent, *, approved: bool) -> None:
    if approved:
        approve(world, held)
    else:
        world.give("olive", world.review("olive", held, Reason.PURPOSE))
    world.settle(held)


# -- criteria ----------------------------------------------------------------------------------------------------------


def test_criteria_are_recorded_with_the_approval_and_name_its_reviewers(world: ReviewSite, held: Intent) -> None:
    approve(world, held)
    world.settle(held, after=-1)
    assert world.site.store.keeping.criteria([A]) == {}
    world.settle(held)
    recorded = use(world)["criteria"]
    assert recorded["record"]["reviewed_by"] == list(REVIEWED_BY)
    assert use(world)["columns"]["Disclosure criteria"].endswith(
        f"reviewed by two output checkers; SHA-256 {recorded['sha256']}"
    )
    publish(world.site.base, row(world), "project lead", world.site.now)
    # One record and one hash, whether it is read off the log or off the release.
    assert use(world)["result"]["criteria"] == use(world)["criteria"] == recorded


def test_of_a_table_that_is_returned_no_criteria_are_recorded(world: ReviewSite, held: Intent) -> None:
    settle(world, held, approved=False)
    assert world.site.store.keeping.criteria([A]) == {}
    assert use(world)["criteria"] is None
    assert use(world)["columns"]["Disclosure criteria"] == "None"
    world.desk.settle()
    assert world.site.store.keeping.criteria([A]) == {}


def test_without_a_review_they_are_recorded_when_the_query_closes(world: ReviewSite) -> None:
    reply, signed = world.submit(world.site.project(), A)
    assert reply.status_code == 201
    assert world.site.store.keeping.criteria([A]) == {}
    world.answer(signed)
    assert use(world)["criteria"]["record"]["reviewed_by"] == []


# -- how long figures are kept -----------------------------------------------------------------------------------------


def test_nothing_of_a_review_is_erased_before_its_deadline_has_decided(world: ReviewSite, held: Intent) -> None:
    world.site.now += 2 * AGE  # however late: as if nobody had looked at the clock
    keep(world)
    assert world.site.store.keeping.erased([A]) == {}
    assert world.view(A)["state"] == "in-review"
    found = world.site.store.reviews.held(A)
    assert found is not None
    assert figures_in(found[0].held.decode())
    assert reviewed_digest(world.site.base, found[1], found[0].held) == world.digest(A)


@pytest.mark.parametrize("approved", [True, False])
def test_what_was_reviewed_is_erased_at_its_age_to_the_second(
    world: ReviewSite, held: Intent, tmp_path: Path, approved: bool
) -> None:
    settle(world, held, approved=approved)
    verdicts = world.site.store.reviews
    before, ended = use(world), row(world).closed
    if approved:
        content = row(world).result
        assert content is not None
        review = verdicts.get(A)
        assert review is not None
        assert reviewed_digest(world.site.base, row(world), content) == review.table_sha256
    world.site.now = ended + AGE - 1
    keep(world)
    assert world.site.store.keeping.erased([A]) == {}
    world.site.now = ended + AGE
    keep(world)
    after, day = use(world), iso_day(world.site.now)
    assert row(world).result is None
    assert [answer.vector for answer in world.site.store.queries.answers(A)] == [b""] * 3
    assert (after["outcome"], after["review"], after["criteria"], after["erased_on"]) == (
        before["outcome"], before["review"], before["criteria"], day,
    )  # fmt: skip
    assert after["columns"]["Result"] == (f"Not published, and erased on {day}" if approved else "None")
    found = world.view(A)
    assert (found["state"], found["erased_on"]) == ("closed" if approved else "returned", day)
    with pytest.raises(TrustQueryError) as caught:
        require_shown(found)
    assert caught.value.code == ("query-result-erased" if approved else "query-returned")
    with pytest.raises(TrustQueryError) as caught:
        publish(world.site.base, row(world), "project lead", world.site.now)
    assert caught.value.code == ("query-result-erased" if approved else "query-not-released")
    # Not a byte of a vector is left in the file.
    world.site.store.close()
    for file in tmp_path.glob("store.sqlite*"):
        assert struct.pack("<q", FIGURE) not in file.read_bytes()
        assert not figures_in(file.read_bytes().decode("latin-1"))


def test_a_verdict_that_is_kept_holds_hashes_and_persons_and_no_figure(world: ReviewSite, held: Intent) -> None:
    approve(world, held)
    found = world.site.store.reviews.held(A)
    assert found is not None
    assert len(found[2]) == 2
    for verdict in found[2]:
        payload = Envelope.decode(verdict.envelope, kind="review").payload
        assert set(json.loads(payload)) <= FACTS
        assert not figures_in(payload.decode())
