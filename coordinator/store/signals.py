"""What replicas tell each other at once, by PostgreSQL's NOTIFY, and which of them leads, by an advisory lock.

Both are a help and no more: whoever misses a word finds what it was about at the next look, half a second later, and
whatever a leader does is guarded in the database, so that two who believe they lead do nothing twice.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from coordinator.store.engine import LEADER_LOCK

__all__ = ["Leader", "Signals"]

CHANNEL = "trustquery"
LOOK_SECONDS = 1.0
LEADER_IDLE_SECONDS = 10
"""A leader that froze for so long has its connection, and with it the lead, taken away by the server."""


class Signals:
    """Short words to every replica. On SQLite there is nobody to tell."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._here = engine.dialect.name == "postgresql"

    def tell(self, word: str) -> None:
        """Tell every replica, this one too. A word that cannot be told is dropped."""
        if not self._here:
            return
        with contextlib.suppress(SQLAlchemyError), self._engine.connect() as connection:
            told = connection.execution_options(isolation_level="AUTOCOMMIT")
            told.execute(text("SELECT pg_notify(:channel, :word)"), {"channel": CHANNEL, "word": word})

    def listen(self, heard: Callable[[str], None], stop: threading.Event) -> None:
        """Pass on every word until told to stop; blocks. "" comes with each connection: look at everything."""
        import psycopg

        address = self._engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
        while self._here and not stop.is_set():
            try:
                with psycopg.connect(address, autocommit=True, connect_timeout=10) as connection:
                    connection.execute("LISTEN trustquery")
                    heard("")
                    while not stop.is_set():
                        for word in connection.notifies(timeout=LOOK_SECONDS):
                            heard(word.payload)
                            if stop.is_set():
                                break
            except psycopg.Error:
                stop.wait(LOOK_SECONDS)


class Leader:
    """Which replica does what only one need do. On SQLite: this one."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._alone = engine.dialect.name != "postgresql"
        self._connection: Connection | None = None
        self._held = False

    def leads(self) -> bool:
        """Whether this replica leads now; takes the lead where nobody has it."""
        if self._alone:
            return True
        try:
            if self._connection is None:
                self._connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
                idle = {"idle": f"{LEADER_IDLE_SECONDS}s"}
                self._connection.execute(text("SELECT set_config('idle_session_timeout', :idle, false)"), idle)
            if self._held:
                self._connection.execute(text("SELECT 1"))
            else:
                self._held = bool(
                    self._connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": LEADER_LOCK})
                )
            return self._held
        except SQLAlchemyError:
            self.leave()
            return False

    @property
    def led(self) -> bool:
        """What the last look said, for whoever does not look."""
        return self._alone or self._held

    def leave(self) -> None:
        """Give the lead away."""
        connection, self._connection, self._held = self._connection, None, False
        if connection is not None:
            with contextlib.suppress(SQLAlchemyError):
                # Closed, not given back to the pool: the lock belongs to the server's session.
                connection.invalidate()
                connection.close()
