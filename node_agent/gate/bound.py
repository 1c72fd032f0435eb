"""Step 13: the vector has the plan's shape. Each person's contribution was bounded by the engine's generated plan."""

from __future__ import annotations

from node_agent.gate.case import Case
from node_agent.gate.ports import Ports
from trustquery.errors import TrustQueryError
from trustquery.model.unknown import MAX_UNKNOWN_KEYS

__all__ = ["CELL_LIMIT", "run"]

CELL_LIMIT = 2**62


def run(case: Case, ports: Ports) -> None:
    """Check length and type, and clamp each cell to ±2^62.

    Raises:
        TrustQueryError: ``node-no-answer``.
    """
    if case.plan.has_unknown_keys:
        counts = case.counts
        if len(counts) > MAX_UNKNOWN_KEYS or any(type(value) is not int or value < 1 for value in counts.values()):
            raise TrustQueryError("node-no-answer")
        case.counts = {label: min(value, CELL_LIMIT) for label, value in counts.items()}
        return
    if len(case.values) != case.plan.length or any(type(value) is not int for value in case.values):
        raise TrustQueryError("node-no-answer")
    case.values = [min(max(value, -CELL_LIMIT), CELL_LIMIT) for value in case.values]
