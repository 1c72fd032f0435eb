"""What a witness remembers, in SQLite: durable before any signature leaves, and never put back unnoticed.

Beside the database lies a mark: how many heads were ever put there. A database with fewer has been restored from an old
copy, and the witness does not start. A copy of the whole disk takes the mark with it: that nobody can see from here,
and it is what a quorum's faulty witnesses are for.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import apsw

from trustquery.errors import TrustQueryError
from trustquery.log import Checkpoint, Conflict

__all__ = ["SqliteHeads"]

_NEEDED = (3, 51, 3)
"""Earlier versions can corrupt a database in WAL mode."""
_MOST_FORKS = 100
"""Kept of one log: anybody can send again what it signed."""
_DDL = """
CREATE TABLE heads (origin TEXT, log_key TEXT, note BLOB NOT NULL, PRIMARY KEY (origin, log_key)) STRICT, WITHOUT ROWID;
CREATE TABLE forks (origin TEXT, ours BLOB, theirs BLOB, PRIMARY KEY (origin, ours, theirs)) STRICT, WITHOUT ROWID;
CREATE TABLE mark (id INTEGER PRIMARY KEY CHECK (id = 1), moves INTEGER NOT NULL) STRICT;
INSERT INTO mark VALUES (1, 0);
PRAGMA user_version = 2;
"""
_FROM_1 = """
ALTER TABLE heads RENAME TO heads_1;
CREATE TABLE heads (origin TEXT, log_key TEXT, note BLOB NOT NULL, PRIMARY KEY (origin, log_key)) STRICT, WITHOUT ROWID;
INSERT INTO heads SELECT origin, '', note FROM heads_1;
DROP TABLE heads_1;
PRAGMA user_version = 2;
"""
"""Of whose key a head is was not written down: it counts for the key that signed it."""


class SqliteHeads:
    """The port ``trustquery.log.WitnessHeads`` over one file.

    Args:
        path: the database; made when it is absent and ``write`` is set.
        write: take the writer's lock: one process signs with one memory.
        logs: the key of a log that was introduced. A log is a name and a key: under a new key it is a new log, and
            what was signed of the former one stays.

    Raises:
        TrustQueryError: ``config-sqlite-version``, ``config-missing``; ``witness-store``: it is locked, damaged, cannot
            be written or was put back to an older copy.
    """

    def __init__(
        self, path: Path, *, write: bool = True, logs: Callable[[str], bytes | None] = lambda origin: None
    ) -> None:
        self._logs = logs
        version = apsw.sqlite_lib_version()
        if tuple(int(part) for part in version.split(".")[:3]) < _NEEDED:
            raise TrustQueryError("config-sqlite-version", found=version, needed=".".join(map(str, _NEEDED)))
        if not write and not path.exists():
            raise TrustQueryError("config-missing", path=path, instead="it is made by `tq-witness run`")
        self._mark = path.with_suffix(".mark")
        self._lock = threading.Lock()
        self._guard = _guard(path.with_suffix(".lock")) if write else None
        try:
            with _guarded():
                self._database = self._opened(path, write)
        except BaseException:
            if self._guard is not None:
                os.close(self._guard)
            raise

    def _opened(self, path: Path, write: bool) -> apsw.Connection:
        flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE if write else apsw.SQLITE_OPEN_READONLY
        self._database = apsw.Connection(str(path), flags=flags)
        try:
            self._database.set_busy_timeout(5_000)
            if write:
                self._open(path)
            if self._value("PRAGMA integrity_check") != "ok":
                raise TrustQueryError("witness-store", problem="it is damaged")
            if int(self._value("SELECT moves FROM mark")) < self._marked():
                raise TrustQueryError("witness-store", problem="it was put back to an older copy")
        except BaseException:
            self._database.close()
            raise
        return self._database

    def _open(self, path: Path) -> None:
        path.chmod(0o600)
        self._value("PRAGMA journal_mode = WAL")
        self._value("PRAGMA synchronous = FULL")
        if self._value("PRAGMA user_version") == 0:
            if self._marked():
                raise TrustQueryError("witness-store", problem="it was put back to an older copy")
            self._run(_DDL)
            _sync_folder(path.parent)
        elif self._value("PRAGMA user_version") == 1:
            self._run(_FROM_1)

    def _run(self, script: str) -> None:
        with self._database:
            for statement in script.strip().split(";\n"):
                self._database.execute(statement)

    def _value(self, sql: str) -> int | str:
        row = self._database.execute(sql).fetchone()
        return row[0] if row else 0

    def _marked(self) -> int:
        try:
            return int(self._mark.read_text())
        except FileNotFoundError:
            return 0
        except ValueError as error:
            raise TrustQueryError("witness-store", problem="its mark cannot be read") from error

    def close(self) -> None:
        """Close the file and let go of the lock."""
        with self._lock:
            self._database.close()
            if self._guard is not None:
                os.close(self._guard)

    def head(self, origin: str) -> bytes | None:
        """The note that was signed last for this log."""
        with self._lock, _guarded():
            return self._kept(origin, self._logs(origin))

    def _kept(self, origin: str, key: bytes | None) -> bytes | None:
        chosen = "SELECT note FROM heads WHERE origin = ? AND log_key = ?"
        row = self._database.execute(chosen, (origin, key.hex() if key else "")).fetchone()
        if row is None and key:
            row = self._database.execute(chosen, (origin, "")).fetchone()
            if row is not None and not _signed(bytes(row[0]), origin, key):
                row = None
        return bytes(row[0]) if row else None

    def advance(self, origin: str, old: bytes | None, new: bytes) -> None:
        """Put a head in the place of another: on the disk when it returns.

        Raises:
            Conflict: another head is there.
            TrustQueryError: ``witness-store``.
        """
        with self._lock, _guarded():
            with self._database:
                key = self._logs(origin)
                kept = self._kept(origin, key)
                if kept != old:
                    raise Conflict(kept)
                self._database.execute("REPLACE INTO heads VALUES (?, ?, ?)", (origin, key.hex() if key else "", new))
                self._database.execute("UPDATE mark SET moves = moves + 1")
                moves = self._value("SELECT moves FROM mark")
            self._write_mark(str(moves))

    def _write_mark(self, text: str) -> None:
        fresh = self._mark.with_suffix(".mark.new")
        with open(fresh, "w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(fresh, self._mark)
        _sync_folder(self._mark.parent)

    def keep_fork(self, origin: str, ours: bytes, theirs: bytes) -> None:
        """Keep two notes that do not go together; the same two once, and of one log so many and no more."""
        with self._lock, _guarded(), self._database:
            row = self._database.execute("SELECT count(*) FROM forks WHERE origin = ?", (origin,)).fetchone()
            if row is not None and row[0] < _MOST_FORKS:
                self._database.execute("INSERT OR IGNORE INTO forks VALUES (?, ?, ?)", (origin, ours, theirs))

    def heads(self) -> list[tuple[str, bytes]]:
        """Every log with the note that was signed last, by name; one that had several keys has several."""
        with self._lock, _guarded():
            found = self._database.execute("SELECT origin, note FROM heads ORDER BY origin, log_key")
            return [(str(origin), bytes(note)) for origin, note in found]

    def forks(self) -> list[tuple[str, bytes, bytes]]:
        """Every pair that does not go together: log, the note that was signed, the note that was refused."""
        with self._lock, _guarded():
            found = self._database.execute("SELECT origin, ours, theirs FROM forks ORDER BY origin, ours, theirs")
            return [(str(origin), bytes(ours), bytes(theirs)) for origin, ours, theirs in found]


def _signed(note: bytes, origin: str, key: bytes) -> bool:
    try:
        Checkpoint.verify(note, origin, key)
    except TrustQueryError:
        return False
    return True


@contextlib.contextmanager
def _guarded() -> Iterator[None]:
    try:
        yield
    except (apsw.Error, OSError) as error:
        raise TrustQueryError("witness-store", problem="it cannot be read or written") from error


def _guard(path: Path) -> int:
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise TrustQueryError("witness-store", problem="it cannot be read or written") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        raise TrustQueryError("witness-store", problem="another process has it") from error
    return handle


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
