"""Project review through the coordinator's real application: two output checkers, every path, and who sees what."""

from __future__ import annotations

import asyncio
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from coordinator.queries import State
from tests.factories.documents import NOW
from tests.lib.review_site import CHECKER, CHECKERS, DAY, ReviewSite, figures_in, reviewing
from tests.lib.site import code_of, fresh_store
from trustquery.access import Held, Role
from trustquery.errors import TrustQueryError
from trustquery.identity import Intent, Permit
from trustquery.question.result import require_shown
from trustquery.reviews import Reason

A, B, C = ("a1" * 32, "b2" * 32, "c3" * 32)
SMALL, PURPOSE = Reason.SMALL_GROUPS, Reason.PURPOSE
OTHER_SQL = "SELECT count(*) AS n FROM person"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[ReviewSite]:
    with reviewing(tmp_path) as made:
        yield made


@pytest.fixture
def permit(world: ReviewSite) -> Permit:
    return world.site.project(output_review="yes")


@pytest.fixture
def held(world: ReviewSite, permit: Permit) -> Intent:
    return world.in_review(permit, A)


# -- fixed before anything is asked -----------------------------------------------------------------------------------


def test_it_is_fixed_with_the_question_and_said_before(world: ReviewSite, permit: Permit) -> None:
    assert world.call("ada", "GET", "/v1/projects/stays").json()["review"] == {"why": "application", "seconds": DAY}
    reply, signed = world.submit(permit, A)
    expected = {
        "by": ["two output checkers"], "why": "application", "until": signed.not_after + DAY, "outcome": "",
        "reasons": [], "table_sha256": "",
    }  # fmt: skip
    assert reply.json()["review"] == expected
    assert world.view(A)["review"] == expected
    # Nobody can look before there is something to look at.
    assert code_of(world.call("olive", "GET", f"/v1/reviews/{A}")) == "policy-review-unknown"


def test_a_project_that_said_no_is_not_reviewed(world: ReviewSite) -> None:
    permit = world.site.project()
    assert world.call("ada", "GET", "/v1/projects/stays").json()["review"] is None
    reply, signed = world.submit(permit, A)
    assert reply.json()["review"] is None
    world.answer(signed)
    assert world.view(A)["state"] == "closed"
    assert figures_in(str(world.view(A)["result"]))


def test_the_federation_may_review_every_project(world: ReviewSite) -> None:
    permit = world.site.project()
    review = world.site.base.settings.review.model_copy(update={"every_project": True, "seconds": 60})
    settings = world.site.base.settings.model_copy(update={"review": review})
    object.__setattr__(world.site.base, "settings", settings)
    reply, signed = world.submit(permit, A)
    assert reply.json()["review"]["why"] == "federation"
    assert reply.json()["review"]["until"] == signed.not_after + 60


def test_an_application_that_cannot_be_found_is_reviewed(world: ReviewSite, permit: Permit) -> None:
    world.site.project(project="other")
    with world.site.store.projects.change("other", NOW) as change:
        change.applications()[0].sha256 = "00" * 32
        change.note("edit", "x", "x", public=False)
    row = world.site.store.projects.get("other")
    assert row is not None
    planned = world.desk.planned(row)
    assert planned is not None
    assert planned.why == "application"


def test_without_a_time_what_needs_a_review_is_refused(world: ReviewSite, permit: Permit) -> None:
    review = world.site.base.settings.review.model_copy(update={"seconds": 0})
    object.__setattr__(world.site.base, "settings", world.site.base.settings.model_copy(update={"review": review}))
    assert code_of(world.submit(permit, A)[0]) == "query-review-unset"
    assert world.site.store.queries.get(A) is None


# -- every path -------------------------------------------------------------------------------------------------------


