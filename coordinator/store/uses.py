"""What the public reads of finished queries, and what became of their results."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass

from sqlalchemy import CTE, BigInteger, Column, ColumnElement, String, and_, exists, func, not_, select, values
from sqlalchemy.orm import InstrumentedAttribute, Session, defer

from coordinator.store.models import AnswerRow, QueryRow, ReleaseEventRow

__all__ = ["UseFilter", "Uses", "begins"]

MOST_VALUES = 5_000

_FINISHED = ("closed", "expired", "cancelled", "returned")
_OLDEST = (QueryRow.closed, QueryRow.release_id)
_NEWEST = (QueryRow.closed.desc(), QueryRow.release_id.desc())
# An expression, and not the column: else SQLite takes the index by state and sorts everything that it finds.
_ENDED = QueryRow.state.concat("").in_(_FINISHED)
_LIGHT = (defer(QueryRow.result), defer(QueryRow.model))


@dataclass(frozen=True)
class UseFilter:
    """Which finished queries; "" and 0 for all.

    Attributes:
        trust: a node that was asked.
        since: closed at or after, seconds since 1970 UTC; ``until``: before.
        outcome: released, refused, too-few, returned or cancelled.
    """

    project: str = ""
    trust: str = ""
    since: int = 0
    until: int = 0
    outcome: str = ""


class Uses:
    """Read-only, but for what is published and withdrawn, which ``Projects.change`` writes."""

    def __init__(self, transaction: Callable[[], AbstractContextManager[Session]]) -> None:
        self._transaction = transaction

    def count(self, wanted: UseFilter) -> int:
        """How many there are."""
        with self._transaction() as session:
            return session.scalar(select(func.count()).select_from(QueryRow).where(*_where(wanted))) or 0

    def some(self, wanted: UseFilter, *, skip: int, limit: int) -> list[QueryRow]:
        """Some of them, oldest first: what closes later comes last, so that a place in the list is for ever."""
        with self._transaction() as session:
            # Names first, which an index holds: rows that are skipped are not read.
            names = select(QueryRow.release_id).where(*_where(wanted)).order_by(*_OLDEST).offset(skip).limit(limit)
            chosen = select(QueryRow).options(*_LIGHT).where(QueryRow.release_id.in_(list(session.scalars(names))))
            return list(session.scalars(chosen.order_by(*_OLDEST)))

    def newest(self, limit: int) -> list[QueryRow]:
        """The last that closed, newest first."""
        with self._transaction() as session:
            chosen = select(QueryRow).options(*_LIGHT).where(*_where(UseFilter()))
            return list(session.scalars(chosen.order_by(*_NEWEST).limit(limit)))

    def named(self, hash_: str, *, newest: int = 0) -> list[QueryRow]:
        """Finished queries with this hash of the question, or the one with this release id, oldest first.

        Args:
            hash_: 8 to 64 hexadecimal digits, the first of either; nothing when they fit several questions.
            newest: so many of them at most, the last that ended; 0 for all.
        """
        with self._transaction() as session:
            either = (
                select(QueryRow.query_hash).where(begins(column, hash_), _ENDED).distinct().limit(2)
                for column in (QueryRow.query_hash, QueryRow.release_id)
            )
            hashes = list({found for chosen in either for found in session.scalars(chosen)})
            if len(hashes) != 1:
                return []
            same = select(QueryRow).options(_LIGHT[0]).where(QueryRow.query_hash == hashes[0])
            finished = same.where(_ENDED)
            if newest:
                return list(reversed(list(session.scalars(finished.order_by(*_NEWEST).limit(newest)))))
            return list(session.scalars(finished.order_by(*_OLDEST)))

    def release(self, prefix: str) -> QueryRow | None:
        """The one query whose release id begins so, with everything; None when none or several do."""
        with self._transaction() as session:
            chosen = select(QueryRow).where(begins(QueryRow.release_id, prefix)).limit(2)
            rows = list(session.scalars(chosen))
            return rows[0] if len(rows) == 1 else None

    def answers(self, release_ids: Iterable[str]) -> dict[str, list[AnswerRow]]:
        """Answers without their vectors, by release id and then by node."""
        wanted = list(release_ids)
        found: dict[str, list[AnswerRow]] = {release_id: [] for release_id in wanted}
        with self._transaction() as session:
            chosen = select(AnswerRow).options(defer(AnswerRow.vector)).where(AnswerRow.release_id.in_(wanted))
            for row in session.scalars(chosen.order_by(AnswerRow.node)):
                found[row.release_id].append(row)
        return found

    def events(self, release_ids: Iterable[str]) -> dict[str, list[ReleaseEventRow]]:
        """What became of results, by release id, oldest first."""
        wanted = list(release_ids)
        found: dict[str, list[ReleaseEventRow]] = {release_id: [] for release_id in wanted}
        with self._transaction() as session:
            chosen = select(ReleaseEventRow).where(ReleaseEventRow.release_id.in_(wanted))
            for row in session.scalars(chosen.order_by(ReleaseEventRow.seq)):
                found[row.release_id].append(row)
        return found

    def charged(self, *, since: int = 0) -> dict[str, int]:
        """What was charged, by node, in 1e-9 rho, by answers that came at or after ``since``."""
        with self._transaction() as session:
            sums = (
                select(AnswerRow.node, func.sum(AnswerRow.rho_nano))
                .where(AnswerRow.rho_nano > 0, AnswerRow.received >= since)
                .group_by(AnswerRow.node)
            )
            return {node: int(total) for node, total in session.execute(sums)}

    def charged_by_project(
        self, *, since: Mapping[str, int] | None = None, but: Iterable[str] = ()
    ) -> dict[str, dict[str, int]]:
        """What was charged, by project and node, in 1e-9 rho.

        Args:
            since: the projects that count, each with the time from which on; None for all, ever.
            but: hashes of questions that do not count.
        """
        found: dict[str, dict[str, int]] = {}
        with self._transaction() as session:
            sums = (
                select(QueryRow.project, AnswerRow.node, func.sum(AnswerRow.rho_nano))
                .join(QueryRow, QueryRow.release_id == AnswerRow.release_id)
                .where(AnswerRow.rho_nano > 0, QueryRow.query_hash.not_in(list(but)))
                .group_by(QueryRow.project, AnswerRow.node)
            )
            some = [sums] if since is None else [
                sums.where(QueryRow.project == times.c.project, AnswerRow.received >= times.c.since)
                for times in _times(since)
            ]  # fmt: skip
            for project, node, total in (row for chosen in some for row in session.execute(chosen)):
                found.setdefault(project, {})[node] = int(total)
        return found

    def charged_intents(self, vector_length: int) -> list[tuple[str, int, bytes]]:
        """Node, time and signed intent of each charged answer to a query whose vector has this length."""
        with self._transaction() as session:
            chosen = (
                select(AnswerRow.node, AnswerRow.received, QueryRow.intent)
                .join(QueryRow, QueryRow.release_id == AnswerRow.release_id)
                .where(AnswerRow.rho_nano > 0, QueryRow.vector_length == vector_length)
            )
            return [(node, received, bytes(intent)) for node, received, intent in session.execute(chosen)]


def begins(column: InstrumentedAttribute[str], prefix: str) -> ColumnElement[bool]:
    """Whether a hexadecimal text begins so, in a form that an index answers."""
    # "g" comes after every hexadecimal digit.
    return and_(column >= prefix, column < f"{prefix}g")


def _times(since: Mapping[str, int]) -> Iterator[CTE]:
    """Projects and times as rows to join with, so many at a time as a statement takes."""
    items = sorted(since.items())
    for start in range(0, len(items), MOST_VALUES):
        columns = (Column("project", String), Column("since", BigInteger))
        yield values(*columns).data(items[start : start + MOST_VALUES]).cte("times")


def _where(wanted: UseFilter) -> list[ColumnElement[bool]]:
    clauses: list[ColumnElement[bool]] = [_ENDED]
    if wanted.project:
        clauses.append(QueryRow.project == wanted.project)
    if wanted.trust:
        clauses.append((" " + QueryRow.nodes + " ").contains(f" {wanted.trust} ", autoescape=True))
    if wanted.since:
        clauses.append(QueryRow.closed >= wanted.since)
    if wanted.until:
        clauses.append(QueryRow.closed < wanted.until)
    if wanted.outcome:
        clauses.append(_outcome(wanted.outcome))
    return clauses


def _outcome(outcome: str) -> ColumnElement[bool]:
    """The same as the log says (``coordinator.transparency.log``) of one query."""

    def some(status: str) -> ColumnElement[bool]:
        mine = AnswerRow.release_id == QueryRow.release_id, AnswerRow.late.is_(False), AnswerRow.status == status
        return exists().where(*mine)

    refused = and_(some("refused"), not_(some("answer")))
    clauses = {
        "released": QueryRow.state == "closed",
        "cancelled": QueryRow.state == "cancelled",
        "returned": QueryRow.state == "returned",
        "refused": and_(QueryRow.state == "expired", refused),
        "too-few": and_(QueryRow.state == "expired", not_(refused)),
    }
    return clauses[outcome]
