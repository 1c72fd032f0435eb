"""What a policy's caps promise one person, as people read it: over 12 months, 10 years and life, at one trust and at k.

A cap is a privacy filter: rho adds, and no sequence of queries goes past the cap, even when each query and its cost are
chosen after the answers before it (Feldman and Zrnic 2021, "Individual Privacy Accounting via a Rényi Filter"). So the
promise is the cap itself, and not what happens to be spent. All is in integers until the last step, which rounds up.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_CEILING, Context, Decimal
from typing import Literal

from trustquery.privacy.budget import ATTO, DEFAULT_DELTA, NANO, epsilon_of

__all__ = ["YEARS", "Period", "Promise", "best_guess", "chance_after", "promises"]

Period = Literal["12 months", "10 years", "lifetime"]
YEARS = 10
"""The ledger's window is 366 whole days, and 10 windows are 3,660: no 10 calendar years are longer than 3,653."""
_PRECISE = Context(prec=60)
_SLACK = Decimal("1e-40")
"""More than the rounding error of any step here at 60 digits."""


@dataclass(frozen=True)
class Promise:
    """The most that one person can lose in one period.

    Attributes:
        trusts: k, trusts that have the person, each with the same caps; losses add in rho.
        rho_nano: the cap at each trust over the period, in 1e-9 rho.
        delta_atto: the same for the delta of thresholded releases, in 1e-18.
        epsilon: over all k trusts, at ``delta``, rounded up.
        delta: the delta at which epsilon is shown, plus k times ``delta_atto``.
        guess: the highest chance to guess rightly, at even odds beforehand, whether the person is in the data.
    """

    period: Period
    trusts: int
    rho_nano: int
    delta_atto: int
    epsilon: Decimal
    delta: Decimal
    guess: Decimal


def promises(
    *,
    rho_12_months: int,
    rho_lifetime: int,
    delta_12_months: int = 0,
    delta_lifetime: int = 0,
    trusts: int = 1,
    delta: Decimal = DEFAULT_DELTA,
) -> tuple[Promise, ...]:
    """What node-wide caps promise over each period, in the order of ``Period``.

    Args:
        rho_12_months: cap over any 12 months, in 1e-9 rho, ≥ 0; ``rho_lifetime`` for ever.
        delta_12_months: cap on delta over any 12 months, in 1e-18, ≥ 0; ``delta_lifetime`` for ever.
        trusts: k ≥ 1.
        delta: at which epsilon is shown, in (0, 1).

    Source: Bun and Steinke 2016, lemma 2.3 (composition), proposition 1.3 and, where delta is spent, section 8.
    """
    spans: tuple[tuple[Period, int, int], ...] = (
        ("12 months", min(rho_12_months, rho_lifetime), min(delta_12_months, delta_lifetime)),
        ("10 years", min(YEARS * rho_12_months, rho_lifetime), min(YEARS * delta_12_months, delta_lifetime)),
        ("lifetime", rho_lifetime, delta_lifetime),
    )
    return tuple(
        Promise(
            period,
            trusts,
            rho,
            spent,
            epsilon_of(rho, delta, trusts=trusts),
            _PRECISE.add(delta, _PRECISE.divide(Decimal(trusts * spent), Decimal(ATTO))),
            best_guess(rho, delta_atto=spent, trusts=trusts),
        )
        for period, rho, spent in spans
    )


def chance_after(before: Decimal, epsilon: Decimal, *, places: int = 4) -> Decimal:
    """The highest chance that "this person is in the data" can have after an answer, rounded up.

    The odds grow by a factor of at most e^ε: before·e^ε / (1 - before + before·e^ε).

    Args:
        before: what somebody believed before, in (0, 1); 0.5 is "even odds".
        epsilon: privacy loss, ≥ 0. The bound may fail with a probability of delta.
    """
    if epsilon == 0:
        return before.quantize(Decimal(1).scaleb(-places), ROUND_CEILING)
    factor = _PRECISE.multiply(before, _PRECISE.exp(epsilon))
    return _up(_PRECISE.divide(factor, _PRECISE.add(_PRECISE.subtract(Decimal(1), before), factor)), places)


def best_guess(rho_nano: int, *, delta_atto: int = 0, trusts: int = 1, places: int = 4) -> Decimal:
    """The highest chance to guess rightly whether one person is in the data, at even odds beforehand; rounded up.

    Over all answers together, and without the delta of a conversion: rho bounds the Kullback-Leibler divergence between
    the answers with and without the person (Bun and Steinke 2016, definition 1.1 as the order goes to 1), and so their
    total variation T by sqrt(rho/2) (Pinsker) and by sqrt(1 - e^-rho) (Bretagnolle and Huber). The best guess is right
    with a chance of (1 + T) / 2. A delta that thresholded releases spend adds to T.

    Args:
        rho_nano: privacy loss at each trust, in 1e-9 rho, ≥ 0.
        delta_atto: delta spent at each trust, in 1e-18, ≥ 0.
        trusts: k, trusts that have the person.
    """
    rho = _PRECISE.divide(Decimal(rho_nano * trusts), Decimal(NANO))
    delta = _PRECISE.divide(Decimal(delta_atto * trusts), Decimal(ATTO))
    if rho == delta == 0:
        return Decimal("0.5")
    pinsker = _PRECISE.sqrt(_PRECISE.divide(rho, Decimal(2)))
    huber = _PRECISE.sqrt(_PRECISE.subtract(Decimal(1), _PRECISE.exp(-rho)))
    distance = _PRECISE.add(min(pinsker, huber), delta)
    return _up(_PRECISE.divide(_PRECISE.add(Decimal(1), distance), Decimal(2)), places)


def _up(exact: Decimal, places: int) -> Decimal:
    found = (exact + _SLACK).quantize(Decimal(1).scaleb(-places), rounding=ROUND_CEILING, context=_PRECISE)
    return min(Decimal(1), found)
