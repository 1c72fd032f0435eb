"""Which lines of the code that ships some histories execute: measured on a sample, for it slows them down."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

__all__ = ["CORES", "Executed", "executed"]

SOURCES = "trustquery,coordinator,node_agent"
CORES = (
    "node_agent/gate/",
    "node_agent/budget/",
    "node_agent/link/link.py",
    "node_agent/link/session.py",
    "node_agent/link/running.py",
    "trustquery/protocol/session.py",
    "trustquery/protocol/answers.py",
    "trustquery/log/",
    "coordinator/fleet/session.py",
    "coordinator/fleet/links.py",
    "coordinator/queries/service.py",
    "coordinator/queries/machine.py",
    "coordinator/merge/",
    "coordinator/store/queries.py",
)
"""The cores that the simulation is about; each of their files is listed, with the lines that no history reached."""


@dataclass(frozen=True)
class Executed:
    """One file: its statements, how many were executed, and the others, as ranges."""

    path: str
    statements: int
    executed: int
    missing: str


def _ranges(lines: list[int]) -> str:
    if not lines:
        return ""
    breaks = [place for place, (left, right) in enumerate(pairwise(lines), start=1) if right - left > 1]
    parts = [lines[begin:end] for begin, end in pairwise([0, *breaks, len(lines)])]
    return ", ".join(str(part[0]) if len(part) == 1 else f"{part[0]}-{part[-1]}" for part in parts)


def executed(histories: int, seed: int) -> list[Executed]:
    """Measure some histories in a process of their own, from its first import on."""
    with tempfile.TemporaryDirectory() as folder:
        settings, data, report = (Path(folder) / name for name in ("settings", "data", "report"))
        settings.write_text("[run]\nconcurrency = thread\n", encoding="utf-8")
        coverage = [sys.executable, "-m", "coverage"]
        options = [f"--rcfile={settings}", f"--data-file={data}"]
        wanted = ["--size", str(histories), "--seed", str(seed), "--workers", "0", "--no-controls"]
        run = [*coverage, "run", *options, f"--source={SOURCES}", "-m", "tests.simulation", *wanted]
        subprocess.run(run, check=True, capture_output=True)
        subprocess.run([*coverage, "json", *options, "-o", report, "--quiet"], check=True, capture_output=True)
        files = json.loads(report.read_bytes())["files"]
    return [
        Executed(path, found["summary"]["num_statements"], found["summary"]["covered_lines"],
                 _ranges(found["missing_lines"]))
        for path, found in sorted(files.items())
        if any(path == core or (core.endswith("/") and path.startswith(core)) for core in CORES)
    ]  # fmt: skip
