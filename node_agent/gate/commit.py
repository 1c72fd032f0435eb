"""Step 16: one transaction holds the spend, the log entry and the exact bytes to send."""

from __future__ import annotations

from node_agent.budget.port import pack
from node_agent.gate.case import Case
from node_agent.gate.ports import Ports

__all__ = ["run"]


def run(case: Case, ports: Ports) -> None:
    """Commit. The entry is not shown to anybody before the slot.

    Raises:
        TrustQueryError: ``ledger-unwritable``, ``ledger-state``.
    """
    ports.heads.hold(case.release_id)
    ports.ledger.commit(case.release_id, pack(case.envelope, case.vector), case.vector, ports.clock.wall())
    case.committed = True
