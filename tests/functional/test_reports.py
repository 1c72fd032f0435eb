"""``tq-node report`` beside a real node that answered, refused and was told no: the command, its formats and pages."""

from __future__ import annotations

import csv
import datetime
import io
import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tests.factories.trust import key
from tests.lib.lone_node import DATASET, ODS, LoneNode, lone_node
from tests.lib.processes import wait_for
from trustquery.identity import Envelope, Intent
from trustquery.privacy.budget import epsilon_of

SQL = "SELECT count(*) AS attendances FROM emergency_attendance"
THIS_MONTH = datetime.datetime.now(datetime.UTC).strftime("%Y-%m")
CAPS = {"rho_12_months": "0.5"}


@dataclass
class Story:
    """A month of one node: what was asked, and what became of it."""

    lone: LoneNode
    answered: list[str]
    refused: list[str]
    early: list[str]

    def report(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.lone.node.cli("report", *arguments), capture_output=True, text=True, check=False, timeout=60
        )

    def month(self) -> dict[str, Any]:
        found = self.report("--month", THIS_MONTH, "--format", "json")
        assert found.returncode == 0, found.stderr
        data: dict[str, Any] = json.loads(found.stdout)["data"]
        return data


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    folder = tmp_path_factory.mktemp("reports") / "node"
    folder.mkdir()
    slots = "slot_ms = 100\nallowance_ms = 100"
    row = {"person_id": "canary-4711", "arrival_at": datetime.datetime(2020, 1, 1), "age_on_arrival": 50}
    with lone_node(folder, {"emergency_attendance": [row]}, SQL, slots, policy=CAPS) as lone:
        lone.node.end()
        lone.node.start()
        wait_for((lone.node.home.documents / "permits" / "stays.dsse").exists, 10, "the permit")
        offers = [*lone.offers(2, rho_nano=10_000_000), *lone.offers(1, rho_nano=200_000_000)]
        (early_id, early) = lone.offers(1)[0]
        intent = Envelope.decode(early.intent, kind=Intent.KIND)
        forged = Intent.from_payload(intent.payload).sign(key("eve")).encode()
        for release_id, offer in [*offers, (early_id, replace(early, intent=forged))]:
            lone.observer.ask(ODS, release_id, offer)
        wait_for(lambda: lone.states().get("SENT") == 2, 10, "the answers")
        yield Story(lone, [name for name, _ in offers[:2]], [offers[2][0]], [early_id])


def test_a_month_says_what_left_by_project(story: Story) -> None:
    month = story.month()
    (project,) = month["projects"]
    assert {name: project[name] for name in ("project", "title", "purpose", "released", "refused", "people")} == {
        "project": "stays", "title": "Stays", "purpose": "health-service-planning", "released": 2, "refused": 1,
        "people": ["Ada"],
    }  # fmt: skip
    assert project["opt_outs"] == ["synthetic-data"]
    by_id = {row["release_id"]: row for row in month["questions"]}
    assert set(by_id) == {*story.answered, *story.refused}
    charged = dict(
        story.lone.node.ledger("SELECT release_id, rho_nano FROM charge WHERE scope = 'node-wide' AND refunded = 0")
    )
    for release_id in story.answered:
        row = by_id[release_id]
        assert (row["outcome"], row["reasons"], row["person"], row["organisation"]) == (
            "released", "", "Ada", "University"
        )  # fmt: skip
        assert row["rho_nano"] == charged[release_id] > 0
        assert row["epsilon"] == f"{epsilon_of(charged[release_id]).normalize():f}"
    (refused,) = (by_id[release_id] for release_id in story.refused)
    assert (refused["outcome"], refused["reasons"], refused["rho_nano"]) == ("refused", "rho-per-query", 0)
    assert month["rho_nano"] == sum(charged.values())
    # The document that nobody had signed belongs to no project, and its reason is the log's.
    assert [item["codes"] for item in month["refused_before_policy"]] == [["auth-document"]]


def test_shares_of_caps_are_what_the_ledger_leaves(story: Story) -> None:
    month = story.month()
    spent = month["rho_nano"]
    caps = {(item["what"], item["period"]): item for item in month["caps"]}
    whole = caps["everything this trust answers", "any 12 months"]
    assert (whole["cap_rho_nano"], whole["spent_rho_nano"]) == (500_000_000, spent)
    assert whole["left_percent"] == f"{(500_000_000 - spent) * 1000 // 500_000_000 / 10}"
    assert caps[f"dataset {DATASET}", "lifetime"]["spent_rho_nano"] == spent
    (project,) = month["projects"]
    own = {item["period"]: item["cap_rho_nano"] for item in project["caps"]}
    assert own == {"any 12 months": 300_000_000, "lifetime": 300_000_000}


