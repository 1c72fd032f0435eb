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
from trustquery.model.terms import Terms, tree_levels
from trustquery.planning.checker import check
from trustquery.planning.plan import SIGMA_UNIT, Axis, Block, Plan, PlanOutput
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
    blocks: list[Block] = []
    for aggregate, terms in zip(query.aggregates, query.terms, strict=True):
        offset = blocks[-1].offset + blocks[-1].length if blocks else 0
        blocks.append(_block(len(blocks), offset, aggregate, terms, cells))
    if query.has_unknown_keys:
        blocks = [_thresholded(block, query.delta_atto) for block in blocks]
    outputs = tuple(PlanOutput(output.name, _read(output.expression, blocks)) for output in query.outputs)
    plan = Plan(axes, tuple(blocks), outputs)
    _recheck(plan, query)
    return plan


def _block(place: int, offset: int, aggregate: Aggregate, terms: Terms, cells: int) -> Block:
    bound = terms.bound
    if bound.groups > cells:
        bound = replace(bound, groups=cells)
    bits = bound.extra_bits
    lo, hi = (aggregate.lo << bits, aggregate.hi << bits) if aggregate.kind == "sum" else (1 << bits, 1 << bits)
    width = aggregate.bins.count if aggregate.bins is not None else 1
    levels = tree_levels(width, terms.branching)
    # A sum clamped to [0, 0] still needs a positive sigma: charge it as if a row could add 1.
    largest = max(abs(lo), abs(hi), 1)
    squared = {
        "rows": l2_squared(bound.groups, bound.rows, largest) * len(levels),
        "total": l2_squared(bound.groups, 1, bound.total),
        "l1": l2_squared(1, 1, bound.total),
    }[bound.form]
    sigma = sigma_units(squared, terms.rho_nano)
    if sigma > MAX_SIGMA_UNITS or math.isqrt(squared) > 2**61 or largest > 2**61:
        raise TrustQueryError("query-sensitivity-too-large")
    return Block(
        id=f"b{place}",
        kind=aggregate.kind,
        statistic=place,
        offset=offset,
        length=cells * sum(levels),
        fraction_bits=aggregate.fraction_bits + bits,
        lo=lo,
        hi=hi,
        bound=bound,
        l2_sensitivity_squared=squared,
        rho_nano=charge_nano(squared, sigma),
        sigma=sigma,
        bins=aggregate.bins,
        branching=terms.branching,
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
        (Fraction(_most_moved(block)) / (2 * Fraction(block.sigma, SIGMA_UNIT) ** 2) for block in plan.blocks),
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


def _most_moved(block: Block) -> int:
    """Squared L2 distance that one person's rows can move a block, summed up place by place at the worst."""
    bound = block.bound
    if bound.form == "l1":
        return bound.total * bound.total  # all in one place
    in_a_cell = bound.rows * max(abs(block.lo), abs(block.hi)) if bound.form == "rows" else bound.total
    return sum(bound.groups * in_a_cell**2 for _ in block.levels)
