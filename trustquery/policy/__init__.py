"""What a trust answers: the policy document, its rules and their verdict."""

from trustquery.policy.evaluate import Decision, evaluate
from trustquery.policy.request import PolicyRequest
from trustquery.policy.rules import RULES, Rule
from trustquery.policy.schema import Policy

__all__ = ["RULES", "Decision", "Policy", "PolicyRequest", "Rule", "evaluate"]
