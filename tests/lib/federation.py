"""A whole federation of real processes for tests: the demonstration's own builder, quiet and adjustable."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from demo.config import child_environment
from demo.documents import policy_toml
from demo.federation import Federation
from demo.layout import COMMITTEE, PROJECT, TRUSTS, Layout
from demo.processes import DemoError, Part, Processes
from demo.screen import Screen
from tests.lib.processes import short, wait_for
from tests.lib.settings import with_keys

__all__ = ["PROJECT", "TRUSTS", "Asked", "LiveFederation"]

ROOT = Path(__file__).resolve().parents[2]


class _Silent(Screen):
    @contextmanager
    def step(self, words: str) -> Iterator[None]:
        yield


def _short(arguments: Sequence[str | Path], home: Path, extra: Mapping[str, str] | None = None) -> str:
    """As ``demo.processes.command``, with the imports done."""
    done = short(arguments, child_environment(home, extra))
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip())[-3000:]
        raise DemoError(f"this command failed with exit status {done.returncode}:\n  {arguments}\n\n{said}")
    return done.stdout


class Asked:
    """What one ``tq`` command said."""

    def __init__(self, done: subprocess.CompletedProcess[str]) -> None:
        self.exit, self.out, self.err = done.returncode, done.stdout, done.stderr

    @property
    def json(self) -> Any:
        """stdout as JSON."""
        assert self.exit == 0, self.err
        return json.loads(self.out)

    @property
    def said(self) -> str:
        """stderr on one line."""
        return re.sub(r"\s+", " ", self.err)


class LiveFederation(Federation):
    """Four trusts, a coordinator and an analyst, with settings that tests may change before ``build``.

    Args:
        folder: an empty folder.
        allowance_ms: time an answer may take; generous, because tests share two cores.
        policy: replacements in the policy's text, by trust or for all ("").
        killable: nodes run under ``tests.lib.killable_node``.
        witnessed: nothing leaves without a quorum of the coordinator and the three other nodes.
    """

    def __init__(
        self,
        folder: Path,
        *,
        allowance_ms: int = 4_000,
        policy: dict[str, dict[str, str]] | None = None,
        killable: bool = False,
        witnessed: bool = False,
    ) -> None:
        layout = Layout(folder / "federation")
        layout.make()
        super().__init__(layout, Processes(layout.record), _Silent(), run=_short)
        self.allowance_ms, self.policy, self.killable = allowance_ms, policy or {}, killable
        self.witnessed = witnessed

    def _settle_coordinator(self, settings: Path) -> None:
        settings.write_text(with_keys(settings.read_text()))

    def _by_browser(self, user: str, home: Path, *arguments: str | Path) -> None:
        """With the key alone: quick, and for as long as a test runs. The demonstration's own test uses the browser."""
        self.person(home, *(item for item in arguments if item != "--no-browser"), "--key-challenge")

    def _settle(self, ods: str, public: dict[tuple[str, str], str]) -> None:
        super()._settle(ods, public)
        settings = self.layout.trust(ods) / "node.toml"
        text, count = re.subn(
            r"(?m)^#?\s*allowance_ms = \d+", f"allowance_ms = {self.allowance_ms}", settings.read_text()
        )
        assert count == 1, settings
        settings.write_text(text)

    def policy_text(self, ods: str) -> str:
        """The trust's policy as written."""
        text = policy_toml(ods, TRUSTS if self.witnessed else ())
        for old, new in (self.policy.get("", {}) | self.policy.get(ods, {})).items():
            assert old in text, old
            text = text.replace(old, new)
        return text

    def _open_for_business(self, ods: str) -> None:
        home = self.layout.trust(ods)
        policy = home / "policy.toml"
        policy.write_text(self.policy_text(ods))
        self.node(ods, "source", "refresh")
        self.tq("policy", "sign", policy, *self._governance(ods))
        self.node(ods, "policy", "activate", policy.with_suffix(".dsse"))
        self.start_node(ods)

    def trigger(self, ods: str) -> Path:
        """The file that names the gate step at which a killable node ends itself."""
        return self.layout.base / f"{ods}.kill"

    def start_node(self, ods: str) -> Part:
        """Start a node and wait until it is connected."""
        home = self.layout.trust(ods)
        arguments: list[str | Path] = [self.tools.path("tq-node"), "--home", home, "run"]
        if self.killable:
            arguments = [sys.executable, "-m", "tests.lib.killable_node", home, self.trigger(ods)]
        log = self.layout.log(ods)
        before = log.read_bytes() if log.exists() else b""
        here = os.getcwd()
        os.chdir(ROOT)
        try:
            part = self.processes.start(f"node {ods}", arguments, home, log)
        finally:
            os.chdir(here)
        self.nodes[ods] = part
        part.wait_for("connected", 40)
        with (self.layout.base / f"{ods}.earlier.log").open("ab") as kept:
            kept.write(before)
        return part

    def kill_node(self, ods: str, number: int = signal.SIGKILL) -> None:
        """Signal a node's process and wait for its end."""
        process = self.nodes[ods].process
        process.send_signal(number)
        process.wait(15)

    def alive(self, ods: str) -> bool:
        """Whether the node's process runs."""
        return self.nodes[ods].process.poll() is None

    def all_dead(self, trusts: Sequence[str]) -> bool:
        """Whether none of these nodes runs."""
        return not any(self.alive(ods) for ods in trusts)

    def wait_disconnected(self, ods: str) -> None:
        """Wait until the coordinator has noticed that a node is gone."""
        import trustquery

        def gone() -> bool:
            with trustquery.connect(home=self.layout.analyst) as connection:
                return ods not in connection.project(PROJECT).connected

        wait_for(gone, 15, f"{ods} to be gone")

    # -- the analyst -------------------------------------------------------------------------------------------------

    def ask(self, *arguments: str | Path, timeout: float = 120, stdin: str | None = None) -> Asked:
        """Run ``tq`` as the analyst."""
        home = self.layout.analyst
        environment = child_environment(home, {"TQ_HOME": str(home)})
        return Asked(short([self.tools.path("tq"), *arguments], environment, stdin=stdin or "", seconds=timeout))

    def approve_input(self, file: str | Path, *options: str, system: str = "look-up") -> None:
        """Have a codelist or look-up uploaded by the analyst and approved by a member of the committee."""
        row = self.ask(
            "codelist", "upload", file, "--project", PROJECT, "--system", system, "--format", "json", *options
        )
        (found,) = row.json if isinstance(row.json, list) else [row.json]
        person = next(iter(COMMITTEE))
        self.person(
            self.layout.member(person), "codelist", "approve", f"{found['name']}@{found['version']}",
            "--key", self.layout.key("committee", person), "--reason", "A public list.", "--yes",
        )  # fmt: skip

    def query(self, sql: str, epsilon: str = "1", *options: str, wait: int = 25) -> Asked:
        """Ask one question, as JSON."""
        return self.ask(
            "query", "run", "--project", PROJECT, "--epsilon", epsilon, "--yes", "--max-epsilon", epsilon,
            "--wait", str(wait), "--format", "json", *options, sql,
        )  # fmt: skip

    # -- what a plain SQLite shell sees --------------------------------------------------------------------------------

    def ledger(self, ods: str, sql: str) -> Sequence[tuple[Any, ...]]:
        """Read a node's ledger with Python's own SQLite, read-only."""
        (path,) = self.layout.trust(ods).rglob("ledger.sqlite")
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
            return connection.execute(sql).fetchall()

    def coordinator_rows(self, sql: str) -> Sequence[tuple[Any, ...]]:
        """Read the coordinator's database."""
        path = self.layout.coordinator / "coordinator.sqlite"
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
            return connection.execute(sql).fetchall()

    def close(self) -> None:
        """End everything."""
        self.processes.stop()

    def settle_down(self, seconds: float = 1.0) -> None:
        """Let slots pass."""
        time.sleep(seconds)
