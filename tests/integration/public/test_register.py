"""The register: column for column, verifiable, never empty, never of a draft."""

from __future__ import annotations

import base64
import csv
import io
import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from coordinator.store import ApplicationRow
from tests.factories.documents import NOW, node_entry, roster
from tests.factories.projects import application, team_member
from tests.lib.public_site import ADA, BOB, COMMITTEE, ENTRIES, EVE, HOLDERS, NODES, ROOT, PublicSite, stance
from trustquery.errors import TrustQueryError
from trustquery.identity import SigningKey
from trustquery.outputs.sheets import read_sheet, write_sheet
from trustquery.projects.questions import QUESTIONS
from trustquery.projects.register import COLUMNS, HDR_UK, MANDATORY, said
from trustquery.projects.verifying import verify_register

NAUGHTY = Path(__file__).parents[2] / "security" / "naughty_strings.toml"
TEXTS = sorted(
    {text for group in tomllib.loads(NAUGHTY.read_text(encoding="utf-8")).values() for text in group["texts"]}
)
FORMULAE = ["=1+1", "+1", "-1", "@SUM(1)", "\t=1", "\r=1", "'=1", "\n=1", "＝1"]


def export(site: PublicSite) -> dict[str, Any]:
    found: dict[str, Any] = site.get("/public/register/data.json").json()
    return found


def faults(document: dict[str, Any]) -> list[tuple[str, str]]:
    return [(item.about, item.text) for item in verify_register(document, ROOT) if not item.holds]


# -- columns -------------------------------------------------------------------------------------------------------


def test_the_columns_are_those_of_the_data_use_register_in_its_order() -> None:
    assert len(HDR_UK) == 31
    assert HDR_UK[0] == "Project ID"
    assert HDR_UK[8] == "Sub-licence arrangements (if any)?"
    assert HDR_UK[17] == "Latest approval date"
    assert HDR_UK[-3:] == ("Access type", "How has data been processed to enhance privacy?", "Link to research outputs")
    assert set(HDR_UK) > MANDATORY
    assert {question.column for question in QUESTIONS if question.column} < set(HDR_UK)


@pytest.mark.acceptance("INP-11")
def test_the_csv_is_read_back_column_for_column(site: PublicSite) -> None:
    """INP-11: what looks like a formula is neutral in the file and whole again when it is read back."""
    # An application cannot hold the control characters; other texts of the register might.
    usable = [text for text in FORMULAE if not set(text) & set("\t\r")]
    for place, text in enumerate(usable):
        site.project(project=f"p{place}", title=text.strip("\n"), lay_summary=text, public_benefit=text)
    entries = export(site)["entries"]
    body = site.get("/public/register/data.csv").content.decode()
    raw = list(csv.reader(io.StringIO(body, newline="")))
    assert tuple(raw[0]) == COLUMNS
    assert [
        cell for line in raw for cell in line if cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n", "＝"))
    ] == []
    rows = read_sheet(body)
    assert [list(row) for row in rows] == [list(COLUMNS)] * len(usable)
    assert rows == [entry["columns"] for entry in entries]


def test_every_formula_is_neutral_in_a_sheet_and_whole_again() -> None:
    rows = [{"a": text, "b": "x"} for text in FORMULAE]
    body = write_sheet(("a", "b"), rows)
    cells = [cell for line in csv.reader(io.StringIO(body, newline="")) for cell in line]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n", "＝"))]
    assert read_sheet(body) == rows


def test_a_row_says_what_the_application_says(site: PublicSite) -> None:
    site.project(words={"RX1": "accepted-with-conditions", "RX2": "declined"})
    [entry] = export(site)["entries"]
    row = entry["columns"]
    assert row["Project title"] == "Stays"
    assert row["Applicant name(s)"] == "Ada Lovelace"
    assert row["Applicant ID"] == ADA.key_id
    assert row["Funders/ Sponsors"] == "NIHR; sponsor: University of Example"
    assert row["Latest approval date"] == row["Release/Access date"] == "2026-09-21"
    assert row["Access type"].startswith("TRE")
    assert row["State"] == "live"
    assert row["Privacy loss permitted at each trust (rho)"] == "RX1 0.5"
    assert row["Trusts that accepted"].startswith("RX1 Trust RX1 (conditions: Figures of this trust alone")
    assert row["Trusts that declined"] == "RX2 Trust RX2: Our board has not met yet."
    assert row["Trusts that have not answered"] == "RX3 Trust RX3"


