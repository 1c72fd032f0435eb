"""The rules, one small pure function each. A rule returns the problem it finds, or None.

Deny by default and deny wins: a query is allowed only when no rule objects. Rules see the query's text, the signed
documents and the policy; never data. What ``change`` says is built from the policy and the request alone.
"""

from __future__ import annotations

from trustquery.policy.rules_query import QUERY
from trustquery.policy.rules_who import WHO
from trustquery.policy.ruling import Rule

__all__ = ["ELSEWHERE", "RULES", "Rule"]

RULES: tuple[Rule, ...] = (*WHO, *QUERY)
ELSEWHERE: dict[str, str] = {
    "version": "the node: an older version is refused for ever",
    "profiles.rho_90_days": "the ledger",
    "profiles.rho_lifetime": "the ledger",
    "opt_outs.lists": "the gate: the step after the policy, where opt-outs are applied",
    "opt_outs.max_age_days": "the gate: the same step",
    "queries.show_budget_left": "the gate: what a preview tells",
    "queries.disclosure_floor": "the gate: what is signed beside an answer; the client and the coordinator apply it",
}
"""Keys that no rule reads, and what reads them."""
