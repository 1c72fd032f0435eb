"""The planned slot: fixed before data are read, from the plan and declared sizes alone."""

from __future__ import annotations

from node_agent.gate.ports import Settings
from trustquery.catalogue import Catalogue
from trustquery.codelists import PublicTables
from trustquery.model import Query
from trustquery.planning import Plan

__all__ = ["needed_ms", "planned_slot", "review_slots"]


def needed_ms(query: Query, catalogue: Catalogue, inputs: PublicTables, plan: Plan, settings: Settings) -> int:
    """Time an answer may take: the allowance, and the draws of noise or the rows of every scan, whichever takes longer.

    A table about people counts with its declared rows, a public one with those it has; a table that is scanned
    twice counts twice.
    """
    pinned = {pin.id: len(inputs.pinned(pin).rows) for pin in query.read_inputs}
    declared = {table.name: table.declared_rows for table in catalogue.tables}
    rows = sum(pinned[scan.table] if scan.table in pinned else declared[scan.table] for scan in query.scans)
    draws = -(-plan.draws * 1_000 // settings.draws_per_second)
    # Noise is drawn while the engine runs.
    return settings.allowance_ms + max(draws, -(-rows * 1_000 // settings.rows_per_second))


def planned_slot(waited_ms: int, wanted_ms: int, settings: Settings) -> int:
    """The first slot, k ≥ 1, not before ``waited_ms + wanted_ms`` after the offer arrived.

    Args:
        waited_ms: from the offer's arrival to the moment at which its seat was planned to be free; 0 where one was.
            None of it is measured: the time that something took may depend on data.
        wanted_ms: from ``needed_ms``.
    """
    return max(1, -(-(waited_ms + wanted_ms) // settings.slot_ms))


def review_slots(minutes: int, settings: Settings) -> int:
    """How many slots people have to look at an answer, from the policy alone; 0 where nobody does."""
    return -(-minutes * 60_000 // settings.slot_ms)