def test_two_approvals_show_the_very_table_at_the_deadline_and_no_sooner(world: ReviewSite, held: Intent) -> None:
    assert world.give("olive", world.review("olive", held)).json()["stage"] == "one"
    assert world.give("oscar", world.review("oscar", held)).json()["stage"] == "approved"
    digest = world.digest(A)
    world.settle(held, after=-1)
    assert world.view(A)["result"] is None
    assert world.view(A)["state"] == "in-review"
    world.settle(held)
    found = world.view(A)
    assert (found["state"], found["closed"]) == ("closed", world.site.now)
    assert figures_in(str(found["result"]))
    assert found["review"] | {"until": 0} == {
        "by": ["two output checkers"], "why": "application", "until": 0, "outcome": "approved", "reasons": [],
        "table_sha256": digest,
    }  # fmt: skip
    require_shown(found)
    # Nothing is left to review, and nothing of it can be changed.
    assert world.call("olive", "GET", "/v1/reviews").json() == {"reviews": []}


def test_two_returns_tell_their_reasons_at_the_deadline(world: ReviewSite, held: Intent) -> None:
    world.give("olive", world.review("olive", held, SMALL))
    assert world.give("oscar", world.review("oscar", held, PURPOSE)).json()["stage"] == "refused"
    assert world.view(A)["review"]["reasons"] == []
    with pytest.raises(TrustQueryError, match="query-in-review"):
        require_shown(world.view(A))
    world.settle(held)
    found = world.view(A)
    assert (found["state"], found["result"]) == ("returned", None)
    assert found["review"]["reasons"] == ["purpose", "small-groups"]
    # The hash of a small table could be found by trying figures.
    assert found["review"]["table_sha256"] == ""
    review = world.site.store.reviews.get(A)
    assert review is not None
    assert len(review.table_sha256) == 64
    with pytest.raises(TrustQueryError, match="small-groups: the figures are about groups so small"):
        require_shown(found)


def test_silence_and_one_verdict_are_no_approval(world: ReviewSite, permit: Permit) -> None:
    silent, alone = world.in_review(permit, A), world.in_review(permit, B, OTHER_SQL)
    world.give("olive", world.review("olive", alone))
    world.settle(silent)
    world.settle(alone)
    for release in (A, B):
        found = world.view(release)
        assert (found["state"], found["result"], found["review"]["reasons"]) == ("returned", None, [])
        with pytest.raises(TrustQueryError, match="no two approvals by its deadline"):
            require_shown(found)


def test_where_they_differ_both_see_both_and_sign_again(world: ReviewSite, held: Intent) -> None:
    first = world.review("olive", held)
    world.give("olive", first)
    # Blind: the other sees that there is one verdict, and not which nor whose.
    assert (world.look("oscar", A)["stage"], world.look("oscar", A)["verdicts"]) == ("one", [])
    assert "olive" not in str(world.look("oscar", A))
    assert world.look("oscar", A)["first"] == []
    second = world.review("oscar", held, SMALL)
    assert world.give("oscar", second).json()["stage"] == "differ"
    seen = (first.sha256, second.sha256)
    for who in ("olive", "oscar"):
        found = world.look(who, A)
        assert found["first"] == sorted(seen)
        said = [(item["person"], item["verdict"], item["reasons"]) for item in found["verdicts"]]
        assert sorted(said) == [("olive", "approve", []), ("oscar", "refuse", ["small-groups"])]
    again = world.give("oscar", world.review("oscar", held, seen=(first.sha256, "00" * 32)))
    assert code_of(again) == "policy-review-differs"
    assert world.give("oscar", world.review("oscar", held, seen=seen)).json()["stage"] == "differ"
    assert world.give("olive", world.review("olive", held, PURPOSE, seen=seen)).json()["stage"] == "differ"
    # A second verdict may change until they agree; the last one of each counts.
    assert world.give("olive", world.review("olive", held, seen=seen)).json()["stage"] == "approved"
    assert code_of(world.give("olive", world.review("olive", held, SMALL, seen=seen))) == "policy-review-closed"
    world.settle(held)
    assert world.view(A)["state"] == "closed"


