"""Step 17: where policy asks, two people look at the noised figures; their verdict leaves at the deadline, not sooner.

The deadline was fixed before data were read, so when something leaves tells nothing of data or verdict. Whether anybody
looks is decided by plan and policy alone.
"""

from __future__ import annotations

from node_agent.gate.case import Case, HeldError
from node_agent.gate.endings import resume
from node_agent.gate.ports import Ports

__all__ = ["run"]


def run(case: Case, ports: Ports) -> None:
    """Let pass what needs no review; hand anything else over to wait for its deadline.

    Raises:
        HeldError: people look at it; ``endings.resume`` goes on from here, as it would after a restart.
    """
    if not case.review_minutes:
        return
    ports.seats.give_back(case.seat_until(ports.settings.slot_ms))
    case.seated = False
    # The entry was made at a slot of the plan, so it may be seen; a review must not hide the whole ledger meanwhile.
    ports.heads.slot(case.release_id)
    release = ports.ledger.find(case.release_id)
    if release is not None:
        ports.later(lambda: resume(release, ports))
    raise HeldError
