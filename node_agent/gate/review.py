"""Step 17: people look at the release, where policy asks. Not built: a policy that asks is refused when it is read."""

from __future__ import annotations

from node_agent.gate.case import Case
from node_agent.gate.ports import Ports
from trustquery.errors import TrustQueryError

__all__ = ["run"]


def run(case: Case, ports: Ports) -> None:
    """Let pass what needs no review.

    Raises:
        TrustQueryError: ``usage-not-built``: never without review where the policy wants it.
    """
    if case.policy.queries.review:
        raise TrustQueryError("usage-not-built", what="review", instead="set review = false")
