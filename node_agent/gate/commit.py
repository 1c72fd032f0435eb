"""Step 16: at slot 1, one transaction holds the spend, the log entry and the exact bytes to send.

Where people look first, that is earlier by the time they have, and the release is HELD by the same transaction: no
crash in between can make it one that nobody needs to look at.

Not sooner: the numbers of entries leave the trust, in answers and in the ledger's head, so an entry made when an engine
ends would tell how long it took.
"""

from __future__ import annotations

from node_agent.budget.port import pack
from node_agent.gate.case import Case
from node_agent.gate.ports import Ports, ShuttingDownError

__all__ = ["run"]


def run(case: Case, ports: Ports) -> None:
    """Wait for the slot at which the answer is due here, and commit.

    Raises:
        TrustQueryError: ``ledger-unwritable``, ``ledger-state``.
        ShuttingDownError: the node goes down; what was ready is committed, and the next start sends it.
    """
    try:
        ports.clock.wait_until(case.ready(ports.settings.slot_ms))
    except ShuttingDownError:
        _commit(case, ports)
        raise
    _commit(case, ports)


def _commit(case: Case, ports: Ports) -> None:
    ports.heads.hold(case.release_id)
    content = pack(case.envelope, case.vector)
    ports.ledger.commit(case.release_id, content, case.vector, ports.clock.wall(), held=bool(case.review_minutes))
    case.committed = True
