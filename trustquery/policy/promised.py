"""What one policy's node-wide caps promise a patient, for the screens of those who decide on it."""

from __future__ import annotations

import contextlib
from decimal import Decimal
from typing import Any

from trustquery.errors import TrustQueryError
from trustquery.policy.schema import Policy, atto, nano
from trustquery.privacy.promise import Promise, promises

__all__ = ["document", "in_words", "most_trusts", "percent", "promised"]


def most_trusts(policy: Policy) -> int:
    """k: the largest number of trusts that a catalogue of the policy's datasets declares for one person, at least 1."""
    from trustquery.catalogue import load

    declared = [1]
    for rule in policy.dataset:
        # A dataset that this release does not ship is not answered either.
        with contextlib.suppress(TrustQueryError):
            declared.append(load(rule.id).unit.max_trusts)
    return max(declared)


def promised(policy: Policy) -> tuple[Promise, ...]:
    """Each period for a patient of this trust alone, then for one of k trusts with these same caps."""
    caps = policy.budget.node_wide
    return tuple(
        promise
        for trusts in sorted({1, most_trusts(policy)})
        for promise in promises(
            rho_12_months=nano(caps.rho_12_months),
            rho_lifetime=nano(caps.rho_lifetime),
            delta_12_months=atto(caps.delta_12_months),
            delta_lifetime=atto(caps.delta_lifetime),
            trusts=trusts,
        )
    )


def in_words(policy: Policy) -> list[str]:
    """A sentence for each period and number of trusts."""
    return [_sentence(promise) for promise in promised(policy)]


def _sentence(promise: Promise) -> str:
    who = f"of {promise.trusts} trusts with these same caps" if promise.trusts > 1 else "of this trust alone"
    when = {"12 months": "in any 12 months", "10 years": "in 10 years", "lifetime": "for life"}[promise.period]
    return (
        f"promise to a patient {who}, {when}: at most epsilon {promise.epsilon} (delta {_short(promise.delta)}); "
        f"a guess at even odds that they are in the data is right at most {percent(promise.guess)} of the time"
    )


def percent(chance: Decimal) -> str:
    """A chance of four places, which was rounded up, as a percentage."""
    return f"{(chance * 100).normalize():f} %"


def _short(delta: Decimal) -> str:
    return f"{delta.normalize():e}"


def document(policy: Policy) -> list[dict[str, Any]]:
    """The same as JSON data."""
    return [
        {
            "period": promise.period,
            "trusts": promise.trusts,
            "rho_nano": promise.rho_nano,
            "delta_atto": promise.delta_atto,
            "epsilon": str(promise.epsilon),
            "delta": _short(promise.delta),
            "guess": str(promise.guess),
        }
        for promise in promised(policy)
    ]