def test_a_difference_that_stays_is_no_approval(world: ReviewSite, held: Intent) -> None:
    world.give("olive", world.review("olive", held))
    world.give("oscar", world.review("oscar", held, SMALL))
    world.settle(held)
    assert (world.view(A)["state"], world.view(A)["review"]["reasons"]) == ("returned", [])


def test_a_verdict_at_or_after_the_deadline_is_refused(world: ReviewSite, held: Intent) -> None:
    world.give("olive", world.review("olive", held))
    late = world.review("oscar", held)
    world.site.now = held.not_after + DAY
    assert code_of(world.give("oscar", late)) == "policy-review-closed"
    world.desk.settle()
    assert code_of(world.give("oscar", late)) == "policy-review-unknown"
    assert world.view(A)["state"] == "returned"


def test_one_verdict_a_person_whichever_account_they_use(world: ReviewSite, held: Intent) -> None:
    first = world.review("olive", held)
    assert world.give("olive", first).status_code == 200
    assert code_of(world.give("olive", first)) == "policy-review-given"
    assert code_of(world.give("olive-two", world.review("olive", held))) == "policy-review-given"
    # Nor under another name, nor with the key of somebody else.
    assert code_of(world.give("olive-two", world.review("oscar", held))) == "auth-document"
    assert code_of(world.give("olive-two", world.review("oscar", held), key="oscar")) == "auth-document"
    world.settle(held)
    assert world.view(A)["state"] == "returned"


def test_a_third_person_comes_too_late(world: ReviewSite, held: Intent) -> None:
    world.give("olive", world.review("olive", held))
    world.give("oscar", world.review("oscar", held, SMALL))
    assert code_of(world.give("opal", world.review("opal", held))) == "policy-review-closed"
    both = tuple(world.look("opal", A)["first"])
    assert code_of(world.give("opal", world.review("opal", held, seen=both))) == "policy-review-closed"


def test_neither_the_asker_nor_their_team_nor_a_trusts_checker_may(world: ReviewSite, held: Intent) -> None:
    roles, people = world.site.store.roles, world.site.store.people
    assert roles.grant("ada", CHECKER, NOW)
    assert people.add("ada-two", CHECKERS["opal"].public.hex()[::-1], NOW, person="ada", held=[])
    assert roles.deputise("opal", "ada")
    for who, why in (
        ("ada", "who has a part in it does not decide"),
        ("ada-two", "who has a part in it does not decide"),
        ("opal", "who has a part in it does not decide"),
        ("ola", "it is held over one trust, and this is the whole federation's"),
        ("ann", "no role that you hold may do this"),
    ):
        assert world.call(who, "GET", "/v1/reviews").json() == {"reviews": []}, who
        reply = world.call(who, "GET", f"/v1/reviews/{A}")
        assert code_of(reply) == "auth-not-permitted"
        assert why in reply.text
        assert not figures_in(reply.text)
    for account in ("opal", "ola"):
        reply = world.give(account, world.review(account, held))
        assert code_of(reply) == "auth-not-permitted"
    assert [row["query"] for row in world.call("olive", "GET", "/v1/reviews").json()["reviews"]] == [A]


def test_a_member_who_has_left_the_team_since_has_still_a_part(world: ReviewSite, held: Intent) -> None:
    """The permit of the day of asking counts besides the one in use."""
    from tests.factories.documents import permit as made
    from tests.lib.access_site import member
    from tests.lib.public_site import ANN, BOB
    from tests.lib.site import project_row, put_project

    put_project(world.site.store, project_row(made(ANN, members=(member("new", CHECKERS["ola"], "lead"),)), ANN, BOB))
    with world.site.store.transaction() as session:
        from coordinator.store import ApplicationRow

        session.query(ApplicationRow).delete()
    assert world.site.store.roles.grant("ada", CHECKER, NOW)
    assert code_of(world.call("ada", "GET", f"/v1/reviews/{A}")) == "auth-not-permitted"


