"""Step 16: at slot 1, one transaction holds the spend, the log entry and the exact bytes to send.

Not sooner: the numbers of entries leave the trust, in answers and in the ledger's head, so an entry made when an engine
ends would tell how long it took.
"""

from __future__ import annotations

from node_agent.budget.port import pack
from node_agent.gate.case import Case
from node_agent.gate.ports import Ports, ShuttingDownError

__all__ = ["run"]


def run(case: Case, ports: Ports) -> None:
    """Wait for slot 1 and commit.

    Raises:
        TrustQueryError: ``ledger-unwritable``, ``ledger-state``.
        ShuttingDownError: the node goes down; what was ready is committed, and the next start sends it.
    """
    try:
        ports.clock.wait_until(case.slot(1, ports.settings.slot_ms))
    except ShuttingDownError:
        _commit(case, ports)
        raise
    _commit(case, ports)


def _commit(case: Case, ports: Ports) -> None:
    ports.heads.hold(case.release_id)
    ports.ledger.commit(case.release_id, pack(case.envelope, case.vector), case.vector, ports.clock.wall())
    case.committed = True
