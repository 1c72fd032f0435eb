"""A command at a real (pseudo) terminal: what it asks is read, and answers are typed."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

__all__ = ["Terminal"]


class Terminal:
    """One command with a terminal of its own.

    Args:
        arguments: the command.
        environment: everything that it sees.
    """

    def __init__(self, arguments: Sequence[str | Path], environment: Mapping[str, str]) -> None:
        self._ours, theirs = pty.openpty()
        self._seen = 0
        self.text = ""
        self._process = subprocess.Popen(
            [str(item) for item in arguments], stdin=theirs, stdout=theirs, stderr=theirs, env=dict(environment),
            start_new_session=True,
        )  # fmt: skip
        os.close(theirs)

    def until(self, words: str, seconds: float = 30) -> str:
        """Wait for words that were not there before; returns what came up to them."""
        deadline = time.monotonic() + seconds
        while (place := self.text.find(words, self._seen)) < 0:
            assert time.monotonic() < deadline, f"no {words!r} in {self.text[self._seen :]!r}"
            self._read(0.2)
        end = place + len(words)
        found, self._seen = self.text[self._seen : end], end
        return found

    def type(self, line: str) -> None:
        """Type a line."""
        os.write(self._ours, line.encode() + b"\n")

    def interrupt(self) -> int:
        """Press Ctrl-C; returns the exit status."""
        # The kernel would send this for the key; here it is sent to the process itself, whose terminal this is not.
        self._process.send_signal(signal.SIGINT)
        return self.end()

    def end(self, seconds: float = 30) -> int:
        """Wait for the end; returns the exit status."""
        deadline = time.monotonic() + seconds
        while self._process.poll() is None:
            assert time.monotonic() < deadline, self.text
            self._read(0.1)
        self._read(0.1)
        os.close(self._ours)
        return self._process.returncode

    def _read(self, seconds: float) -> None:
        if select.select([self._ours], [], [], seconds)[0]:
            try:
                self.text += os.read(self._ours, 65536).decode(errors="replace")
            except OSError:
                # The other end is gone: nothing more comes.
                time.sleep(seconds)
