"""Step 17: people look at the release, where policy asks. Not built: the policy refused what needs it, unread."""

from __future__ import annotations

from node_agent.gate.case import Case
from node_agent.gate.ports import Ports
from trustquery.errors import TrustQueryError
from trustquery.policy.rules_query import why_review

__all__ = ["run"]


def run(case: Case, ports: Ports) -> None:
    """Let pass what needs no review.

    Raises:
        TrustQueryError: ``usage-not-built``: never without review where the policy wants it.
    """
    if why_review(case.policy, case.request):
        raise TrustQueryError("usage-not-built", what="review", instead="ask for what the policy lets through unseen")
