"""What the coordinator remembers as a witness: in one transaction before any signature that depends on it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import AbstractContextManager

from sqlalchemy import select
from sqlalchemy.orm import Session

from coordinator.store.witness_models import AnswerHeadRow, FrozenNodeRow, WitnessForkRow, WitnessHeadRow
from trustquery.log import Conflict

__all__ = ["Witnessed"]

Transaction = Callable[[], AbstractContextManager[Session]]


class _LogHeads:
    """``trustquery.log.WitnessHeads`` for one key."""

    def __init__(self, transaction: Transaction, log_key: str) -> None:
        self._transaction = transaction
        self._key = log_key

    def head(self, origin: str) -> bytes | None:
        """The note that was signed last for this log."""
        with self._transaction() as session:
            row = session.get(WitnessHeadRow, (origin, self._key))
            return row.note if row is not None else None

    def advance(self, origin: str, old: bytes | None, new: bytes) -> None:
        """Put ``new`` in the place of ``old``, where ``old`` is there.

        Raises:
            Conflict: another head is there.
        """
        with self._transaction() as session:
            row = session.get(WitnessHeadRow, (origin, self._key), with_for_update=True)
            kept = row.note if row is not None else None
            if kept != old:
                raise Conflict(kept)
            if row is None:
                session.add(WitnessHeadRow(origin=origin, log_key=self._key, note=new))
            else:
                row.note = new

    def keep_fork(self, origin: str, ours: bytes, theirs: bytes) -> None:
        """Keep two notes that do not go together, once."""
        found = hashlib.sha256(hashlib.sha256(ours).digest() + hashlib.sha256(theirs).digest()).hexdigest()
        with self._transaction() as session:
            if session.get(WitnessForkRow, found) is None:
                session.add(WitnessForkRow(id=found, origin=origin, ours=ours, theirs=theirs))


class Witnessed:
    """Heads by the key of their log, forks, and nodes that say that they froze."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    def of(self, log_key: bytes) -> _LogHeads:
        """What is kept of the log with this key."""
        return _LogHeads(self._transaction, log_key.hex())

    def forks(self, origin: str) -> list[tuple[bytes, bytes]]:
        """Pairs of heads of one log that do not go together."""
        with self._transaction() as session:
            rows = session.scalars(select(WitnessForkRow).where(WitnessForkRow.origin == origin))
            return [(row.ours, row.theirs) for row in rows]

    def heads(self, release_id: str) -> dict[str, bytes]:
        """Cosigned heads that came beside the answers to a query, by node."""
        with self._transaction() as session:
            rows = session.scalars(select(AnswerHeadRow).where(AnswerHeadRow.release_id == release_id))
            return {row.node: row.note for row in rows}

    def said(self, node: str, frozen: bool, now: int) -> None:
        """Keep what a node says of its ledger."""
        with self._transaction() as session:
            row = session.get(FrozenNodeRow, node)
            if frozen and row is None:
                session.add(FrozenNodeRow(node=node, since=now))
            elif not frozen and row is not None:
                session.delete(row)

    def frozen(self) -> dict[str, int]:
        """Nodes that say that they are frozen, and since when."""
        with self._transaction() as session:
            return {row.node: row.since for row in session.scalars(select(FrozenNodeRow))}
