"""Our short commands, each in a process of its own that begins where their imports have been done already.

A federation is set up by dozens of commands, and most of the time of each is Python's imports. So one process for each
test process imports the command lines and starts nothing; a command is a fork of it, with the arguments, environment,
folder and streams that it would have. Long-running parts of a federation are started as users start them.
"""

from __future__ import annotations

import atexit
import functools
import io
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import NoReturn

__all__ = ["can", "run"]

MAINS = {
    "tq": "trustquery.cli.main",
    "tq-coordinator": "coordinator.cli.main",
    "tq-node": "node_agent.cli.main",
    "tq-witness": "witness.cli.main",
}
OFTEN = ("coordinator.services", "httpx", "node_agent.budget", "rich.markdown", "sqlalchemy.dialects.sqlite.pysqlite",
         "trustquery.client.connection", "typer.rich_utils")  # fmt: skip
"""What the command lines import when they are used."""
LONGEST = 1 << 17
"""Bytes of a request."""


def can(script: str | Path) -> bool:
    """Whether this is one of our console scripts."""
    path = Path(script)
    return path.parent == Path(sys.executable).parent and path.name in MAINS


def run(
    arguments: Sequence[str], environment: Mapping[str, str], *, stdin: str = "", seconds: float = 120
) -> subprocess.CompletedProcess[str]:
    """Run one of our commands to its end.

    Args:
        arguments: the first is the path of one of our console scripts.

    Raises:
        subprocess.TimeoutExpired: it was killed after so many seconds.
    """
    request = json.dumps({"arguments": list(arguments), "environment": dict(environment), "folder": os.getcwd()})
    answer, to_answer = os.pipe()
    late = threading.Event()
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        given.write(stdin.encode())
        given.seek(0)
        try:
            fds = [given.fileno(), out.fileno(), err.fileno(), to_answer]
            socket.send_fds(_nursery(), [request.encode()], fds)
        finally:
            os.close(to_answer)
        with os.fdopen(answer, "r", encoding="ascii") as said:
            pid = int(said.readline())

            def kill() -> None:
                late.set()
                os.kill(pid, signal.SIGKILL)

            timer = threading.Timer(seconds, kill)
            timer.start()
            code = said.readline()
            timer.cancel()
        if late.is_set():
            raise subprocess.TimeoutExpired(list(arguments), seconds)
        for file in (out, err):
            file.seek(0)
        # Who ends without a word was killed.
        status = int(code) if code else -signal.SIGKILL
        return subprocess.CompletedProcess(list(arguments), status, out.read().decode(), err.read().decode())


@functools.cache
def _nursery() -> socket.socket:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    process = subprocess.Popen(
        [sys.executable, "-m", __name__, str(theirs.fileno())], pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL,
        cwd=Path(__file__).resolve().parents[2],
    )  # fmt: skip
    theirs.close()

    def end() -> None:
        ours.close()
        process.wait(10)

    atexit.register(end)
    return ours


def _serve(requests: socket.socket) -> None:
    for module in (*MAINS.values(), *OFTEN):
        import_module(module)
    # Only a process with one thread may be forked.
    assert len(list(Path("/proc/self/task").iterdir())) == 1
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        request, fds, _, _ = socket.recv_fds(requests, LONGEST, 4)
        if not request:
            return
        if os.fork() == 0:
            requests.close()
            _become(json.loads(request), fds)
        for fd in fds:
            os.close(fd)


def _become(request: Mapping[str, object], fds: Sequence[int]) -> NoReturn:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    reply = fds[3]
    os.set_inheritable(reply, False)
    os.write(reply, f"{os.getpid()}\n".encode())
    for place, fd in enumerate(fds[:3]):
        os.dup2(fd, place)
        os.close(fd)
    # The name in a usage line is the script's, as if it had been started.
    sys.modules["__main__"].__package__ = None
    code: object = 1
    try:
        sys.stdin, sys.stdout, sys.stderr = (
            io.TextIOWrapper(os.fdopen(place, mode), encoding="utf-8", line_buffering=place == 2)
            for place, mode in ((0, "rb"), (1, "wb"), (2, "wb"))
        )
        os.environ.clear()
        os.environ.update(request["environment"])  # type: ignore[call-overload]
        os.chdir(str(request["folder"]))
        sys.argv = list(request["arguments"])  # type: ignore[call-overload]
        import_module(MAINS[Path(sys.argv[0]).name]).main()
        code = 0
    except SystemExit as end:
        code = end.code
    except BaseException:
        import traceback

        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os.write(reply, f"{code if isinstance(code, int) else int(code is not None)}\n".encode())
    os._exit(0)


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
