"""The accuracy benchmark as a command, on a small hospital: that it runs and that its figures are sane."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PEER = ROOT / ".smartnoise-venv" / "bin" / "python"


def bench(*arguments: object) -> tuple[list[str], dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.accuracy", *map(str, arguments)],
        cwd=ROOT, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    *lines, last = done.stdout.splitlines()
    assert last.startswith("RESULT ")
    return lines, json.loads(last.removeprefix("RESULT "))


def test_it_runs_without_the_peer(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    arguments = ("--episodes", 4000, "--draws", 2, "--profiles", 1, "--only", "diagnoses-chapter", "--page", page)
    lines, result = bench(*arguments)
    assert [line.split()[0] for line in lines] == ["question", "diagnoses-chapter"]
    assert result["questions"] == 1
    assert result["epsilon"] == 1
    assert result["vs_smartnoise"] is None
    assert result["median_gain"] > 0
    assert 0.4 < result["rows_lost_to_five"]["diagnosis"] < 0.7
    assert "| Diagnoses by ICD-10 chapter | 20 |" in page.read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_question_is_asked_three_ways() -> None:
    assert PEER.exists(), "run `make smartnoise`: the peer lives in a venv of its own"
    lines, result = bench("--episodes", 20000, "--draws", 2, "--profiles", 1, "--peer-draws", 1, "--peer", PEER)
    assert len(lines) == 13
    assert result["questions"] == 12
    assert result["smartnoise_answered"] == 11
    assert result["smartnoise_refused"] == 1, "it has no median"
    assert 0 < result["vs_smartnoise"] < 1000
