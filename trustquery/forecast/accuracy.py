"""The smallest privacy loss at which a question is expected to be as exact as asked for. Touches no data."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from decimal import ROUND_CEILING, Decimal, InvalidOperation

from trustquery.errors import TrustQueryError
from trustquery.forecast.choose import Choice
from trustquery.model.query import Query
from trustquery.privacy.budget import rho_nano_of

__all__ = ["read_accuracy", "solve", "with_budget"]

SMALLEST, LARGEST = Decimal("0.001"), Decimal(20)
STEPS = 12
_WRITTEN = re.compile(r"(?:±|\+/-|\+-)?\s*([0-9]{1,3}(?:\.[0-9]{1,6})?)\s*%")


def read_accuracy(text: str) -> float:
    """``±2%``, ``2%`` or ``+/-2 %`` as a share: 0.02.

    Raises:
        TrustQueryError: ``query-accuracy``.
    """
    found = _WRITTEN.fullmatch(text.strip())
    try:
        share = float(Decimal(found.group(1)) / 100) if found is not None else 0.0
    except InvalidOperation:
        share = 0.0
    if not 0 < share <= 1:
        raise TrustQueryError("query-accuracy", "accuracy", given=text[:30])
    return share


def with_budget(query: Query, rho_nano: int) -> Query:
    """The question with another privacy loss in all, split equally.

    Raises:
        TrustQueryError: ``query-epsilon-too-small``.
    """
    share = rho_nano // len(query.terms)
    if share < 1:
        raise TrustQueryError("query-epsilon-too-small")
    return query.on(tuple(dataclasses.replace(terms, rho_nano=share) for terms in query.terms))


def error_of(choice: Choice) -> float:
    """Expected error of the worst output: half of a 95 % interval and what is cut off, as a share of its value."""
    return max((found.relative + (found.cut_off or 0.0) for found in choice.forecast.outputs), default=float("inf"))


def solve(query: Query, wanted: float, delta: Decimal, choose: Callable[[Query], Choice]) -> tuple[Decimal, Choice]:
    """The epsilon, rounded up to two figures, at which each output is expected to be within ``wanted`` of its value.

    Args:
        query: on any budget.
        wanted: share of each output's expected value, noise and cut-off together.
        delta: at which epsilon is meant.
        choose: picks the terms of a question with its budget.

    Raises:
        TrustQueryError: ``query-accuracy-unreachable``, with what can be reached.
    """

    def at(epsilon: Decimal) -> Choice | None:
        try:
            return choose(with_budget(query, rho_nano_of(epsilon, delta)))
        except TrustQueryError as error:
            if error.code not in ("query-epsilon-too-small", "query-sensitivity-too-large"):
                raise
            return None

    best = at(LARGEST)
    if best is None or not best.forecast.outputs or error_of(best) > wanted:
        reached = min(error_of(best), 9.99) if best is not None and best.forecast.outputs else 9.99
        raise TrustQueryError(
            "query-accuracy-unreachable",
            wanted=f"{wanted * 100:.6g}%",
            reached=f"{reached * 100:.2g}%",
            epsilon=LARGEST,
        )
    low, high = SMALLEST, LARGEST
    for _ in range(STEPS):
        middle = _rounded((low * high).sqrt())
        if not low < middle < high:
            break
        found = at(middle)
        if found is not None and error_of(found) <= wanted:
            high, best = middle, found
        else:
            low = middle
    return high, best


def _rounded(epsilon: Decimal) -> Decimal:
    """Two figures, upwards."""
    places = 1 - epsilon.adjusted()
    return epsilon.quantize(Decimal(1).scaleb(-places), rounding=ROUND_CEILING)
