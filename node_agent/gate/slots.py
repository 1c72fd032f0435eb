"""The planned slot: fixed before data are read, from the plan and declared sizes alone."""

from __future__ import annotations

from node_agent.gate.ports import Settings
from trustquery.catalogue import Catalogue
from trustquery.model import Query
from trustquery.planning import Plan

__all__ = ["needed_ms", "planned_slot"]


def needed_ms(query: Query, catalogue: Catalogue, plan: Plan, settings: Settings) -> int:
    """Time an answer may take: the allowance, the draws of noise, and the declared rows of every scan."""
    tables = [catalogue.table(scan.table) for scan in query.scans]
    rows = sum(table.declared_rows for table in tables if table is not None)
    draws = -(-plan.draws * 1_000 // settings.draws_per_second)
    return settings.allowance_ms + draws + -(-rows * 1_000 // settings.rows_per_second)


def planned_slot(waited_ms: int, wanted_ms: int, settings: Settings) -> int:
    """The first slot, k ≥ 1, not before ``waited_ms + wanted_ms`` after the offer arrived.

    Args:
        waited_ms: time since the offer arrived: checks and the wait for a seat, none of it dependent on data.
        wanted_ms: from ``needed_ms``.
    """
    return max(1, -(-(waited_ms + wanted_ms) // settings.slot_ms))
