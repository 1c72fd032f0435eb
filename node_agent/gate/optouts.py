"""Step 8: can opt-outs be treated as the project's permit says?"""

from __future__ import annotations

from node_agent.gate.case import Case
from node_agent.gate.ports import Ports
from trustquery.errors import TrustQueryError

__all__ = ["check", "run"]

NO_LIST = "none"


def check(treatment: str) -> str:
    """The version of the opt-out list that applies.

    There is no list yet, so a query that needs one is refused; made-up data, and a legal basis for exemption that the
    permit records and the policy accepts, need none.

    Raises:
        TrustQueryError: ``policy-optout-unavailable``.
    """
    if treatment not in ("synthetic-data", "exempt-with-basis"):
        raise TrustQueryError("policy-optout-unavailable")
    return NO_LIST


def run(case: Case, ports: Ports) -> None:
    """Find the list."""
    case.opt_out_list = check(case.asked.opt_out_treatment)
