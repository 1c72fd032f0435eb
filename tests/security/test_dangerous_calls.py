"""INP-01: nothing in what ships reads code or objects out of data, calls a shell, or builds SQL from text.

Two scanners that share no code: bandit, and our own rule checker. Each must also find one planted example of every
kind, so that a scanner that finds nothing is not mistaken for a clean tree.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tools.check_rules import check_source

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ("trustquery", "coordinator", "node_agent", "witness", "demo", "tools")
BANDIT_TESTS = {
    "B102": "exec('x = 1')",
    "B301": "import pickle\npickle.loads(b'')",
    "B307": "eval('1')",
    "B506": "import yaml\nyaml.load('a')",
    "B602": "import subprocess\nsubprocess.run('ls *', shell=True)",
    "B608": 'def f(c, name):\n    c.execute(f"SELECT a FROM {name} WHERE b = 1")',
}


def bandit(*paths: str) -> list[dict[str, object]]:
    """What bandit finds of these classes, any severity and confidence."""
    done = subprocess.run(
        [sys.executable, "-m", "bandit", "-q", "-r", "-f", "json", "-t", ",".join(BANDIT_TESTS), *paths],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    report = json.loads(done.stdout)
    assert not report["errors"], report["errors"]
    results: list[dict[str, object]] = report["results"]
    return results


@pytest.mark.acceptance("INP-01")
def test_bandit_finds_none() -> None:
    found = bandit(*SHIPPED)
    assert [(item["filename"], item["line_number"], item["test_id"]) for item in found] == []


@pytest.mark.acceptance("INP-01")
def test_bandit_finds_each_planted_one(tmp_path: Path) -> None:
    for name, source in BANDIT_TESTS.items():
        (tmp_path / f"{name.lower()}.py").write_text(source)
    found = {str(item["test_id"]) for item in bandit(str(tmp_path))}
    assert found == set(BANDIT_TESTS)


@pytest.mark.acceptance("INP-01")
def test_our_rules_find_none_and_no_waiver_hides_one() -> None:
    for folder in SHIPPED:
        for path in (ROOT / folder).rglob("*.py"):
            name = path.relative_to(ROOT).as_posix()
            if not name.startswith("trustquery/v1/"):
                source = path.read_text(encoding="utf-8")
                problems, _ = check_source(name, source)
                assert [p for p in problems if p.rule in ("unsafe", "shell", "sql")] == []
                assert "rules: allow unsafe" not in source
                assert "rules: allow shell" not in source


@pytest.mark.acceptance("INP-01")
@pytest.mark.parametrize("source", BANDIT_TESTS.values(), ids=BANDIT_TESTS.keys())
def test_our_rules_find_each_planted_one(source: str) -> None:
    problems, _ = check_source("trustquery/planted.py", source)
    assert {problem.rule for problem in problems} & {"unsafe", "shell", "sql"}