@pytest.mark.parametrize("text", ["0", "é", "a\u00a0b"])
def test_a_mandatory_column_is_never_empty(site: PublicSite, text: str) -> None:
    words = ("lay_summary", "public_benefit", "technical_summary", "common_law", "linkage", "confidential_data")
    lines = ("title", "organisation", "organisation_id", "sublicence")
    changed: dict[str, Any] = dict.fromkeys((*words, *lines), text)
    site.project(**changed, funders=(text,), other_committees=(), team=(team_member(ADA.public.hex(), name=text),))
    [entry] = export(site)["entries"]
    assert all(any(character.isalnum() for character in cell) for cell in entry["columns"].values())
    assert entry["columns"]["Lay summary"] == said(text)


@pytest.mark.parametrize("text", ["", " ", "\u200b", "\u00a0\u3000", "\u202e", "\ufeff"])
def test_what_looks_empty_is_said_to_be(text: str) -> None:
    assert said(text) == "Not stated"


def test_a_permit_without_a_kept_application_is_there_too(site: PublicSite) -> None:
    permit = site.project()
    with site.store.transaction() as session:
        session.query(ApplicationRow).delete()
    [entry] = export(site)["entries"]
    assert entry["columns"]["Project title"] == permit.title
    assert all(entry["columns"][name] for name in COLUMNS)
    assert ("application", "the export carries none, so what was asked for cannot be checked") in faults(export(site))


@pytest.mark.parametrize(
    ("state", "now", "shown"),
    [("live", 0, "live"), ("suspended", 0, "suspended"), ("closed", 0, "closed")],
)
def test_a_project_stays_whatever_becomes_of_it(site: PublicSite, state: str, now: int, shown: str) -> None:
    site.project(state=state)
    assert export(site)["entries"][0]["columns"]["State"] == shown


def test_a_permit_that_ran_out_is_expired_by_the_clock(site: PublicSite) -> None:
    permit = site.project()
    site.now = permit.expires - 1
    assert export(site)["entries"][0]["columns"]["State"] == "live"
    site.now = permit.expires
    assert export(site)["entries"][0]["columns"]["State"] == "expired"


def test_nothing_of_a_draft_or_of_a_refused_application_is_public(site: PublicSite) -> None:
    site.project()
    secret = application(project="secret-plan", title="Unpublished idea", key=EVE.public.hex())
    amended = application(version=2, previous="0c" * 32, title="Unpublished idea", key=ADA.public.hex())
    for row, state in ((secret, "draft"), (secret, "refused"), (amended, "submitted")):
        with site.store.projects.change(row.project, NOW) as change:
            if not any(kept.version == row.version for kept in change.applications()):
                change.add(
                    ApplicationRow(
                        project=row.project, version=row.version, state=state, applicant="eve",
                        answers=json.dumps({"title": "Unpublished idea"}), sha256=row.sha256, updated=NOW,
                        envelope=row.sign(EVE).encode(),
                    )
                )  # fmt: skip
            change.note("edit", "eve", "Unpublished idea", public=False)
    text = base64.b64encode(b"Unpublished idea").decode()[:12]
    for path in (
        "/public/",
        "/public/register",
        "/public/projects/stays",
        "/public/register/data.json",
        "/public/queries",
    ):
        body = site.get(path).text
        assert "Unpublished" not in body
        assert "secret-plan" not in body
        assert text not in body
    assert site.get("/public/projects/secret-plan").status_code == 404
    assert "A note about a draft" not in site.get("/public/projects/stays").text


# -- verifying -----------------------------------------------------------------------------------------------------


def test_an_export_verifies_with_the_root_alone(site: PublicSite) -> None:
    site.project(words={"RX1": "accepted", "RX2": "declined", "RX3": "accepted-with-conditions"})
    site.project(project="other")
    found = verify_register(export(site), ROOT)
    assert [item for item in found if not item.holds] == []
    assert {(item.project, item.about) for item in found} >= {
        ("", "roster"), ("stays", "application"), ("stays", "permit"), ("stays", "stance"), ("stays", "row"),
        ("other", "row"),
    }  # fmt: skip


def test_a_permit_signed_under_an_older_roster_verifies(site: PublicSite) -> None:
    site.project()
    carol, dan = SigningKey.generate(), SigningKey.generate()
    fresh = tuple(
        person.model_copy(update={"key": key.public.hex()}) for person, key in zip(COMMITTEE, (carol, dan), strict=True)
    )
    later = roster(ENTRIES, fresh, version=2, issued=NOW, expires=NOW + 86_400)
    site.base.rosters.install(later.sign(*HOLDERS[:2]).encode(), NOW)
    assert faults(export(site)) == []
    only_new = export(site)
    only_new["rosters"] = only_new["rosters"][1:]
    assert (
        "permit",
        "the permit cannot be verified: no roster of its time names a committee that signed it",
    ) in faults(only_new)


def forged(site: PublicSite, change: Any) -> list[tuple[str, str]]:
    document = export(site)
    change(document, document["entries"][0])
    return faults(document)


