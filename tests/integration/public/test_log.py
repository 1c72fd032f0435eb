"""The log of uses, publishing and withdrawing, and the promise in numbers."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from tests.factories.documents import NOW
from tests.lib.public_site import ADA, ANN, EVE, SQL, PublicSite
from trustquery.identity import SigningKey
from trustquery.log import Entry
from trustquery.outputs.sheets import read_sheet
from trustquery.privacy.budget import epsilon_of

AB, CD, EF = "ab" * 32, "cd" * 32, "ef" * 32


def log(site: PublicSite, **filters: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = site.get("/public/queries/data.json", params=filters).json()["uses"]
    return found


def code_of(response: Any) -> str:
    return str(response.json()["problems"][0]["code"])


def test_what_the_log_says_of_a_use(site: PublicSite) -> None:
    permit = site.project()
    row = site.use(permit, AB)
    [use] = log(site)
    columns = use["columns"]
    assert columns["Date"] == "2026-09-21"
    assert columns["Lay summary"] == permit.lay_summary
    assert columns["Code (SQL)"] == SQL
    assert columns["Query hash"] == row.query_hash
    assert columns["Asked by"] == "project lead"
    assert columns["Trusts that answered"] == "RX1; RX2"
    assert columns["Trusts that did not, with reason"] == "RX3 refused, budget-exhausted"
    assert columns["Privacy loss at each trust (rho)"] == "RX1 0.000135349; RX2 0.000135349"
    assert columns["Result"] == "Not published"
    assert "Ada" not in json.dumps(use)
    assert ADA.key_id not in json.dumps(use)
    assert [row["Code (SQL)"] for row in read_sheet(site.get("/public/queries/data.csv").text)] == [SQL]


def test_every_end_is_in_the_log_and_nothing_that_is_under_way(site: PublicSite) -> None:
    permit = site.project()
    site.use(permit, "01" * 32)
    site.use(permit, "02" * 32, state="expired", says={"RX1": "refused", "RX2": "refused"})
    site.use(permit, "03" * 32, state="expired", says={"RX1": "answer", "RX2": "refused", "RX3": "silent"})
    site.use(permit, "04" * 32, state="expired", says={"RX1": "silent", "RX2": "silent"})
    site.use(permit, "05" * 32, state="cancelled", says={"RX1": "late", "RX2": "silent"})
    site.use(permit, "06" * 32, state="offered", closed=0)
    found = {use["release"][:2]: use["outcome"] for use in log(site)}
    assert found == {"01": "released", "02": "refused", "03": "too-few", "04": "too-few", "05": "cancelled"}
    for outcome in ("released", "refused", "too-few", "cancelled"):
        assert {use["release"][:2] for use in log(site, outcome=outcome)} == {
            name for name, kind in found.items() if kind == outcome
        }
    [late] = log(site, outcome="cancelled")
    assert late["trusts"][0]["word"] == "late"
    assert late["trusts"][0]["rho_nano"] > 0


def test_filters_stand_in_the_url(site: PublicSite) -> None:
    one, two = site.project(), site.project(project="other")
    site.use(one, AB, says={"RX1": "answer", "RX2": "answer"})
    site.use(two, CD, says={"RX1": "answer", "RX3": "answer"}, closed=NOW - 40 * 86_400)
    assert [use["release"] for use in log(site)] == [CD, AB]
    assert [use["release"] for use in log(site, project="other")] == [CD]
    assert [use["release"] for use in log(site, trust="RX3")] == [CD]
    assert [use["release"] for use in log(site, trust="RX")] == []
    assert [use["release"] for use in log(site, trust="%")] == []
    assert [use["release"] for use in log(site, month="2026-09")] == [AB]
    assert [use["release"] for use in log(site, month="2026-08")] == [CD]
    assert [use["release"] for use in log(site, month="2026-08", project="stays")] == []


def test_a_page_holds_the_same_uses_for_ever(site: PublicSite) -> None:
    permit = site.project()
    for place in range(60):
        site.use(permit, f"{place:064x}", closed=NOW - 100 + place)
    before = [use["release"] for use in log(site, page="1")]
    assert len(before) == 50
    assert len(log(site, page="2")) == 10
    for place in range(60, 63):
        site.use(permit, f"{place:064x}", closed=NOW - 10 + place)
    assert [use["release"] for use in log(site, page="1")] == before
    assert len(log(site, page="2")) == 13
    assert [use["release"] for use in log(site)] == [f"{place:064x}" for place in range(63)]


def test_one_question_by_its_hash(site: PublicSite) -> None:
    permit = site.project()
    row = site.use(permit, AB)
    site.use(permit, CD, sql=SQL.lower())
    for name in (row.query_hash, row.query_hash[:8], AB, AB[:12]):
        found = site.get(f"/public/queries/{name}/data.json").json()
        assert found["query_hash"] == row.query_hash
        assert [use["release"] for use in found["uses"]] == [AB, CD]
    assert code_of(site.get(f"/public/queries/{AB[:7]}/data.json")) == "query-not-public"
    site.use(permit, EF, sql="SELECT count(*) AS n FROM person", state="offered", closed=0)
    assert site.get(f"/public/queries/{EF}/data.json").status_code == 404


# -- publishing and withdrawing -------------------------------------------------------------------------------------


def test_a_lead_publishes_and_a_withdrawal_stays(site: PublicSite) -> None:
    row = site.use(site.project(), AB)
    site.login("ada", ADA)
    assert log(site)[0]["result"] is None
    assert site.call("POST", f"/v1/queries/{AB[:12]}/publish").json() == {"query": AB, "query_hash": row.query_hash}
    [use] = log(site)
    assert use["published"] is True
    assert use["result"]["rows"][0][0]["value"] == 2000.0
    assert "about 2,000" in site.get(f"/public/queries/{AB}").text
    assert code_of(site.call("POST", f"/v1/queries/{AB}/publish")) == "query-published"

    reason = {"reason": "The codelist missed <b>one</b>."}
    assert site.call("POST", f"/v1/queries/{AB}/withdraw", json=reason).status_code == 200
    [use] = log(site)
    assert (use["published"], use["result"]) == (False, None)
    assert use["withdrawn"] == {"date": "2026-09-21", "reason": reason["reason"]}
    assert use["columns"]["Code (SQL)"] == SQL
    page = site.get(f"/public/queries/{AB}").text
    assert "Withdrawn" in page
    assert "&lt;b&gt;one" in page
    assert "about 2,000" not in page
    for action in ("publish", "withdraw"):
        assert code_of(site.call("POST", f"/v1/queries/{AB}/{action}", json=reason)) == "query-withdrawn"
    assert [event.action for event in site.store.projects.events("stays")] == [
        "approve",
        "submit",
        "publish",
        "withdraw",
    ]


def test_who_may_publish_and_withdraw(site: PublicSite) -> None:
    permit = site.project()
    site.use(permit, AB)
    site.use(permit, CD, state="expired", says={"RX1": "refused", "RX2": "refused"})
    body = {"reason": "Wrong."}
    for action in ("publish", "withdraw"):
        assert code_of(site.call("POST", f"/v1/queries/{AB}/{action}", json=body)) == "auth-required"
    site.login("eve", EVE)
    for action, name in (("publish", AB), ("withdraw", AB), ("publish", EF), ("withdraw", EF)):
        assert code_of(site.call("POST", f"/v1/queries/{name}/{action}", json=body)) == "query-unknown"
    site.login("ann", ANN)
    # The committee may read the project, so it is told why not.
    assert code_of(site.call("POST", f"/v1/queries/{AB}/publish")) == "auth-not-permitted"
    assert site.call("POST", f"/v1/queries/{AB}/withdraw", json=body).status_code == 200
    assert site.store.projects.events("stays")[-1].actor == "committee member"
    site.login("ada", ADA)
    for action in ("publish", "withdraw"):
        assert code_of(site.call("POST", f"/v1/queries/{CD}/{action}", json=body)) == "query-not-released"
    for wrong in ({"reason": ""}, {"reason": "  "}, {}, {"reason": "x", "more": 1}):
        assert site.call("POST", f"/v1/queries/{AB}/withdraw", json=wrong).status_code == 400


def test_a_committee_member_on_the_team_withdraws_as_its_lead_only(site: PublicSite) -> None:
    """Who has a part in a project does not decide on it; an analyst of the team may do neither."""
    from tests.factories.projects import team_member

    bob = SigningKey.generate()
    site.store.people.add("bob", bob.public.hex(), NOW)
    team = (team_member(ADA.public.hex()), team_member(bob.public.hex(), person="bob", role="analyst"))
    site.use(site.project(team=team), AB)
    site.login("bob", bob)
    for action in ("publish", "withdraw"):
        assert code_of(site.call("POST", f"/v1/queries/{AB}/{action}", json={"reason": "x"})) == "auth-not-permitted"


# -- the promise ---------------------------------------------------------------------------------------------------


def numbers(site: PublicSite) -> dict[str, Any]:
    found: dict[str, Any] = site.get("/public/promise/data.json").json()
    return found


def test_the_promise_before_anything(site: PublicSite) -> None:
    assert {line["epsilon"] for line in numbers(site)["lines"]} == {"0"}
    assert {line["guess"] for line in numbers(site)["lines"]} == {"0.5"}


def test_rho_is_added_and_epsilon_worked_out_once(site: PublicSite) -> None:
    """k = 2 in this catalogue. Charged twice 135,349 nano at RX1 and RX2; RX1 may spend 0.5, RX3 0.25."""
    permit = site.project(words={"RX1": "accepted", "RX2": "declined", "RX3": "accepted"}, rho="0.25")
    cost = 135_349
    site.use(permit, AB)
    site.use(permit, CD)
    lines = {(line["period"], line["trusts"]): line for line in numbers(site)["lines"]}
    assert sorted({k for _, k in lines}) == [1, 2]
    whole = 250_000_000
    one, two = lines["lifetime", 1], lines["lifetime", 2]
    # At RX1: charged and what is left make the cap; RX3 was never charged, so its whole cap is left.
    assert one["charged_rho_nano"] + one["permitted_rho_nano"] == whole
    assert two["charged_rho_nano"] + two["permitted_rho_nano"] == 2 * whole
    assert two["charged_rho_nano"] == 2 * cost
    assert two["epsilon"] == str(epsilon_of(2 * whole))
    assert Decimal(two["epsilon"]) < 2 * Decimal(one["epsilon"])
    assert numbers(site)["by_trust"] == [
        {"node": "RX1", "charged_rho": "0.000270698", "permitted_rho": "0.249729302"},
        {"node": "RX2", "charged_rho": "0.000270698", "permitted_rho": "0"},
        {"node": "RX3", "charged_rho": "0", "permitted_rho": "0.25"},
    ]


def test_what_has_ended_may_spend_no_more_and_stays_charged(site: PublicSite) -> None:
    site.use(site.project(state="closed"), AB)
    lines = {(line["period"], line["trusts"]): line for line in numbers(site)["lines"]}
    assert lines["lifetime", 1]["permitted_rho_nano"] == 0
    assert lines["lifetime", 1]["charged_rho_nano"] == 135_349
    site.now = NOW + 367 * 86_400
    lines = {(line["period"], line["trusts"]): line for line in numbers(site)["lines"]}
    assert [lines[period, 1]["charged_rho_nano"] for period in ("12 months", "10 years", "lifetime")] == [
        0,
        135_349,
        135_349,
    ]


@pytest.mark.parametrize("state", ["suspended", "live", "approved"])
def test_what_may_come_back_counts_as_permitted(site: PublicSite, state: str) -> None:
    site.project(state=state)
    assert numbers(site)["lines"][0]["permitted_rho_nano"] == 500_000_000


@pytest.mark.acceptance("AUD-09")
def test_what_every_trust_charged_can_be_added_up_from_the_log_alone(site: PublicSite) -> None:
    """The coordinator's part: per project and trust, what entries say is what the signed answers say. The trust's own
    ledger, which charges late and silent answers as well, is rebuilt from its own log."""
    permit = site.project()
    site.use(permit, "a1" * 32)
    site.use(permit, "a2" * 32, says={"RX1": "answer", "RX2": "late", "RX3": "refused"})
    found: dict[tuple[str, str], int] = {}
    project: dict[str, str] = {}
    for payload in site.store.audit.payloads(0, 10_000):
        entry = Entry.from_payload(payload)
        if entry.kind == "query.ask":
            project[entry.release_id] = entry.project
        if entry.rho_nano:
            place = project[entry.release_id], entry.node
            found[place] = found.get(place, 0) + entry.rho_nano
    charged = {(permit.project, node): rho for node, rho, _ in site.store.queries.charged(permit.project)}
    assert found == charged
    assert {node for _, node in found} == {"RX1", "RX2"}
