"""How much of a statistic a bound keeps: the estimated cut-off stands beside intervals, never inside them."""

from __future__ import annotations

import math
from functools import lru_cache

from trustquery.forecast.people import Crowd, Group
from trustquery.model.nodes import Aggregate
from trustquery.model.terms import Bound

__all__ = ["kept_share"]


def kept_share(bound: Bound, aggregate: Aggregate, crowd: Crowd) -> float | None:
    """The share of the statistic's total that is left, 0 to 1; None where no profile tells.

    A person's rows are taken to fall into the cells that they touch by chance, one at least in each; which rows stay
    is chosen by rank, so that they are a fair sample of the person's.
    """
    if not crowd.known:
        return None
    whole = left = 0.0
    scale = 2.0 ** (aggregate.fraction_bits + bound.extra_bits)
    for group in crowd.groups:
        full = group.cells if aggregate.kind == "count_distinct_person" else group.size
        if full <= 0:
            continue
        whole += group.people * full
        left += group.people * min(_left(bound, aggregate, crowd, group, bound.total / scale), full)
    return left / whole if whole > 0 else 1.0


def _left(bound: Bound, aggregate: Aggregate, crowd: Crowd, group: Group, most: float) -> float:
    if bound.form == "l1":
        if crowd.sizes is None and crowd.values:
            return min(group.size * _share(crowd.values, most), most)
        return min(group.size, most)
    if aggregate.kind == "count_distinct_person":
        return min(group.cells, float(bound.groups))
    if bound.form == "total" and aggregate.kind != "count":
        cells = min(group.cells, float(bound.groups))
        return cells * group.size / group.cells * _clamped(crowd.values, group, most)
    rows = _rows(group, bound.groups, most if bound.form == "total" else bound.rows)
    return rows * group.size / group.rows


def _rows(group: Group, groups: int, most: float) -> float:
    """Rows that are left of one person: half-way between rows in many cells alike and nearly all rows in one cell."""
    share = min(group.cells, float(groups)) / group.cells
    alike = group.cells * _within(group.rows / group.cells, most)
    alone = min(group.rows - group.cells + 1.0, most) + (group.cells - 1.0) * min(1.0, most)
    return share * (alike + alone) / 2


def _clamped(values: tuple[tuple[float, float], ...], group: Group, most: float) -> float:
    """The share of a total in one cell that min(total, C) keeps.

    A large total is one large value far more often than many small ones, so a cell is taken to hold as many times one
    value as it has rows; without values, totals are taken to be exponential.
    """
    times = max(round(group.rows / group.cells), 1)
    if not values:
        mean = group.size / group.cells
        return min(most / mean, 1.0) if group.cells < 1.5 else -math.expm1(-most / mean)
    return _share(values, most / times)


@lru_cache(maxsize=4096)
def _share(values: tuple[tuple[float, float], ...], most: float) -> float:
    whole = sum(value * people for value, people in values)
    return sum(min(value, most) * people for value, people in values) / whole if whole > 0 else 1.0


def _within(mean: float, most: float) -> float:
    """Mean of min(rows, R), where rows are one at least and geometric, of this mean."""
    return min(mean, most) if mean <= 1 else mean * -math.expm1(most * math.log1p(-1.0 / mean))
