"""The one question before anything is spent, signed or ended."""

from __future__ import annotations

import sys
from decimal import Decimal

import typer

from trustquery.errors import TrustQueryError

__all__ = ["confirm", "confirm_act", "read_limit"]


def confirm_act(question: str, *, yes: bool) -> None:
    """Ask before something is signed or ended; elsewhere than on a terminal demand ``--yes``.

    Raises:
        TrustQueryError: ``usage-invalid``.
    """
    if not yes and not (sys.stdin.isatty() and typer.confirm(question, err=True)):
        raise TrustQueryError("usage-invalid", place="--yes", problem="not confirmed, so nothing was signed or sent")


def read_limit(text: str) -> Decimal | None:
    """``--max-epsilon`` as it was typed; None where it was not.

    Raises:
        TrustQueryError: ``query-epsilon``.
    """
    if not text:
        return None
    try:
        found = Decimal(text)
    except ArithmeticError as error:
        raise TrustQueryError("query-epsilon", "--max-epsilon", limit=100) from error
    if not found.is_finite():
        raise TrustQueryError("query-epsilon", "--max-epsilon", limit=100)
    return found


def confirm(epsilon: Decimal, *, yes: bool, limit: Decimal | None) -> None:
    """Ask on a terminal; elsewhere demand ``--yes --max-epsilon``.

    Raises:
        TrustQueryError: ``query-max-epsilon``, ``query-not-confirmed``.
    """
    if limit is not None and epsilon > limit:
        raise TrustQueryError("query-max-epsilon", epsilon=epsilon, limit=limit)
    if yes and limit is not None:
        return
    terminal = sys.stdin.isatty() and sys.stderr.isatty()
    if yes or not terminal or not typer.confirm(f"Spend epsilon {epsilon} at each trust?", err=True):
        raise TrustQueryError("query-not-confirmed", epsilon=epsilon)
