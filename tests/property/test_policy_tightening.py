"""A change that is called a tightening never allows what was refused, over every case's policy and every request."""

from __future__ import annotations

import itertools
from decimal import Decimal

from tests.policies.mutants import ready_cases
from trustquery.policy import Policy, evaluate
from trustquery.policy.difference import compare

READY = ready_cases()
POLICIES = list({ready.policy.sha256: ready.policy for ready in READY}.values())
REQUESTS = list({str(ready.request.document()): ready.request for ready in READY}.values())


def allowed(policy: Policy) -> frozenset[int]:
    return frozenset(place for place, request in enumerate(REQUESTS) if evaluate(policy, request).allowed)


def test_a_tightening_allows_nothing_new() -> None:
    answered = {policy.sha256: allowed(policy) for policy in POLICIES}
    tightenings = narrower = 0
    for old, new in itertools.permutations(POLICIES, 2):
        if old.trust == new.trust and compare(old, new).is_tightening:
            tightenings += 1
            narrower += answered[new.sha256] < answered[old.sha256]
            assert answered[new.sha256] <= answered[old.sha256], compare(old, new).document()
    # Not a test of nothing: many pairs tighten, and most of those are seen to refuse more.
    assert tightenings >= 60
    assert narrower >= 40


def test_what_allows_something_new_is_never_called_a_tightening() -> None:
    answered = {policy.sha256: allowed(policy) for policy in POLICIES}
    widened = 0
    for old, new in itertools.permutations(POLICIES, 2):
        if not answered[new.sha256] <= answered[old.sha256]:
            widened += 1
            assert not compare(old, new).is_tightening
    assert widened >= 100


def test_every_cap_is_compared_exactly() -> None:
    for policy in POLICIES[:3]:
        caps = policy.budget.node_wide
        for name in type(caps).model_fields:
            smallest = Decimal("1e-9") if name.startswith("rho") else Decimal("1e-18")
            more = caps.model_copy(update={name: getattr(caps, name) + smallest})
            raised = policy.model_copy(update={"budget": policy.budget.model_copy(update={"node_wide": more})})
            assert not compare(policy, raised).is_tightening
            assert compare(raised, policy).is_tightening
