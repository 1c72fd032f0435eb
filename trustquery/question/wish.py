"""What a user asks of a query's noise: a budget or an accuracy, and bounds of their own."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from trustquery.errors import TrustQueryError

__all__ = ["Limits", "Wish"]


@dataclass(frozen=True)
class Limits:
    """Contribution bounds that the user sets instead of having them chosen.

    Attributes:
        groups: most cells one person may count in.
        rows: most rows one person may add to a cell.
        total: of each sum, the most that one person may add over all cells, in the sum's own unit.
    """

    groups: int | None = None
    rows: int | None = None
    total: float | None = None

    @property
    def given(self) -> bool:
        """Whether the user has set any."""
        return (self.groups, self.rows, self.total) != (None, None, None)


@dataclass(frozen=True)
class Wish:
    """What the user wants: a budget, or an accuracy from which the budget follows.

    Attributes:
        epsilon: privacy loss to spend at most at each trust.
        accuracy: instead, the share of each output's expected value that noise and cut-off may make up.
        expect: rows (or people) expected in a typical cell, where the user knows better than profiles.
        limits: bounds of the user's own.
    """

    epsilon: Decimal | None = None
    accuracy: float | None = None
    expect: float | None = None
    limits: Limits = Limits()

    def __post_init__(self) -> None:
        if (self.epsilon is None) is (self.accuracy is None):
            raise TrustQueryError("usage-invalid", "epsilon", problem="give an epsilon or an accuracy, one of the two")
        if self.expect is not None and not 0 < self.expect < 1e15:
            raise TrustQueryError("usage-invalid", "expect", problem="give a number of rows above 0")
