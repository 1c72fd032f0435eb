"""What an error is: distance of a table from the truth, as a share of the truth's own size."""

from __future__ import annotations

import datetime
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Cells", "Error", "cells_of", "error", "gain", "mean_error"]

Cells = Mapping[tuple[str, ...], float]
"""A table: the keys as text, and the figure."""


@dataclass(frozen=True)
class Error:
    """Over the cells of one table.

    Attributes:
        mean: mean of \\|estimate - truth\\| over mean of \\|truth\\|.
        rmse: root of the mean of (estimate - truth)², over the same.
    """

    mean: float
    rmse: float


def error(found: Cells, truth: Cells) -> Error:
    """Of a table against another.

    Args:
        found: a cell that is not there counts as 0, and so does a figure that is no number: withheld is wrong by all.
        truth: its cells are the ones that count.
    """
    distances = [abs(_number(found.get(cell, 0.0)) - value) for cell, value in truth.items()]
    size = sum(map(abs, truth.values())) or 1.0
    return Error(sum(distances) / size, math.sqrt(sum(d * d for d in distances) * len(truth)) / size)


def mean_error(errors: Sequence[Error]) -> Error:
    """Over repeated draws: the mean, and the root of the mean square."""
    return Error(
        sum(item.mean for item in errors) / len(errors),
        math.sqrt(sum(item.rmse**2 for item in errors) / len(errors)),
    )


def gain(other: float, ours: float) -> float:
    """How many times smaller our error is; 1 where both are exact."""
    if ours == 0:
        return 1.0 if other == 0 else math.inf
    return other / ours


def cells_of(rows: Iterable[Sequence[Any]], keys: int) -> dict[tuple[str, ...], float]:
    """Rows of an engine as cells; one with a missing key has no declared cell and is left out."""
    found = {}
    for row in rows:
        if all(key is not None for key in row[:keys]) and row[keys] is not None:
            found[tuple(map(_text, row[:keys]))] = float(row[keys])
    return found


def _text(key: Any) -> str:
    if isinstance(key, datetime.datetime):
        key = key.date()
    return key.isoformat() if isinstance(key, datetime.date) else str(key)


def _number(value: float) -> float:
    return value if math.isfinite(value) else 0.0
