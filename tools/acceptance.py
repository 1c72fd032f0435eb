"""Run the acceptance tests and say, for every id, whether it passes, fails or has no test yet.

A test belongs to an id by `@pytest.mark.acceptance("LED-05")`. Where an id has several tests, all must pass. The ids
and what they ask for are in `docs/reference/acceptance-ids.toml`.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import tomllib
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
IDS_FILE = ROOT / "docs" / "reference" / "acceptance-ids.toml"
PASSING, FAILING, SKIPPED, NONE = "passing", "failing", "skipped", "no test yet"


def status(tests: Mapping[str, str]) -> str:
    """Return the state of one id from the outcomes of its tests: passing only if every one of them ran and passed."""
    outcomes = set(tests.values())
    if not outcomes:
        return NONE
    if outcomes == {"passed"}:
        return PASSING
    return FAILING if "failed" in outcomes else SKIPPED


def table(ids: Mapping[str, Mapping[str, str]], outcomes: Mapping[str, Mapping[str, str]]) -> tuple[str, Counter[str]]:
    """Return the printed table, one line an id in the list's order, and how many ids are in each state."""
    lines, counts = [], Counter[str]()
    for name, entry in ids.items():
        tests = outcomes.get(name, {})
        state = status(tests)
        counts[state] += 1
        lines.append(f"{name:8}{state:13}{len(tests) or '-':>5}  {entry['stimulus']}")
        lines += [f"{'':28}{outcome}: {test}" for test, outcome in sorted(tests.items()) if outcome != "passed"]
    return "\n".join([f"{'id':8}{'state':13}{'tests':>5}  stimulus", *lines]), counts


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns its exit code (3: an acceptance test fails, or the run itself broke)."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", default="2", help="pytest-xdist workers")
    options, rest = parser.parse_known_args(arguments)
    ids = tomllib.loads(IDS_FILE.read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "acceptance.json"
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-m",
            "acceptance",
            "-q",
            "-n",
            options.workers,
            "--dist",
            "loadfile",
        ]
        done = subprocess.run([*command, f"--acceptance-report={report}", *rest], cwd=ROOT, check=False)
        outcomes = json.loads(report.read_text(encoding="utf-8")) if report.exists() else {}
    text, counts = table(ids, outcomes)
    print(text)
    print(f"\n{len(ids)} ids: " + ", ".join(f"{counts[state]} {state}" for state in (PASSING, FAILING, SKIPPED, NONE)))
    # 5: pytest found no test at all, which the table says already.
    return 0 if done.returncode in (0, 5) and not counts[FAILING] else 3


if __name__ == "__main__":
    sys.exit(main())
