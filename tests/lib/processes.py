"""Real processes for tests: started, watched, and always ended."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.lib import warm

__all__ = ["ROOT", "Process", "command", "free_port", "run", "short", "wait_for"]

BIN = Path(sys.executable).parent
ROOT = Path(__file__).resolve().parents[2]


def command(name: str) -> str:
    """The path of one of our console scripts."""
    return str(BIN / name)


def free_port() -> int:
    """A port on 127.0.0.1 that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def run(*arguments: str | Path, check: bool = True, home: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(home or "/nonexistent"), "LC_ALL": "C.UTF-8"}
    done = short(arguments, environment)
    if check and done.returncode != 0:
        raise AssertionError(f"{arguments}: exit {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done


def short(
    arguments: Sequence[str | Path], environment: Mapping[str, str], *, stdin: str = "", seconds: float = 120
) -> subprocess.CompletedProcess[str]:
    """A command that ends by itself, in a process of its own; ours begin with their imports done."""
    words = [str(item) for item in arguments]
    if warm.can(words[0]):
        return warm.run(words, environment, stdin=stdin, seconds=seconds)
    return subprocess.run(words, input=stdin, capture_output=True, text=True, timeout=seconds, env=dict(environment))


def wait_for(what: Callable[[], bool], seconds: float, why: str) -> None:
    """Poll until ``what`` holds."""
    deadline = time.monotonic() + seconds
    while not what():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds} s for {why}")
        time.sleep(0.05)


class Process:
    """A long-running command whose output goes to a file. It runs in the checkout, so that it finds ``tests.lib``."""

    def __init__(self, arguments: Sequence[str | Path], log: Path, extra: Mapping[str, str] | None = None) -> None:
        self.arguments = [str(item) for item in arguments]
        self.log = log
        self._extra = dict(extra or {})
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Process id of the running process."""
        assert self._process is not None
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None

    def start(self, ready: str = "", seconds: float = 30) -> None:
        """Start it; with ``ready``, wait until its output says so."""
        position = self.log.stat().st_size if self.log.exists() else 0
        environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "LC_ALL": "C.UTF-8"}
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                self.arguments, stdout=output, stderr=output, stdin=subprocess.DEVNULL, start_new_session=True,
                env=environment | self._extra, cwd=ROOT,
            )  # fmt: skip

        def said() -> bool:
            if not self.running:
                raise AssertionError(f"{self.arguments} ended:\n{self.log.read_text()[position:][-4000:]}")
            return ready.encode() in self.log.read_bytes()[position:]

        if ready:
            wait_for(said, seconds, f"{ready!r} from {self.arguments}:\n{self.log.read_text()[-2000:]}")

    def end(self, number: int = signal.SIGTERM, seconds: float = 15) -> int:
        """Signal it and wait; kill its whole group if it does not go."""
        if self._process is None:
            return 0
        if self.running:
            self._process.send_signal(number)
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            return self._process.wait(5)
