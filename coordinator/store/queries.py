"""Queries and the answers of nodes. State changes are compare-and-set, so that each happens once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager

from sqlalchemy import func, select
from sqlalchemy.orm import Session, defer

from coordinator.store.models import AnswerRow, ErasureRow, PublicTableRow, QueryParameters, QueryRow, ReviewRow
from coordinator.store.uses import begins
from coordinator.store.witness_models import AnswerHeadRow

__all__ = ["Queries"]

_HEAVY = (defer(QueryRow.result), defer(QueryRow.model), defer(QueryRow.intent), defer(QueryRow.permit))


class Queries:
    """The durable half of ``coordinator.queries``."""

    def __init__(self, transaction: Callable[[], AbstractContextManager[Session]]) -> None:
        self._transaction = transaction

    def add(
        self,
        row: QueryRow,
        *,
        parameters: str = "",
        tables: Mapping[str, bytes] | None = None,
        review: ReviewRow | None = None,
    ) -> bool:
        """Keep a new query; False when the release id was used before.

        Args:
            parameters: JSON, "" for none.
            tables: public tables that came with it, canonical bytes by hash.
            review: where two output checkers are to look at what comes of it.
        """
        with self._transaction() as session:
            if session.get(QueryRow, row.release_id) is not None:
                return False
            session.add(row)
            session.flush()
            if parameters:
                session.add(QueryParameters(release_id=row.release_id, parameters=parameters))
            if review is not None:
                session.add(review)
            for sha256, document in (tables or {}).items():
                session.merge(PublicTableRow(sha256=sha256, document=document))
            return True

    def parameters(self, release_id: str) -> str:
        """The query's parameters as JSON, "{}" for none."""
        with self._transaction() as session:
            row = session.get(QueryParameters, release_id)
            return row.parameters if row is not None else "{}"

    def parameters_of(self, release_ids: Iterable[str]) -> dict[str, str]:
        """The parameters of those of these queries that have any, as JSON."""
        with self._transaction() as session:
            chosen = select(QueryParameters).where(QueryParameters.release_id.in_(list(release_ids)))
            return {row.release_id: row.parameters for row in session.scalars(chosen)}

    def tables(self, hashes: Iterable[str]) -> list[bytes]:
        """Those of these public tables that were kept, canonical bytes."""
        with self._transaction() as session:
            chosen = select(PublicTableRow).where(PublicTableRow.sha256.in_(list(hashes)))
            return [row.document for row in session.scalars(chosen.order_by(PublicTableRow.sha256))]

    def get(self, release_id: str) -> QueryRow | None:
        """A query with everything."""
        with self._transaction() as session:
            return session.get(QueryRow, release_id)

    def of_user(self, user_id: int, prefix: str) -> QueryRow | None:
        """The one query of a user whose id begins so; None when none or several do."""
        with self._transaction() as session:
            wanted = begins(QueryRow.release_id, prefix)
            found = select(QueryRow).where(QueryRow.user_id == user_id, wanted).limit(2)
            rows = list(session.scalars(found))
            return rows[0] if len(rows) == 1 else None

    def history(self, user_id: int, limit: int) -> list[QueryRow]:
        """A user's queries, newest first, without their heavy columns."""
        with self._transaction() as session:
            newest = QueryRow.created.desc(), QueryRow.release_id
            mine = select(QueryRow).options(*_HEAVY).where(QueryRow.user_id == user_id).order_by(*newest).limit(limit)
            return list(session.scalars(mine))

    def newest(self, hashes: Iterable[str], *, state: str) -> list[QueryRow]:
        """For each of these query hashes the query that reached a last state latest, whoever asked it; by hash.

        Its heavy columns stay in the database; ``results`` fetches what is wanted of them.
        """
        with self._transaction() as session:
            latest = QueryRow.closed.desc(), QueryRow.release_id
            place = func.row_number().over(partition_by=QueryRow.query_hash, order_by=latest).label("place")
            # One whose figures were erased by age is not among them: there is nothing of it to read.
            wanted = QueryRow.query_hash.in_(list(hashes)), QueryRow.state == state, QueryRow.result.is_not(None)
            ranked = select(QueryRow.release_id, place).where(*wanted).subquery()
            chosen = select(QueryRow).options(*_HEAVY).join(ranked, ranked.c.release_id == QueryRow.release_id)
            return list(session.scalars(chosen.where(ranked.c.place == 1).order_by(QueryRow.query_hash)))

    def results(self, release_ids: Iterable[str]) -> dict[str, bytes]:
        """Results by release id, of those of these queries that have one."""
        with self._transaction() as session:
            chosen = select(QueryRow.release_id, QueryRow.result).where(QueryRow.release_id.in_(list(release_ids)))
            return {found: bytes(result) for found, result in session.execute(chosen) if result is not None}

    def named_in(self, states: Iterable[str]) -> dict[str, frozenset[str]]:
        """The nodes that each query in any of these states names, by release id, oldest first."""
        with self._transaction() as session:
            chosen = select(QueryRow.release_id, QueryRow.nodes).where(QueryRow.state.in_(list(states)))
            found = session.execute(chosen.order_by(QueryRow.created, QueryRow.release_id))
            return {release_id: frozenset(nodes.split(" ")) for release_id, nodes in found}

    def due(self, states: Iterable[str], now: int) -> list[str]:
        """Release ids of queries in any of these states whose time is up, oldest first."""
        with self._transaction() as session:
            chosen = select(QueryRow.release_id).where(QueryRow.state.in_(list(states)), QueryRow.closes_at <= now)
            return list(session.scalars(chosen.order_by(QueryRow.created, QueryRow.release_id)))

    def move(
        self, release_id: str, *, before: Iterable[str], after: str, closed: int = 0, result: bytes | None = None
    ) -> bool:
        """Change the state if it is one of ``before``; False otherwise.

        Args:
            closed: the time, when ``after`` is a last state; ``result`` is kept with it.
        """
        with self._transaction() as session:
            row = session.get(QueryRow, release_id, with_for_update=True)
            if row is None or row.state not in set(before):
                return False
            row.state, row.closed = after, closed
            if result is not None:
                row.result = result
            return True

    def finish(
        self, release_id: str, *, before: str, after: str, review: str, closed: int, result: bytes
    ) -> str | None:
        """Keep a merged result: where two output checkers are to look at it, in their review alone.

        It is one transaction and leaves one state only, so that to finish twice cannot pass a review by.

        Args:
            after: the state where nobody reviews it; ``review`` where somebody does.
            closed: the time, for ``after``.

        Returns:
            The state that it is in now; None when it was not in ``before``.
        """
        with self._transaction() as session:
            row = session.get(QueryRow, release_id, with_for_update=True)
            if row is None or row.state != before:
                return None
            asked = session.get(ReviewRow, release_id, with_for_update=True)
            if asked is not None:
                row.state, asked.held = review, result
            else:
                row.state, row.closed, row.result = after, closed, result
            return row.state

    def add_answer(self, row: AnswerRow, *, in_time: Iterable[str], head: bytes = b"") -> bool:
        """Keep a node's answer, marked late unless the query is in one of these states.

        Args:
            head: the cosigned ledger head beside it; b"" where none came.

        Returns:
            False when this node had answered before; the first answer stays.
        """
        with self._transaction() as session:
            query = session.get(QueryRow, row.release_id, with_for_update=True)
            if query is None or session.get(AnswerRow, (row.release_id, row.node)) is not None:
                return False
            row.late = query.state not in set(in_time)
            if session.get(ErasureRow, row.release_id) is not None:
                # Its time was up before it came: that it came is noted, and its figures are not kept.
                row.vector = b""
            session.add(row)
            if head:
                session.add(AnswerHeadRow(release_id=row.release_id, node=row.node, note=head))
            return True

    def answers(self, release_id: str) -> list[AnswerRow]:
        """All answers to a query, by node."""
        with self._transaction() as session:
            chosen = select(AnswerRow).where(AnswerRow.release_id == release_id).order_by(AnswerRow.node)
            return list(session.scalars(chosen))

    def answered(self, release_id: str) -> list[AnswerRow]:
        """All answers to a query without their vectors, by node."""
        with self._transaction() as session:
            chosen = select(AnswerRow).options(defer(AnswerRow.vector)).where(AnswerRow.release_id == release_id)
            return list(session.scalars(chosen.order_by(AnswerRow.node)))

    def charged(self, project: str, *, hashes: Iterable[str] | None = None) -> list[tuple[str, int, int]]:
        """What a project was charged, by node: (node, sum of rho in 1e-9, number of charged answers).

        Args:
            hashes: count only queries with one of these hashes; every query when None.
        """
        only = () if hashes is None else (QueryRow.query_hash.in_(list(hashes)),)
        with self._transaction() as session:
            sums = (
                select(AnswerRow.node, func.sum(AnswerRow.rho_nano), func.count())
                .join(QueryRow, QueryRow.release_id == AnswerRow.release_id)
                .where(QueryRow.project == project, AnswerRow.rho_nano > 0, *only)
                .group_by(AnswerRow.node)
                .order_by(AnswerRow.node)
            )
            return [(node, int(total), int(number)) for node, total, number in session.execute(sums)]