@pytest.mark.parametrize("change", ["role", "account", "part"])
def test_a_verdict_counts_while_its_signer_may_review(world: ReviewSite, held: Intent, change: str) -> None:
    world.give("olive", world.review("olive", held))
    world.give("oscar", world.review("oscar", held))
    if change == "role":
        assert world.site.store.roles.revoke("oscar", CHECKER)
    elif change == "account":
        assert world.site.store.people.disable("oscar")
    else:
        assert world.site.store.roles.deputise("oscar", "ada")
    world.settle(held)
    assert world.view(A)["state"] == "returned"


@pytest.mark.parametrize(
    ("field", "about"),
    [
        ("vector_sha256", "other figures"),
        ("plan_hash", "another plan"),
        ("federation", "another federation"),
        ("body", "another trust's or project's review"),
    ],
)
def test_a_verdict_on_something_else_is_refused(world: ReviewSite, held: Intent, field: str, about: str) -> None:
    reply = world.give("olive", world.review("olive", held, **{field: "00" * 32}))
    assert code_of(reply) == "policy-review-differs"
    assert about in reply.text


def test_a_verdict_on_another_release_is_refused(world: ReviewSite, permit: Permit, held: Intent) -> None:
    other = world.in_review(permit, B, OTHER_SQL)
    envelope = world.review("olive", other).sign(CHECKERS["olive"]).encode().decode()
    reply = world.call("olive", "POST", f"/v1/reviews/{A}/verdict", json={"envelope": envelope})
    assert code_of(reply) == "policy-review-differs"


def test_a_table_that_changed_meanwhile_is_not_approved(world: ReviewSite, held: Intent) -> None:
    stale = world.review("opal", held)
    world.give("olive", world.review("olive", held))
    world.give("oscar", world.review("oscar", held))
    with world.site.store.reviews.change(A) as change:
        assert change is not None
        before = change.review.held
        change.review.held = before.replace(str(3 * 7_654_321).encode(), b"22962964")
        assert change.review.held != before
    assert world.look("opal", A)["stage"] == "none"
    assert code_of(world.give("opal", stale)) == "policy-review-differs"
    world.settle(held)
    assert (world.view(A)["state"], world.view(A)["result"]) == ("returned", None)


def test_a_table_that_cannot_be_made_is_not_approved(world: ReviewSite, held: Intent) -> None:
    world.give("olive", world.review("olive", held))
    world.give("oscar", world.review("oscar", held))
    with world.site.store.reviews.change(A) as change:
        assert change is not None
        change.review.held = b"{}"
    assert world.call("olive", "GET", "/v1/reviews").json() == {"reviews": []}
    assert code_of(world.call("olive", "GET", f"/v1/reviews/{A}")) == "policy-review-differs"
    world.settle(held)
    assert world.view(A)["state"] == "returned"


