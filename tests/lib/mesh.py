"""NHS England's own sandbox of MESH as a process, and mailboxes in it."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from mesh_client import MeshClient

from tests.lib.processes import wait_for

__all__ = ["KEY", "PASSWORD", "SPINE", "STRANGER", "TRUST", "mesh_client", "mesh_sandbox"]

PYTHON = Path(__file__).resolve().parents[2] / ".mesh-venv" / "bin" / "python"
TRUST, SPINE, STRANGER = "X26ABC1", "X26ABC2", "X26ABC3"
KEY, PASSWORD = b"Banana", "password"


def mesh_client(address: str, mailbox: str) -> Any:
    """A mailbox of the sandbox, to be used in a ``with``."""
    return MeshClient(address, mailbox, PASSWORD, KEY)


@contextmanager
def mesh_sandbox() -> Iterator[str]:
    """The address of a running sandbox; its mailboxes are in its memory."""
    assert PYTHON.exists(), "make mesh-tools"
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [PYTHON, "-m", "uvicorn", "mesh_sandbox.api:app", "--port", str(port), "--log-level", "error"],
        env={**os.environ, "STORE_MODE": "memory", "AUTH_MODE": "full", "SHARED_KEY": KEY.decode()},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )

    def listens() -> bool:
        assert process.poll() is None
        with closing(socket.socket()) as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    try:
        wait_for(listens, 60, "the sandbox did not start")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()
