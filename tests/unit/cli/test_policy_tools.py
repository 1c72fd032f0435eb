"""What a policy would do, on the command line: the same commands in ``tq`` and ``tq-node``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from node_agent.cli.main import app as node_app
from trustquery.cli.main import app as analyst_app

POLICIES = Path(__file__).resolve().parents[3] / "policies"
STANDARD = POLICIES / "examples" / "standard-acute-trust.toml"
CASES = POLICIES / "cases"
PROGRAMS = pytest.mark.parametrize("app", [analyst_app, node_app], ids=["tq", "tq-node"])


def run(app: typer.Typer, *arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["policy", *map(str, arguments)])


@PROGRAMS
def test_check_shows_every_problem_with_its_line(app: typer.Typer, tmp_path: Path) -> None:
    bad = tmp_path / "policy.toml"
    bad.write_text(STANDARD.read_text().replace("max_cells = 20000", "max_cels = 20000").replace("0.6", '"x"'))
    found = run(app, "check", bad)
    assert found.exit_code == 30
    assert found.stdout == ""
    assert "queries.max_cels" in found.stderr
    assert "did you mean max_cells?" in found.stderr
    assert "profiles.rho_lifetime" in found.stderr
    assert "max_cels = 20000" in found.stderr
    assert "line " in found.stderr


@PROGRAMS
def test_cases_pass_or_say_what_differs(app: typer.Typer, tmp_path: Path) -> None:
    assert run(app, "test", CASES).exit_code == 0
    cases = tmp_path / "cases.toml"
    text = (
        (CASES / "closed.toml").read_text().replace("../baseline/closed.toml", str(POLICIES / "baseline/closed.toml"))
    )
    cases.write_text(text.replace('"witnesses", ', ""))
    found = run(app, "test", cases)
    assert found.exit_code == 3
    assert found.stdout == "2 cases, 2 failing\n"
    assert "expected rules that object" in found.stderr
    assert run(app, "test", tmp_path / "none").exit_code == 30
    listed = json.loads(run(app, "test", CASES, "--json").stdout)
    assert len(listed) > 150
    assert all(row["differs"] == [] for row in listed)


@PROGRAMS
def test_explain_says_each_rules_verdict_and_what_would_change_it(app: typer.Typer) -> None:
    facts = ("--facts", CASES / "standard-acute-trust.toml", "--set", "purpose=marketing")
    by_year = ("--set", 'uses=["person.year_of_birth measure key"]')
    found = run(app, "explain", STANDARD, "SELECT count(*) FROM person", *facts, *by_year)
    assert found.exit_code == 0, found.stderr
    assert "refused" in found.stdout.splitlines()[0]
    assert "REFUSES  column" in found.stdout
    assert "REFUSES  purpose" in found.stdout
    assert "what would change it: purposes answered: " in found.stdout
    assert "allows   training" in found.stdout


def test_explain_reads_a_stored_request_again(tmp_path: Path) -> None:
    facts = ("--facts", str(CASES / "standard-acute-trust.toml"))
    first = run(analyst_app, "explain", STANDARD, "SELECT count(*) FROM person", *facts, "--json")
    stored = tmp_path / "request.json"
    stored.write_text(json.dumps(json.loads(first.stdout)["request"]))
    again = run(analyst_app, "explain", STANDARD, stored, "--json")
    assert json.loads(again.stdout) == json.loads(first.stdout)
    assert json.loads(first.stdout)["allowed"] is True
    stored.write_text("{}")
    assert run(analyst_app, "explain", STANDARD, stored).exit_code == 30
    assert run(analyst_app, "explain", STANDARD, "SELECT count(*) FROM person").exit_code == 2


@PROGRAMS
def test_diff_says_what_loosens_and_what_tightens(app: typer.Typer, tmp_path: Path) -> None:
    tighter = tmp_path / "next.toml"
    tighter.write_text(STANDARD.read_text().replace("max_cells = 20000", "max_cells = 10000"))
    found = run(app, "diff", STANDARD, tighter)
    assert found.exit_code == 0
    assert found.stdout.splitlines() == [
        "tightens  queries.max_cells: Most cells of one query: 20000 becomes 10000.",
        "This change only tightens.",
    ]
    back = run(app, "diff", tighter, STANDARD, "--format", "json")
    assert json.loads(back.stdout)["is_tightening"] is False
    assert "everything was refused" in run(app, "diff", "none", STANDARD).stdout
    assert run(app, "diff", STANDARD, tighter, "--format", "xml").exit_code == 2


@PROGRAMS
def test_render_writes_the_policy_in_words(app: typer.Typer, tmp_path: Path) -> None:
    out = tmp_path / "policy.md"
    assert run(app, "render", STANDARD, "--out", out).exit_code == 0
    assert out.read_text().startswith("# What ash answers: policy version 1\n")
    assert run(app, "render", STANDARD).stdout == out.read_text()


@PROGRAMS
def test_every_command_has_an_example_with_its_own_name(app: typer.Typer) -> None:
    program = "tq-node" if app is node_app else "tq"
    for command in ("check", "test", "explain", "diff", "render"):
        assert f"Example: {program} policy {command}" in run(app, command, "--help").stdout
