"""Step 11: STARTED, durably. From here the charge stays, and the outcome is an answer or a no-answer."""

from __future__ import annotations

from node_agent.gate.case import Case
from node_agent.gate.ports import Ports

__all__ = ["run"]


def run(case: Case, ports: Ports) -> None:
    """Enter the start in the ledger.

    Raises:
        TrustQueryError: ``ledger-unwritable``, ``ledger-state``.
    """
    ports.ledger.start(case.release_id, ports.clock.wall())
    case.started = True
