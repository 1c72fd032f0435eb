"""Model to plan. Deterministic: every machine reaches the same bytes, and so the same plan hash."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from typing import Any

from trustquery.catalogue.schema import Catalogue
from trustquery.codelists import PublicTables
from trustquery.errors import TrustQueryError
from trustquery.model.codec import write_read
from trustquery.model.nodes import Aggregate, AggregateRef, OutputCall, OutputExpression
from trustquery.model.query import Query
from trustquery.planning.checker import check
from trustquery.planning.plan import SIGMA_UNIT, Axis, Block, Bound, Plan, PlanOutput
from trustquery.privacy.budget import NANO, charge_nano, gaussian_tail, l2_squared, sigma_units, threshold_for

__all__ = ["compile_plan"]

MAX_SIGMA_UNITS = 2**53 * SIGMA_UNIT
"""Noise beyond 2^53 vector integers would meet the ±2^62 edge of a cell."""
MAX_THRESHOLD = 2**61


def compile_plan(query: Query, catalogue: Catalogue, public: PublicTables | None = None) -> Plan:
    """Check a model and fix its vector: cells, blocks, bounds, noise and charge.

    Args:
        query: the model.
        catalogue: must be the very catalogue that the model pins.
        public: public tables at hand; those that ship when None.

    Raises:
        TrustQueryError: ``query-…``; ``policy-mode-unavailable``.
    """
    check(query, catalogue, public)
    axes = tuple(Axis(key.name, str(key.type), key.values, key.kind) for key in query.keys)
    cells = math.prod(axis.cells for axis in axes)
    share = query.rho_nano // len(query.aggregates)
    if share < 1:
        raise TrustQueryError("query-epsilon-too-small")
    blocks: list[Block] = []
    for aggregate in query.aggregates:
        offset = blocks[-1].offset + blocks[-1].length if blocks else 0
        blocks.append(_block(len(blocks), offset, aggregate, cells, min(query.groups, cells), query.rows, share))
    if query.has_unknown_keys:
        blocks = [_thresholded(block, query.delta_atto) for block in blocks]
    outputs = tuple(PlanOutput(output.name, _read(output.expression, blocks)) for output in query.outputs)
    plan = Plan(axes, tuple(blocks), outputs)
    _recheck(plan, query)
    return plan


def _block(place: int, offset: int, aggregate: Aggregate, cells: int, groups: int, rows: int, share: int) -> Block:
    rows = 1 if aggregate.kind == "count_distinct_person" else rows
    lo, hi = (aggregate.lo, aggregate.hi) if aggregate.kind == "sum" else (1, 1)
    # A sum clamped to [0, 0] still needs a positive sigma: charge it as if a row could add 1.
    squared = l2_squared(groups, rows, max(abs(lo), abs(hi), 1))
    sigma = sigma_units(squared, share)
    if sigma > MAX_SIGMA_UNITS or rows * max(abs(lo), abs(hi)) > 2**61:
        raise TrustQueryError("query-sensitivity-too-large")
    return Block(
        id=f"b{place}",
        kind=aggregate.kind,
        statistic=place,
        offset=offset,
        length=cells * (aggregate.bins.count if aggregate.bins is not None else 1),
        fraction_bits=aggregate.fraction_bits,
        lo=lo,
        hi=hi,
        bound=Bound("rows", groups, rows),
        l2_sensitivity_squared=squared,
        rho_nano=charge_nano(squared, sigma),
        sigma=sigma,
        bins=aggregate.bins,
    )


def _thresholded(block: Block, delta_atto: int) -> Block:
    """The block of a thresholded release: no cell is known, and a key is released from ``threshold`` upwards."""
    found = threshold_for(block.bound.groups, block.bound.rows, block.sigma, delta_atto)
    if found > MAX_THRESHOLD:
        raise TrustQueryError("query-sensitivity-too-large")
    return replace(block, offset=0, length=0, threshold=found, delta_atto=delta_atto)


def _read(node: OutputExpression, blocks: list[Block]) -> dict[str, Any]:
    if isinstance(node, AggregateRef):
        return {"block": blocks[node.aggregate].id}
    if isinstance(node, OutputCall):
        return {"call": node.function, "arguments": [_read(argument, blocks) for argument in node.arguments]}
    return write_read(node)


def _recheck(plan: Plan, query: Query) -> None:
    """The machine re-checks its own privacy claim, by another route: exact fractions, not rounded integers."""
    loss = sum(
        (
            Fraction(block.bound.groups * (block.bound.rows * max(abs(block.lo), abs(block.hi))) ** 2)
            / (2 * Fraction(block.sigma, SIGMA_UNIT) ** 2)
            for block in plan.blocks
        ),
        Fraction(0),
    )
    ends = [block.offset + block.length for block in plan.blocks]
    starts = [block.offset for block in plan.blocks]
    contiguous = starts == [0, *ends[:-1]] and ends[-1] == plan.length
    if loss > Fraction(plan.rho_nano, NANO) or plan.rho_nano > query.rho_nano or not contiguous:
        raise TrustQueryError("internal-fault", incident="plan-claim")
    tails = sum(
        block.bound.groups * gaussian_tail(block.threshold - block.bound.rows, block.sigma)
        for block in plan.blocks
        if block.threshold
    )
    if tails > query.delta_atto or plan.delta_atto != query.delta_atto:
        raise TrustQueryError("internal-fault", incident="plan-claim")
