"""The exact vector of a query, before noise, computed the plain way. Never optimise this."""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping, Sequence
from typing import Any

from trustquery.catalogue.schema import Catalogue, ColumnType
from trustquery.codelists import PublicTables, shipped
from trustquery.model.nodes import Aggregate, Key
from trustquery.model.query import Query
from trustquery.model.terms import tree_levels
from trustquery.reference.relations import Record, Source, fixed, records_of

__all__ = ["CELL_LIMIT", "bounded_rows", "bounded_totals", "evaluate", "joined_rows"]

CELL_LIMIT = 2**62


def evaluate(
    query: Query,
    catalogue: Catalogue,
    tables: Mapping[str, Sequence[Mapping[str, Any]]],
    *,
    rank_key: bytes,
    data_version: int,
    public: PublicTables | None = None,
) -> list[int]:
    """The exact vector: block-major, then cells row-major, each cell clamped to ±2^62.

    Args:
        tables: catalogue table name to rows as dictionaries of Python values.
        rank_key: 32 bytes.
        data_version: of these rows.
        public: public tables at hand; those that ship when None.
    """
    records = joined_rows(query, catalogue, tables, rank_key=rank_key, data_version=data_version, public=public)
    vector: list[int] = []
    for place in range(len(query.aggregates)):
        vector += [max(-CELL_LIMIT, min(CELL_LIMIT, total)) for total in _totals(query, place, records)]
    return vector


def _totals(query: Query, place: int, records: Sequence[Record]) -> list[int]:
    """The block of one aggregate: for each cell its total, or its bins and then the higher nodes of their tree."""
    aggregate, terms = query.aggregates[place], query.terms[place]
    cells = math.prod(len(key.values) + 2 for key in query.keys)
    if aggregate.bins is None:
        totals = [0] * cells
        for _, cell, value in bounded_totals(query, place, records):
            totals[cell] += value
        return totals
    levels = tree_levels(aggregate.bins.count, terms.branching)
    nodes = [[[0] * width for width in levels] for _ in range(cells)]
    for _, position, value in bounded_rows(query, place, records):
        cell, found = divmod(position, aggregate.bins.count)
        for level in nodes[cell]:
            level[found] += value
            found //= max(terms.branching, 1)
    return [total for cell in nodes for level in cell for total in level]


def joined_rows(
    query: Query,
    catalogue: Catalogue,
    tables: Mapping[str, Sequence[Mapping[str, Any]]],
    *,
    rank_key: bytes,
    data_version: int,
    public: PublicTables | None = None,
) -> list[Record]:
    """Rows of people after all joins and WHERE, before bounding. Arguments as for ``evaluate``."""
    at_hand = public if public is not None else shipped()
    pinned = PublicTables(at_hand.pinned(pin) for pin in query.read_inputs)
    source = Source(catalogue, pinned, tables, rank_key, data_version)
    above = [key.expression for key in query.keys]
    for aggregate in query.aggregates:
        above += [part for part in (aggregate.argument, aggregate.filter) if part is not None]
    return [record for record in records_of(query.relation, above, source) if record.person is not None]


def bounded_totals(query: Query, place: int, records: Sequence[Record]) -> list[tuple[str | None, int, int]]:
    """What people add to cells of an aggregate without bins: person, cell, integer, after bounding."""
    bound = query.terms[place].bound
    if bound.form == "rows":
        return [(record.person, cell, value) for record, cell, value in bounded_rows(query, place, records)]
    found: list[tuple[str | None, int, int]] = []
    for person, groups in _people(query, place, records).items():
        own = {cell: max(-CELL_LIMIT, min(CELL_LIMIT, sum(v for _, v in rows))) for cell, rows in groups.items()}
        if bound.form == "total":
            for cell in _lowest(groups)[: bound.groups]:
                found.append((person, cell, max(-bound.total, min(bound.total, own[cell]))))
            continue
        own = {cell: value * 2**bound.extra_bits for cell, value in own.items()}
        size = sum(abs(value) for value in own.values())
        for cell, value in own.items():
            if size > bound.total:
                # Towards zero, so that the sizes add up to no more than C.
                value = abs(value) * bound.total // size * (1 if value > 0 else -1)
            found.append((person, cell, value))
    return found


def bounded_rows(query: Query, place: int, records: Sequence[Record]) -> list[tuple[Record, int, int]]:
    """Rows that count for one aggregate after bounding by rows: record, place in the block, integer added.

    The place is the cell; of a histogram it is cell·bins + bin, and each row adds 1.
    """
    aggregate, bound = query.aggregates[place], query.terms[place].bound
    kept: list[tuple[Record, int, int]] = []
    for groups in _people(query, place, records).values():
        for cell in _lowest(groups)[: bound.groups]:
            if aggregate.bins is None:
                kept += [(record, cell, value) for record, value in groups[cell][: bound.rows]]
            else:
                first = cell * aggregate.bins.count
                kept += [(record, first + found, 1) for record, found in groups[cell][: bound.rows]]
    return kept


Groups = dict[int, list[tuple[Record, int]]]
"""One person's eligible rows by cell, lowest rank first, with the integer (or bin) of each."""


def _people(query: Query, place: int, records: Sequence[Record]) -> dict[str | None, Groups]:
    people: dict[str | None, Groups] = {}
    for record in records:
        value = _integer(query.aggregates[place], record)
        if value is not None:
            people.setdefault(record.person, {}).setdefault(_cell(query.keys, record), []).append((record, value))
    for groups in people.values():
        for found in groups.values():
            found.sort(key=lambda item: item[0].rank)
    return people


def _lowest(groups: Groups) -> list[int]:
    """Cells by their lowest row, ties by the cell's number."""
    return sorted(groups, key=lambda cell: (groups[cell][0][0].rank, cell))


def _integer(aggregate: Aggregate, record: Record) -> int | None:
    """The integer a row adds (of a histogram: its bin), or None when it is not eligible."""
    if aggregate.filter is not None and record.value(aggregate.filter) is not True:
        return None
    if aggregate.argument is None:
        return 1
    value = record.value(aggregate.argument)
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if aggregate.bins is not None:
        return aggregate.bins.place(float(value))
    if aggregate.kind != "sum":
        return 1
    return fixed(value, aggregate.fraction_bits, aggregate.lo, aggregate.hi)


def _cell(keys: Sequence[Key], record: Record) -> int:
    cell = 0
    for key in keys:
        value = record.value(key.expression)
        if value is None:
            place = len(key.values) + 1
        else:
            text = value.isoformat() if isinstance(value, datetime.date) else value
            if key.type is ColumnType.INTEGER and isinstance(value, float):
                text = int(value) if value.is_integer() else None
            place = key.values.index(text) if text in key.values else len(key.values)
        cell = cell * (len(key.values) + 2) + place
    return cell
