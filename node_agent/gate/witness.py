"""Step 18: it is slot 1, so the ledger head goes to the witnesses; then slot 2, and no sooner than their quorum.

Without a quorum nothing leaves: the release stays COMMITTED and waits whole slots, so that what leaves, and when, hangs
on the plan and on witnesses alone, never on data. A policy with ``bootstrap = true`` waits for the slot only, and every
answer says "no rollback protection".
"""

from __future__ import annotations

from node_agent.gate.case import Case
from node_agent.gate.ports import Ports
from trustquery.errors import TrustQueryError

__all__ = ["quorum", "run"]


def run(case: Case, ports: Ports) -> None:
    """Show the head, wait for slot 2 and the quorum, note the release as witnessed.

    Raises:
        TrustQueryError: ``ledger-unwritable``.
        FrozenError: another life of this ledger was cosigned; the release stays COMMITTED.
        ShuttingDownError: the node goes down; the next start goes on from here.
    """
    slot_ms = ports.settings.slot_ms
    ports.seats.give_back(case.seat_until(slot_ms))
    case.seated = False
    ports.heads.slot(case.release_id)
    ports.clock.wait_until(case.slot(2, slot_ms))
    quorum(case.release_id, ports)
    ports.ledger.witnessed(case.release_id, ports.clock.wall())


def quorum(release_id: str, ports: Ports) -> None:
    """At slot 2: pass, or wait whole slots until a quorum has cosigned a head that holds the release's last entry.

    Raises:
        FrozenError: another life of this ledger was cosigned.
        ShuttingDownError: the node goes down.
    """
    seq, moment = ports.ledger.last_seq(release_id), ports.clock.monotonic()
    if _may_pass(seq, ports):
        return
    with ports.cosigning.waiting():
        while not _may_pass(seq, ports):
            moment += ports.settings.slot_ms / 1_000
            ports.clock.wait_until(moment)


def _may_pass(seq: int, ports: Ports) -> bool:
    """Whether the policy in force does without witnesses, or their quorum is there; unreadable, it wants them."""
    try:
        if ports.governance.policy().bootstrap:
            return True
    except TrustQueryError:
        pass
    return ports.cosigning.covers(seq)
