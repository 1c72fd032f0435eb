"""The ledger's SQLite file: one process, one connection, full durability, and no second chance after a failed write."""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import apsw

from node_agent.budget.filesystem import check_filesystem
from node_agent.budget.rows import register
from node_agent.budget.schema import DDL, MIGRATIONS, SCHEMA_VERSION
from trustquery.errors import TrustQueryError

__all__ = ["SQLITE_NEEDED", "Database", "check_sqlite", "is_in_use"]

SQLITE_NEEDED = (3, 51, 3)
"""Earlier versions can corrupt a database in WAL mode."""
_BUSY_MS = 10_000
_ALWAYS = {"trusted_schema": 0, "cell_size_check": 1, "foreign_keys": 1}
_DURABLE: dict[str, int | str] = {"journal_mode": "wal", "synchronous": 2, "secure_delete": 1}
"""With write-ahead logging and 2, FULL, every commit is synced before it returns; what is deleted is overwritten."""


def check_sqlite(found: str | None = None) -> None:
    """Refuse a SQLite library with the WAL-reset bug.

    Raises:
        TrustQueryError: ``config-sqlite-version``.
    """
    found = found or apsw.sqlite_lib_version()
    if tuple(int(part) for part in found.split(".")[:3]) < SQLITE_NEEDED:
        raise TrustQueryError("config-sqlite-version", found=found, needed=".".join(map(str, SQLITE_NEEDED)))


