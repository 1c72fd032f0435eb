"""The commands as child processes: help, exit statuses, streams."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from coordinator.cli.main import app as operators
from tests.lib.processes import command, run
from trustquery import __version__

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
        ["codelist", "check"],
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


def _what_the_log_hides(home: Path) -> None:
    """The operator opens an entry, and erases what opens those of a person; in this process, for speed."""

    def log(*words: str) -> Result:
        return CliRunner().invoke(operators, ["--home", str(home), "log", *words])

    assert '"person": "ada"' in log("open", "1").stdout
    assert log("open", "999").exit_code == 2
    assert log("erase", "ada").exit_code == 2
    assert "entries of ada can no longer be opened" in log("erase", "ada", "--yes").stderr
    assert '"person": ""' in log("open", "1").stdout
    assert '"kind": "account.add"' in log("open", "1").stdout


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
    approval = ("--as", "olive", "--key", "k.pem", "--yes")
    assert run(*coordinator, "node", "approve", "RX1", *approval, check=False).returncode == 32
    assert run(*coordinator, "user", "add", "ada", "--key", "short", check=False).returncode == 2
    assert run(*coordinator, "user", "add", "ada", "--key", "0" * 64).stdout.startswith("tqc1.")
    _what_the_log_hides(home)
    assert "ada\tactive" in run(*coordinator, "user", "list").stdout
    assert run(*coordinator, "roster", "draft", check=False).returncode == 2
    assert run(command("tq-coordinator"), "node", "list", check=False).returncode == 30


def test_people_and_their_roles(tmp_path: Path) -> None:
    options = [item for name in "abc" for item in ("--holder", tmp_path / name)]
    run(command("tq"), "federation", "init", "test", "--out", tmp_path / "root.json", *options)
    user: list[str | Path] = [command("tq-coordinator"), "--home", tmp_path / "home", "user"]
    run(*user[:-1], "init", "--root", tmp_path / "root.json")
    run(*user, "add", "ann", "--key", "1" * 64, "--organisation", "Leeds", "--role", "committee-member")
    run(*user, "add", "ann-home", "--key", "2" * 64, "--person", "ann")
    run(*user, "add", "bob", "--key", "3" * 64, "--role", "governance-officer:RX1", "--role", "auditor")
    granted = run(*user, "grant", "bob", "committee member")
    assert "next: tq-coordinator roster draft" in granted.stderr
    run(*user, "revoke-role", "bob", "auditor")
    run(*user, "move", "bob", "--organisation", "Northern General")
    run(*user, "deputise", "bob", "--for", "ann")
    run(*user, "deputise", "bob", "--for", "ann", "--end")
    run(*user, "disable", "ann-home")
    shown = [line.split("\t") for line in run(*user, "list").stdout.splitlines()]
    assert shown == [
        ["ann", "active", "1" * 64, "ann", "Leeds", "analyst,committee-member"],
        ["ann-home", "disabled", "2" * 64, "ann", "", "analyst,committee-member"],
        ["bob", "active", "3" * 64, "bob", "Northern General", "analyst,committee-member,governance-officer:RX1"],
    ]
    for refused in (
        ("add", "Ann", "--key", "4" * 64), ("add", "new", "--key", "1" * 64),
        ("add", "x", "--key", "4" * 64, "--role", "king"), ("add", "x", "--key", "4" * 64, "--person", "a b"),
        ("add", "x", "--key", "4" * 64, "--role", "project-lead:stays"),
        ("grant", "ann", "federation-operator"), ("grant", "ann", "node-operator:RX1"), ("grant", "nobody", "auditor"),
        ("revoke-role", "bob", "auditor"), ("move", "nobody", "--organisation", "x"),
        ("deputise", "ann", "--for", "ann"), ("deputise", "ann", "--for", "bob", "--end"),
    ):  # fmt: skip
        done = run(*user, *refused, check=False)
        assert (done.returncode, done.stderr.startswith("error: usage-invalid")) == (2, True), refused


def test_codelist_check_says_what_a_file_would_be_or_every_problem(tmp_path: Path) -> None:
    good, bad = tmp_path / "Stroke codes.csv", tmp_path / "bad.csv"
    good.write_text("code,term\nI60,x\nI61,y\n")
    bad.write_text("code,term\nI60,x\nI60,y\n,z\n")
    written = tmp_path / "stroke.json"
    found = json.loads(run(command("tq"), "codelist", "check", good, "--write", written, "--format", "json").stdout)
    assert [(row["table"], row["version"], row["rows"], row["columns"]) for row in found] == [
        ("stroke_codes", 1, 2, ["code", "term"])
    ]
    again = json.loads(run(command("tq"), "codelist", "check", written, "--format", "json").stdout)
    assert again == found
    done = run(command("tq"), "codelist", "check", bad, check=False)
    assert done.returncode == 3
    assert done.stdout == ""
    assert "bad.csv, line 3: the same code is in line 2" in done.stderr
    assert "bad.csv, line 4: the code is empty" in done.stderr
    assert run(command("tq"), "codelist", "check", tmp_path / "none.csv", check=False).returncode == 30


def test_the_public_tables_that_ship_are_listed_without_a_federation(tmp_path: Path) -> None:
    done = run(command("tq"), "dataset", "list", "--inputs", "--format", "json", home=tmp_path)
    rows = json.loads(done.stdout)
    assert {"calendar_month", "esp2013", "icd10_category"} <= {row["table"] for row in rows}
    assert all(len(row["sha256"]) == 64 for row in rows)


def test_a_node_installs_a_public_table_and_lists_it(tmp_path: Path) -> None:
    node, home, file = command("tq-node"), tmp_path / "node", tmp_path / "mine.csv"
    file.write_text("code,term\nI60,x\n")
    shown = run(node, "--home", home, "source", "input", file, "--dry-run", "--format", "json")
    assert json.loads(shown.stdout)["data"]["installed"] is False
    assert not (home / "inputs").exists()
    done = run(node, "--home", home, "source", "input", file, "--name", "stroke@2", "--format", "json")
    facts = json.loads(done.stdout)["data"]
    assert (facts["table"], facts["version"], facts["rows"], facts["installed"]) == ("stroke", 2, 1, True)
    listed = json.loads(run(node, "--home", home, "source", "inputs", "--format", "json").stdout)["data"]
    assert listed == [
        {"file": "stroke@2.json", "table": "stroke", "version": 2, "rows": 1, "sha256": facts["sha256"], "result": "ok"}
    ]
    file.write_text("code,term\nI61,x\n")
    refused = run(node, "--home", home, "source", "input", file, "--name", "stroke@2", check=False)
    assert refused.returncode == 10
    assert "stroke version 2 is another table" in " ".join(refused.stderr.split())


def test_a_node_without_a_roster_installs_nothing_on_an_approval(tmp_path: Path) -> None:
    node, home, file = command("tq-node"), tmp_path / "node", tmp_path / "mine.csv"
    file.write_text("code,term\nI60,x\n")
    (tmp_path / "mine.dsse").write_text("{}")
    done = run(node, "--home", home, "source", "input", file, "--approval", tmp_path / "mine.dsse", check=False)
    assert done.returncode != 0
    assert not (home / "inputs").exists()
    plain = run(node, "--home", home, "source", "input", file, "--dry-run")
    assert "no approval was checked" in plain.stderr


def test_a_list_of_codes_is_checked_by_its_system(tmp_path: Path) -> None:
    file = tmp_path / "sinusitis.csv"
    file.write_text("code,term\n36971009,Sinusitis\n36971008,Sinusitis\n")
    done = run(command("tq"), "codelist", "check", file, "--system", "snomedct", check=False)
    assert done.returncode == 3
    assert "sinusitis.csv, line 3: 36971008 has a wrong check digit" in done.stderr
    assert "query-" not in done.stderr


@pytest.mark.parametrize("name", ["tq", "tq-node", "tq-coordinator"])
def test_every_command_says_its_version(name: str) -> None:
    assert run(command(name), "--version").stdout == f"trustquery {__version__}\n"
