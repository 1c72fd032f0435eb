"""The store: one engine, short transactions, one small class a topic."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session, sessionmaker

from coordinator.store import copying, schema
from coordinator.store.admissions import Admissions
from coordinator.store.audit import Audit, keep_log
from coordinator.store.engine import is_sqlite, open_engine
from coordinator.store.fleet import SharedFleet
from coordinator.store.inputs import Inputs
from coordinator.store.keeping import Keeping
from coordinator.store.local_accounts import LocalAccounts
from coordinator.store.nodes import Nodes
from coordinator.store.people import People
from coordinator.store.projects import Projects
from coordinator.store.queries import Queries
from coordinator.store.reviews import Reviews
from coordinator.store.roles import Roles
from coordinator.store.sessions import Sessions
from coordinator.store.signals import Leader, Signals
from coordinator.store.signins import SignIns
from coordinator.store.tallies import Tallies
from coordinator.store.uses import Uses
from coordinator.store.witnessing import Witnessed
from trustquery.errors import TrustQueryError

__all__ = ["Store"]


class Store:
    """Everything durable. Safe to use from several threads and, one transaction at a time, several processes.

    Args:
        url: a SQLAlchemy URL.
        clock: whole seconds since 1970 UTC, for the days of the log's entries.
    """

    def __init__(self, url: str, clock: Callable[[], int] = lambda: int(time.time())) -> None:
        self.url = url
        self.sqlite = is_sqlite(url)
        self._engine = open_engine(url)
        self._sessions = sessionmaker(self._engine, expire_on_commit=False)
        keep_log(self._sessions, clock)
        self.audit = Audit(self.transaction)
        self.tallies = Tallies(self.transaction)
        self.people = People(self.transaction)
        self.roles = Roles(self.transaction)
        self.sessions = Sessions(self.transaction)
        self.local_accounts = LocalAccounts(self.transaction)
        self.signins = SignIns(self.transaction)
        self.nodes = Nodes(self.transaction)
        self.admissions = Admissions(self.transaction)
        self.projects = Projects(self.transaction)
        self.queries = Queries(self.transaction)
        self.uses = Uses(self.transaction)
        self.inputs = Inputs(self.transaction)
        self.keeping = Keeping(self.transaction)
        self.reviews = Reviews(self.transaction)
        self.fleet = SharedFleet(self.transaction)
        self.signals = Signals(self._engine)
        self.leader = Leader(self._engine)
        self.witnessed = Witnessed(self.transaction)

    def create(self) -> str:
        """Bring the database to this version's schema, from nothing or from what is there.

        Returns:
            The version that it had: a migration's number, ``empty``, or ``unversioned`` from before there were any.

        Raises:
            TrustQueryError: ``config-store-newer``, ``config-store-unknown``, ``config-store-unreachable``.
        """
        with self._reached(), self._engine.begin() as connection:
            found = schema.upgrade(connection)
        self.roles.adopt()
        self.admissions.adopt()
        return found

    def require_current(self) -> None:
        """Refuse a database of another version.

        Raises:
            TrustQueryError: ``config-store-older``, ``config-store-newer``, ``config-store-unreachable``.
        """
        with self._reached(), self._engine.begin() as connection:
            schema.require_current(connection)

    def copy_out(self, path: Path) -> dict[str, int]:
        """Write a consistent copy of everything into a new SQLite file; see ``coordinator.store.copying``."""
        return copying.copy_out(self._engine, path)

    def copy_into(self, path: Path, now: int) -> dict[str, int]:
        """Fill this database, which must be empty, from such a copy."""
        return copying.copy_into(path, self._engine, now)

    def version(self) -> str:
        """The database's schema as it says; "none" where it says nothing.

        Raises:
            TrustQueryError: ``config-store-unreachable``.
        """
        with self._reached(), self._engine.begin() as connection:
            return schema.found_version(connection) or "none"

    @contextmanager
    def _reached(self) -> Iterator[None]:
        try:
            yield
        except OperationalError as error:
            # The driver's own words may hold the address and the user; the log has no need of them.
            raise TrustQueryError("config-store-unreachable") from error

    def close(self) -> None:
        """Close every connection."""
        self.leader.leave()
        self._engine.dispose()

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """One transaction: committed at the end, rolled back on any exception."""
        with self._sessions.begin() as session:
            yield session
