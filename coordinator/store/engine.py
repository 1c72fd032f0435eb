"""Connections to the database, and what one transaction is: writers come one after another, on SQLite and PostgreSQL.

SQLite gives that by ``BEGIN IMMEDIATE``. On PostgreSQL every transaction first takes one advisory lock, which ends with
it: whoever reads and then writes cannot be overtaken, by a thread, a process or another replica, and nothing has to be
tried again. The isolation is READ COMMITTED, so that what is read after the lock is what the one before left.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, OperationalError

from trustquery.errors import TrustQueryError

__all__ = ["LEADER_LOCK", "SNAPSHOT", "WRITER_LOCK", "StoreAwayError", "is_sqlite", "open_engine"]

StoreAwayError = OperationalError
"""The database is away, locked for too long, or its disk is full: nothing of the transaction was kept."""

_SAFE_WAL = (3, 51, 3)
WRITER_LOCK, LEADER_LOCK = 0x7471_0001, 0x7471_0002
"""Keys of advisory locks in the coordinator's own database."""
SNAPSHOT = "tq_snapshot"
"""Execution option of a connection that only reads: it sees one moment, and takes no writer's place."""
WAIT_SECONDS = 10
"""How long a transaction waits for another; one that is idle inside for so long is ended, so that a replica that froze
holds nobody up."""


def is_sqlite(url: str) -> bool:
    """Whether a SQLAlchemy URL names a SQLite file."""
    return url.startswith("sqlite")


def open_engine(url: str) -> Engine:
    """An engine whose every transaction is a serial writer; nothing is connected yet.

    Raises:
        TrustQueryError: ``config-invalid``: neither SQLite nor PostgreSQL, or its driver is not installed.
    """
    if is_sqlite(url):
        engine = create_engine(url, connect_args={"timeout": WAIT_SECONDS, "check_same_thread": False})
        event.listen(engine, "connect", _prepare)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    engine = create_engine(
        _postgresql(url),
        pool_pre_ping=True,
        pool_size=10,
        max_overflow=30,
        pool_timeout=WAIT_SECONDS,
        isolation_level="READ COMMITTED",
        connect_args={"connect_timeout": WAIT_SECONDS, "options": _OPTIONS, "application_name": "trustquery"},
    )
    event.listen(engine, "begin", _begin_postgresql)
    return engine


# An acknowledged answer must survive a power cut, whatever the server's own default is.
_OPTIONS = " ".join(
    f"-c {setting}"
    for setting in (
        "synchronous_commit=on",
        f"lock_timeout={WAIT_SECONDS}s",
        f"statement_timeout={3 * WAIT_SECONDS}s",
        f"idle_in_transaction_session_timeout={WAIT_SECONDS}s",
        "timezone=UTC",
    )
)


def _postgresql(url: str) -> str:
    try:
        found = make_url(url)
    except ArgumentError as error:
        raise _invalid("it is no database URL: write postgresql://USER:PASSWORD@HOST/NAME") from error
    if found.drivername not in ("postgresql", "postgresql+psycopg"):
        raise _invalid(f"{found.drivername} is neither sqlite nor postgresql")
    if find_spec("psycopg") is None:
        raise _invalid("PostgreSQL needs its driver: install trustquery[postgresql]")
    return found.set(drivername="postgresql+psycopg").render_as_string(hide_password=False)


def _invalid(problem: str) -> TrustQueryError:
    return TrustQueryError("config-invalid", place="coordinator.toml: database.url", problem=problem)


def _prepare(connection: Any, _record: object) -> None:
    """Settings of one SQLite connection.

    Write-ahead logging only where SQLite is free of the WAL-reset bug; Python's own may be older, and then a rollback
    journal is the safe choice: slower by milliseconds a write, which this process does not notice.
    """
    connection.isolation_level = None  # the driver must not begin transactions by itself: `_begin_sqlite` does
    cursor = connection.cursor()
    cursor.execute("SELECT sqlite_version()")
    version = tuple(int(part) for part in cursor.fetchone()[0].split("."))
    cursor.execute("PRAGMA journal_mode = WAL" if version >= _SAFE_WAL else "PRAGMA journal_mode = TRUNCATE")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    # What is erased is overwritten: otherwise its bytes stay in the file's free pages.
    cursor.execute("PRAGMA secure_delete = ON")
    cursor.execute("PRAGMA busy_timeout = 10000")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    """Take the write lock at once: a transaction that first reads can then not lose its place to another."""
    connection.exec_driver_sql("BEGIN" if connection.get_execution_options().get(SNAPSHOT) else "BEGIN IMMEDIATE")


def _begin_postgresql(connection: Connection) -> None:
    """The same on PostgreSQL. The lock is given back by the commit, after its changes can be seen."""
    if connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT":
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(%s)", (WRITER_LOCK,))
