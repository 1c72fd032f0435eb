"""The commands as child processes: help, exit statuses, streams."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.lib.processes import command, run

HEAVY = {"sqlglot", "cryptography", "httpx", "pydantic", "pyarrow", "opendp", "sqlalchemy", "grpc", "duckdb", "fastapi"}


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["login"],
        ["project"],
        ["project", "list"],
        ["project", "show"],
        ["dataset", "list"],
        ["dataset", "show"],
        ["query", "check"],
        ["query", "cost"],
        ["query", "run"],
        ["query", "status"],
        ["query", "result"],
        ["query", "cancel"],
        ["query", "history"],
        ["budget", "show"],
        ["policy", "check"],
        ["policy", "sign"],
        ["permit", "sign"],
        ["federation", "init"],
        ["federation", "sign"],
        ["key", "new"],
    ],
)
def test_help_teaches_with_an_example(words: list[str]) -> None:
    done = run(command("tq"), *words, "--help")
    assert "Usage: " in done.stdout
    if len(words) == 2:
        assert f"Example: tq {' '.join(words)}" in " ".join(done.stdout.split())


def test_help_loads_nothing_heavy() -> None:
    code = "import sys, trustquery.cli.main; print(sorted(name for name in sys.modules if '.' not in name))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert HEAVY.isdisjoint(done.stdout.replace("'", "").strip("[]\n").split(", "))


@pytest.mark.parametrize(
    "words",
    [
        ["project", "list"],
        ["query", "history"],
        ["query", "run", "-p", "p", "-e", "1", "SELECT 1"],
        ["budget", "show", "p"],
        ["login"],
    ],
)
def test_without_a_home_the_next_command_is_named(tmp_path: Path, words: list[str]) -> None:
    done = run(command("tq"), *words, check=False, home=tmp_path)
    assert done.returncode == 30
    assert done.stdout == ""
    assert "config-missing" in done.stderr
    assert "tq login --connect CODE" in " ".join(done.stderr.split())


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["nonsense"], 2),
        (["query", "run"], 2),
        (["login", "--connect", "tqc1.x"], 2),
        (["login", "--connect", "tqc1.x", "--user", "ada"], 2),
        (["key", "show", "/nonexistent"], 30),
        (["policy", "check", "/nonexistent"], 30),
        (["federation", "show", "/nonexistent"], 30),
    ],
)
def test_exit_statuses(words: list[str], status: int, tmp_path: Path) -> None:
    assert run(command("tq"), *words, check=False, home=tmp_path).returncode == status


def test_a_key_is_private_and_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    public = run(command("tq"), "key", "new", path).stdout.strip()
    assert len(public) == 64
    assert path.stat().st_mode & 0o077 == 0
    assert run(command("tq"), "key", "show", path).stdout.strip() == public
    assert run(command("tq"), "key", "new", path, check=False).returncode == 30
    path.chmod(0o644)
    assert run(command("tq"), "key", "show", path, check=False).returncode == 30


def test_two_of_three_root_holders_sign_one_after_the_other(tmp_path: Path) -> None:
    from tests.factories.documents import NOW, node_entry, person, roster
    from trustquery.identity import Envelope, Root, Roster, SigningKey

    holders = [tmp_path / name for name in "abc"]
    options = [item for holder in holders for item in ("--holder", holder)]
    done = run(command("tq"), "federation", "init", "test", "--out", tmp_path / "root.json", *options)
    root = Root.from_payload((tmp_path / "root.json").read_bytes())
    assert done.stdout.strip() == root.sha256
    assert run(command("tq"), "federation", "show", tmp_path / "root.json").stdout.strip() == root.sha256
    people = (person("ann", SigningKey.generate()), person("bob", SigningKey.generate()))
    document = roster((node_entry("RX1", SigningKey.generate()),), people, issued=NOW)
    draft, signed = tmp_path / "roster.json", tmp_path / "roster.dsse"
    draft.write_text(json.dumps(document.model_dump(mode="json"), indent=2))
    for path, holder in ((draft, holders[0]), (signed, holders[2])):
        done = run(command("tq"), "federation", "sign", path, "--key", holder / "root.key.pem")
        assert "roster, as it will be signed" in done.stderr
        assert done.stdout == ""
    found, signers, _ = Roster.verify(signed.read_bytes(), root.ring, root.threshold)
    assert found == document
    assert len(signers) == 2
    assert len(Envelope.decode(signed.read_bytes(), kind="roster").signatures) == 2


def test_what_is_no_roster_is_not_signed(tmp_path: Path) -> None:
    run(command("tq"), "key", "new", tmp_path / "key.pem")
    for text in ("{}", "no json", '{"version": 1}'):
        (tmp_path / "x.json").write_text(text)
        done = run(command("tq"), "federation", "sign", tmp_path / "x.json", "--key", tmp_path / "key.pem", check=False)
        assert done.returncode == 31
        assert not (tmp_path / "x.dsse").exists()


def test_the_coordinator_is_set_up_once(tmp_path: Path) -> None:
    options = [item for name in "abc" for item in ("--holder", tmp_path / name)]
    run(command("tq"), "federation", "init", "test", "--out", tmp_path / "root.json", *options)
    home = tmp_path / "home"
    coordinator: list[str | Path] = [command("tq-coordinator"), "--home", home]
    assert run(*coordinator, "config", "check", check=False).returncode == 30
    run(*coordinator, "init", "--root", tmp_path / "root.json")
    assert run(*coordinator, "init", "--root", tmp_path / "root.json", check=False).returncode == 30
    assert all(path.stat().st_mode & 0o077 == 0 for path in home.iterdir())
    assert "federation\ttest" in run(*coordinator, "config", "check").stdout
    assert run(*coordinator, "node", "invite", "rx1", "--name", "x", check=False).returncode == 2
    assert run(*coordinator, "node", "approve", "RX1", "--yes", check=False).returncode == 32
    assert run(*coordinator, "user", "add", "ada", "--key", "short", check=False).returncode == 2
    assert run(*coordinator, "user", "add", "ada", "--key", "0" * 64).stdout.startswith("tqc1.")
    assert "ada\tactive" in run(*coordinator, "user", "list").stdout
    assert run(*coordinator, "roster", "draft", check=False).returncode == 2
    assert run(*coordinator, "project", "end", "x", check=False).returncode == 12
    assert run(command("tq-coordinator"), "node", "list", check=False).returncode == 30
