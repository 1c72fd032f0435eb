"""Entries of a frozen ledger were lost, so nobody knows what they had spent: all that was left counts as spent.

Only upwards: a mark is never taken back, and there is no other way to write one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from node_agent.budget.database import Database
from node_agent.budget.entries import Transaction
from node_agent.budget.port import ScopeLimit, ScopeName, Spent
from node_agent.budget.verify_cosigned import FIRST_WITH_WITNESSES

__all__ = ["exhaust", "lost_of", "marks", "settle"]

DAY = 86_400


def lost_of(db: Database, scope: ScopeName, subject: str, after: int) -> tuple[int, int, int, int]:
    """What marks count as spent by a subject: rho since a day and in all, delta since it and in all."""
    if db.version < FIRST_WITH_WITNESSES:
        return 0, 0, 0, 0
    row = db.row(
        "SELECT coalesce(sum(rho_nano) FILTER (WHERE day > ?1), 0), coalesce(sum(rho_nano), 0),"
        " coalesce(sum(delta_atto) FILTER (WHERE day > ?1), 0), coalesce(sum(delta_atto), 0)"
        " FROM exhausted WHERE scope = ?2 AND subject = ?3",
        (after, scope, subject),
    )
    return (int(row[0]), int(row[1]), int(row[2]), int(row[3])) if row else (0, 0, 0, 0)


def marks(db: Database) -> list[tuple[str, str, int, int]]:
    """Scope, subject, rho and delta of every mark."""
    if db.version < FIRST_WITH_WITNESSES:
        return []
    rows = db.rows("SELECT scope, subject, rho_nano, delta_atto FROM exhausted ORDER BY seq")
    return [(str(scope), str(subject), int(rho), int(delta)) for scope, subject, rho, delta in rows]


def exhaust(transaction: Transaction, left: Sequence[tuple[ScopeLimit, Spent]], order: str) -> None:
    """Count as spent whatever each scope had left in its lifetime.

    Args:
        left: each scope with its caps and what it has spent.
        order: hash of the order that two people signed.
    """
    for item, spent in left:
        rho = max(0, item.limits.rho_lifetime - spent.rho_lifetime)
        delta = max(0, item.limits.delta_lifetime - spent.delta_lifetime)
        if not rho and not delta:
            continue
        named: dict[str, Any] = {}
        if item.scope != "node-wide":
            found = transaction.commitment(item.scope, item.subject)
            # Only these three are ever exhausted: the others are no promise to patients.
            named = {"dataset_commitments": (found,)} if item.scope == "dataset" else {"profiles_commitment": found}
        day = transaction.now // DAY
        seal = transaction.seal("exhausted", f"{item.scope} {item.subject}", day)
        leaf = transaction.append(
            "exhausted", intent_hash=order, rho_sum_nano=rho, rho_local_nano=rho, delta_atto=delta,
            facts_commitment=seal, **named,
        )  # fmt: skip
        transaction.run(
            "INSERT INTO exhausted (seq, scope, subject, rho_nano, delta_atto, day) VALUES (?, ?, ?, ?, ?, ?)",
            (leaf.seq, item.scope, item.subject, rho, delta, day),
        )


def settle(transaction: Transaction, theirs: bytes, order: str) -> None:
    """Note that two people decided on the head that froze the ledger."""
    leaf = transaction.append("repaired", intent_hash=order)
    transaction.run(
        "INSERT INTO repaired (seq, theirs_sha256) VALUES (?, ?)", (leaf.seq, hashlib.sha256(theirs).hexdigest())
    )
