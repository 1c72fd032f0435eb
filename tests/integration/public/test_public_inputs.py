"""The public list of inputs: what was ever approved, by whom and why, and what was withdrawn; nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from coordinator.store import InputRow
from tests.factories.documents import NOW
from tests.integration.public.test_pages import check
from tests.lib.hostile_texts import XSS
from tests.lib.public_site import ANN, PublicSite
from trustquery.catalogue import ColumnType
from trustquery.codelists import CodingSystem, PublicColumn, PublicTable
from trustquery.identity import SigningKey, canonical, ring_of
from trustquery.outputs.sheets import read_sheet
from trustquery.projects.inputs import InputDecision

# With a hyphen, so that no hash and no signature says it by chance.
UPLOADER = "the-uploader"


def put(
    site: PublicSite, name: str, *, state: str = "approved", project: str = "stays", source: str = "OpenCodelists, OGL",
    reason: str = "As published.", key: SigningKey = ANN,
) -> InputRow:  # fmt: skip
    """An input with its signed decisions."""
    table = PublicTable(name, 1, "A list", source, (PublicColumn("icd", ColumnType.TEXT, ""),), (("I60",),))

    def signed(verdict: Any, why: str) -> bytes:
        return InputDecision(
            federation="test", id=name, version=1, table_hash=table.sha256, system=CodingSystem.ICD10, column="icd",
            verdict=verdict, reason=why, person="ann", decided=NOW,
        ).sign(key).encode()  # fmt: skip

    decided = state in ("approved", "withdrawn")
    row = InputRow(
        name=name, version=1, sha256=table.sha256, content="ab" * 32, system="icd10", column="icd", rows=1,
        project=project, uploader=UPLOADER, uploader_key="cd" * 32, state=state,
        approval=signed("approve", reason) if decided else b"", updated=NOW,
    )  # fmt: skip
    with site.store.inputs.change(name, NOW) as change:
        change.add(row, canonical.encode(table.document()))
        change.note(row, "upload", UPLOADER, f"{UPLOADER} uploaded 1 row")
        if state == "withdrawn":
            change.note(row, "withdraw", "ann", "Ann withdrew it", signed("withdraw", "It missed I64."))
    return row


def test_what_was_ever_approved_is_listed_with_its_signatures_and_nothing_else(site: PublicSite) -> None:
    assert "No input has been approved yet." in "".join(check(site, "/public/inputs").words)
    site.project()
    good, gone = put(site, "stroke"), put(site, "wrong", state="withdrawn")
    put(site, "waits", state="uploaded")
    put(site, "own_draft", project="a-draft")
    page = "".join(check(site, "/public/inputs").words)
    for words in (
        "stroke, version 1",
        good.sha256,
        "OpenCodelists, OGL",
        "As published.",
        "It missed I64.",
        "Withdrawn",
    ):
        assert words in page
    assert "waits" not in page
    assert "a-draft" not in page
    rows = read_sheet(site.get("/public/inputs/data.csv").text)
    found = {row["Name"]: row for row in rows}
    assert set(found) == {"own_draft", "stroke", "wrong"}
    assert (found["stroke"]["SHA-256"], found["stroke"]["Project"]) == (good.sha256, "stays")
    assert (found["stroke"]["Approved by"], found["own_draft"]["Project"]) == ("Ann", "")
    assert found["wrong"]["Reason of the withdrawal"] == "It missed I64."
    data = site.get("/public/inputs/data.json").json()
    assert data["format"] == "tq-inputs-1"
    told = {item["columns"]["Name"]: item for item in data["inputs"]}
    for verdict in ("approve", "withdraw"):
        decision, _, _ = InputDecision.verify(
            told["wrong"]["documents"][verdict].encode(), ring_of([ANN.public.hex()]), 1
        )
        assert (decision.verdict, decision.table_hash) == (verdict, gone.sha256)
    assert set(told["stroke"]["documents"]) == {"approve"}
    assert UPLOADER not in site.get("/public/inputs/data.json").text


def test_one_input_that_cannot_be_read_leaves_the_others_on_the_list(site: PublicSite) -> None:
    put(site, "stroke")
    bad = put(site, "broken")
    with site.store.inputs.change("broken", NOW) as change:
        change.forget(bad)
        change.note(bad, "upload", "", "lost")
    assert [row["Name"] for row in read_sheet(site.get("/public/inputs/data.csv").text)] == ["stroke"]


@pytest.mark.parametrize("text", XSS[:4])
def test_hostile_words_about_an_input_are_shown_as_words(site: PublicSite, text: str) -> None:
    site.project()
    put(site, "stroke", source=text, reason=text)
    assert text in "".join(check(site, "/public/inputs").words)
