"""The laws on which the privacy proof rests, as functions, so that a planted fault can be shown to break them.

They call the evaluator through its module, where a test may plant a fault.
"""

from __future__ import annotations

import importlib
from collections import Counter
from collections.abc import Sequence
from typing import Any

from tests.factories.catalogues import made_up
from tests.lib.prepared import DATA_VERSION, RANK_KEY
from tests.property.questions import Question
from tests.property.rows import Rows, people, without
from trustquery.planning import Plan
from trustquery.reference.rank import ranked_rows

__all__ = ["evaluator", "exact", "others_are_unchanged", "ranks_are_unchanged", "sensitivity_holds", "within"]

# The package gives the function of this name; the module is what a test may patch.
evaluator = importlib.import_module("trustquery.reference.evaluate")


def exact(question: Question, rows: Rows) -> list[int]:
    """The exact vector by the plain evaluator."""
    found: list[int] = evaluator.evaluate(question.query, made_up(), rows, rank_key=RANK_KEY, data_version=DATA_VERSION)
    return found


def within(plan: Plan, before: Sequence[int], after: Sequence[int]) -> None:
    """Two vectors that differ by one person: no block moves by more than the plan says, in no more cells."""
    for block in plan.blocks:
        cells = slice(block.offset, block.offset + block.length)
        moves = [one - other for one, other in zip(before[cells], after[cells], strict=True)]
        assert sum(move * move for move in moves) <= block.l2_sensitivity_squared, block.id
        bound = block.bound
        if bound.form == "l1":
            assert sum(map(abs, moves)) <= bound.total, block.id
            continue
        # In a histogram each of a person's rows may move a bin of its own, at each level of a tree.
        places = bound.groups * (1 if block.bins is None else bound.rows * len(block.levels))
        assert sum(move != 0 for move in moves) <= places, block.id
        cells_moved = {place // block.span for place, move in enumerate(moves) if move}
        assert len(cells_moved) <= bound.groups, block.id
        most = bound.rows * max(abs(block.lo), abs(block.hi)) if bound.form == "rows" else bound.total
        assert max(map(abs, moves)) <= most, block.id


def sensitivity_holds(question: Question, rows: Rows) -> None:
    """Whoever is taken away, the vector moves by no more than the plan says."""
    before = exact(question, rows)
    for person in people(rows):
        within(question.plan, before, exact(question, without(rows, person)))


def _bounded(question: Question, rows: Rows) -> list[Counter[Any]]:
    """For each aggregate what counts: rows, told apart by person and h, or the totals of a person."""
    query = question.query
    records = evaluator.joined_rows(query, made_up(), rows, rank_key=RANK_KEY, data_version=DATA_VERSION)
    return [
        Counter(
            (record.person, record.h, cell, value)
            for record, cell, value in evaluator.bounded_rows(query, place, records)
        )
        if terms.bound.form == "rows"
        else Counter(evaluator.bounded_totals(query, place, records))
        for place, terms in enumerate(query.terms)
    ]


def others_are_unchanged(question: Question, rows: Rows) -> None:
    """Whoever is taken away, everybody else's bounded rows stay as they are."""
    before = _bounded(question, rows)
    for person in people(rows):
        after = _bounded(question, without(rows, person))
        for whole, rest in zip(before, after, strict=True):
            assert rest == Counter({row: count for row, count in whole.items() if row[0] != person})


def ranks_are_unchanged(rows: Rows) -> None:
    """Whoever is taken away, everybody else's u and h stay as they are."""
    for name, held in rows.items():
        table = made_up().table(name)
        assert table is not None
        before = ranked_rows(held, table, rank_key=RANK_KEY, data_version=DATA_VERSION)
        for person in people({name: held}):
            rest = without({name: held}, person)[name]
            after = ranked_rows(rest, table, rank_key=RANK_KEY, data_version=DATA_VERSION)
            key = "\0person"
            assert sorted(map(repr, after)) == sorted(repr(row) for row in before if row[key] != person)
