"""Rows as JSON: what an analyst sees of a query."""

from __future__ import annotations

import json
from typing import Any

from coordinator.merge import missing_because
from coordinator.projects.reviewing import Planned
from coordinator.store import AnswerRow, QueryRow, ReviewRow
from trustquery.errors import TrustQueryError
from trustquery.identity import Answer, Envelope, Roster
from trustquery.projects.register import iso_day
from trustquery.reviews.shown import REVIEWED_BY

__all__ = ["planned_view", "query_view", "review_view", "short_view"]


def short_view(row: QueryRow) -> dict[str, Any]:
    """One line of the history."""
    return {
        "query": row.release_id,
        "project": row.project,
        "dataset": row.dataset,
        "state": row.state,
        "created": row.created,
        "closed": row.closed,
        "sql": row.sql,
    }


def planned_view(planned: Planned | None) -> dict[str, Any] | None:
    """That merged tables are reviewed before their project sees them; None where they are not."""
    return None if planned is None else {"why": planned.why, "seconds": planned.seconds}


def review_view(review: ReviewRow | None) -> dict[str, Any] | None:
    """The review of one query as everybody but its checkers may know of it: until its deadline, that there is one."""
    if review is None:
        return None
    approved = review.outcome == "approved"
    return {
        "by": list(REVIEWED_BY),
        "why": review.why,
        "until": review.deadline,
        "outcome": review.outcome,
        "reasons": review.reasons.split(),
        # Of a table that nobody may see, the hash would let somebody try whether a guess is it.
        "table_sha256": review.table_sha256 if approved else "",
    }


def query_view(
    row: QueryRow,
    answers: list[AnswerRow],
    roster: Roster,
    parameters: str,
    review: ReviewRow | None = None,
    *,
    erased: int = 0,
) -> dict[str, Any]:
    """Everything of one query but its heavy parts; ``answers`` counts those received.

    Args:
        erased: when its figures were erased by age, seconds since 1970 UTC; 0 while they are kept.
    """
    by_node = {answer.node: answer for answer in answers}
    names = {node.node: node.name for node in roster.nodes}
    return short_view(row) | {
        "parameters": json.loads(parameters),
        "closes_at": row.closes_at,
        "review": review_view(review),
        "answers": len(answers),
        "trusts": [
            {"node": node, "name": names.get(node, node)} | _progress(by_node.get(node), row) for node in row.named
        ],
        "intent": row.intent.decode("ascii"),
        "model": row.model.decode("utf-8"),
        "result": json.loads(row.result) if row.result is not None else None,
        "erased_on": iso_day(erased) if erased else "",
    }


def _progress(answer: AnswerRow | None, row: QueryRow) -> dict[str, Any]:
    if answer is None:
        return {"status": "waiting" if not row.closed else "no-answer", "late": False, "reasons": []}
    reasons: list[dict[str, Any]] = []
    if answer.status == "refused":
        try:
            payload = Envelope.decode(answer.envelope, kind=Answer.KIND).payload
            reasons = missing_because(Answer.from_payload(payload))
        except TrustQueryError:
            reasons = missing_because(None)
    return {"status": answer.status, "late": answer.late, "reasons": reasons}
