"""Reviews of merged tables, and the verdicts on them. Verdicts are only ever added."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from sqlalchemy import select
from sqlalchemy.orm import Session, defer

from coordinator.store.models import CriteriaRow, ProjectEventRow, QueryRow, ReviewRow, ReviewVerdictRow

__all__ = ["ReviewChange", "Reviews"]

_IN_REVIEW = "in-review"


class ReviewChange:
    """One review as it is being changed: its row, its query and the verdicts, in the order in which they came."""

    def __init__(self, session: Session, review: ReviewRow, query: QueryRow) -> None:
        self._session = session
        self.review = review
        self.query = query

    @property
    def verdicts(self) -> list[ReviewVerdictRow]:
        """Every verdict so far."""
        return _verdicts(self._session, self.review.release_id)

    def add(self, row: ReviewVerdictRow) -> None:
        """Keep a verdict. It is a record by itself: signed, dated, never changed."""
        self._session.add(row)
        self._session.flush()

    def settle(
        self,
        *,
        state: str,
        outcome: str,
        reasons: str,
        table_sha256: str,
        now: int,
        words: str,
        criteria: CriteriaRow | None,
    ) -> None:
        """End the review: the query's last state, where it is approved result and criteria, a line in the record.

        Args:
            words: for the project's record, which anybody may read.
            criteria: what it is disclosed under; None where it is not.
        """
        review, query = self.review, self.query
        query.state, query.closed = state, now
        if outcome == "approved":
            query.result = review.held
            if criteria is not None:
                self._session.add(criteria)
        review.outcome, review.reasons, review.table_sha256, review.held = outcome, reasons, table_sha256, b""
        actor = "two output checkers" if outcome == "approved" else "output checkers"
        self._session.add(
            ProjectEventRow(project=query.project, at=now, action="review", actor=actor, text=words, public=True)
        )


class Reviews:
    """The durable half of ``coordinator.projects.reviewing``."""

    def __init__(self, transaction: Callable[[], AbstractContextManager[Session]]) -> None:
        self._transaction = transaction

    def get(self, release_id: str) -> ReviewRow | None:
        """The review of a query, without what it holds; None where there is none."""
        with self._transaction() as session:
            chosen = select(ReviewRow).options(defer(ReviewRow.held)).where(ReviewRow.release_id == release_id)
            return session.scalar(chosen)

    def of(self, release_ids: list[str]) -> dict[str, ReviewRow]:
        """Reviews by release id, without what they hold."""
        with self._transaction() as session:
            chosen = select(ReviewRow).options(defer(ReviewRow.held)).where(ReviewRow.release_id.in_(release_ids))
            return {row.release_id: row for row in session.scalars(chosen)}

    def held(self, release_id: str) -> tuple[ReviewRow, QueryRow, list[ReviewVerdictRow]] | None:
        """A merged table that is in review now, with the verdicts on it; None where none is."""
        with self._transaction() as session:
            review, query = session.get(ReviewRow, release_id), session.get(QueryRow, release_id)
            if review is None or query is None or query.state != _IN_REVIEW:
                return None
            return review, query, _verdicts(session, release_id)

    def open(self) -> list[QueryRow]:
        """Queries that are in review, those first whose deadline is next."""
        with self._transaction() as session:
            chosen = select(QueryRow).join(ReviewRow, ReviewRow.release_id == QueryRow.release_id)
            return list(session.scalars(chosen.where(QueryRow.state == _IN_REVIEW).order_by(ReviewRow.deadline)))

    def due(self, now: int) -> list[str]:
        """Release ids of those whose deadline has come."""
        with self._transaction() as session:
            chosen = select(ReviewRow.release_id).join(QueryRow, ReviewRow.release_id == QueryRow.release_id)
            return list(session.scalars(chosen.where(QueryRow.state == _IN_REVIEW, ReviewRow.deadline <= now)))

    def keeps(self, query_hash: str) -> bool:
        """Whether this very question is in review somewhere, will be, or was returned."""
        with self._transaction() as session:
            chosen = select(ReviewRow.release_id).join(QueryRow, ReviewRow.release_id == QueryRow.release_id)
            wanted = chosen.where(
                QueryRow.query_hash == query_hash,
                ReviewRow.outcome != "approved",
                QueryRow.state.not_in(["expired", "cancelled"]),
            )
            return session.scalar(wanted.limit(1)) is not None

    @contextmanager
    def change(self, release_id: str) -> Iterator[ReviewChange | None]:
        """Change a review that is open, in one transaction that nobody else takes part in; None where none is."""
        with self._transaction() as session:
            review = session.get(ReviewRow, release_id, with_for_update=True)
            query = session.get(QueryRow, release_id, with_for_update=True)
            if review is None or query is None or query.state != _IN_REVIEW:
                yield None
            else:
                yield ReviewChange(session, review, query)


def _verdicts(session: Session, release_id: str) -> list[ReviewVerdictRow]:
    chosen = select(ReviewVerdictRow).where(ReviewVerdictRow.release_id == release_id)
    return list(session.scalars(chosen.order_by(ReviewVerdictRow.seq)))
