"""What is kept for ever and what is erased by age, at the coordinator: with a clock that is set."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from coordinator.config import RetentionSettings
from coordinator.projects.releases import publish, withdraw
from coordinator.retention import Retention
from coordinator.store import AnswerRow, QueryRow
from tests.factories.documents import NOW
from tests.lib.public_site import ADA, DAY, PublicSite
from trustquery.errors import TrustQueryError
from trustquery.outputs.criteria import Criteria
from trustquery.projects.register import iso_day
from trustquery.projects.verifying import verify_register

ONE, TWO, THREE = "1a" * 32, "2b" * 32, "3c" * 32


def keep(site: PublicSite, days: int = 90) -> None:
    """One look, at the site's time."""
    Retention(site.store, RetentionSettings(results_days=days), lambda: site.now).tick()


def row(site: PublicSite, release_id: str) -> QueryRow:
    found = site.store.queries.get(release_id)
    assert found is not None
    return found


def use(site: PublicSite, release_id: str) -> dict[str, object]:
    """A use as the public log has it."""
    uses = site.get("/public/queries/data.json").json()["uses"]
    return next(item for item in uses if item["release"] == release_id)


def test_figures_go_at_their_age_to_the_second_and_everything_else_stays(site: PublicSite) -> None:
    permit = site.project()
    before = site.use(permit, ONE)
    spent, record = site.store.uses.charged(), use(site, ONE)["criteria"]
    site.now = before.closed + 90 * DAY - 1
    keep(site)
    assert row(site, ONE).result is not None
    site.now += 1
    register = site.get("/public/register/data.json").json()
    keep(site)
    after = row(site, ONE)
    assert after.result is None
    assert [answer.vector for answer in site.store.queries.answers(ONE)] == [b""] * 3
    for name in ("intent", "permit", "model", "sql", "query_hash", "plan_hash", "state", "closed", "nodes"):
        assert getattr(after, name) == getattr(before, name), name
    assert site.store.uses.charged() == spent
    assert site.get("/public/register/data.json").json() == register
    assert all(finding.holds for finding in verify_register(register, site.base.root))
    shown = use(site, ONE)
    assert (shown["criteria"], shown["erased_on"]) == (record, iso_day(site.now))
    assert shown["columns"]["Result"] == f"Not published, and erased on {iso_day(site.now)}"  # type: ignore[index]


def test_looking_twice_is_looking_once(site: PublicSite) -> None:
    permit = site.project()
    for number in range(45):  # more than two parts of the work
        site.use(permit, f"{number:064x}")
    site.now += 100 * DAY
    keep(site)
    assert site.store.keeping.kept().erased == 45
    at = site.store.keeping.erased([f"{7:064x}"])
    site.now += DAY
    keep(site)
    assert site.store.keeping.kept().erased == 45
    assert site.store.keeping.erased([f"{7:064x}"]) == at


def test_no_byte_of_an_erased_figure_is_left_in_the_file(site: PublicSite, tmp_path: Path) -> None:
    site.use(site.project(), ONE)
    vector = site.store.queries.answers(ONE)[0].vector
    assert any(vector in file.read_bytes() for file in tmp_path.glob("store.sqlite*"))
    site.now += 100 * DAY
    keep(site)
    site.store.close()
    assert not any(vector in file.read_bytes() for file in tmp_path.glob("store.sqlite*"))


def test_a_published_release_stays_until_it_is_withdrawn_and_then_goes(site: PublicSite) -> None:
    permit = site.project()
    site.use(permit, ONE)
    publish(site.base, row(site, ONE), "project lead", site.now)
    site.now += 400 * DAY
    keep(site)
    assert row(site, ONE).result is None
    published = use(site, ONE)["result"]
    assert published is not None
    assert published["criteria"] == use(site, ONE)["criteria"]  # type: ignore[index]
    assert site.get(f"/public/releases/{ONE}/crate.zip").status_code == 200
    # Its figures are gone, and it can be withdrawn all the same.
    withdraw(site.base, row(site, ONE), "data access committee", "A code was wrong.", site.now)
    keep(site)
    assert use(site, ONE)["result"] is None
    assert [event.table != "" for event in site.store.uses.events([ONE])[ONE]] == [True, False]
    site.now += 90 * DAY
    keep(site)
    events = site.store.uses.events([ONE])[ONE]
    assert [(event.action, event.table) for event in events] == [("publish", ""), ("withdraw", "")]
    assert use(site, ONE)["columns"]["Withdrawal"].endswith("A code was wrong.")  # type: ignore[index]


