"""Faults planted on purpose. Each one must be seen, or the torture is blind.

They change how the ledger is used, never what ships: a pragma on its way to SQLite, a method put in another's place.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import apsw

from node_agent.budget import SqliteLedger, database
from tests.torture.power import Outcome, cut_power, record
from tests.torture.workload import Witnesses

__all__ = ["CONTROLS", "seen"]


@contextlib.contextmanager
def _instead(owner: Any, name: str, replacement: Any) -> Iterator[None]:
    kept = getattr(owner, name)
    setattr(owner, name, replacement)
    try:
        yield
    finally:
        setattr(owner, name, kept)


class _Apsw:
    """The module ``apsw`` with a connection that sets one pragma to something else and denies it."""

    def __init__(self, setting: str, value: str) -> None:
        class Altered(apsw.Connection):
            def pragma(self, name: str, *wanted: Any) -> Any:  # type: ignore[override]
                if name != setting:
                    return super().pragma(name, *wanted)
                if wanted:
                    self.claimed = wanted[0]
                    super().pragma(name, value)
                return self.claimed

        self.Connection = Altered

    def __getattr__(self, name: str) -> Any:
        return getattr(apsw, name)


def _pragma(setting: str, value: str) -> Callable[[], contextlib.AbstractContextManager[None]]:
    return lambda: _instead(database, "apsw", _Apsw(setting, value))


def _apart() -> contextlib.AbstractContextManager[None]:
    """The bytes in a transaction of their own, after the one that says COMMITTED."""
    whole = SqliteLedger.commit

    def commit(self: SqliteLedger, release_id: str, outbox: bytes, vector: bytes, now: int, **more: bool) -> None:
        whole(self, release_id, outbox, vector, now, **more)
        for content in (None, outbox):
            with self._entries.writing(now) as transaction:
                transaction.run("DELETE FROM outbox WHERE release_id = ?", (release_id,))
                if content is not None:
                    transaction.run(
                        "INSERT INTO outbox (release_id, bytes, state) VALUES (?, ?, 'ready')", (release_id, content)
                    )

    return _instead(SqliteLedger, "commit", commit)


def _refunding() -> contextlib.AbstractContextManager[None]:
    """A start gives back what had STARTED, as if nothing had been read."""

    def recover(self: SqliteLedger, now: int) -> tuple[()]:
        with self._entries.writing(now) as transaction:
            transaction.run(
                "UPDATE charge SET refunded = 1 WHERE release_id IN"
                " (SELECT release_id FROM release WHERE state IN ('RESERVED', 'STARTED'))"
            )
            transaction.run("UPDATE release SET state = 'EXPIRED' WHERE state IN ('RESERVED', 'STARTED')")
        return ()

    return _instead(SqliteLedger, "recover", recover)


def _unwitnessed() -> contextlib.AbstractContextManager[None]:
    """A release goes on although its head has no quorum yet."""
    return _instead(Witnesses, "sign", lambda self, ledger, release_id, now: None)


CONTROLS: dict[str, Callable[[], contextlib.AbstractContextManager[None]]] = {
    "synchronous = NORMAL: a commit returns before it is on the disk": _pragma("synchronous", "NORMAL"),
    "synchronous = OFF: nothing is synced": _pragma("synchronous", "OFF"),
    "journal_mode = MEMORY: nothing to roll back with": _pragma("journal_mode", "MEMORY"),
    "journal_mode = OFF: no journal": _pragma("journal_mode", "OFF"),
    "spend and bytes in two transactions": _apart,
    "a start refunds what had STARTED": _refunding,
    "sent before the quorum": _unwitnessed,
}
"""What is planted, in words, to what plants it while its ``with`` lasts."""


def seen(name: str, histories: int, cuts: int) -> Outcome:
    """Torture the ledger with one fault planted; it is seen where the outcome has violations."""
    whole = Outcome()
    for seed in range(1, histories + 1):
        with CONTROLS[name]():
            whole.add(cut_power(record(seed, 60), cuts, 0))
    return whole
