"""A trust's policy changes, through its commands, at a node that runs: who must sign, and how long it takes."""

from __future__ import annotations

import datetime
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.factories.trust import key, policy_text
from tests.lib.lone_node import ODS, LoneNode, lone_node, status_of
from tests.lib.processes import run, wait_for
from trustquery.identity import Answer

pytestmark = [pytest.mark.timeout(240), pytest.mark.slow]
DAY = 86_400
SQL = "SELECT count(*) AS n FROM emergency_attendance"
SLOTS = "slot_ms = 50\nallowance_ms = 3000\nrows_per_second = 10000000000\ndraws_per_second = 1000000000"


@pytest.fixture
def lone(tmp_path: Path) -> Iterator[LoneNode]:
    first = datetime.datetime(2020, 1, 1)
    rows = [{"person_id": f"p{number}", "arrival_at": first, "age_on_arrival": 50} for number in range(200)]
    program = (sys.executable, "-m", "tests.lib.shifted_node", "HOME", str(tmp_path / "shift"))
    with lone_node(tmp_path, {"emergency_attendance": rows}, SQL, SLOTS, program=program) as found:
        for name in ("grace", "ivan"):
            key(name).save(tmp_path / f"{name}.pem")
        yield found


def signed(lone: LoneNode, version: int, cells: int, *names: str) -> Path:
    """A policy signed by one command a person, each of which sees the envelope of the one before."""
    folder = lone.node.folder
    changes = {"trust": f'"{ODS}"', "id": '"nhs-episodes"', "max_queries_per_hour": "100000"}
    text = folder / f"policy-{version}-{cells}.toml"
    text.write_text(policy_text(**changes, version=str(version), max_cells=str(cells)))
    target = text
    for name in names:
        done = run(*lone.node.cli("policy", "sign", target, "--key", folder / f"{name}.pem"))
        assert "next: tq-node policy activate" in done.stderr
        target = text.with_suffix(".dsse")
    return target


def activate(lone: LoneNode, path: Path) -> subprocess.CompletedProcess[str]:
    return run(*lone.node.cli("policy", "activate", path), check=False)


def in_force(lone: LoneNode) -> tuple[int, int]:
    """Version and cells of the policy in force."""
    found = json.loads(run(*lone.node.cli("policy", "show")).stdout)["data"]["policy"]
    return found["version"], found["queries"]["max_cells"]


def waiting(lone: LoneNode) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(run(*lone.node.cli("policy", "pending", "--format", "json")).stdout)[
        "data"
    ]
    return found


@pytest.mark.acceptance("AUZ-09")
def test_a_policy_is_loosened_by_two_people_and_24_hours_and_tightened_by_one_at_once(lone: LoneNode) -> None:
    assert in_force(lone) == (1, 100)
    # Tightened: one person, at once, at the running node.
    tighter = activate(lone, signed(lone, 2, 90, "grace"))
    assert (tighter.returncode, in_force(lone)) == (0, (2, 90)), tighter.stderr
    # Loosened by one: refused, by name of what is missing.
    alone = activate(lone, signed(lone, 3, 95, "ivan"))
    assert (alone.returncode, "policy-two-people" in alone.stderr) == (12, True)
    assert waiting(lone) == []
    # Loosened by two: lodged. It says what it loosens and when it takes effect.
    both = activate(lone, signed(lone, 3, 96, "ivan", "grace"))
    assert both.returncode == 0, both.stderr
    assert "it takes effect on" in both.stderr
    assert "96" in both.stderr
    (row,) = waiting(lone)
    assert (row["version"], in_force(lone)) == (3, (2, 90))
    assert any("96" in sentence for sentence in row["loosens"])
    lodged = row["effective"] - DAY
    # A second before the 24 hours, and with the clock set back: nothing happens.
    shift = lone.node.folder / "shift"
    for seconds in (DAY - 120, -10 * DAY, 0):
        shift.write_text(str(seconds))
        lone.node.end()
        lone.node.start()
        assert in_force(lone) == (2, 90)
    shift.write_text(str(DAY))
    wait_for(lambda: in_force(lone) == (3, 96), 30, "the change to take effect by itself")
    assert waiting(lone) == []
    kinds = [kind for (kind,) in lone.node.ledger("SELECT kind FROM leaf WHERE kind IN ('policy', 'lodged')")]
    assert kinds == ["policy", "policy", "lodged", "policy"]
    assert lone.node.ledger("SELECT lodged FROM lodged") == [(lodged,)]
    # The older policy does not come back, signed or not.
    older = activate(lone, signed(lone, 2, 90, "ivan", "grace"))
    assert (older.returncode, "policy-document-stale" in older.stderr) == (12, True)


