"""A slice of `make torture-coordinator`: kill -9 of the process that runs the query service, anywhere. (AVL-07)"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

pytestmark = [pytest.mark.timeout(200), pytest.mark.acceptance("AVL-07")]


def torture(*options: str) -> tuple[int, dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.torture.coordinator", *options], capture_output=True, text=True, timeout=180
    )
    last = done.stdout.splitlines()[-1] if done.stdout else ""
    assert last.startswith("RESULT "), done.stdout + done.stderr
    return done.returncode, json.loads(last.removeprefix("RESULT "))


@pytest.mark.parametrize(("database", "kills"), [("sqlite", 10), ("postgresql", 10)])
def test_what_was_accepted_ends_whenever_the_coordinator_is_killed(database: str, kills: int) -> None:
    status, found = torture("--kills", str(kills), "--database", database)
    assert status == 0, found
    assert found["violations"] == 0
    assert found["kills"] == kills
    assert found["longest_recovery_seconds"] <= 30
    assert set(found["ended"]) <= {"closed", "expired", "cancelled"}
    assert sum(found["ended"].values()) >= found["accepted"] >= 1


@pytest.mark.slow
def test_a_coordinator_that_does_not_resume_is_seen() -> None:
    status, found = torture("--kills", "4", "--point", "before finish", "--plant", "never-resumes")
    assert status == 3
    assert "closing" in found["first"][0]
