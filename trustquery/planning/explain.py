"""The plan in words and its forecast, from public declarations only; touches no data and spends nothing."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal

from trustquery.catalogue.schema import Catalogue
from trustquery.model.query import Query
from trustquery.planning.plan import Block, Plan
from trustquery.privacy.budget import delta_for, epsilon_of

__all__ = ["Explanation", "Forecast", "explain"]

Z95 = 1.959963984540054


@dataclass(frozen=True)
class Forecast:
    """Expected noise of one statistic.

    Attributes:
        statistic: in words.
        half_width: half of a 95 % interval of the merged value in one cell, in the statistic's own unit.
        bound: the contribution bound in words.
    """

    statistic: str
    half_width: float
    bound: str


@dataclass(frozen=True)
class Explanation:
    """What a query will do, cost and be worth.

    Attributes:
        words: sentences, in order.
        rho_nano: charge at each trust.
        epsilon: the same at one trust, at ``delta``, rounded up.
        epsilon_federation: for a person at the declared largest number of trusts.
        delta: at which epsilon is shown.
        max_trusts: k.
    """

    words: tuple[str, ...]
    cells: int
    vector_length: int
    forecasts: tuple[Forecast, ...]
    rho_nano: int
    epsilon: Decimal
    epsilon_federation: Decimal
    delta: Decimal
    max_trusts: int


def explain(query: Query, plan: Plan, catalogue: Catalogue, trusts: int) -> Explanation:
    """Describe a plan.

    Args:
        trusts: number of trusts that will be asked, ≥ 1.
    """
    tables = ", ".join(scan.table for scan in query.scans)
    words = [f"Reads {tables} of {catalogue.id}, one person's rows at a time, joined on the person key."]
    for axis in plan.axes:
        if axis.kind == "unknown":
            words += _unknown(plan, axis.name)
            continue
        if axis.kind == "trust":
            words.append(f"Groups by {axis.name}: each of the {len(axis.values)} trusts asked in cells of its own.")
            continue
        words.append(f"Groups by {axis.name}: {len(axis.values)} public values, and the cells 'other' and 'missing'.")
    if not plan.has_unknown_keys:
        words.append(f"Releases {plan.cells} cells of {len(plan.blocks)} statistics, empty cells included.")
    words.append("Adds discrete Gaussian noise at each trust before anything leaves it.")
    delta = delta_for(catalogue.unit.declared_people)
    return Explanation(
        tuple(words),
        plan.cells,
        plan.length,
        tuple(_forecast(block, trusts) for block in plan.blocks),
        plan.rho_nano,
        epsilon_of(plan.rho_nano, delta),
        epsilon_of(plan.rho_nano, delta, trusts=catalogue.unit.max_trusts),
        delta,
        catalogue.unit.max_trusts,
    )


def _unknown(plan: Plan, name: str) -> list[str]:
    """A thresholded release in words."""
    [block] = plan.blocks
    delta = format((Decimal(plan.delta_atto) / 10**18).normalize(), "e")
    return [
        f"Groups by {name}, whose values are found in the data; rarer values never leave, so the list is not complete.",
        f"At each trust a value leaves only where its noised count is {block.threshold:,} or more.",
        f"Spends a delta of {delta} at each trust besides the privacy loss below.",
    ]


def _forecast(block: Block, trusts: int) -> Forecast:
    what = {"count": "count of rows", "count_distinct_person": "count of people", "sum": "sum"}[block.kind]
    width = Z95 * block.sigma_float * math.sqrt(trusts) / 2**block.fraction_bits
    bound = f"at most {block.bound.rows} rows in each of {block.bound.groups} cells a person"
    return Forecast(f"{block.id}: {what}", width, bound)
