"""``tq-node`` without a federation: settings, policies, refusals and their exit statuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from node_agent.cli.main import app
from node_agent.config import Home, load_config
from node_agent.policy_store import load_governance
from tests.factories.trust import key, policy_text

ROOT = Path(__file__).resolve().parents[3]


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(item) for item in arguments])


def init(home: Path, *more: str) -> Result:
    people = [f"{name}:{name.title()} of: Ash:{key(name).public.hex()}" for name in ("grace", "ivan")]
    options = [item for person in people for item in ("--governance", person)]
    return run("--home", home, "config", "init", "--ods", "RX1", "--name", 'The "Ash" Trust', *options, *more)


def test_help_teaches_and_is_quick() -> None:
    found = run("--help")
    assert found.exit_code == 0
    assert "config init" in found.stdout
    for group in ("config", "source", "policy", "project", "ledger", "keys"):
        assert run(group, "--help").exit_code == 0
    for command in ("enrol", "run", "status", "pause", "resume", "stop"):
        assert "Example: tq-node" in " ".join(run(command, "--help").stdout.split())


def test_init_writes_settings_that_check(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    found = init(tmp_path / "node", "--source", f"omop-5.4:csv:{data}")
    assert found.exit_code == 0, found.stderr
    assert found.stdout == ""
    home = Home(tmp_path / "node")
    config = load_config(home)
    assert (config.node.ods, config.node.name) == ("RX1", 'The "Ash" Trust')
    assert [(item.dataset, item.format, item.path) for item in config.sources] == [("omop-5.4", "csv", str(data))]
    assert [person.name for person in load_governance(home.startup / "governance.json").people] == [
        "Grace of: Ash",
        "Ivan of: Ash",
    ]
    assert run("--home", home.path, "config", "check").exit_code == 0
    assert init(tmp_path / "node").exit_code == 30


def test_init_wants_two_people_and_proper_sources(tmp_path: Path) -> None:
    one = run(
        "--home", tmp_path, "config", "init", "--ods", "RX1", "--name", "Ash",
        "--governance", f"grace:Grace:{key('grace').public.hex()}",
    )  # fmt: skip
    assert (one.exit_code, "usage-invalid" in one.stderr) == (2, True)
    assert init(tmp_path / "a", "--source", "omop-5.4").exit_code == 2
    assert init(tmp_path / "b", "--source", "omop-5.4:xlsx:/x").exit_code == 30
    assert not (tmp_path / "a").exists()
    assert not (tmp_path / "b").exists()


def test_check_reports_all_faults(tmp_path: Path) -> None:
    bad = tmp_path / "node.toml"
    bad.write_text('format = "tq-node-1"\n[nodes]\n[answer]\nslot_m = 5\n')
    found = run("config", "check", bad)
    assert found.exit_code == 30
    for words in ("config-unknown-key at nodes", "did you mean slot_ms?", "config-invalid at node", "fix:"):
        assert words in found.stderr


def test_show_says_where_values_come_from(tmp_path: Path) -> None:
    (tmp_path / "node.toml").write_text(
        'format = "tq-node-1"\n[node]\nods = "RX1"\nname = "A"\n[answer]\nslot_ms = 250\n'
    )
    found = json.loads(run("--home", tmp_path, "config", "show", "--format", "json").stdout)
    assert (found["format"], found["command"], found["ok"]) == ("tq-node-cli-1", "config show", True)
    rows = {row["key"]: (row["value"], row["from"]) for row in found["data"]}
    assert rows["answer.slot_ms"] == (250, "node.toml")
    assert rows["answer.allowance_ms"] == (2_000, "default")


@pytest.mark.parametrize(
    "arguments",
    [
        ["status"],
        ["run"],
        ["keys", "show"],
        ["policy", "show"],
        ["project", "list"],
        ["pause"],
        ["ledger", "verify"],
    ],
)
def test_before_enrolment_each_command_says_what_is_missing(tmp_path: Path, arguments: list[str]) -> None:
    found = run("--home", tmp_path, *arguments)
    assert found.exit_code == 30
    assert "config-missing" in found.stderr
    assert "tq-node" in found.stderr


def test_a_refusal_in_json_is_an_envelope_too(tmp_path: Path) -> None:
    found = run("--home", tmp_path, "status", "--format", "json")
    document = json.loads(found.stdout)
    assert (document["ok"], document["problems"][0]["code"]) == (False, "config-missing")


def test_a_code_that_is_no_code(tmp_path: Path) -> None:
    init(tmp_path / "node")
    found = run("--home", tmp_path / "node", "enrol", "tqe1.RX1.x.y.z")
    assert (found.exit_code, "node-code-invalid" in found.stderr) == (31, True)


def test_a_policy_is_checked_and_signed(tmp_path: Path) -> None:
    text = tmp_path / "policy.toml"
    text.write_text(policy_text())
    keys = []
    for name in ("grace", "ivan"):
        key(name).save(tmp_path / f"{name}.pem")
        keys.append(tmp_path / f"{name}.pem")
    checked = run("policy", "check", text)
    assert checked.exit_code == 0
    assert "in 10 years: at most epsilon 14.1395" in checked.stderr
    first = run("policy", "sign", text, "--key", keys[0])
    assert first.exit_code == 0, first.stderr
    assert "Most cells of one query" in first.stderr
    second = run("policy", "sign", tmp_path / "policy.dsse", "--key", keys[1])
    assert "2 signatures" in second.stderr
    text.write_text(policy_text(max_rho="nan"))
    bad = run("policy", "check", text)
    assert (bad.exit_code, "policy-invalid" in bad.stderr) == (30, True)
    keys[0].chmod(0o644)
    assert run("policy", "sign", tmp_path / "policy.dsse", "--key", keys[0]).exit_code == 30


def test_every_sample_is_read_by_its_own_command() -> None:
    assert run("policy", "check", ROOT / "policies/examples/standard-acute-trust.toml").exit_code == 0
    assert run("policy", "check", ROOT / "policies/baseline/closed.toml").exit_code == 0
