"""Policy and request in, decision out."""

from __future__ import annotations

from dataclasses import dataclass

from trustquery.errors import Problem
from trustquery.policy.request import PolicyRequest
from trustquery.policy.rules import RULES, Rule
from trustquery.policy.schema import Policy

__all__ = ["Decision", "evaluate"]


@dataclass(frozen=True)
class Decision:
    """Allowed or not, and why.

    Attributes:
        allowed: true when no rule objected.
        reasons: one problem for each rule that objected, in the order of ``RULES``.
        rules: their ids, in the same order.
    """

    allowed: bool
    reasons: tuple[Problem, ...]
    rules: tuple[str, ...]


def evaluate(policy: Policy, request: PolicyRequest, rules: tuple[Rule, ...] = RULES) -> Decision:
    """Ask every rule. A rule that cannot answer refuses; with no rules at all nothing is allowed.

    Privacy:
        Depends on the query, the signed documents and the policy only.
    """
    found: list[tuple[str, Problem]] = []
    for rule in rules:
        try:
            problem = rule.check(policy, request)
        except Exception:
            trust = str(getattr(policy, "trust", "this trust"))
            problem = Problem("policy-rule-error", fields={"trust": trust, "rule": rule.id})
        if problem is not None:
            found.append((rule.id, problem))
    return Decision(bool(rules) and not found, tuple(p for _, p in found), tuple(rule for rule, _ in found))
