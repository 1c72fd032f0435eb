"""How long figures are kept: results and vectors are erased by age, and what says that there were any stays.

For ever: question, intent, permit, signed answers (they hold hashes and charges, no figure), criteria, log and record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session, aliased

from coordinator.store.models import (
    AnswerRow,
    CriteriaRow,
    ErasureRow,
    InputContentRow,
    InputRow,
    QueryRow,
    ReleaseEventRow,
    ReviewRow,
)

__all__ = ["Keeping", "Kept"]

_FINISHED = ("closed", "returned", "expired", "cancelled")
"""One that is in review has not ended: nothing of it is erased before its deadline has decided."""


@dataclass(frozen=True)
class Kept:
    """How many results are kept, and of how many queries the figures were erased."""

    results: int
    erased: int


class Keeping:
    """What is erased, and the criteria, which are not."""

    def __init__(self, transaction: Callable[[], AbstractContextManager[Session]]) -> None:
        self._transaction = transaction

    def erase(self, before: int, now: int, *, most: int = 20) -> tuple[str, ...]:
        """Erase the figures of queries that ended at or before a time, and say so in the same transaction.

        Returns:
            Release ids, the oldest first, at most ``most``; empty when none is due.
        """
        with self._transaction() as session:
            done = select(ErasureRow.release_id)
            chosen = select(QueryRow.release_id).where(
                QueryRow.state.in_(_FINISHED), QueryRow.closed <= before, QueryRow.release_id.not_in(done)
            )
            due = tuple(session.scalars(chosen.order_by(QueryRow.closed, QueryRow.release_id).limit(most)))
            if due:
                session.execute(update(QueryRow).where(QueryRow.release_id.in_(due)).values(result=None))
                session.execute(update(ReviewRow).where(ReviewRow.release_id.in_(due)).values(held=b""))
                session.execute(update(AnswerRow).where(AnswerRow.release_id.in_(due)).values(vector=b""))
                session.add_all(ErasureRow(release_id=release_id, at=now) for release_id in due)
        return due

    def erase_withdrawn(self, before: int) -> int:
        """Erase the published copies of releases that were withdrawn at or before a time; returns how many.

        The events stay, and with them who published, who withdrew, when and why.
        """
        taken = aliased(ReleaseEventRow)
        gone = select(taken.release_id).where(taken.action == "withdraw", taken.at <= before)
        with self._transaction() as session:
            due = select(ReleaseEventRow.seq).where(ReleaseEventRow.table != "", ReleaseEventRow.release_id.in_(gone))
            found = list(session.scalars(due))
            if found:
                session.execute(update(ReleaseEventRow).where(ReleaseEventRow.seq.in_(found)).values(table=""))
        return len(found)

    def withdrawn_inputs(self, before: int) -> list[tuple[str, int]]:
        """Name and version of inputs that were withdrawn at or before a time and whose content is still kept."""
        with self._transaction() as session:
            chosen = (
                select(InputRow.name, InputRow.version)
                .join(InputContentRow, InputContentRow.sha256 == InputRow.sha256)
                .where(InputRow.state == "withdrawn", InputRow.updated <= before)
            )
            return [(name, version) for name, version in session.execute(chosen.order_by(InputRow.updated))]

    def erased(self, release_ids: Iterable[str]) -> dict[str, int]:
        """When the figures of these queries were erased, seconds since 1970 UTC; of those of which they were."""
        with self._transaction() as session:
            chosen = select(ErasureRow).where(ErasureRow.release_id.in_(list(release_ids)))
            return {row.release_id: row.at for row in session.scalars(chosen)}

    def kept(self) -> Kept:
        """How much is kept, and how much was erased."""
        with self._transaction() as session:
            there = select(func.count()).select_from(QueryRow).where(QueryRow.result.is_not(None))
            gone = select(func.count()).select_from(ErasureRow)
            return Kept(session.scalar(there) or 0, session.scalar(gone) or 0)

    def add_criteria(self, row: CriteriaRow) -> None:
        """Keep the criteria of a release; the first record stays."""
        with self._transaction() as session:
            if session.get(CriteriaRow, row.release_id) is None:
                session.add(row)

    def criteria(self, release_ids: Iterable[str]) -> dict[str, CriteriaRow]:
        """The criteria by release id, of those of these releases that have any."""
        with self._transaction() as session:
            chosen = select(CriteriaRow).where(CriteriaRow.release_id.in_(list(release_ids)))
            return {row.release_id: row for row in session.scalars(chosen)}
