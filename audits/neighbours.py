"""Two data sets that differ by one person, and what the question makes of each before noise."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from audits.mechanisms import Mechanism
from audits.population import CATALOGUE, Rows, everybody, with_person
from audits.product import Product
from trustquery.language import compile_query
from trustquery.model import Query
from trustquery.planning import Plan, compile_plan
from trustquery.planning.plan import SIGMA_UNIT
from trustquery.privacy.budget import threshold_for

__all__ = ["Cells", "Neighbours", "compiled", "neighbours"]

NOBODY: Rows = {table.name: () for table in CATALOGUE.tables if table.kind == "person"}


@dataclass(frozen=True)
class Cells:
    """Exact integers by cell: positions of a vector, or the labels of keys found in the data (0 where absent)."""

    names: tuple[int | str, ...]
    values: tuple[int, ...]


@dataclass(frozen=True)
class Neighbours:
    """One mechanism on data without and with the person.

    Attributes:
        absent: exact integers without the person.
        present: the same cells with the person.
        alone: the same cells of the person alone.
    """

    mechanism: Mechanism
    query: Query
    plan: Plan
    absent: Cells
    present: Cells
    alone: Cells

    @property
    def moves(self) -> tuple[int, ...]:
        """What the person's presence adds to each cell."""
        return tuple(new - old for new, old in zip(self.present.values, self.absent.values, strict=True))

    @property
    def rho(self) -> Fraction:
        """The loss that this very person suffers, exactly: sum of moves² / (2σ²), in rho."""
        parts = (
            Fraction(sum(move * move for move in self.of_block(self.moves, number)))
            / (2 * Fraction(block.sigma, SIGMA_UNIT) ** 2)
            for number, block in enumerate(self.plan.blocks)
        )
        return sum(parts, Fraction(0))

    def of_block(self, values: Sequence[int], number: int) -> Sequence[int]:
        """The part of the cells that one block holds; a thresholded release has one block with all of them."""
        block = self.plan.blocks[number]
        return values if self.plan.has_unknown_keys else values[block.offset : block.offset + block.length]

    def sensitivity_holds(self) -> bool:
        """Whether no block moves by more than the plan charges for; of a bound on cells also in no more of them."""
        for number, block in enumerate(self.plan.blocks):
            moves = self.of_block(self.moves, number)
            if sum(move * move for move in moves) > block.l2_sensitivity_squared:
                return False
            touched = {place // block.span for place, move in enumerate(moves) if move}
            if block.bound.form != "l1" and len(touched) > block.bound.groups:
                return False
        return True

    def others_are_unchanged(self) -> bool:
        """Whether the person adds what the person alone would give, so that nobody else's rows were chosen anew."""
        return self.moves == self.alone.values


def compiled(mechanism: Mechanism) -> tuple[Query, Plan]:
    """Model and plan; of an audit at another delta, with the threshold that the shipped function gives for it."""
    query = compile_query(mechanism.sql, CATALOGUE, epsilon=Decimal(mechanism.epsilon), **mechanism.options)
    if mechanism.terms:
        query = query.on(mechanism.terms)
    plan = compile_plan(query, CATALOGUE)
    if mechanism.delta_atto:
        [block] = plan.blocks
        threshold = threshold_for(block.bound.groups, block.bound.rows, block.sigma, mechanism.delta_atto)
        changed = dataclasses.replace(block, threshold=threshold, delta_atto=mechanism.delta_atto)
        plan = dataclasses.replace(plan, blocks=(changed,))
    return query, plan


def neighbours(mechanism: Mechanism, seed: int, product: Product) -> Neighbours:
    """The mechanism's question on both data sets.

    Args:
        seed: of the data.
        product: gives the evaluator.
    """
    query, plan = compiled(mechanism)
    without = everybody(seed)
    worlds = (without, with_person(without, mechanism.person), with_person(NOBODY, mechanism.person))
    if plan.has_unknown_keys:
        found = [product.counts(query, rows) for rows in worlds]
        names: tuple[int | str, ...] = tuple(sorted(set().union(*found)))
        cells = [Cells(names, tuple(counts.get(str(name), 0) for name in names)) for counts in found]
    else:
        cells = [Cells(tuple(range(plan.length)), tuple(product.vector(query, rows))) for rows in worlds]
    return Neighbours(mechanism, query, plan, *cells)
