"""An accountant written from the rules alone, in exact fractions: it shares no line with the planner or the ledger.

Sensitivity: privacy-rules.md section 1. Charges: section 4. Repeats of a question: section 5. A release is described
by the plan's document, the very figures that the plan hash covers.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from audits.releases import DAY, Release

__all__ = ["Accountant", "charge_of", "loss_of", "squared_sensitivity"]

Document = Mapping[str, Any]
WINDOW = 366
"""Days that count towards 12 months, the last one included."""


def squared_sensitivity(block: Document) -> int:
    """Squared L2 sensitivity of a block, from its bound.

    Raises:
        ValueError: a form of bound that this accountant was not taught.
    """
    bound = block["bound"]
    groups, rows, total = (int(bound[name]) for name in ("G", "R", "C"))
    if bound["form"] == "rows":
        # A sum clamped to nothing is charged as if a row could add 1.
        largest = max(abs(int(block["lo"])), abs(int(block["hi"])), 1)
        return groups * rows * rows * largest * largest * _levels(block)
    if bound["form"] == "total":
        return groups * total * total
    if bound["form"] == "l1":
        return total * total
    raise ValueError(f"no rule for a bound of form {bound['form']}")


def _levels(block: Document) -> int:
    """Levels of a histogram's tree, each of which a row moves: bins are joined until at most so many are left."""
    levels, branching = 1, int(block["branching"])
    nodes = len(block["bins"]["cuts"]) + 1 if block["bins"] else 1
    while branching and nodes > branching:
        nodes = -(-nodes // branching)
        levels += 1
    return levels


def loss_of(squared: int, sigma: int) -> Fraction:
    """Exact rho of Gaussian noise; sigma in units of 2^-20."""
    return Fraction(squared, 2) / Fraction(sigma, 1 << 20) ** 2


def charge_of(plan: Document) -> tuple[int, int]:
    """Nano-rho and atto-delta of a plan: each block's loss rounded up."""
    blocks = plan["blocks"]
    losses = [loss_of(squared_sensitivity(block), int(block["sigma"])) for block in blocks]
    return sum(math.ceil(1_000_000_000 * loss) for loss in losses), sum(block.get("delta_atto", 0) for block in blocks)


@dataclass(frozen=True)
class _Charge:
    question: str
    day: int
    rho_nano: int
    delta_atto: int


class Accountant:
    """Totals by scope and subject."""

    def __init__(self) -> None:
        self._answered: set[str] = set()
        self._charges: dict[tuple[str, str], list[_Charge]] = defaultdict(list)

    def is_stored(self, release: Release) -> bool:
        """Whether an identical question was answered before."""
        return release.question in self._answered

    def add(self, release: Release) -> None:
        """Take one release into the books."""
        if release.ending == "expired":
            return
        rho, delta = charge_of(release.plan.document())
        charge = _Charge(release.question, release.time // DAY, rho, delta)
        people = [("project", release.project), ("analyst", release.analyst)]
        owing = [place for place in people if not self._has_paid(place, release.question)]
        if not self.is_stored(release):
            owing = [("node-wide", ""), ("dataset", release.dataset), *people]
        for place in owing:
            self._charges[place].append(charge)
        if release.ending == "committed":
            self._answered.add(release.question)

    def _has_paid(self, place: tuple[str, str], question: str) -> bool:
        return any(charge.question == question for charge in self._charges[place])

    def totals(self) -> dict[tuple[str, str], tuple[int, int, int]]:
        """Scope and subject to nano-rho, atto-delta and number of charges."""
        return {
            place: (sum(c.rho_nano for c in held), sum(c.delta_atto for c in held), len(held))
            for place, held in self._charges.items()
            if held
        }

    def last_12_months(self, place: tuple[str, str], time: int) -> tuple[int, int]:
        """Nano-rho and atto-delta that count towards 12 months at a time."""
        late = [charge for charge in self._charges[place] if charge.day > time // DAY - WINDOW]
        return sum(charge.rho_nano for charge in late), sum(charge.delta_atto for charge in late)
