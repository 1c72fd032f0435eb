"""``tq-witness`` as whoever runs one types it: settings, a real listener over TLS, status."""

from __future__ import annotations

import datetime
import json
import signal
import ssl
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from tests.factories.documents import COORDINATOR, node_entry, root, roster
from tests.lib.processes import free_port
from tests.unit.log.test_witness import NOW
from trustquery.identity import SigningKey
from trustquery.identity.certificates import Authority, new_tls_key
from trustquery.log import Checkpoint, Tree, cosigners, leaf_hash
from trustquery.log.submission import write_submission
from trustquery.log.vkey import VerifierKey
from witness.cli.main import app
from witness.config import parse_settings, sample_text

HOLDERS = [SigningKey.generate() for _ in range(3)]
NODE = SigningKey.generate()
RUN = CliRunner()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "root.json").write_bytes(root(*HOLDERS).payload())
    (tmp_path / "roster.json").write_bytes(roster((node_entry("RX1", NODE),), ()).sign(*HOLDERS[:2]).encode())
    text = 'name = "w.example/1"\nlisten = "127.0.0.1:8480"\n[federation]\nroot = "root.json"\nroster = "roster.json"\n'
    (tmp_path / "witness.toml").write_text(text)
    return tmp_path


def told(home: Path, *words: str, fails: int = 0) -> str:
    found = RUN.invoke(app, ["--home", str(home), *words])
    assert found.exit_code == fails, (found.output, found.exception)
    return found.stdout + found.stderr


def test_the_sample_is_valid() -> None:
    assert parse_settings(sample_text()).name == "witness.example.org/w1"
    assert RUN.invoke(app, ["run", "--sample"]).stdout == sample_text()
    whole = parse_settings(
        "\n".join(line.removeprefix("# ") if line[2:3] in "[crkl" else line for line in sample_text().splitlines())
    )
    assert (whole.tls, whole.federation, len(whole.log)) != (None, None, 0)


def test_a_roster_introduces_its_logs(home: Path) -> None:
    assert "witnesses 2 logs: test/coordinator, test/node/RX1" in told(home, "run", "--check")
    forged = roster((node_entry("RX2", NODE),), ()).sign(HOLDERS[0], SigningKey.generate())
    (home / "roster.json").write_bytes(forged.encode())
    assert "auth-document" in told(home, "run", "--check", fails=31)
    (home / "roster.json").unlink()
    told(home, "run", "--check", fails=30)


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("name =", "nmae =", "config-unknown-key"),
        ('"w.example/1"', '"w example"', "config-invalid"),
        ("127.0.0.1", "0.0.0.0", "config-invalid"),
        ("[federation]", "[[log]]\nkey = 'x'\n[federation]", "log-key"),
    ],
)
def test_a_mistake_is_named(home: Path, old: str, new: str, code: str) -> None:
    text = (home / "witness.toml").read_text()
    (home / "witness.toml").write_text(text.replace(old, new))
    assert code in told(home, "run", "--check", fails=2 if code == "log-key" else 30)


def test_a_lost_key_is_not_made_again(home: Path) -> None:
    (home / "heads.sqlite").touch()
    assert "restore the key" in told(home, "run", fails=30)


def test_it_runs_over_tls_signs_and_says_so(home: Path) -> None:
    now = datetime.datetime.now(datetime.UTC)
    authority, tls_key, port = Authority.generate("test", now), new_tls_key(), free_port()
    (home / "server.key.pem").write_bytes(tls_key)
    (home / "server.pem").write_bytes(authority.issue_server(tls_key, hosts=["localhost"], now=now))
    text = (home / "witness.toml").read_text().replace(":8480", f":{port}")
    (home / "witness.toml").write_text(text + '[tls]\ncertificate = "server.pem"\nkey = "server.key.pem"\n')
    context = ssl.create_default_context(cadata=authority.certificate_pem.decode())
    log = Tree([leaf_hash(b"one")])
    note = Checkpoint("test/coordinator", 1, log.root()).sign(COORDINATOR)
    command = [sys.executable, "-c", "from witness.cli.main import main; main()", "--home", str(home), "run"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            with httpx.Client(base_url=f"https://localhost:{port}", verify=context) as client:
                for _ in range(200):
                    try:
                        vkey = VerifierKey.read(client.get("/key").text)
                        break
                    except httpx.ConnectError:
                        time.sleep(0.05)
                line = client.post("/add-checkpoint", content=write_submission(0, (), note)).content
        finally:
            process.send_signal(signal.SIGTERM)
            _, said = process.communicate(timeout=10)
    assert process.returncode in (0, -signal.SIGTERM)
    assert abs(cosigners(note + line, {"w.example/1": vkey.public})["w.example/1"] - time.time()) < 60
    assert vkey.text in said
    assert '"signed"' in said
    assert str(NOW) not in said
    shown = json.loads(RUN.invoke(app, ["--home", str(home), "status"]).stdout)
    assert shown["key"] == vkey.text
    assert [(item["origin"], item["size"]) for item in shown["heads"]] == [("test/coordinator", 1)]
    assert shown["forks"] == []
