"""A trust joins with two commands, from a machine that has nothing; and what it says and refuses until it is whole."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lib.coordinator import LiveCoordinator
from tests.lib.processes import Process, command, run, wait_for
from tests.lib.terminal import Terminal
from trustquery.identity import Root, SigningKey


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveCoordinator]:
    coordinator = LiveCoordinator(tmp_path_factory.mktemp("coordinator"))
    yield coordinator
    coordinator.end()


def fingerprint(live: LiveCoordinator) -> str:
    return Root.from_payload((live.folder / "root.json").read_bytes()).sha256


def test_two_commands_from_a_bare_machine_to_connected(live: LiveCoordinator, tmp_path: Path) -> None:
    home = tmp_path / "nothing" / "yet"
    typed: list[list[str]] = []

    def tq_node(log: str, *words: str) -> Process:
        typed.append(["tq-node", *words])
        process = Process([command("tq-node"), "--home", str(home), *words], tmp_path / log)
        process.start()
        return process

    code = live.cli("node", "invite", "RX1").strip()
    enrolling = tq_node("enrol.log", "enrol", code, "--root-fingerprint", fingerprint(live))
    wait_for(lambda: "waiting up to" in enrolling.log.read_text(), 40, "the words")
    words = live.approve("RX1")
    wait_for(lambda: not enrolling.running, 20, "the end of enrolment")
    assert words in " ".join(enrolling.log.read_text().split())
    assert "enrolled as RX1" in enrolling.log.read_text()
    running = tq_node("run.log", "run")
    try:
        wait_for(lambda: '"connected"' in running.log.read_text(), 40, "connected")
        assert len(typed) == 2
        said = re.sub(r"\s+", " ", running.log.read_text())
        # Plainly, what it waits for, each with the way to it.
        for wait in ("a roster that lists this node", "tq-node config people", "[[source]]", "tq-node source refresh",
                     "tq-node policy activate", "tq-node project accept"):  # fmt: skip
            assert wait in said, wait
        status = json.loads(run(command("tq-node"), "--home", home, "status", "--format", "json").stdout)
        facts = status.get("data", status)
        assert "policy-absent" in json.dumps(facts)
        assert live.cli("node", "list").startswith("RX1\tapproved")
    finally:
        running.end()
    # The people come later, once: a second first list is refused.
    keys = [SigningKey.generate().public.hex() for _ in range(2)]
    people = [f"p{place}:Person {place}:{key}" for place, key in enumerate(keys)]
    run(command("tq-node"), "--home", home, "config", "people", *people)
    assert run(command("tq-node"), "--home", home, "config", "people", *people, check=False).returncode == 30
    assert run(command("tq-node"), "--home", home, "enrol", code, check=False).returncode == 30, (
        "it is enrolled already"
    )


def test_enrolling_again_with_new_keys_keeps_the_ledger(live: LiveCoordinator, tmp_path: Path) -> None:
    """The way of a lost key, and of a certificate that has ended; it goes on from the test above's node."""
    home = tmp_path / "home"
    code = live.cli("node", "invite", "RX2").strip()
    options = ("--root-fingerprint", fingerprint(live), "--wait", "0")
    node = [command("tq-node"), "--home", str(home)]
    assert run(*node, "enrol", code, *options, check=False).returncode == 31
    live.approve("RX2")
    run(*node, "enrol", code, *options)
    (home / "ledger" / "kept").write_text("what was spent")
    old = (home / "keys" / "identity.pem").read_bytes()
    run(*node, "keys", "rotate", "--identity", "--tls", "--yes")
    assert not (home / "keys" / "identity.pem").exists()
    code = live.cli("node", "invite", "RX2").strip()
    assert run(*node, "enrol", code, *options, check=False).returncode == 30, "only with --again"
    assert run(*node, "enrol", code, *options, "--again", check=False).returncode == 31
    live.approve("RX2")
    run(*node, "enrol", code, *options, "--again")
    assert (home / "keys" / "identity.pem").read_bytes() != old
    assert (home / "ledger" / "kept").read_text() == "what was spent"
    (kept,) = (home / "keys").glob("retired-*-identity.pem")
    assert kept.read_bytes() == old
    assert kept.stat().st_mode & 0o077 == 0


def test_at_a_terminal_it_asks_for_what_is_missing(live: LiveCoordinator, tmp_path: Path) -> None:
    home = tmp_path / "home"
    code = live.cli("node", "invite", "RX3").strip()
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "LC_ALL": "C.UTF-8", "TERM": "dumb"}
    terminal = Terminal([command("tq-node"), "--home", home, "enrol", code, "--wait", "0"], environment)
    terminal.until("name in words")
    terminal.type("Cedar Moor Infirmary")
    terminal.until("A person who decides")
    terminal.type("")
    terminal.until("Where data are")
    terminal.type("")
    assert fingerprint(live) in re.sub(r"\s", "", terminal.until("Is this the fingerprint"))
    terminal.type("y")
    terminal.until("waiting up to")
    assert terminal.end() == 31, "nobody has approved yet: the same command goes on later"
    assert 'name = "Cedar Moor Infirmary"' in (home / "node.toml").read_text()