def test_every_lie_in_a_row_is_found(site: PublicSite) -> None:
    """Each column is changed in turn; what no signature covers is said to be unchecked, and is only this."""
    site.project()
    free = {"State", "Latest approval date"}
    spent = {name for name in COLUMNS if name.startswith("Privacy loss spent")}
    for column in COLUMNS:
        lies = forged(site, lambda _, entry, column=column: entry["columns"].update({column: "a lie"}))
        assert bool(lies) is (column not in free), column
    assert spent < set(COLUMNS)
    assert forged(site, lambda _, entry: entry["columns"].update({"More": "x"}))
    assert forged(site, lambda _, entry: entry["columns"].pop("State"))


def test_forged_documents_are_found(site: PublicSite) -> None:
    permit = site.project()
    lone = permit.sign(BOB).encode().decode()
    own = permit.sign(ADA, EVE).encode().decode()
    other = site.project(project="other").sign(BOB, EVE).encode().decode()
    stranger = stance(permit, "RX1").sign(EVE).encode().decode()
    as_rx3 = stance(permit, "RX3").sign(NODES["RX1"]).encode().decode()
    elsewhere = stance(permit, "RX3", permit_hash="0d" * 32).sign(NODES["RX3"]).encode().decode()
    unsigned = application(key=ADA.public.hex(), title="Another title").sign(EVE).encode().decode()
    for kind, lie in (
        ("permit", lone), ("permit", own), ("permit", other), ("permit", "{}"), ("application", unsigned),
        ("stances", [stranger]), ("stances", [as_rx3]), ("stances", [elsewhere]), ("stances", []),
    ):  # fmt: skip
        document = export(site)
        [entry] = [item for item in document["entries"] if item["project"] == "stays"]
        entry["documents"][kind] = lie
        assert faults(document), (kind, lie[:80])


def test_a_committee_member_does_not_sign_their_own_permit(site: PublicSite) -> None:
    site.project(team=(team_member(ADA.public.hex()), team_member(BOB.public.hex(), person="bob", role="analyst")))
    assert ("permit", "the permit cannot be verified: somebody on the project's team signed it") in faults(export(site))


def test_another_federations_root_is_no_root(site: PublicSite) -> None:
    site.project()
    strangers = ROOT.model_copy(update={"keys": tuple(SigningKey.generate().public.hex() for _ in range(3))})
    assert [item.about for item in verify_register(export(site), strangers) if not item.holds][:2] == [
        "roster",
        "roster",
    ]
    with pytest.raises(TrustQueryError, match="another federation"):
        verify_register(export(site), ROOT.model_copy(update={"federation": "other"}))
    for wrong in ({}, {"format": "tq-register-2"}, {"format": "tq-register-2", "entries": 1, "rosters": []}):
        with pytest.raises(TrustQueryError, match="format"):
            verify_register(wrong, ROOT)
    broken = export(site)
    broken["entries"] = [{"project": "stays"}, 3, {"project": "stays"}]
    assert len(faults(broken)) >= 3


def test_a_stance_after_the_trust_left_the_roster_does_not_count(site: PublicSite) -> None:
    permit = site.project(words={"RX1": "accepted"})
    document = export(site)
    late = stance(permit, "RX1", said=NOW + 40 * 86_400).sign(NODES["RX1"]).encode().decode()
    document["entries"][0]["documents"]["stances"] = [late]
    assert ("stance", "the stance cannot be verified: its trust was on no roster when it said so") in faults(document)
    assert node_entry("RX1", NODES["RX1"]).key == ENTRIES[0].key


# -- opt-outs --------------------------------------------------------------------------------------------------------


def test_an_exemption_from_opt_outs_stands_in_the_register_and_on_the_page_with_its_basis(site: PublicSite) -> None:
    basis = "Regulation 3 of the Control of Patient Information Regulations 2002: communicable disease."
    site.project(project="exempt", opt_out_treatment="exempt-with-basis", opt_out_basis=basis)
    site.project(project="ordinary", opt_out_treatment="applied", opt_out_basis="The national data opt-out applies.")
    rows = {row["Project ID"]: row for row in read_sheet(site.get("/public/register/data.csv").text)}
    told = {name: row["National data opt-out applied?"] for name, row in rows.items()}
    assert told["exempt"] == f"No, under a legal basis. {basis}"
    assert told["ordinary"].startswith("Yes.")
    for project, words in (("exempt", told["exempt"]), ("ordinary", told["ordinary"])):
        assert words in site.get(f"/public/projects/{project}").text
        columns = site.get(f"/public/projects/{project}/data.json").json()["columns"]
        assert columns["National data opt-out applied?"] == words