def test_documents_that_changed_are_listed(story: Story) -> None:
    texts = [item["text"] for item in story.month()["changes"]]
    assert "Policy version 1 came into force." in texts
    assert any(text.startswith("Project stays was accepted, at most rho 1 (epsilon ") for text in texts)
    assert "Permit version 1 of project stays began." in texts


def test_the_same_as_a_table_and_as_csv(story: Story) -> None:
    shown = story.report("--month", THIS_MONTH)
    assert shown.returncode == 0
    assert shown.stdout.splitlines()[0].split() == [
        "Date", "Project", "Asked", "by", "Dataset", "Outcome", "Reason", "Rho", "Epsilon", "Query"
    ]  # fmt: skip
    assert len(shown.stdout.splitlines()) == 4
    assert "2 released, 2 refused" in shown.stderr
    assert "What did not leave" in shown.stderr
    assert "next: " in shown.stderr
    sheet = list(csv.DictReader(io.StringIO(story.report("--month", THIS_MONTH, "--format", "csv").stdout)))
    assert [{**row, "rho_nano": int(row["rho_nano"])}["rho_nano"] for row in sheet] == [
        row["rho_nano"] for row in story.month()["questions"]
    ]


def test_a_page_for_the_board(story: Story, tmp_path: Path) -> None:
    page = tmp_path / "board.md"
    assert story.report("--month", THIS_MONTH, "--page", page).returncode == 0
    text = page.read_text()
    assert text.startswith(f"# What left Trust {ODS}: 1 ")
    assert "2 answers left the trust, 1 question was refused by policy or after it, and 1 before." in text
    for heading in ("## Stays", "## Privacy budget", "## Refused before the policy", "## Documents and marks"):
        assert heading in text
    assert "the data are made up, so there is nobody to opt out" in text


def test_without_a_month_it_is_the_last_full_one(story: Story) -> None:
    found = story.report("--format", "json")
    data = json.loads(found.stdout)["data"]
    today = datetime.datetime.now(datetime.UTC).date()
    before = today.replace(day=1) - datetime.timedelta(days=1)
    assert (data["month"], data["whole"], data["questions"]) == (before.strftime("%Y-%m"), True, [])
    assert data["rho_nano"] == 0


@pytest.mark.parametrize("month", ["2026", "2026-13", "2026-00", "9999-01", "november", "2026-1", "2026-11-01"])
def test_what_is_no_month_is_refused(story: Story, month: str) -> None:
    found = story.report("--month", month)
    assert (found.returncode, "usage-invalid" in found.stderr, found.stdout) == (2, True, "")


def test_it_reads_beside_the_node_and_changes_nothing(story: Story) -> None:
    before = story.lone.node.ledger("SELECT count(*), max(seq) FROM leaf")
    stances = len(story.lone.observer.stances)
    for arguments in (["--month", THIS_MONTH], ["--dpia"], ["--privacy-notice"]):
        assert story.report(*arguments).returncode == 0
    assert story.lone.node.ledger("SELECT count(*), max(seq) FROM leaf") == before
    story.lone.ask()
    wait_for(lambda: story.lone.states().get("SENT") == 3, 10, "one more answer")
    assert len(story.lone.observer.stances) == stances


def test_no_report_holds_a_patients_value(story: Story, tmp_path: Path) -> None:
    page = tmp_path / "board.md"
    texts = [story.report("--month", THIS_MONTH, "--format", "json", "--page", page).stdout, page.read_text()]
    texts += [story.report(kind).stdout for kind in ("--dpia", "--privacy-notice")]
    assert all(len(text) > 500 for text in texts)
    assert not any("canary" in text or "4711" in text for text in texts)


def test_the_assessment_and_the_notice_are_drawn_from_this_home(story: Story, tmp_path: Path) -> None:
    found = story.report("--dpia", "--page", tmp_path / "dpia.md")
    assert (found.returncode, found.stdout) == (0, "")
    draft = (tmp_path / "dpia.md").read_text()
    for step in range(1, 8):
        assert f"## Step {step}: " in draft
    assert "emergency\\_attendance.age\\_on\\_arrival" in draft
    assert "| everything this trust answers | 0.5 | 2 |" in draft
    notice = story.report("--privacy-notice", "--contact", "patients@rx1.example", "--dpo", "Dr Dee, dpo@rx1.example")
    assert "patients@rx1.example" in notice.stdout
    assert "Dr Dee, dpo@rx1.example" in notice.stdout
    assert "`--contact`" not in notice.stdout
    both = story.report("--dpia", "--privacy-notice")
    assert (both.returncode, "usage-invalid" in both.stderr) == (2, True)
