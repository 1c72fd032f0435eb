"""Step 19: is it still wanted? Stopped, revoked, an ended project or an expired intent withholds; the charge stays."""

from __future__ import annotations

from node_agent.gate import revoked
from node_agent.gate.case import Case, WithheldError
from node_agent.gate.ports import Ports
from trustquery.errors import TrustQueryError

__all__ = ["may_leave", "run"]


def may_leave(
    project: str, project_ends: int, not_after: int, reserved_seq: int, rests_on: revoked.Standing, ports: Ports
) -> bool:
    """Whether an answer may still leave the trust. What a stop held back stays here, also after the trust resumed."""
    now = ports.clock.wall()
    if ports.governance.stopped_after(reserved_seq) or now >= project_ends or now >= not_after:
        return False
    try:
        if now >= ports.governance.acceptance(project).expires:
            return False
    except TrustQueryError:
        return False
    return revoked.may_leave(rests_on, ports)


def run(case: Case, ports: Ports) -> None:
    """Check once more, just before sending.

    Raises:
        WithheldError: nothing leaves.
        TrustQueryError: ``ledger-unwritable``.
    """
    project = case.project
    if not may_leave(
        project.permit.project, project.ends, case.intent.not_after, case.ledger_seq, project.rests_on, ports
    ):
        ports.ledger.withhold(case.release_id, ports.clock.wall())
        raise WithheldError