def test_an_erased_result_says_when_and_what_to_do_and_is_not_published(site: PublicSite) -> None:
    site.use(site.project(), ONE)
    site.now += 100 * DAY
    keep(site)
    with pytest.raises(TrustQueryError) as caught:
        publish(site.base, row(site, ONE), "project lead", site.now)
    assert caught.value.code == "query-result-erased"
    assert caught.value.problem.fields["date"] == iso_day(site.now)
    assert "tq query run --from" in caught.value.problem.fix


def test_its_asker_sees_that_it_was_erased(site: PublicSite) -> None:
    site.use(site.project(), ONE)
    site.login("ada", ADA)
    assert site.call("GET", f"/v1/queries/{ONE}").json()["erased_on"] == ""
    site.now += 100 * DAY
    keep(site)
    site.now = NOW
    found = site.call("GET", f"/v1/queries/{ONE}").json()
    assert (found["result"], found["erased_on"]) == (None, iso_day(NOW + 100 * DAY))


def test_an_answer_that_comes_after_its_time_is_noted_and_its_figures_are_not_kept(site: PublicSite) -> None:
    site.use(site.project(), ONE, says={"RX1": "answer", "RX2": "answer", "RX3": "silent"})
    first = site.store.queries.answers(ONE)[0]
    site.now += 100 * DAY
    keep(site)
    late = AnswerRow(
        release_id=ONE, node="RX3", envelope=first.envelope, vector=b"12345678", status="answer", rho_nano=5,
        late=False, received=site.now,
    )  # fmt: skip
    assert site.store.queries.add_answer(late, in_time=())
    kept = site.store.queries.answers(ONE)[2]
    assert (kept.node, kept.vector, kept.rho_nano, kept.late) == ("RX3", b"", 5, True)
    # And no second one is taken in its place.
    assert not site.store.queries.add_answer(late, in_time=())


def test_a_release_id_is_for_ever(site: PublicSite) -> None:
    permit = site.project()
    site.use(permit, ONE)
    site.now += 100 * DAY
    keep(site)
    with pytest.raises(AssertionError):  # the store refuses the id: ``use`` asserts that it took it
        site.use(permit, ONE)
    assert row(site, ONE).result is None


def test_open_queries_and_young_ones_are_left_alone(site: PublicSite) -> None:
    permit = site.project()
    site.use(permit, ONE, state="offered")
    site.use(permit, TWO, closed=NOW + 30 * DAY)
    site.use(permit, THREE, state="cancelled")
    site.now = NOW + 100 * DAY
    keep(site)
    assert set(site.store.keeping.erased([ONE, TWO, THREE])) == {THREE}


# -- criteria ------------------------------------------------------------------------------------------------------


def test_criteria_are_on_the_log_whether_the_result_is_published_or_not(site: PublicSite) -> None:
    permit = site.project()
    site.use(permit, ONE)
    site.use(permit, TWO, says={"RX1": "refused", "RX2": "refused"}, state="expired")
    found = use(site, ONE)["criteria"]
    assert isinstance(found, dict)
    record = Criteria.model_validate_json(json.dumps(found["record"]))
    assert (record.release_id, record.sha256) == (ONE, found["sha256"])
    assert record.presentation.asked_by == ("project:none",)
    assert record.reviewed_by == ()
    words = use(site, ONE)["columns"]["Disclosure criteria"]  # type: ignore[index]
    assert words.startswith("Profile none (no count is withheld or rounded), asked by project:none")
    assert words.endswith(f"reviewed by nobody recorded; SHA-256 {found['sha256']}")
    assert use(site, TWO)["criteria"] is None
    assert use(site, TWO)["columns"]["Disclosure criteria"] == "None"  # type: ignore[index]
    page = site.get(f"/public/queries/{row(site, ONE).query_hash}").text
    assert found["sha256"] in page


def test_the_first_record_of_a_release_stays(site: PublicSite) -> None:
    site.use(site.project(), ONE)
    first = site.store.keeping.criteria([ONE])[ONE]
    other = type(first)(release_id=ONE, sha256="0" * 64, record="{}")
    site.store.keeping.add_criteria(other)
    assert site.store.keeping.criteria([ONE])[ONE].sha256 == first.sha256
