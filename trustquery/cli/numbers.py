"""Numbers as people read them: commas over 999, and no more digits than the noise leaves meaning in."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trustquery.outputs import Estimate

__all__ = ["combined_text", "estimate_text", "number_text", "share_text"]

NONE = "too noisy to say"
UNKNOWN = "not known"
SUPPRESSED = "Suppressed"


def _places(half_width: float) -> int:
    """Decimal places that leave two figures of the half-width: 245 to 0, 4.7 to 1, 0.45 to 2."""
    if not math.isfinite(half_width) or half_width <= 0:
        return 0
    return min(max(0, 1 - math.floor(math.log10(half_width))), 9)


def number_text(value: float, half_width: float | None = None) -> str:
    """A number with as many places as its half-width gives meaning to (its own size, when there is none)."""
    places = _places(abs(value) if half_width is None else half_width)
    text = f"{value:,.{places}f}"
    # A noised count just below zero reads as 0, not as -0.
    return text.removeprefix("-") if not text.strip("-0.,") else text


def estimate_text(cell: Estimate) -> tuple[str, str]:
    """An estimate and its interval: ("1,240", "1,210 to 1,270"); of a suppressed one the code of its reason."""
    if cell.suppressed:
        return SUPPRESSED, cell.suppressed
    if cell.value is None or cell.low is None or cell.high is None:
        return NONE, NONE
    half = (cell.high - cell.low) / 2
    if half == 0:
        # No noise is in it, such as in a weight: all of its digits mean something.
        exact = f"{cell.value:,.6f}".rstrip("0").rstrip(".")
        return exact, f"{exact} to {exact}"
    return number_text(cell.value, half), f"{number_text(cell.low, half)} to {number_text(cell.high, half)}"


def combined_text(cell: Estimate) -> str:
    """A rate's interval for noise and sampling, with as many places as its other interval: "0.38 to 0.44"."""
    if cell.suppressed:
        return cell.suppressed
    if cell.value is None or cell.low is None or cell.high is None:
        return NONE
    if cell.combined is None:
        return UNKNOWN
    low, high = cell.combined
    half = (cell.high - cell.low) / 2 or (high - low) / 2
    if half == 0:
        return estimate_text(cell)[1]
    return f"{number_text(low, half)} to {number_text(high, half)}"


def share_text(share: float, *, up: bool = False) -> str:
    """A share of a budget, rounded down so that it never promises more than there is; what is taken, upwards."""
    rounded = math.ceil(share * 1000) if up else math.floor(share * 1000)
    return f"{rounded / 10:.1f}%"
