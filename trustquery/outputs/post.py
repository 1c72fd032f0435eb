"""Outer SELECTs, HAVING, ORDER BY and LIMIT over the merged, noised table: post-processing, at no privacy cost.

Nothing here reads data of people. Figures keep their noise through every step (``figures``), so that a standardised
rate, which is a weighted sum of noised counts, has the interval of exactly that sum. Rows *other* and *missing* are
rows like the rest; they match no row of a public table, no comparison holds for them, and ORDER BY puts them last.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, TypeVar

from trustquery.catalogue.schema import ColumnType
from trustquery.codelists import PublicTable, PublicTables
from trustquery.errors import TrustQueryError
from trustquery.model.nodes import AggregateRef, FieldRef, KeyRef, Output, OutputCall, OutputExpression, invalid
from trustquery.model.post import (
    MAX_ROWS,
    Field,
    Post,
    PublicJoin,
    Stage,
    StageAggregate,
    Tail,
    fields_of_stage,
    joined_fields,
)
from trustquery.outputs.expressions import (
    OTHER,
    Cell,
    Value,
    evaluate,
    holds,
    is_suppressed,
    number_of,
    value_of_cell,
)
from trustquery.outputs.figures import UNDEFINED, Figure, constant, extreme, suppressed, total
from trustquery.outputs.table import KeyCell

__all__ = ["Rows", "apply_tail", "run_stages"]

Rows = list[list[Cell]]
Look = Callable[[KeyRef | AggregateRef | FieldRef | OutputCall], Value]
_Row = TypeVar("_Row")


def run_stages(
    post: Post, fields: tuple[Field, ...], rows: Rows, public: PublicTables
) -> tuple[tuple[Field, ...], Rows]:
    """The columns and rows of the last outer SELECT.

    Args:
        fields: columns of the release.
        rows: its rows, after its own tail.
        public: must hold the very tables that the model pins.

    Raises:
        TrustQueryError: ``query-input-unknown``, ``query-input-differs``; ``query-too-many-cells`` where joins make
            more rows than are held.
    """
    for stage in post.stages:
        rows = _stage(stage, fields, rows, public)
        fields = fields_of_stage(stage, fields)
    return fields, rows


def apply_tail(
    tail: Tail, rows: Iterable[_Row], look: Callable[[_Row], Look], cell: Callable[[_Row, OutputExpression], Cell]
) -> list[_Row]:
    """HAVING, ORDER BY, OFFSET and LIMIT, in that order; rows that tie keep theirs."""
    having = tail.having
    kept = [row for row in rows if having is None or holds(having, look(row))]
    for order in reversed(tail.order):
        known: list[tuple[Any, _Row]] = []
        unknown: list[tuple[Any, _Row]] = []
        for row in kept:
            found = cell(row, order.expression)
            place = _place(found)
            if place is not None:
                known.append((place, row))
            else:
                unknown.append((not (isinstance(found, KeyCell) and found.kind == "other"), row))
        # A list that is sorted in reverse keeps the order of what ties; *other* stands before *missing* either way.
        known.sort(key=lambda item: item[0], reverse=order.descending)
        unknown.sort(key=lambda item: item[0])
        parts = [unknown, known] if order.nulls_first else [known, unknown]
        kept = [row for part in parts for _, row in part]
    end = None if tail.limit is None else tail.offset + tail.limit
    return kept[tail.offset : end]


def _place(cell: Cell) -> Any:
    """Where a cell sorts; None for what has no value."""
    if isinstance(cell, KeyCell):
        if cell.kind != "value":
            return None
        return (0, cell.order) if cell.order is not None else (1, cell.value)
    return cell.value if cell is not None else None


def cell_of(value: Value, field: Field) -> Cell:
    """A value as a cell of a column."""
    if not field.key:
        return number_of(value)
    if is_suppressed(value):
        return KeyCell("suppressed")
    if value is None or (isinstance(value, Figure) and value.value is None):
        return KeyCell("missing")
    if value is OTHER:
        return KeyCell("other")
    if isinstance(value, Figure):
        number = value.value or 0.0
        if number.is_integer():
            return KeyCell("value", int(number))
        return KeyCell("value", f"{number:g}")
    return KeyCell("value", value) if isinstance(value, bool | int | str) else KeyCell("other")


# -- one outer SELECT --------------------------------------------------------------------------------------------


def _stage(stage: Stage, fields: tuple[Field, ...], rows: Rows, public: PublicTables) -> Rows:
    for join in stage.joins:
        rows = _join(join, rows, public.pinned(join.pin))
        fields = joined_fields(fields, join)
    where = stage.where
    kept = [row for row in rows if where is None or holds(where, _field_look(row))]
    columns = fields_of_stage(stage, fields[: len(fields) - sum(len(join.columns) for join in stage.joins)])
    if not stage.grouped:

        def direct(row: list[Cell], node: OutputExpression) -> Cell:
            if isinstance(node, FieldRef):
                return row[node.field]
            return _computed(evaluate(node, _field_look(row)))

        found = apply_tail(stage.tail, kept, _field_look, direct)
        return _project(stage.outputs, columns, found, direct, _field_look)
    groups = _groups(stage, fields, kept)

    def of_group(group: _Group, node: OutputExpression) -> Cell:
        if isinstance(node, KeyRef):
            return group[0][node.key]
        return _computed(evaluate(node, _group_look(group)))

    chosen = apply_tail(stage.tail, groups, _group_look, of_group)
    return _project(stage.outputs, columns, chosen, of_group, _group_look)


def _computed(value: Value) -> Cell:
    """A computed value as a cell to sort by."""
    if value is None or isinstance(value, Figure):
        return value
    return KeyCell("value", value) if isinstance(value, bool | int | str) else KeyCell("other")


def _project(
    outputs: tuple[Output, ...],
    columns: tuple[Field, ...],
    rows: Sequence[_Row],
    direct: Callable[[_Row, OutputExpression], Cell],
    look: Callable[[_Row], Look],
) -> Rows:
    found: Rows = []
    for row in rows:
        line: list[Cell] = []
        for output, column in zip(outputs, columns, strict=True):
            node = output.expression
            if isinstance(node, FieldRef | KeyRef):
                line.append(direct(row, node))
            else:
                line.append(cell_of(evaluate(node, look(row)), column))
        found.append(line)
    return found


def _field_look(row: list[Cell]) -> Look:
    def look(node: KeyRef | AggregateRef | FieldRef | OutputCall) -> Value:
        if not isinstance(node, FieldRef):
            raise invalid()
        return value_of_cell(row[node.field])

    return look


_Group = tuple[list[Cell], list[Figure | None]]
"""Keys and aggregates of one group."""


def _group_look(group: _Group) -> Look:
    def look(node: KeyRef | AggregateRef | FieldRef | OutputCall) -> Value:
        if isinstance(node, KeyRef):
            return value_of_cell(group[0][node.key])
        if isinstance(node, AggregateRef):
            return group[1][node.aggregate]
        raise invalid()

    return look


def _groups(stage: Stage, fields: tuple[Field, ...], rows: Rows) -> list[_Group]:
    keyed: dict[Hashable, tuple[list[Cell], Rows]] = {}
    if not stage.keys:
        keyed[()] = ([], [])
    text = Field(ColumnType.TEXT, key=True)
    for row in rows:
        look = _field_look(row)
        cells: list[Cell] = []
        for key in stage.keys:
            cell = row[key.field] if isinstance(key, FieldRef) else cell_of(evaluate(key, look), text)
            cells.append(cell if isinstance(cell, KeyCell) else cell_of(cell, text))
        name = tuple((cell.kind, cell.value) for cell in cells if isinstance(cell, KeyCell))
        keyed.setdefault(name, (cells, []))[1].append(row)
    return [
        (cells, [_aggregate(aggregate, members) for aggregate in stage.aggregates]) for cells, members in keyed.values()
    ]


def _aggregate(aggregate: StageAggregate, rows: Rows) -> Figure | None:
    """One aggregate of one group. An undefined figure makes the result undefined: it is not the same as nothing."""
    where, argument = aggregate.filter, aggregate.argument
    kept = [row for row in rows if where is None or holds(where, _field_look(row))]
    if argument is None:
        return constant(float(len(kept)))
    values = [value for row in kept if (value := evaluate(argument, _field_look(row))) is not None]
    if aggregate.function == "count":
        # A suppressed figure is a value: that there is one is no secret.
        known = (not isinstance(v, Figure) or v.value is not None or bool(v.suppressed) for v in values)
        return constant(float(sum(known)))
    figures = [figure for value in values if (figure := number_of(value)) is not None]
    if not figures:
        return None
    if any(figure.suppressed for figure in figures):
        return suppressed("made-of-suppressed")
    if any(figure.value is None for figure in figures):
        return UNDEFINED
    if aggregate.function == "sum":
        return total(figures)
    if aggregate.function == "avg":
        return total(figures).times_number(1 / len(figures))
    return extreme(figures, largest=aggregate.function == "max")


# -- public tables -----------------------------------------------------------------------------------------------


def _public_rows(table: PublicTable, join: PublicJoin) -> tuple[list[list[Cell]], list[tuple[Hashable, ...] | None]]:
    """The table's rows as cells, and what each of them is found by (None where a joined column is NULL)."""
    kinds = [kind for _, kind in join.columns]
    if [(column.name, column.type) for column in table.columns] != list(join.columns):
        raise invalid()
    names = [name for name, _ in join.columns]
    listed = [
        {value: place for place, value in enumerate(table.values(name))} if kind is ColumnType.TEXT else {}
        for name, kind in join.columns
    ]
    rows: list[list[Cell]] = []
    for line in table.rows:
        row: list[Cell] = []
        for value, kind, order in zip(line, kinds, listed, strict=True):
            if kind is ColumnType.NUMBER:
                row.append(None if value is None else constant(float(value)))
            else:
                row.append(KeyCell("missing") if value is None else KeyCell("value", value, order=order.get(value)))
        rows.append(row)
    places = [names.index(column) for _, column in join.on]
    return rows, [_found_by([value_of_cell(row[place]) for place in places]) for row in rows]


