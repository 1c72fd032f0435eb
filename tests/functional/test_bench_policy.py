"""The replay benchmark as a command, on a short past: that it runs, and that each decision is that of its time."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_a_short_past_is_recorded_replayed_and_checked() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.policy", "--inputs", "200", "--runs", "1"],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    *lines, last = done.stdout.splitlines()
    result = json.loads(last.removeprefix("RESULT "))
    assert (result["inputs"], result["equal"]) == (200, 200)
    assert 0 < result["limit_seconds"] < result["seconds"]
    words = lines[-1].split()
    assert words[1:3] == ["of", "200"]
    assert int(words[0]) > 0, "a replay that refuses nothing measures nothing"
