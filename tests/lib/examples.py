"""One example of the query language: rows, a query, and the exact result before noise, all drawn as text."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

from tests.factories.catalogues import made_up
from tests.lib.prepared import DATA_VERSION, RANK_KEY, prepared
from tests.lib.text_tables import read_rows, read_table
from trustquery.language import compile_query
from trustquery.model import AggregateRef, KeyRef, OutputCall, Query
from trustquery.model.nodes import OutputExpression
from trustquery.model.post import NO_POST
from trustquery.model.terms import Bound
from trustquery.outputs import Estimate, KeyCell, read
from trustquery.planning import Plan, compile_plan
from trustquery.reference import evaluate

__all__ = ["Example", "check", "compiled", "drawn"]


@dataclass(frozen=True)
class Example:
    """A title, tables of the made-up dataset, a query and its result.

    ``result`` lists the cells in which anything was counted, in order; every other cell is released too, as 0 and
    noise. A ratio is written as a fraction. ``bounds`` stand in place of those that the text compiles to.
    """

    title: str
    sql: str
    result: str
    tables: dict[str, str] = field(default_factory=dict)
    max_groups_per_person: int | None = None
    max_rows_per_group: int | None = None
    bounds: tuple[Bound, ...] = ()


def compiled(example: Example) -> tuple[Query, Plan]:
    """The model and plan of the example's query."""
    query = compile_query(
        example.sql,
        made_up(),
        epsilon=Decimal(1),
        max_groups_per_person=example.max_groups_per_person,
        max_rows_per_group=example.max_rows_per_group,
    )
    if example.bounds:
        changed = zip(query.terms, example.bounds, strict=True)
        query = query.on(tuple(dataclasses.replace(terms, bound=bound) for terms, bound in changed))
    return query, compile_plan(query, made_up())


def drawn(query: Query, plan: Plan, vector: Sequence[int]) -> list[dict[str, str]]:
    """The cells of an exact vector in which anything was counted, as text.

    Where bins are rows, or the query does something to its table, all rows of the table.
    """
    plain = all(block.bins is None for block in plan.blocks) and query.post == NO_POST
    if not plain or not all(_simple(output.expression) for output in query.outputs):
        return _table(query, plan, vector)
    found = []
    for cell, place in enumerate(itertools.product(*(range(axis.cells) for axis in plan.axes))):
        values = [Fraction(vector[block.offset + cell], 2**block.fraction_bits) for block in plan.blocks]
        if any(values):
            row = {output.name: _cell(output.expression, plan, place, values) for output in query.outputs}
            found.append(row)
    return found


def _simple(node: OutputExpression) -> bool:
    if isinstance(node, OutputCall):
        return node.function == "div" and all(isinstance(part, AggregateRef) for part in node.arguments)
    return isinstance(node, KeyRef | AggregateRef)


def _table(query: Query, plan: Plan, vector: Sequence[int]) -> list[dict[str, str]]:
    """The table that a client would show, without noise: estimates as fractions, with at most three digits below."""
    exact = dataclasses.replace(plan, blocks=tuple(dataclasses.replace(block, sigma=0) for block in plan.blocks))
    table = read(query, exact, vector, 1, made_up())
    return [{column.name: _text(cell) for column, cell in zip(table.columns, row, strict=True)} for row in table.rows]


def _text(cell: KeyCell | Estimate) -> str:
    if isinstance(cell, KeyCell):
        return cell.text
    return "none" if cell.value is None else str(Fraction(cell.value).limit_denominator(1000))


def _cell(node: OutputExpression, plan: Plan, place: tuple[int, ...], values: list[Fraction]) -> str:
    if isinstance(node, KeyRef):
        axis = plan.axes[node.key]
        position = place[node.key] - axis.other
        if position >= 0:
            return ("other", "missing")[position]
        value = axis.values[place[node.key]]
        return str(value).lower() if isinstance(value, bool) else str(value)
    if isinstance(node, AggregateRef):
        return str(values[node.aggregate])
    assert isinstance(node, OutputCall)
    top, bottom = (values[part.aggregate] for part in node.arguments if isinstance(part, AggregateRef))
    return str(top / bottom) if bottom else "none"


def check(example: Example, folder: Path) -> None:
    """Every evaluator gives the result drawn."""
    query, plan = compiled(example)
    tables = {table.name: read_rows(example.tables.get(table.name, "| pid |"), table) for table in made_up().tables[:3]}
    expected = read_table(example.result)
    by_reference = evaluate(query, made_up(), tables, rank_key=RANK_KEY, data_version=DATA_VERSION)
    assert drawn(query, plan, by_reference) == expected, "reference"
    with prepared(folder, made_up(), tables) as store:
        assert drawn(query, plan, store.vector(query, plan)) == expected, "duckdb"
