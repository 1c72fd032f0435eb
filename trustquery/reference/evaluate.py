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
from trustquery.reference.relations import Record, Source, fixed, records_of

__all__ = ["CELL_LIMIT", "bounded_rows", "evaluate", "joined_rows"]

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
    cells = math.prod(len(key.values) + 2 for key in query.keys)
    for aggregate in query.aggregates:
        totals = [0] * (cells * (aggregate.bins.count if aggregate.bins is not None else 1))
        for _, cell, value in bounded_rows(query, aggregate, records):
            totals[cell] += value
        vector += [max(-CELL_LIMIT, min(CELL_LIMIT, total)) for total in totals]
    return vector


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


def bounded_rows(query: Query, aggregate: Aggregate, records: Sequence[Record]) -> list[tuple[Record, int, int]]:
    """Rows that count for one aggregate after bounding: record, place in the block, integer added.

    The place is the cell; of a histogram it is cell·bins + bin, and each row adds 1.
    """
    rows = 1 if aggregate.kind == "count_distinct_person" else query.rows
    people: dict[str | None, dict[int, list[tuple[Record, int]]]] = {}
    for record in records:
        value = _integer(aggregate, record)
        if value is not None:
            cell = _cell(query.keys, record)
            people.setdefault(record.person, {}).setdefault(cell, []).append((record, value))
    kept: list[tuple[Record, int, int]] = []
    for groups in people.values():
        for found in groups.values():
            found.sort(key=lambda item: item[0].rank)
        order = sorted(groups, key=lambda cell: (groups[cell][0][0].rank, cell))
        for cell in order[: query.groups]:
            if aggregate.bins is None:
                kept += [(record, cell, value) for record, value in groups[cell][:rows]]
            else:
                first = cell * aggregate.bins.count
                kept += [(record, first + place, 1) for record, place in groups[cell][:rows]]
    return kept


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
