"""What governance decided, as the ledger has it: which document is in force, what waits, whether the trust has stopped.

The documents are files that people can read. The book holds their hashes, in the same database and the same hash chain
as every charge, so a file that is put back, edited or touched changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from node_agent.budget.database import Database
from node_agent.budget.entries import Entries, Transaction, last_time
from node_agent.budget.verify_book import FIRST_WITH_A_BOOK, lodging_subject
from trustquery.errors import TrustQueryError

__all__ = ["Book", "BookReader", "Governed", "Mark", "MarkKind", "Pin", "Waiting"]

Governed = Literal["policy", "governance"]
MarkKind = Literal["paused", "stopped", "resumed"]


@dataclass(frozen=True)
class Pin:
    """One version of a document that is, or was, in force.

    Attributes:
        signed_under: version of the list of governance people whose keys signed it.
        seq: its entry in the ledger.
    """

    version: int
    sha256: str
    signed_under: int
    seq: int


@dataclass(frozen=True)
class Waiting:
    """A change that has been lodged and is not in force yet; ``lodged`` by the budget clock, seconds since 1970."""

    sha256: str
    kind: Governed
    version: int
    lodged: int


@dataclass(frozen=True)
class Mark:
    """The last entry about stopping: what, its number, and its hash, which an order to resume must name."""

    kind: MarkKind
    seq: int
    sha256: str


class BookReader:
    """The book, open for reading.

    Args:
        db: the ledger's database; a file from before there was a book reads as an empty one, so nothing is in force.
    """

    def __init__(self, db: Database | None) -> None:
        self._db = db

    @classmethod
    def beside(cls, path: Path) -> BookReader:
        """The book of a node's ledger, read beside a process that may have it open; an empty one before there is any.

        Raises:
            TrustQueryError: ``ledger-corrupt``, ``ledger-unwritable``.
        """
        return cls(Database(path, write=False, check=False) if path.exists() else None)

    def _rows(self, sql: str, bindings: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        known = self._db is not None and self._db.version >= FIRST_WITH_A_BOOK
        return self._db.rows(sql, bindings) if known and self._db is not None else []

    def versions(self, kind: Governed, name: str) -> tuple[Pin, ...]:
        """Every version that was ever in force, oldest first."""
        rows = self._rows(
            "SELECT version, sha256, signed_under, seq FROM governed WHERE kind = ? AND name = ? ORDER BY version",
            (kind, name),
        )
        return tuple(Pin(*row) for row in rows)

    def in_force(self, kind: Governed, name: str) -> Pin | None:
        """The version in force, or None."""
        return next(reversed(self.versions(kind, name)), None)

    def waiting(self) -> tuple[Waiting, ...]:
        """What has been lodged and neither taken up nor withdrawn, oldest first."""
        rows = self._rows("SELECT sha256, kind, version, lodged FROM lodged WHERE state = 'waiting' ORDER BY seq")
        return tuple(Waiting(row[0], cast(Governed, row[1]), row[2], row[3]) for row in rows)

    def seen(self, kind: str, name: str) -> tuple[int, str] | None:
        """The last version seen of a document and its hash, or None; the hash is "" where that one counts no more."""
        rows = self._rows("SELECT version, sha256 FROM seen_version WHERE kind = ? AND name = ?", (kind, name))
        return next(((int(row[0]), str(row[1])) for row in rows), None)

    def mark(self) -> Mark | None:
        """The last word on stopping, or None when there never was one."""
        rows = self._rows(
            "SELECT kind, seq, hash FROM leaf WHERE kind IN ('paused', 'stopped', 'resumed') ORDER BY seq DESC LIMIT 1"
        )
        return next((Mark(cast(MarkKind, row[0]), row[1], row[2]) for row in rows), None)

    def clock(self, now: int) -> int:
        """The budget clock: the later of the wall and the last entry, seconds since 1970."""
        return max(now, last_time(self._db)) if self._db is not None else now


class Book(BookReader):
    """The book, open for writing. Each method is one durable transaction with its entries; it happens whole or not.

    Raises:
        TrustQueryError: ``ledger-unwritable`` from every method; then nothing has changed.
    """

    def __init__(self, entries: Entries) -> None:
        super().__init__(entries.db)
        self._lock = entries.db.lock
        self._entries = entries
        # One process writes, so what it wrote last is what there is; the gate asks at every step.
        self._pins: dict[tuple[Governed, str], Pin | None] = {}

    def in_force(self, kind: Governed, name: str) -> Pin | None:
        """The version in force, or None."""
        if (kind, name) not in self._pins:
            self._pins[kind, name] = super().in_force(kind, name)
        return self._pins[kind, name]

    def put_in_force(self, kind: Governed, name: str, version: int, sha256: str, signed_under: int, now: int) -> None:
        """A document is in force from now on; whatever else of its kind waits is withdrawn.

        What waits was compared with another document, and would undo what this one closes.

        Raises:
            TrustQueryError: ``policy-document-stale``: the version does not rise.
        """
        with self._lock:
            last = self.in_force(kind, name)
            if last is not None and version <= last.version:
                raise TrustQueryError("policy-document-stale", document=kind)
            with self._entries.writing(now) as transaction:
                about = {"policy_hash": sha256} if kind == "policy" else {}
                leaf = transaction.append(kind, intent_hash=sha256, **about)
                transaction.run(
                    "INSERT INTO governed (kind, name, version, sha256, signed_under, seq) VALUES (?, ?, ?, ?, ?, ?)",
                    (kind, name, version, sha256, signed_under, leaf.seq),
                )
                transaction.run(
                    "INSERT INTO seen_version (kind, name, version, sha256) VALUES (?, ?, ?, ?)"
                    " ON CONFLICT (kind, name) DO UPDATE SET version = excluded.version, sha256 = excluded.sha256",
                    (kind, name, version, sha256),
                )
                transaction.run("UPDATE lodged SET state = 'in force' WHERE sha256 = ?", (sha256,))
                for item in self.waiting():
                    if item.kind == kind:
                        self._end(transaction, item.sha256)
            self._pins[kind, name] = Pin(version, sha256, signed_under, leaf.seq)

    def lodge(self, kind: Governed, version: int, sha256: str, now: int) -> Waiting:
        """A change waits from now on; one that waits already keeps its time."""
        with self._lock:
            for item in self.waiting():
                if item.sha256 == sha256:
                    return item
            with self._entries.writing(now) as transaction:
                lodged = transaction.now
                facts = transaction.commitment("lodged", lodging_subject(sha256, lodged))
                leaf = transaction.append("lodged", intent_hash=sha256, facts_commitment=facts)
                transaction.run(
                    "INSERT INTO lodged (sha256, kind, version, lodged, state, seq) VALUES (?, ?, ?, ?, 'waiting', ?)"
                    " ON CONFLICT (sha256) DO UPDATE SET lodged = excluded.lodged, state = 'waiting',"
                    " seq = excluded.seq",
                    (sha256, kind, version, lodged, leaf.seq),
                )
        return Waiting(sha256, kind, version, lodged)

    def withdraw(self, sha256: str, now: int) -> None:
        """A change waits no longer.

        Raises:
            TrustQueryError: ``policy-not-waiting``.
        """
        with self._lock:
            if sha256 not in {item.sha256 for item in self.waiting()}:
                raise TrustQueryError("policy-not-waiting", change=sha256[:16])
            with self._entries.writing(now) as transaction:
                self._end(transaction, sha256)

    def _end(self, transaction: Transaction, sha256: str) -> None:
        transaction.append("withdrawn", intent_hash=sha256)
        transaction.run("UPDATE lodged SET state = 'withdrawn' WHERE sha256 = ?", (sha256,))

    def decline(self, project: str, accepted: int, sha256: str, now: int) -> None:
        """An acceptance of a project counts no more, nor does an older one: not from a copy either.

        Args:
            accepted: when it was given, which orders acceptances of a project.
        """
        with self._lock, self._entries.writing(now) as transaction:
            transaction.append("declined", intent_hash=sha256)
            # Seen is another text of that time, so the very one that was declined is refused as well.
            transaction.run(
                "INSERT INTO seen_version (kind, name, version, sha256) VALUES ('acceptance', ?, ?, '')"
                " ON CONFLICT (kind, name) DO UPDATE SET version = max(version, excluded.version), sha256 = ''",
                (project, min(accepted, transaction.now)),
            )

    def note(self, kind: MarkKind, now: int) -> Mark:
        """Enter a stop, a pause or the end of one."""
        with self._entries.writing(now) as transaction:
            leaf = transaction.append(kind)
        return Mark(kind, leaf.seq, leaf.hash.hex())