class Database:
    """One connection behind one lock.

    Args:
        path: the database file; made when it is absent and ``write`` is set.
        write: take the writer's lock. Only one process may hold it; readers need none.
        check: read the whole file first; a writer always does.

    Attributes:
        version: of the tables; below ``SCHEMA_VERSION`` only for a reader, who takes an older file as it is.
    """

    def __init__(self, path: Path, *, write: bool, check: bool = True) -> None:
        check_sqlite()
        self.failed = False
        self.path = path
        self.lock = threading.RLock()
        self.version = 0
        self._guard = _writer_lock(path) if write else None
        try:
            self.connection = self._open(path, write, check)
        except BaseException:
            self._release()
            raise

    def _open(self, path: Path, write: bool, check: bool) -> apsw.Connection:
        flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE if write else apsw.SQLITE_OPEN_READONLY
        connection: apsw.Connection | None = None
        try:
            connection = apsw.Connection(str(path), flags=flags)
            connection.set_busy_timeout(_BUSY_MS)
            _settle(connection, _ALWAYS)
            register(connection)
            if write:
                path.chmod(0o600)
                _settle(connection, _DURABLE)
            version = self._value(connection, "PRAGMA user_version")
            if write and version in (0, *MIGRATIONS):
                _make(connection, version)
                _sync_folder(path.parent)
            elif version > SCHEMA_VERSION:
                raise TrustQueryError("ledger-newer", found=str(version), needed=str(SCHEMA_VERSION))
            elif version not in (SCHEMA_VERSION, *MIGRATIONS):
                raise TrustQueryError("ledger-corrupt", seq=0)
            self.version = self._value(connection, "PRAGMA user_version")
            if (write or check) and self._value(connection, "PRAGMA integrity_check") != "ok":
                raise TrustQueryError("ledger-corrupt", seq=0)
        except apsw.CantOpenError as error:
            _abandon(connection)
            raise TrustQueryError("config-missing", path=path, instead="the ledger is made by `tq-node run`") from error
        except apsw.Error as error:
            # A reader's problem is not the writer's: only a damaged file is called corrupt.
            _abandon(connection)
            damaged = isinstance(error, apsw.CorruptError | apsw.NotADBError)
            raise (
                TrustQueryError("ledger-corrupt", seq=0) if damaged else TrustQueryError("ledger-unwritable")
            ) from error
        except TrustQueryError:
            _abandon(connection)
            raise
        return connection

    @staticmethod
    def _value(connection: apsw.Connection, sql: str) -> Any:
        row = connection.execute(sql).fetchone()
        return row[0] if row else None

    def rows(self, sql: str, bindings: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query.

        Raises:
            TrustQueryError: ``ledger-unwritable`` when the file cannot be read either; ``ledger-corrupt``.
        """
        with self.lock:
            if self.failed:
                raise TrustQueryError("ledger-unwritable")
            try:
                return [tuple(row) for row in self.connection.execute(sql, bindings)]
            except UnicodeDecodeError as error:
                # A text that is none: the page says so of itself, and SQLite does not look into it.
                raise TrustQueryError("ledger-corrupt", seq=0) from error
            except apsw.Error as error:
                self.failed = True
                raise TrustQueryError("ledger-unwritable") from error

    def row(self, sql: str, bindings: tuple[Any, ...] = ()) -> tuple[Any, ...] | None:
        """The first row, or None."""
        return next(iter(self.rows(sql, bindings)), None)

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        """Several reads of the same moment. With write-ahead logging a reader holds no writer up.

        Raises:
            TrustQueryError: ``ledger-unwritable`` when the file cannot be read.
        """
        self.rows("BEGIN")
        try:
            yield
        finally:
            with contextlib.suppress(apsw.Error):
                self.connection.execute("ROLLBACK")

    def run(self, sql: str, bindings: tuple[Any, ...] = ()) -> int:
        """One statement inside ``writing``; returns the number of rows changed."""
        self.connection.execute(sql, bindings)
        return self.connection.changes()

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """One durable transaction.

        A ``TrustQueryError`` inside rolls back and passes on. Any error of SQLite fails the ledger for good: after a
        failed fsync nobody knows what is on the disk, and trying again would only hide it.

        Raises:
            TrustQueryError: ``ledger-unwritable``.
        """
        with self.lock:
            if self.failed:
                raise TrustQueryError("ledger-unwritable")
            try:
                self.connection.execute("BEGIN IMMEDIATE")
                try:
                    yield
                except TrustQueryError:
                    self.connection.execute("ROLLBACK")
                    raise
                self.connection.execute("COMMIT")
            except TrustQueryError:
                raise
            except apsw.Error as error:
                self.failed = True
                raise TrustQueryError("ledger-unwritable") from error
            except BaseException:
                # A fault of our own in the middle of a transaction: nothing of it may reach the disk.
                self.failed = True
                raise

    def empty_journal(self) -> None:
        """Write the journal back and cut it to nothing, so that it holds no copy of what was deleted.

        Where somebody reads beside this process it waits for nobody, because answers wait for it: the next time, or
        closing the file, does it then.

        Raises:
            TrustQueryError: ``ledger-unwritable``.
        """
        with self.lock:
            self.connection.set_busy_timeout(0)
            try:
                self.rows("PRAGMA wal_checkpoint(TRUNCATE)")
            finally:
                self.connection.set_busy_timeout(_BUSY_MS)

    def close(self) -> None:
        """Close the file and give up the writer's lock."""
        with self.lock:
            if self.failed:
                _abandon(self.connection)
            else:
                with contextlib.suppress(apsw.Error):
                    self.connection.close()
            self._release()

    def _release(self) -> None:
        if self._guard is not None:
            os.close(self._guard)
            self._guard = None


def is_in_use(path: Path) -> bool:
    """Whether a process has the ledger open for writing: that is, whether the node runs."""
    try:
        handle = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(handle)
    return False


def _abandon(connection: apsw.Connection | None) -> None:
    """Close without a checkpoint, which would write and sync again what may not be on the disk."""
    if connection is not None:
        with contextlib.suppress(apsw.Error):
            connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
            connection.close()


def _settle(connection: apsw.Connection, settings: Mapping[str, int | str]) -> None:
    """Change settings, each in a call of its own, and read them back: SQLite ignores what it cannot do.

    Raises:
        TrustQueryError: ``ledger-unsafe``.
    """
    for name, wanted in settings.items():
        connection.pragma(name, wanted)
        found = connection.pragma(name)
        if found != wanted:
            raise TrustQueryError("ledger-unsafe", setting=name, found=found, needed=wanted)


def _make(connection: apsw.Connection, version: int) -> None:
    """Make the tables, or bring an older file up to date, in one durable transaction.

    A reader takes an older file as it is: entries are the same, and a table that it lacks is an empty one.
    """
    connection.execute("BEGIN IMMEDIATE")
    if version == 0:
        connection.execute(DDL)
        connection.execute("INSERT INTO meta (name, value) VALUES ('last_time', 0)")
    for step in range(version or 1, SCHEMA_VERSION):
        connection.execute(MIGRATIONS[step])
    connection.execute("COMMIT")


def _writer_lock(path: Path) -> int:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    check_filesystem(path.parent.resolve())
    handle = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        raise TrustQueryError("ledger-locked") from error
    return handle


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
