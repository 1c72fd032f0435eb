"""The one question before anything is spent."""

from __future__ import annotations

import sys
from decimal import Decimal

import typer

from trustquery.errors import TrustQueryError

__all__ = ["confirm"]


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
