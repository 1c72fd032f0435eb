"""Step 8: can opt-outs be treated as the project's permit says?

``applied`` needs every list that the policy names, none older than the policy allows; what the engine then reads has no
row of anybody excluded. The other two treatments stand in the signed permit and in the policy, which was asked before.
Everything is decided from documents and the ages of lists, before data are read.
"""

from __future__ import annotations

from node_agent.engines.base import Engine
from node_agent.gate.case import Case
from node_agent.gate.ports import Ports
from node_agent.sources.store import lists_hash
from trustquery.errors import TrustQueryError
from trustquery.policy import Policy

__all__ = ["EVERYBODY", "check", "run"]

NO_LIST = "none"
EVERYBODY = frozenset({"synthetic-data", "exempt-with-basis"})
"""Treatments for which nobody is left out: made-up people, and a legal basis that the permit's application names."""
DAY = 86_400


def check(treatment: str, engine: Engine, policy: Policy, ports: Ports, now: int) -> str:
    """What stands for the lists that apply: part of what makes two questions identical.

    Args:
        now: wall clock, seconds since 1970. A clock that was put back makes no list younger: the ledger's counts.

    Raises:
        TrustQueryError: ``policy-optout-unavailable``: a list is absent, or the policy does not say how old one may
            be; ``policy-optout-stale``: one is older, or of a time to come.
    """
    if treatment in EVERYBODY:
        return NO_LIST
    rule, lists = policy.opt_outs, {item.kind: item for item in engine.opt_outs}
    if treatment != "applied" or rule is None or not {"national", *rule.lists} <= set(lists):
        raise TrustQueryError("policy-optout-unavailable")
    clock = ports.ledger.time(now)
    for item in lists.values():
        if not 0 <= clock - item.as_of <= rule.max_age_days * DAY:
            raise TrustQueryError("policy-optout-stale", list=item.kind)
    return lists_hash({"": engine.opt_outs})


def run(case: Case, ports: Ports) -> None:
    """Find the lists."""
    treatment, now = case.asked.opt_out_treatment, ports.clock.wall()
    case.opt_out_list = check(treatment, case.engine, case.policy, ports, now)