def _found_by(values: list[Value]) -> tuple[Hashable, ...] | None:
    found: list[Hashable] = []
    for value in values:
        plain: Hashable = value.value if isinstance(value, Figure) else value
        if plain is None or plain is OTHER:
            return None
        found.append(plain)
    return tuple(found)


def _join(join: PublicJoin, rows: Rows, table: PublicTable) -> Rows:
    others, names = _public_rows(table, join)
    index: dict[tuple[Hashable, ...], list[list[Cell]]] = {}
    for name, other in zip(names, others, strict=True):
        if name is not None:
            index.setdefault(name, []).append(other)
    nothing: list[Cell] = [None if kind is ColumnType.NUMBER else KeyCell("missing") for _, kind in join.columns]
    found: Rows = []
    for row in rows:
        look = _field_look(row)
        name = _found_by([evaluate(value, look) for value, _ in join.on])
        pairs = [[*row, *other] for other in (index.get(name, []) if name is not None else [])]
        if join.condition is not None:
            condition = join.condition
            pairs = [pair for pair in pairs if holds(condition, _field_look(pair))]
        if not pairs and join.kind == "left":
            pairs = [[*row, *nothing]]
        found += pairs
        if len(found) > MAX_ROWS:
            raise TrustQueryError("query-too-many-cells", cells=len(found), limit=MAX_ROWS)
    return found
