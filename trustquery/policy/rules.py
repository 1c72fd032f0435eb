"""The rules, one small pure function each. A rule returns the problem it finds, or None.

Deny by default and deny wins: a query is allowed only when no rule objects. Rules see the query's text, the signed
documents and the policy; never data. What ``change`` says is built from the policy and the request alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from trustquery.errors import Problem
from trustquery.policy.request import PolicyRequest
from trustquery.policy.schema import Policy

__all__ = ["RULES", "Rule"]

_NANO = 10**9
_DAY = 86_400


Check = Callable[[Policy, PolicyRequest], Problem | None]


@dataclass(frozen=True)
class Rule:
    """A rule and the id by which decisions, logs and documentation name it."""

    id: str
    check: Check


RULES_BY_ID: dict[str, Rule] = {}


def _rule(id: str) -> Callable[[Check], Check]:
    def register(check: Check) -> Check:
        RULES_BY_ID[id] = Rule(id, check)
        return check

    return register


def _refused(rule: str, change: str) -> Problem:
    return Problem("policy-refused", fields={"rule": rule, "change": change})


def _listed(values: tuple[str, ...]) -> str:
    return ", ".join(values) or "none"


def _exact(rho_nano: int) -> Decimal:
    return Decimal(rho_nano) / _NANO


@_rule("belongs-here")
def _belongs(policy: Policy, request: PolicyRequest) -> Problem | None:
    """The policy is this node's, in this federation."""
    if (policy.federation, policy.trust) == (request.federation, request.node):
        return None
    return _refused("belongs-here", "the trust's governance activates a policy written for this node")


@_rule("witnesses")
def _witnesses(policy: Policy, request: PolicyRequest) -> Problem | None:
    """Witnesses are not built, so the policy must say that it does without."""
    return None if policy.bootstrap else Problem("policy-witness-unavailable")


@_rule("denied")
def _denied(policy: Policy, request: PolicyRequest) -> Problem | None:
    """Nothing on the deny lists is asked by, for or about."""
    deny = policy.deny
    tables = {f"{request.dataset}/{table}" for table in request.tables}
    if (
        request.project in deny.projects
        or request.person in deny.people
        or request.organisation in deny.organisations
        or tables & set(deny.tables)
    ):
        return _refused("denied", "ask the trust's governance officer")
    return None


@_rule("dataset")
def _dataset(policy: Policy, request: PolicyRequest) -> Problem | None:
    """The dataset is listed."""
    if policy.dataset_rule(request.dataset) is not None:
        return None
    return _refused("dataset", f"datasets answered: {_listed(tuple(rule.id for rule in policy.dataset))}")


@_rule("table")
def _table(policy: Policy, request: PolicyRequest) -> Problem | None:
    """Every table read is listed."""
    rule = policy.dataset_rule(request.dataset)
    if rule is None or rule.tables == "all" or request.tables <= set(rule.tables):
        return None
    return _refused("table", f"tables answered: {_listed(rule.tables)}")


@_rule("aggregate")
def _aggregate(policy: Policy, request: PolicyRequest) -> Problem | None:
    """Every statistic is listed, and there is at least one."""
    if request.aggregates and set(request.aggregates) <= set(policy.queries.aggregates):
        return None
    return _refused("aggregate", f"statistics answered: {_listed(policy.queries.aggregates)}")


@_rule("mode")
def _mode(policy: Policy, request: PolicyRequest) -> Problem | None:
    """The release mode is listed and built."""
    if request.mode != "local":
        return Problem("policy-mode-unavailable", fields={"mode": request.mode})
    if request.mode in policy.queries.modes:
        return None
    return _refused("mode", f"modes answered: {_listed(policy.queries.modes)}")


@_rule("key-kind")
def _key_kind(policy: Policy, request: PolicyRequest) -> Problem | None:
    """The signing key lives where the policy accepts it."""
    if request.key_kind in policy.queries.key_kinds:
        return None
    return _refused("key-kind", f"key kinds accepted: {_listed(policy.queries.key_kinds)}")


@_rule("rho-per-query")
def _rho(policy: Policy, request: PolicyRequest) -> Problem | None:
    """One query stays under its cap; a browser key has a lower one."""
    caps = [policy.queries.max_rho]
    if request.key_kind == "browser":
        caps.append(policy.queries.browser_max_rho or Decimal(0))
    if _exact(request.rho_nano) <= min(caps):
        return None
    return _refused("rho-per-query", f"ask for a rho of at most {min(caps)}")


@_rule("cells")
def _cells(policy: Policy, request: PolicyRequest) -> Problem | None:
    """The keys do not make too many cells. How many are found in the data has a limit of its own."""
    if request.unknown_keys or 0 < request.cells <= policy.queries.max_cells:
        return None
    return _refused("cells", f"use coarser keys: at most {policy.queries.max_cells} cells")


@_rule("opt-out-treatment")
def _opt_out(policy: Policy, request: PolicyRequest) -> Problem | None:
    """Opt-outs are treated in a way the policy accepts."""
    if request.opt_out_treatment in policy.queries.opt_out_treatments:
        return None
    return _refused("opt-out-treatment", f"treatments accepted: {_listed(policy.queries.opt_out_treatments)}")


@_rule("disclosure-profile")
def _profile(policy: Policy, request: PolicyRequest) -> Problem | None:
    """The presentation profile is listed."""
    if request.disclosure_profile in policy.queries.disclosure_profiles:
        return None
    return _refused("disclosure-profile", f"profiles accepted: {_listed(policy.queries.disclosure_profiles)}")


@_rule("purpose")
def _purpose(policy: Policy, request: PolicyRequest) -> Problem | None:
    """The permit's purpose is one the trust answers."""
    if request.purpose in policy.queries.purposes:
        return None
    return _refused("purpose", f"purposes answered: {_listed(policy.queries.purposes)}")


@_rule("min-trusts")
def _min_trusts(policy: Policy, request: PolicyRequest) -> Problem | None:
    """A merge of few trusts shows nearly this trust's own figures, so it needs that permission."""
    if request.min_trusts >= policy.queries.min_trusts or policy.queries.per_trust_figures:
        return None
    return _refused("min-trusts", f"ask at least {policy.queries.min_trusts} trusts together")


@_rule("unknown-keys")
def _unknown_keys(policy: Policy, request: PolicyRequest) -> Problem | None:
    """Keys without a public domain, and any delta, need thresholded release."""
    if (request.unknown_keys or request.delta_atto) and not policy.queries.unknown_keys:
        return _refused("unknown-keys", "use keys with a public list of values")
    return None


@_rule("trust-key")
def _trust_key(policy: Policy, request: PolicyRequest) -> Problem | None:
    """Figures grouped by trust are this trust's own, so they need that permission."""
    if not request.trust_key or policy.queries.per_trust_figures:
        return None
    return _refused("trust-key", "leave out the key trust")


@_rule("training")
def _training(policy: Policy, request: PolicyRequest) -> Problem | None:
    """The person's training is valid, and for as long as the policy asks."""
    if request.training_expires > request.now + policy.queries.min_training_days * _DAY:
        return None
    return _refused("training", "renew the training and ask for an amended permit")


RULES: tuple[Rule, ...] = tuple(RULES_BY_ID.values())
