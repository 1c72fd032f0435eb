"""Why a policy decides as it does: every rule's verdict, and what would change it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from trustquery.policy.evaluate import evaluate
from trustquery.policy.request import PolicyRequest
from trustquery.policy.rules import RULES
from trustquery.policy.ruling import Rule
from trustquery.policy.schema import Policy

__all__ = ["Verdict", "explain"]


@dataclass(frozen=True)
class Verdict:
    """What one rule says of one query.

    Attributes:
        allows: whether it does not object.
        asks: what the rule requires, in words.
        reason: why it objects, "" where it does not; ``change`` is what would change that.
        keys: places of the policy that it reads.
    """

    rule: str
    allows: bool
    asks: str
    reason: str
    change: str
    keys: tuple[str, ...]

    def document(self) -> dict[str, Any]:
        """The verdict as JSON data."""
        return {
            "rule": self.rule,
            "allows": self.allows,
            "asks": self.asks,
            "reason": self.reason,
            "change": self.change,
            "keys": list(self.keys),
        }


def explain(policy: Policy, request: PolicyRequest) -> tuple[Verdict, ...]:
    """Every rule's verdict, in the order of the rules. The query is allowed when all of them allow it."""
    return tuple(_verdict(policy, request, rule) for rule in RULES)


def _verdict(policy: Policy, request: PolicyRequest, rule: Rule) -> Verdict:
    decision = evaluate(policy, request, (rule,))
    reason, change = (decision.reasons[0].reason, decision.reasons[0].fix) if decision.reasons else ("", "")
    return Verdict(rule.id, decision.allowed, (rule.check.__doc__ or "").strip(), reason, change, rule.keys)