def test_one_that_cannot_be_settled_holds_no_other_up(
    world: ReviewSite, permit: Permit, held: Intent, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = world.in_review(permit, B, OTHER_SQL)
    for signed in (held, other):
        world.give("olive", world.review("olive", signed))
        world.give("oscar", world.review("oscar", signed))
    store, found = world.site.store.reviews, world.site.store.reviews.held

    def broken(release_id: str) -> object:
        if release_id == A:
            raise OSError("the disk is full")
        return found(release_id)

    with monkeypatch.context() as patch:
        patch.setattr(store, "held", broken)
        world.settle(other)
    assert (world.view(A)["state"], world.view(B)["state"]) == ("in-review", "closed")
    world.desk.settle()
    assert world.view(A)["state"] == "closed"


# -- no other way to the figures --------------------------------------------------------------------------------------

_VIEWERS = ("", "ada", "eve", "ann", "ola")


def _every_reading(world: ReviewSite, release: str, query_hash: str) -> dict[str, str]:
    """Everything that can be read over HTTPS, by everybody but a checker; archives unpacked."""
    paths = [
        "/v1/queries", f"/v1/queries/{release}", f"/v1/queries/{release}?wait=1&seen=9",
        f"/v1/queries/{release}/inputs",
        "/v1/projects", "/v1/projects/stays", "/v1/projects/stays/budget", "/v1/projects/stays/profiles",
        "/v1/applications/stays", "/v1/reviews", f"/v1/reviews/{release}", "/public/", "/public/register",
        "/public/register/data.json", "/public/register/data.csv", "/public/register/crate.zip",
        "/public/projects/stays", "/public/projects/stays/data.json", "/public/promise", "/public/promise/data.json",
        "/public/queries", "/public/queries/data.json", "/public/queries/data.csv", f"/public/queries/{query_hash}",
        f"/public/queries/{query_hash}/data.json", f"/public/queries/{release}/data.json",
        f"/public/releases/{release}/crate.zip",
    ]  # fmt: skip
    found = {}
    for who in _VIEWERS:
        for path in paths:
            reply = world.call(who, "GET", path)
            text = reply.text
            if reply.content[:2] == b"PK":
                with zipfile.ZipFile(io.BytesIO(reply.content)) as bag:
                    text = "\n".join(bag.read(name).decode(errors="replace") for name in bag.namelist())
            found[f"{who or 'anybody'} {path}"] = text
        for path in ("publish", "cancel", "withdraw"):
            body = {"reason": "x"} if path == "withdraw" else {}
            found[f"{who} {path}"] = world.call(who, "POST", f"/v1/queries/{release}/{path}", json=body).text
    return found


def test_while_in_review_no_route_shows_a_figure(world: ReviewSite, held: Intent) -> None:
    before = _every_reading(world, A, held.query_hash)
    assert {where for where, text in before.items() if figures_in(text)} == set()
    assert A not in before["anybody /public/queries/data.json"]
    # Nor does a verdict show anywhere.
    world.give("olive", world.review("olive", held))
    world.give("oscar", world.review("oscar", held))
    after = _every_reading(world, A, held.query_hash)
    assert {where for where in after if after[where] != before[where]} == set()
    assert world.view(A)["state"] == "in-review"


def test_what_was_returned_is_shown_nowhere(world: ReviewSite, held: Intent) -> None:
    world.give("olive", world.review("olive", held, SMALL))
    world.give("oscar", world.review("oscar", held, SMALL))
    world.settle(held)
    found = _every_reading(world, A, held.query_hash)
    assert {where for where, text in found.items() if figures_in(text)} == set()
    assert "query-not-released" in found["ada publish"]
    log = world.call("", "GET", "/public/queries/data.json?outcome=returned").json()["uses"]
    assert [(use["release"], use["outcome"], use["review"]["outcome"]) for use in log] == [(A, "returned", "returned")]
    public = "".join(text for where, text in found.items() if "/public/" in where)
    assert not any(name in public for name in ("olive", "oscar", "small-groups"))
    assert "two output checkers did not both approve it" in found[f"anybody /public/queries/{held.query_hash}"].lower()


def test_the_same_question_elsewhere_is_reviewed_too(world: ReviewSite, held: Intent) -> None:
    """Trusts answer a repeat with the vectors that they gave: another project is no way around a review."""
    other = world.site.project(project="other")
    row = world.site.store.projects.get("other")
    assert row is not None
    assert world.desk.planned(row) is None
    reply, signed = world.submit(other, B)
    assert reply.json()["review"]["why"] == "question"
    assert world.submit(other, C, OTHER_SQL)[0].json()["review"] is None
    world.answer(signed)
    assert world.view(B)["state"] == "in-review"
    world.settle(held)
    assert world.view(A)["state"] == "returned"
    ask = f"/v1/projects/other?question={held.query_hash}"
    assert world.call("ada", "GET", ask).json()["review"] == {"why": "question", "seconds": DAY}
    assert world.call("ada", "GET", "/v1/projects/other").json()["review"] is None
    planned = world.desk.planned(row, held.query_hash)
    assert planned is not None
    assert planned.why == "question"


def test_to_finish_twice_does_not_pass_the_review_by(world: ReviewSite, permit: Permit) -> None:
    _, signed = world.submit(permit, A)
    world.answer(signed, "RX1", "RX2")
    store = world.site.store.queries
    assert store.move(A, before=("offered",), after=State.CLOSING)

    async def twice() -> None:
        await asyncio.gather(world.queries.tick(), world.queries.tick())

    asyncio.run(twice())
    row = store.get(A)
    assert row is not None
    assert (row.state, row.result) == ("in-review", None)
    again = store.finish(A, before="closing", after="closed", review="in-review", closed=1, result=b"{}")
    assert again is None


def test_too_few_answers_are_told_at_once_and_reviewed_by_nobody(world: ReviewSite, permit: Permit) -> None:
    _, signed = world.submit(permit, A)
    world.answer(signed, "RX1")
    world.site.now = signed.not_after
    asyncio.run(world.queries.tick())
    assert world.view(A)["state"] == "expired"
    assert not figures_in(str(world.view(A)))
    assert code_of(world.call("olive", "GET", f"/v1/reviews/{A}")) == "policy-review-unknown"


def test_a_restart_in_between_changes_nothing(world: ReviewSite, held: Intent, tmp_path: Path) -> None:
    world.give("olive", world.review("olive", held))
    world.give("oscar", world.review("oscar", held))
    world.site.store.close()
    store = fresh_store(tmp_path)
    for place in (world.site, world.site.base, world.queries, world.site.base.rosters):
        object.__setattr__(place, "store", store) if hasattr(place, "store") else None
    world.settle(held, after=5_000)
    assert world.view(A)["state"] == "closed"


# -- beside what is shown ---------------------------------------------------------------------------------------------


def test_the_record_stands_beside_what_is_published(world: ReviewSite, held: Intent) -> None:
    world.give("olive", world.review("olive", held))
    world.give("oscar", world.review("oscar", held))
    world.settle(held)
    use = world.call("", "GET", f"/public/queries/{A}/data.json").json()["uses"][0]
    assert use["review"] == {"by": ["two output checkers"], "outcome": "approved", "table_sha256": ""}
    assert world.call("ada", "POST", f"/v1/queries/{A}/publish", json={}).status_code == 200
    use = world.call("", "GET", f"/public/queries/{A}/data.json").json()["uses"][0]
    review = world.site.store.reviews.get(A)
    assert review is not None
    assert use["review"]["table_sha256"] == review.table_sha256 != ""
    assert use["columns"]["Output review"] == "Two output checkers: approved"
    assert use["result"]["criteria"]["record"]["reviewed_by"] == ["two output checkers"]
    text = "".join(_every_reading(world, A, held.query_hash).values())
    assert not any(name in text for name in ("olive", "oscar"))
    assert figures_in(text)
    assert "Two output checkers approved its merged table" in text
    # By person, with their signed documents, it is kept.
    with world.site.store.transaction() as session:
        from coordinator.store import ReviewVerdictRow

        kept = sorted((row.person, bool(row.envelope)) for row in session.query(ReviewVerdictRow))
    assert kept == [("olive", True), ("oscar", True)]


def test_only_the_table_that_was_approved_is_published(world: ReviewSite, held: Intent) -> None:
    world.give("olive", world.review("olive", held))
    world.give("oscar", world.review("oscar", held))
    world.settle(held)
    with world.site.store.transaction() as session:
        from coordinator.store import QueryRow

        row = session.get(QueryRow, A)
        assert row is not None
        assert row.result is not None
        row.result = row.result.replace(b"22962963", b"22962964")
    assert code_of(world.call("ada", "POST", f"/v1/queries/{A}/publish", json={})) == "policy-review-differs"


def test_a_checker_of_the_federation_can_be_given_and_one_of_a_trust_still() -> None:
    from trustquery.access import parse_held

    assert parse_held("output-checker") == Held(Role.OUTPUT_CHECKER)
    assert parse_held("output-checker:RX1") == Held(Role.OUTPUT_CHECKER, "RX1")
    for wrong in ("output-checker:", "output-checker:rx1", "governance-officer"):
        with pytest.raises(TrustQueryError, match="usage-invalid"):
            parse_held(wrong)
