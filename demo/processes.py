"""The demonstration's processes: short commands, long-running parts, and their certain end."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from demo.config import child_environment

__all__ = [
    "DemoError",
    "Part",
    "Processes",
    "Tools",
    "command",
    "still_running",
    "stop_recorded",
    "tail",
]

STOP_SECONDS = 8.0


class DemoError(Exception):
    """Something failed; the message says what, and the log's end why."""


@dataclass(frozen=True)
class Tools:
    """Our console scripts, from the environment that runs the demonstration."""

    folder: Path = Path(sys.executable).parent

    def path(self, name: str) -> str:
        """Full path of ``tq``, ``tq-node`` or ``tq-coordinator``."""
        return str(self.folder / name)


def tail(path: Path, lines: int = 15) -> str:
    """The end of a log."""
    with contextlib.suppress(OSError):
        return "\n".join(path.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
    return ""


def command(arguments: Sequence[str | Path], home: Path, extra: Mapping[str, str] | None = None) -> str:
    """Run a short command to its end; returns stdout.

    Raises:
        DemoError: it failed; with what it said.
    """
    words = [str(item) for item in arguments]
    done = subprocess.run(
        words, env=child_environment(home, extra), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip())[-3000:]
        raise DemoError(f"this command failed with exit status {done.returncode}:\n  {shlex.join(words)}\n\n{said}")
    return done.stdout


@dataclass
class Part:
    """One long-running part of the federation, with its log."""

    name: str
    arguments: Sequence[str]
    home: Path
    log: Path
    process: subprocess.Popen[bytes]
    stopping: threading.Event = field(default_factory=threading.Event)

    def check(self) -> None:
        """Complain if it has ended.

        Raises:
            DemoError: with the end of its log.
        """
        if self.process.poll() is not None:
            raise DemoError(
                f"{self.name} ended with status {self.process.returncode}; its log {self.log} ends:\n\n{tail(self.log)}"
            )

    def wait_for(self, words: str, seconds: float) -> None:
        """Wait until its log says so.

        Raises:
            DemoError: it ended, or it took too long.
        """
        deadline = time.monotonic() + seconds
        while words not in self.log.read_text(encoding="utf-8", errors="replace"):
            self.check()
            if self.stopping.is_set():
                raise DemoError(f"stopped while waiting for {self.name}")
            if time.monotonic() > deadline:
                raise DemoError(
                    f"{self.name} did not say {words!r} in {seconds:.0f} s; its log ends:\n\n{tail(self.log)}"
                )
            time.sleep(0.05)


@dataclass
class Processes:
    """Everything long-running, and the file that ``--stop`` reads."""

    record: Path
    parts: list[Part] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def start(
        self,
        name: str,
        arguments: Sequence[str | Path],
        home: Path,
        log: Path,
        extra: Mapping[str, str] | None = None,
    ) -> Part:
        """Start a part in a process group of its own."""
        if self.stopping.is_set():
            raise DemoError(f"stopped before {name} could start")
        log.parent.mkdir(parents=True, exist_ok=True)
        words = [str(item) for item in arguments]
        with log.open("wb") as output:
            process = subprocess.Popen(
                words,
                env=child_environment(home, extra),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        part = Part(name, words, home, log, process, self.stopping)
        with self._lock:
            self.parts.append(part)
            self._write()
        return part

    def _write(self) -> None:
        rows = [{"name": part.name, "pid": part.process.pid, "command": list(part.arguments)} for part in self.parts]
        self.record.write_text(json.dumps({"demonstration": os.getpid(), "parts": rows}, indent=2))

    def finish(self, part: Part, seconds: float) -> None:
        """Wait for a part that ends by itself.

        Raises:
            DemoError: it failed, or it took too long.
        """
        deadline = time.monotonic() + seconds
        while part.process.poll() is None:
            if self.stopping.is_set() or time.monotonic() > deadline:
                raise DemoError(f"{part.name} did not end in {seconds:.0f} s; its log ends:\n\n{tail(part.log)}")
            time.sleep(0.05)
        if part.process.returncode:
            part.check()
        with self._lock:
            self.parts.remove(part)
            self._write()

    def check(self) -> None:
        """Complain if any part has ended."""
        for part in self.parts:
            part.check()

    def stop(self) -> None:
        """Ask every group to end, wait, then make it."""
        for part in reversed(self.parts):
            _signal(part.process.pid, signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        for part in self.parts:
            with contextlib.suppress(subprocess.TimeoutExpired):
                part.process.wait(max(0.0, deadline - time.monotonic()))
        for part in self.parts:
            # The group too: a part that was killed may have left a child.
            _signal(part.process.pid, signal.SIGKILL)
            part.process.wait()
        self.parts.clear()
        self.record.unlink(missing_ok=True)


def _signal(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _is_ours(pid: int, words: Sequence[str]) -> bool:
    """Whether this process id still belongs to the command that was started, and not to a later process."""
    with contextlib.suppress(OSError):
        running = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
        return [item for item in running if item][-len(words) :] == list(words)
    return False


def still_running(record: Path) -> bool:
    """Whether the demonstration that wrote this record is itself at work now."""
    with contextlib.suppress(OSError, ValueError):
        pid = int(json.loads(record.read_text())["demonstration"])
        return pid != os.getpid() and b"demo" in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False


def stop_recorded(record: Path) -> int:
    """End what an earlier run left up; returns how many parts that were."""
    try:
        found = json.loads(record.read_text())
    except (OSError, ValueError):
        return 0
    rows = found["parts"]
    alive = {int(row["pid"]): row["command"] for row in rows if _is_ours(int(row["pid"]), row["command"])}
    for pid in reversed(alive):
        _signal(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while any(_is_ours(pid, words) for pid, words in alive.items()) and time.monotonic() < deadline:
        time.sleep(0.1)
    for pid in alive:
        _signal(pid, signal.SIGKILL)
    record.unlink(missing_ok=True)
    return len(alive)