def test_one_person_takes_a_waiting_change_back(lone: LoneNode) -> None:
    activate(lone, signed(lone, 2, 101, "grace", "ivan"))
    (row,) = waiting(lone)
    folder = lone.node.folder
    key("eve").save(folder / "eve.pem")
    stranger = run(*lone.node.cli("policy", "withdraw", row["change"], "--key", folder / "eve.pem"), check=False)
    assert (stranger.returncode, "policy-signature" in stranger.stderr) == (12, True)
    run(*lone.node.cli("policy", "withdraw", row["change"], "--key", folder / "ivan.pem"))
    assert waiting(lone) == []
    again = run(*lone.node.cli("policy", "withdraw", row["change"], "--key", folder / "ivan.pem"), check=False)
    assert (again.returncode, "policy-not-waiting" in again.stderr) == (12, True)


def test_the_past_is_replayed_and_checked_beside_the_running_node(lone: LoneNode) -> None:
    assert status_of(lone.ask()) == "answer"
    assert status_of(lone.ask()) == "answer"
    new = signed(lone, 2, 0)
    done = run(*lone.node.cli("policy", "replay", new, "--since", "90d"))
    assert "2 of 2 would now be refused" in done.stderr
    assert "2 by rule cells" in done.stderr
    assert "2 of project stays" in done.stderr
    facts = json.loads(run(*lone.node.cli("policy", "replay", new, "--format", "json")).stdout)["data"]
    assert (facts["total"], facts["now_refused"], facts["would_have_run_out"]) == (2, 2, [])
    checked = run(*lone.node.cli("policy", "replay", "--verify"))
    assert "2 of 2 recorded decisions are what the policy of their time decides" in checked.stderr
    assert json.loads(run(*lone.node.cli("policy", "history", "--format", "json")).stdout)["data"][0]["version"] == 1
    # A version that is not as it was signed verifies nothing.
    (lone.node.home.policy / "history" / "00000001.dsse").write_bytes(b"{}")
    broken = run(*lone.node.cli("policy", "replay", "--verify"), check=False)
    assert (broken.returncode, "policy-replay-differs" in broken.stderr) == (3, True)
    assert run(*lone.node.cli("policy", "history"), check=False).returncode == 12
    assert status_of(lone.ask()) == "refused"


def test_a_person_is_added_after_24_hours_and_a_lost_key_removed_at_once(lone: LoneNode) -> None:
    folder = lone.node.folder
    both: list[str | Path] = ["--key", folder / "grace.pem", "--key", folder / "ivan.pem"]
    made = run(*lone.node.cli("keys", "init", folder / "olu.pem", "--person", "olu", "--name", "Olu Okafor",
                              "--no-passphrase"))  # fmt: skip
    line = made.stdout.strip()
    assert line.startswith("olu:Olu Okafor:")
    # One after the other: the first writes the list, the second signs that file, and it is handed in.
    file = folder / "people-2.dsse"
    first = run(*lone.node.cli("keys", "add", line, *both[:2], "--out", file))
    assert "another person runs" in first.stderr
    early = run(*lone.node.cli("keys", "activate", file), check=False)
    assert (early.returncode, "policy-two-people" in early.stderr) == (12, True)
    run(*lone.node.cli("keys", "sign", file, *both[2:]))
    assert "it takes effect on" in run(*lone.node.cli("keys", "activate", file)).stderr
    (lone.node.folder / "shift").write_text(str(DAY))
    listed = lone.node.cli("keys", "people", "--format", "json")
    wait_for(lambda: len(json.loads(run(*listed).stdout)["data"]) == 3, 30, "the third person")
    lost = run(*lone.node.cli("keys", "lost", "ivan", "--key", folder / "grace.pem", "--key", folder / "olu.pem",
                              "--out", folder / "people-3.dsse"))  # fmt: skip
    assert "is in force" in lost.stderr
    assert [row["person"] for row in json.loads(run(*listed).stdout)["data"]] == ["grace", "olu"]
    # A day back, or the roster of this test has expired.
    (lone.node.folder / "shift").write_text("0")
    # The policy that the lost key signed stays; the acceptance that it signed must be signed again.
    assert in_force(lone) == (1, 100)
    answer = Answer.read(lone.ask().envelope)
    assert (answer.status, [reason["code"] for reason in answer.reasons]) == ("refused", ["policy-not-accepted"])
