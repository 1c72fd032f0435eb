"""The pages on joining, renewing, clones and leaving, command by command, at a real coordinator and a trust's home."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from coordinator.config import Home, load_settings
from coordinator.services import open_base
from tests.docs.pages import DOCS, fences
from tests.lib.coordinator import LiveCoordinator
from tests.lib.processes import wait_for
from trustquery.identity import Root

HOW_TO = DOCS / "how-to"


class Reader:
    """Somebody at the centre and somebody at the trust, who type what a page says."""

    def __init__(self, live: LiveCoordinator, folder: Path) -> None:
        self.live, self.folder, self.code = live, folder, ""
        self.root = Root.from_payload((live.folder / "root.json").read_bytes()).sha256
        tools = Path(sys.executable).parent
        self.environment = {
            "PATH": f"{tools}:{os.environ['PATH']}", "HOME": str(folder), "LC_ALL": "C.UTF-8",
            "TQ_COORDINATOR_HOME": str(live.home), "TQ_NODE_HOME": str(folder / "node"),
        }  # fmt: skip
        self.waiting: subprocess.Popen[str] | None = None

    def read(self, page: str) -> int:
        """Every command of a page's blocks, in order; how many there were."""
        lines = [
            line
            for fence in fences(HOW_TO / page)
            if fence.language == "sh"
            for line in fence.text.splitlines()
            if line
        ]
        for line in lines:
            self.type(line)
        return len(lines)

    def type(self, line: str) -> str:
        """One command; an enrolment waits beside the others until it is approved, and a node runs until it connects."""
        if line.startswith("tq-node enrol"):
            self.code = self.code or self.type("tq-coordinator node invite RX1")
            filled = line.replace("CODE", self.code).replace("PRINT", self.root)
            self.waiting, self.code = self.start(filled), ""
            until(self.waiting, "waiting up to")
            return ""
        if line == "tq-node run":
            running = self.start(line)
            until(running, '"connected"')
            running.terminate()
            assert ended(running) == 0
            return ""
        done = subprocess.run(
            ["bash", "-c", line], env=self.environment, cwd=self.folder, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
        if "node invite" in line:
            self.code = done.stdout.strip()
        if "node approve" in line and self.waiting is not None and self.approved():
            assert ended(self.waiting) == 0
            self.waiting = None
        return done.stdout.strip()

    def approved(self) -> bool:
        """Whether the second yes has come."""
        return "RX1\tapproved" in self.type("tq-coordinator node list")

    def start(self, line: str) -> subprocess.Popen[str]:
        """A command that goes on for a while."""
        return subprocess.Popen(
            shlex.split(line), env=self.environment, cwd=self.folder, stdin=subprocess.DEVNULL, text=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )  # fmt: skip


def ended(process: subprocess.Popen[str]) -> int:
    """Wait for its end, and for what it still says."""
    process.communicate(timeout=20)
    return process.returncode


def until(process: subprocess.Popen[str], words: str) -> None:
    """Read what a command says until these words."""
    assert process.stderr is not None
    said = ""
    while line := process.stderr.readline():
        said += line
        if words in line:
            return
    raise AssertionError(said)


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    live = LiveCoordinator(tmp_path_factory.mktemp("coordinator"))
    live.add_operators()
    folder = tmp_path_factory.mktemp("people")
    for name in ("olive", "oscar"):
        (folder / f"{name}.pem").write_bytes((live.folder / f"{name}.pem").read_bytes())
        (folder / f"{name}.pem").chmod(0o600)
    yield Reader(live, folder)
    live.end()


def test_the_pages_of_a_nodes_membership_work_from_joining_to_leaving(reader: Reader) -> None:
    assert reader.read("enrol-a-node.md") == 5
    reader.live.install_roster()
    # The last block of this page is for a lost key: the words are compared and two approve, as its text says.
    assert reader.read("renew-a-certificate.md") == 8
    reader.type("tq-coordinator node approve RX1 --as olive --key olive.pem --as oscar --key oscar.pem --yes")
    suspect(reader)
    assert reader.read("resolve-a-suspected-clone.md") == 3
    reader.type("tq-node run")
    assert reader.read("revoke-a-node.md") == 4
    assert "RX1\trevoked" in reader.type("tq-coordinator node list")


def suspect(reader: Reader) -> None:
    """A second copy joins: the coordinator sees a counter that it has seen before."""
    home = Home(reader.live.home)
    base = open_base(home, load_settings(home))
    try:
        now = int(time.time())
        base.store.admissions.join("RX1", 10**6, now)
        assert base.store.admissions.join("RX1", 10**6, now)
        with base.store.transaction() as session:
            from coordinator.store.models import JoinRow

            row = session.get(JoinRow, "RX1")
            assert row is not None
            row.counter = 0
    finally:
        base.store.close()
    wait_for(lambda: "clone-suspected" in reader.type("tq-coordinator node list"), 5, "the suspicion")
