"""Rows as JSON: what an analyst sees of a query."""

from __future__ import annotations

import json
from typing import Any

from coordinator.merge import missing_because
from coordinator.store import AnswerRow, QueryRow
from trustquery.errors import TrustQueryError
from trustquery.identity import Answer, Envelope, Roster

__all__ = ["query_view", "short_view"]


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


def query_view(row: QueryRow, answers: list[AnswerRow], roster: Roster, parameters: str) -> dict[str, Any]:
    """Everything of one query but its heavy parts; ``answers`` counts those received."""
    by_node = {answer.node: answer for answer in answers}
    names = {node.node: node.name for node in roster.nodes}
    return short_view(row) | {
        "parameters": json.loads(parameters),
        "closes_at": row.closes_at,
        "answers": len(answers),
        "trusts": [
            {"node": node, "name": names.get(node, node)} | _progress(by_node.get(node), row) for node in row.named
        ],
        "intent": row.intent.decode("ascii"),
        "model": row.model.decode("utf-8"),
        "result": json.loads(row.result) if row.result is not None else None,
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
