"""What witnesses cosigned of this ledger, and what this node, as a witness, cosigned of other logs.

Beside the entries, in the same file: written as durably, and read back by hash.
"""

from __future__ import annotations

import hashlib
from typing import Literal

from node_agent.budget.database import Database
from node_agent.budget.entries import Entries, Transaction
from node_agent.budget.verify_cosigned import FIRST_WITH_WITNESSES, pair_hash
from trustquery.log.witness import Conflict

__all__ = ["CosignedReader", "KeptHeads", "LogHeads", "keep_cosigned", "keep_pair"]


class CosignedReader:
    """What was kept; an older file has none of it."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def over(self, seq: int) -> bytes:
        """The smallest cosigned head that holds the entry with this number; b"" for none."""
        return self._one("SELECT note FROM cosigned WHERE size >= ? ORDER BY size LIMIT 1", seq)

    def newest(self) -> bytes:
        """The newest cosigned head; b"" for none."""
        return self._one("SELECT note FROM cosigned WHERE size >= ? ORDER BY size DESC LIMIT 1", 0)

    def _one(self, sql: str, size: int) -> bytes:
        if self._db.version < FIRST_WITH_WITNESSES:
            return b""
        row = self._db.row(sql, (size,))
        return bytes(row[0]) if row else b""

    def frozen(self) -> tuple[bytes, bytes] | None:
        """The two heads that froze the ledger first and that no repair has settled, ours and theirs; else None."""
        if self._db.version < FIRST_WITH_WITNESSES:
            return None
        repaired = {row[0] for row in self._db.rows("SELECT theirs_sha256 FROM repaired")}
        for ours, theirs in self._db.rows("SELECT ours, theirs FROM frozen ORDER BY rowid"):
            if hashlib.sha256(theirs).hexdigest() not in repaired:
                return bytes(ours), bytes(theirs)
        return None


def keep_cosigned(transaction: Transaction, size: int, note: bytes) -> None:
    """One of the ledger's own heads, with the lines of its quorum."""
    transaction.run(
        "INSERT INTO cosigned (size, note, sha256) VALUES (?, ?, ?)"
        " ON CONFLICT (size) DO UPDATE SET note = excluded.note, sha256 = excluded.sha256",
        (size, note, hashlib.sha256(note).hexdigest()),
    )


def keep_pair(transaction: Transaction, where: Literal["frozen", "witness_fork"], ours: bytes, theirs: bytes) -> None:
    """Two heads that do not go together, once."""
    statement = {
        "frozen": "INSERT OR IGNORE INTO frozen (sha256, ours, theirs, at) VALUES (?, ?, ?, ?)",
        "witness_fork": "INSERT OR IGNORE INTO witness_fork (sha256, ours, theirs, at) VALUES (?, ?, ?, ?)",
    }[where]
    transaction.run(statement, (pair_hash(ours, theirs), ours, theirs, transaction.now))


class KeptHeads:
    """The newest head of each other log that this node cosigned. A log is a name and a key: a new key is a new log."""

    def __init__(self, entries: Entries) -> None:
        self._entries = entries

    def of(self, log_key: bytes) -> LogHeads:
        """What is kept under one log's key."""
        return LogHeads(self._entries, log_key.hex())

    def forks(self) -> list[tuple[bytes, bytes]]:
        """Every pair of heads that do not go together, each signed by its log; oldest first."""
        rows = self._entries.db.rows("SELECT ours, theirs FROM witness_fork ORDER BY rowid")
        return [(bytes(ours), bytes(theirs)) for ours, theirs in rows]


class LogHeads:
    """``trustquery.log.witness.WitnessHeads`` for one key."""

    def __init__(self, entries: Entries, log_key: str) -> None:
        self._entries = entries
        self._key = log_key

    def head(self, origin: str) -> bytes | None:
        """The note that was signed last for this log."""
        row = self._entries.db.row(
            "SELECT note FROM witness_head WHERE origin = ? AND log_key = ?", (origin, self._key)
        )
        return bytes(row[0]) if row else None

    def advance(self, origin: str, old: bytes | None, new: bytes) -> None:
        """Put ``new`` in the place of ``old``, durably, where ``old`` is there.

        Raises:
            Conflict: another head is there.
            TrustQueryError: ``ledger-unwritable``.
        """
        with self._entries.writing(0) as transaction:
            kept = self.head(origin)
            if kept != old:
                raise Conflict(kept)
            transaction.run(
                "INSERT INTO witness_head (origin, log_key, note, sha256) VALUES (?, ?, ?, ?)"
                " ON CONFLICT (origin, log_key) DO UPDATE SET note = excluded.note, sha256 = excluded.sha256",
                (origin, self._key, new, hashlib.sha256(new).hexdigest()),
            )

    def keep_fork(self, origin: str, ours: bytes, theirs: bytes) -> None:
        """Keep two notes that do not go together, once."""
        with self._entries.writing(0) as transaction:
            keep_pair(transaction, "witness_fork", ours, theirs)
