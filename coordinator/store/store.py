"""The store: one engine, short transactions, one small class a topic."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.orm import Session, sessionmaker

from coordinator.store.inputs import Inputs
from coordinator.store.models import Base
from coordinator.store.nodes import Nodes
from coordinator.store.people import People
from coordinator.store.projects import Projects
from coordinator.store.queries import Queries
from coordinator.store.roles import Roles
from coordinator.store.uses import Uses

__all__ = ["Store"]

_SAFE_WAL = (3, 51, 3)


class Store:
    """Everything durable. Safe to use from several threads and, one transaction at a time, several processes.

    Args:
        url: a SQLAlchemy URL.
    """

    def __init__(self, url: str) -> None:
        self._engine = _engine(url)
        self._sessions = sessionmaker(self._engine, expire_on_commit=False)
        self.people = People(self.transaction)
        self.roles = Roles(self.transaction)
        self.nodes = Nodes(self.transaction)
        self.projects = Projects(self.transaction)
        self.queries = Queries(self.transaction)
        self.uses = Uses(self.transaction)
        self.inputs = Inputs(self.transaction)

    def create(self) -> None:
        """Make the tables that are missing, and the indexes that a later version added to one."""
        Base.metadata.create_all(self._engine)
        for table in Base.metadata.sorted_tables:
            for index in table.indexes:
                index.create(self._engine, checkfirst=True)
        self.roles.adopt()

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """One transaction: committed at the end, rolled back on any exception."""
        with self._sessions.begin() as session:
            yield session


def _engine(url: str) -> Engine:
    if not url.startswith("sqlite"):
        return create_engine(url, pool_pre_ping=True)
    engine = create_engine(url, connect_args={"timeout": 10, "check_same_thread": False})
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def _prepare(connection: Any, _record: object) -> None:
    """Settings of one SQLite connection.

    Write-ahead logging only where SQLite is free of the WAL-reset bug (pitfalls.md); Python's own may be older, and
    then a rollback journal is the safe choice: slower by milliseconds a write, which this process does not notice.
    """
    connection.isolation_level = None  # the driver must not begin transactions by itself: `_begin` does
    cursor = connection.cursor()
    cursor.execute("SELECT sqlite_version()")
    version = tuple(int(part) for part in cursor.fetchone()[0].split("."))
    cursor.execute("PRAGMA journal_mode = WAL" if version >= _SAFE_WAL else "PRAGMA journal_mode = TRUNCATE")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute("PRAGMA busy_timeout = 10000")
    cursor.close()


def _begin(connection: Any) -> None:
    """Take the write lock at once: a transaction that first reads can then not lose its place to another."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")
