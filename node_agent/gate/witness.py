"""Step 18: it is slot 1, so the ledger head goes to the witnesses; then slot 2.

There are no witnesses yet. A policy that wants them was refused before anything was read, so only ``bootstrap = true``
comes here, and every answer says "no rollback protection". Both slots are kept all the same: what leaves, and when,
will not change when witnesses come.
"""

from __future__ import annotations

from node_agent.gate.case import Case
from node_agent.gate.ports import Ports
from trustquery.errors import TrustQueryError

__all__ = ["run"]


def run(case: Case, ports: Ports) -> None:
    """Show the head, note the release as witnessed, wait for slot 2.

    Raises:
        TrustQueryError: ``policy-witness-unavailable``, ``ledger-unwritable``.
        ShuttingDownError: the node goes down; the next start goes on from here.
    """
    slot_ms = ports.settings.slot_ms
    ports.seats.give_back(case.seat_until(slot_ms))
    case.seated = False
    ports.heads.slot(case.release_id)
    if not case.policy.bootstrap:
        raise TrustQueryError("policy-witness-unavailable", trust=case.policy.trust)
    ports.ledger.witnessed(case.release_id, ports.clock.wall())
    ports.clock.wait_until(case.slot(2, slot_ms))
