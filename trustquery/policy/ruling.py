"""What a rule is, and the checks that rules are made of. Each fails closed: another type than expected is a no."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from trustquery.errors import Problem
from trustquery.policy.request import PolicyRequest
from trustquery.policy.schema import Policy

__all__ = ["Check", "Rule", "among", "listed", "refused", "rule", "unless_listed"]

Check = Callable[[Policy, PolicyRequest], Problem | None]


@dataclass(frozen=True)
class Rule:
    """A rule and the id by which decisions, logs and documentation name it.

    Attributes:
        check: returns the problem it finds, or None.
        keys: places of the policy that it reads.
    """

    id: str
    check: Check
    keys: tuple[str, ...] = ()


def rule(id: str, *keys: str) -> Callable[[Check], Rule]:
    """Make a rule of a check."""
    return lambda check: Rule(id, check, keys)


def refused(policy: Policy, rule: str, change: str) -> Problem:
    """A rule's objection: the trust, the rule, and what would change it; nothing that depends on data."""
    return Problem("policy-refused", fields={"trust": policy.trust, "rule": rule, "change": change})


def among(value: object, allowed: object) -> bool:
    """Whether a value is an entry of a list. A text is no list: ``"local" in "localhost"`` says nothing."""
    return isinstance(allowed, tuple) and value in allowed


def unless_listed(policy: Policy, rule: str, value: object, allowed: object, words: str) -> Problem | None:
    """The objection that a value is no entry of a list; ``words`` say what the list holds."""
    return None if among(value, allowed) else refused(policy, rule, f"{words}: {listed(allowed)}")


def listed(values: object) -> str:
    """The entries of a list in words."""
    return ", ".join(str(item) for item in values) or "none" if isinstance(values, tuple) else str(values)
