"""Step 6: compile the model here; the hash and the charge must be the ones signed."""

from __future__ import annotations

from node_agent.gate.case import Case
from node_agent.gate.ports import Ports
from trustquery.errors import TrustQueryError
from trustquery.model.trusts import trusts_of
from trustquery.planning import PLAN_FORMAT

__all__ = ["run"]


def run(case: Case, ports: Ports) -> None:
    """Compile and compare.

    Raises:
        TrustQueryError: ``query-…``, ``query-plan-mismatch``, ``query-trusts-differ``, ``budget-charge-mismatch``.
    """
    plan = ports.compile_plan(case.query, case.catalogue, case.inputs)
    if case.intent.plan_format != PLAN_FORMAT or plan.sha256 != case.intent.plan_hash:
        raise TrustQueryError("query-plan-mismatch")
    if plan.rho_nano < 1 or (plan.rho_nano, case.query.delta_atto) != (case.intent.rho_nano, case.intent.delta_atto):
        raise TrustQueryError("budget-charge-mismatch")
    if trusts_of(case.query) not in ((), case.intent.nodes):
        raise TrustQueryError("query-trusts-differ")
    case.plan = plan
