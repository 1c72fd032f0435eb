"""On what terms a statistic is released: how one person's part in it is bounded, and what it may cost.

They are literals of the model, so that nothing is left for a node to choose (formats.md, "model"). The client picks
them before any data are read, from public declarations and released profiles (``trustquery.forecast``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from trustquery.model.nodes import MAX_INTEGER, invalid

__all__ = ["L1_BITS", "MAX_BOUND", "Bound", "Form", "Terms", "tree_levels"]

MAX_BOUND = 100_000
MAX_RHO_NANO = 10**15
L1_BITS = 10
"""Fraction bits that form ``l1`` adds: a person's small totals are scaled down, and must not all round to zero."""

Form = Literal["rows", "total", "l1"]


@dataclass(frozen=True)
class Bound:
    """What one person can add to one statistic, at most (privacy-rules.md section 1).

    Attributes:
        form: ``rows``: at most R rows in each of at most G cells, chosen by rank. ``total``: all rows in at most G
            cells, chosen by rank, and the total in each clamped to ±C. ``l1``: all rows in all cells, and the totals
            scaled down together until the sum of their sizes is at most C.
        groups: G, cells, 1 to 100,000; 0 in form ``l1``.
        rows: R, rows, 1 to 100,000; 0 in the forms on totals.
        total: C, in vector integers (for ``l1`` with its own fraction bits), 1 to 2^53 - 1; 0 in form ``rows``.
    """

    form: Form
    groups: int
    rows: int
    total: int = 0

    def __post_init__(self) -> None:
        if not (type(self.groups) is type(self.rows) is type(self.total) is int):
            raise invalid()
        wanted = {"rows": (True, True, False), "total": (True, False, True), "l1": (False, False, True)}
        if not isinstance(self.form, str) or self.form not in wanted:
            raise invalid()
        limits = (MAX_BOUND, MAX_BOUND, MAX_INTEGER)
        for number, used, limit in zip((self.groups, self.rows, self.total), wanted[self.form], limits, strict=True):
            if not (1 <= number <= limit if used else number == 0):
                raise invalid()

    @property
    def extra_bits(self) -> int:
        """Fraction bits that the form adds to the statistic's own."""
        return L1_BITS if self.form == "l1" else 0

    def document(self) -> dict[str, Any]:
        """Canonical-JSON data."""
        return {"form": self.form, "G": self.groups, "R": self.rows, "C": self.total}


@dataclass(frozen=True)
class Terms:
    """The terms of one statistic.

    Attributes:
        bound: of one person's part.
        rho_nano: privacy loss to spend on it at most, in 1e-9 rho, at each trust.
        branching: of a histogram: bins are also released summed up in a tree, so many to a node; 0 for bins alone.
    """

    bound: Bound
    rho_nano: int
    branching: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.bound, Bound) or not type(self.rho_nano) is type(self.branching) is int:
            raise invalid()
        if not 1 <= self.rho_nano <= MAX_RHO_NANO or self.branching == 1 or self.branching < 0:
            raise invalid()

    def document(self) -> dict[str, Any]:
        """Canonical-JSON data."""
        return {"bound": self.bound.document(), "rho_nano": self.rho_nano, "branching": self.branching}


def tree_levels(bins: int, branching: int) -> tuple[int, ...]:
    """Nodes of each level of a tree over bins, the bins first; the highest has at most ``branching`` nodes.

    Node i of a level is the sum of nodes i·branching to (i + 1)·branching - 1 of the level below. There is no root:
    the total is the sum of the highest level.
    """
    levels = [bins]
    while branching and levels[-1] > branching:
        levels.append(-(-levels[-1] // branching))
    return tuple(levels)
