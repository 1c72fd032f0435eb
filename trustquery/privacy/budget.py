"""zCDP in exact integers: nano-rho is what is charged, epsilon is what people read.

Source: Bun and Steinke 2016, "Concentrated Differential Privacy", proposition 1.3: a rho-zCDP mechanism is
(rho + 2·sqrt(rho·ln(1/delta)), delta)-DP. Conversions round against the analyst: epsilon to rho rounds down,
rho to epsilon rounds up, sigma rounds up, charges round up (privacy-rules.md section 4).
"""

from __future__ import annotations

import math
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from fractions import Fraction

from trustquery.errors import TrustQueryError

__all__ = [
    "DEFAULT_DELTA",
    "MAX_EPSILON",
    "NANO",
    "charge_nano",
    "delta_for",
    "epsilon_of",
    "gaussian_tail",
    "l2_squared",
    "rho_nano_of",
    "sigma_units",
    "threshold_for",
]

NANO = 10**9
ATTO = 10**18
MAX_EPSILON = Decimal(100)
DEFAULT_DELTA = Decimal("1e-8")
SIGMA_UNIT_SQUARED = 2**40
_PRECISE = Context(prec=60)
_SLACK = Decimal("1e-40")
"""More than the rounding error of any step at 60 digits for the magnitudes here (below 10^6)."""


def delta_for(people: int) -> Decimal:
    """The delta at which epsilon is shown: 1e-8, and never above 1/(10 x people).

    Args:
        people: declared (public) number of people at one trust, > 0.
    """
    return min(DEFAULT_DELTA, _PRECISE.divide(Decimal(1), Decimal(10 * people)))


def rho_nano_of(epsilon: Decimal, delta: Decimal = DEFAULT_DELTA) -> int:
    """The largest whole nano-rho whose epsilon is at most ``epsilon``, rounded down.

    Args:
        epsilon: privacy loss asked for, dimensionless, > 0 and ≤ 100.
        delta: in (0, 1).

    Raises:
        TrustQueryError: ``query-epsilon``, ``query-epsilon-too-small``.
    """
    if not epsilon.is_finite() or not 0 < epsilon <= MAX_EPSILON:
        raise TrustQueryError("query-epsilon", limit=MAX_EPSILON)
    log = -_PRECISE.ln(delta)
    root = _PRECISE.subtract(_PRECISE.sqrt(_PRECISE.add(log, epsilon)), _PRECISE.sqrt(log)) - _SLACK
    if root <= 0:
        raise TrustQueryError("query-epsilon-too-small")
    found = int((_PRECISE.multiply(root, root) * NANO).to_integral_value(ROUND_FLOOR))
    if found < 1:
        raise TrustQueryError("query-epsilon-too-small")
    return found


def epsilon_of(rho_nano: int, delta: Decimal = DEFAULT_DELTA, *, trusts: int = 1, places: int = 4) -> Decimal:
    """Epsilon at ``delta`` for people to read, rounded up.

    Args:
        rho_nano: privacy loss at one trust, ≥ 0.
        delta: in (0, 1).
        trusts: k, trusts at which one person may be; losses add in rho (local mode).
        places: decimal places shown.
    """
    rho = _PRECISE.divide(Decimal(rho_nano * trusts), Decimal(NANO))
    if rho == 0:
        return Decimal(0)
    log = -_PRECISE.ln(delta)
    exact = rho + 2 * _PRECISE.sqrt(_PRECISE.multiply(rho, log)) + _SLACK
    return exact.quantize(Decimal(1).scaleb(-places), rounding=ROUND_CEILING, context=_PRECISE)


def l2_squared(groups: int, rows: int, largest: int) -> int:
    """Squared L2 sensitivity of one statistic, G·(R·A)², exact (privacy-rules.md section 1).

    Args:
        groups: G, cells one person may touch, ≥ 1.
        rows: R, rows one person may add to one cell, ≥ 1.
        largest: A, largest absolute integer one row may add, ≥ 0.
    """
    return groups * (rows * largest) ** 2


def sigma_units(l2_sensitivity_squared: int, rho_nano: int) -> int:
    """The smallest usable sigma, in units of 2^-20, whose charge is at most ``rho_nano``; rounded up.

    The result has at most 53 significant bits, so that it is exact as a double on every machine.
    """
    wanted = -(-NANO * l2_sensitivity_squared * SIGMA_UNIT_SQUARED // (2 * rho_nano))
    units = max(math.isqrt(max(wanted - 1, 0)) + 1, 1)
    spare = max(units.bit_length() - 53, 0)
    units = -(-units >> spare) << spare
    spare = max(units.bit_length() - 53, 0)
    return -(-units >> spare) << spare


def charge_nano(l2_sensitivity_squared: int, sigma: int) -> int:
    """What a block costs: ceil(1e9·Δ²/(2σ²)), with sigma in units of 2^-20."""
    return math.ceil(Fraction(NANO * l2_sensitivity_squared * SIGMA_UNIT_SQUARED, 2 * sigma * sigma))


def threshold_for(groups: int, largest: int, sigma: int, delta_atto: int) -> int:
    """The threshold of a release of keys that no list declares; rounded up, the same integer on every machine.

    A key that only one person has counts at most ``largest``, and a person has at most ``groups`` of them. Each
    appears when noise reaches threshold - largest, so with t = threshold - largest the delta is at most
    groups x exp(-t²/(2σ²)): the discrete Gaussian's tail is no heavier than that (Canonne, Kamath and Steinke 2020,
    section 3: it is sub-Gaussian; then Chernoff's bound. Rogers 2023, "A Unifying Privacy Analysis Framework for
    Unknown Domain Algorithms", has the mechanism). Hence t = ceil(σ·sqrt(2·ln(groups/delta))), in whole numbers.

    Args:
        groups: G, keys one person may touch, ≥ 1.
        largest: L-infinity sensitivity R·A, ≥ 1.
        sigma: standard deviation of the noise, in units of 2^-20.
        delta_atto: delta to spend, in 1e-18, ≥ 1.
    """
    digits = 10**40
    log = _PRECISE.ln(_PRECISE.divide(Decimal(groups * ATTO), Decimal(delta_atto)))
    scaled = int(_PRECISE.multiply(max(log, Decimal(0)), digits).to_integral_value(ROUND_CEILING)) + 1
    squared = -(-2 * sigma * sigma * scaled // (SIGMA_UNIT_SQUARED * digits))
    return largest + math.isqrt(squared - 1) + 1


def gaussian_tail(distance: int, sigma: int) -> Decimal:
    """Bound on the chance that discrete Gaussian noise is ``distance`` or more, in units of 1e-18, rounded up.

    Args:
        distance: in vector integers, ≥ 0.
        sigma: in units of 2^-20.
    """
    exponent = _PRECISE.divide(Decimal(distance * distance * SIGMA_UNIT_SQUARED), Decimal(2 * sigma * sigma))
    return _PRECISE.add(_PRECISE.multiply(_PRECISE.exp(-exponent), ATTO), _SLACK)
