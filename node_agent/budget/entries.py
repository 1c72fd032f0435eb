"""Entries join the hash chain and the tree inside one durable transaction, and the budget clock moves on."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from node_agent.budget.database import Database
from node_agent.budget.rows import hash_of_row
from node_agent.budget.verify import verify
from trustquery.errors import TrustQueryError
from trustquery.identity import new_secret
from trustquery.log import FIRST_PREV_HASH, Leaf, commitment
from trustquery.log.leaf import Kind

__all__ = ["Entries", "Transaction"]


class Transaction:
    """One open transaction: statements run through ``run``, entries through ``append``.

    Attributes:
        now: the budget clock, seconds since 1970: never earlier than the last entry, whatever the wall says.
    """

    def __init__(self, db: Database, size: int, last_hash: str, now: int) -> None:
        self._db = db
        self._size = size
        self.last_hash = last_hash
        self.leaves: list[Leaf] = []
        self.now = max(now, last_time(db))
        db.run("UPDATE meta SET value = ? WHERE name = 'last_time'", (self.now,))

    def run(self, sql: str, bindings: tuple[Any, ...] = ()) -> None:
        """One statement."""
        self._db.run(sql, bindings)

    def append(self, kind: Kind, **fields: Any) -> Leaf:
        """Write one entry."""
        leaf = Leaf(seq=self._size + len(self.leaves) + 1, prev_hash=self.last_hash, kind=kind, **fields)
        found = leaf.hash.hex()
        self.run(
            "INSERT INTO leaf (seq, prev_hash, kind, release_id, payload, hash) VALUES (?, ?, ?, ?, ?, ?)",
            (leaf.seq, leaf.prev_hash, kind, leaf.release_id, leaf.payload(), found),
        )
        self.leaves.append(leaf)
        self.last_hash = found
        return leaf

    def commitment(self, scope: str, subject: str) -> str:
        """The text that stands for a subject in the log; its salt is made at first sight."""
        return commitment(self._salt(scope, subject), scope, subject)

    def seal(self, scope: str, subject: str, *facts: str | bytes | int) -> str:
        """What binds an entry to the facts that are kept beside it, under the subject's salt."""
        return commitment(self._salt(scope, subject), scope, hash_of_row(*facts))

    def _salt(self, scope: str, subject: str) -> bytes:
        row = self._db.row("SELECT salt FROM salt WHERE scope = ? AND subject = ?", (scope, subject))
        salt = bytes(row[0]) if row else new_secret(32)
        if row is None:
            self.run("INSERT INTO salt (scope, subject, salt) VALUES (?, ?, ?)", (scope, subject, salt))
        return salt


def last_time(db: Database) -> int:
    """When the last entry was written, seconds since 1970."""
    row = db.row("SELECT value FROM meta WHERE name = 'last_time'")
    return int(row[0]) if row else 0


class Entries:
    """The chain in the file and its tree in memory, always in step.

    Raises:
        TrustQueryError: as ``Database`` and ``verify`` do.
    """

    def __init__(self, path: Path, *, write: bool) -> None:
        self.db = Database(path, write=write)
        try:
            self.tree = verify(self.db)
        except BaseException:
            self.db.close()
            raise
        row = self.db.row("SELECT hash FROM leaf ORDER BY seq DESC LIMIT 1")
        self._last_hash: str = row[0] if row else FIRST_PREV_HASH

    @contextlib.contextmanager
    def writing(self, now: int) -> Iterator[Transaction]:
        """One durable transaction; its entries join the tree once they are on disk.

        Raises:
            TrustQueryError: ``ledger-unwritable``.
        """
        with self.db.lock:
            with self.db.writing():
                transaction = Transaction(self.db, len(self.tree), self._last_hash, now)
                yield transaction
            for leaf in transaction.leaves:
                self.tree.append(leaf.hash)
            self._last_hash = transaction.last_hash

    def leaf(self, seq: int) -> Leaf:
        """The entry with this number.

        Raises:
            TrustQueryError: ``ledger-corrupt``.
        """
        row = self.db.row("SELECT payload FROM leaf WHERE seq = ?", (seq,))
        if row is None:
            raise TrustQueryError("ledger-corrupt", seq=seq)
        return Leaf.from_payload(bytes(row[0]))
