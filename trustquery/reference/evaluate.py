"""The exact vector of a query, before noise, computed the plain way. Never optimise this."""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trustquery.catalogue.schema import Catalogue, ColumnType
from trustquery.model.facts import infer
from trustquery.model.nodes import Aggregate, Call, Expression, Filter, Join, Key, Relation, Scan, walk
from trustquery.model.query import Query
from trustquery.reference.rank import PERSON, H, U, ranked_rows
from trustquery.reference.scalars import Environment, scalar

__all__ = ["CELL_LIMIT", "bounded_rows", "evaluate", "joined_rows"]

CELL_LIMIT = 2**62
_MODULUS = 2**31 - 1
_MULTIPLIER = 1_000_003


@dataclass(frozen=True)
class _Record:
    """One joined row of one person: values, combined u, and h of each scan in FROM order (0: unmatched)."""

    person: str
    values: Environment
    u: int
    h: tuple[int, ...]
    numbers: frozenset[Expression]

    def value(self, expression: Expression) -> Any:
        """An expression's value on this row."""
        return scalar(expression, self.values, self.numbers)

    @property
    def rank(self) -> tuple[int, tuple[int, ...]]:
        return (self.u, self.h)


@dataclass(frozen=True)
class _Source:
    """What scans read."""

    catalogue: Catalogue
    tables: Mapping[str, Sequence[Mapping[str, Any]]]
    rank_key: bytes
    data_version: int
    numbers: frozenset[Expression]


def evaluate(
    query: Query,
    catalogue: Catalogue,
    tables: Mapping[str, Sequence[Mapping[str, Any]]],
    *,
    rank_key: bytes,
    data_version: int,
) -> list[int]:
    """The exact vector: block-major, then cells row-major, each cell clamped to ±2^62.

    Args:
        tables: catalogue table name to rows as dictionaries of Python values.
        rank_key: 32 bytes.
        data_version: of these rows.
    """
    records = joined_rows(query, catalogue, tables, rank_key=rank_key, data_version=data_version)
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
) -> list[_Record]:
    """Rows after all joins and WHERE, before bounding. Arguments as for ``evaluate``."""
    source = _Source(catalogue, tables, rank_key, data_version, _numbers(query, catalogue))
    return _relation(query.relation, source)


def bounded_rows(query: Query, aggregate: Aggregate, records: Sequence[_Record]) -> list[tuple[_Record, int, int]]:
    """Rows that count for one aggregate after bounding: record, place in the block, integer added.

    The place is the cell; of a histogram it is cell·bins + bin, and each row adds 1.
    """
    rows = 1 if aggregate.kind == "count_distinct_person" else query.rows
    people: dict[str, dict[int, list[tuple[_Record, int]]]] = {}
    for record in records:
        value = _integer(aggregate, record)
        if value is not None:
            cell = _cell(query.keys, record)
            people.setdefault(record.person, {}).setdefault(cell, []).append((record, value))
    kept: list[tuple[_Record, int, int]] = []
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


def _integer(aggregate: Aggregate, record: _Record) -> int | None:
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
    scaled = float(value) * 2.0**aggregate.fraction_bits + 0.5
    if scaled >= aggregate.hi:
        return aggregate.hi if math.isinf(scaled) else min(math.floor(scaled), aggregate.hi)
    return aggregate.lo if scaled <= aggregate.lo else max(math.floor(scaled), aggregate.lo)


def _cell(keys: Sequence[Key], record: _Record) -> int:
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


def _relation(node: Relation, source: _Source) -> list[_Record]:
    if isinstance(node, Filter):
        return [record for record in _relation(node.source, source) if record.value(node.predicate) is True]
    if isinstance(node, Scan):
        return _scan(node, source)
    return _join(node, _relation(node.left, source), _scan(node.right, source), source.catalogue)


def _scan(node: Scan, source: _Source) -> list[_Record]:
    table = source.catalogue.table(node.table)
    if table is None:
        raise ValueError(f"no table {node.table}")
    rows = ranked_rows(source.tables[node.table], table, rank_key=source.rank_key, data_version=source.data_version)
    return [
        _Record(
            row[PERSON],
            {(node.alias, column.name): row[column.name] for column in table.columns},
            row[U],
            (row[H],),
            source.numbers,
        )
        for row in rows
    ]


def _join(node: Join, left: list[_Record], right: list[_Record], catalogue: Catalogue) -> list[_Record]:
    by_person: dict[str, list[_Record]] = {}
    for record in right:
        by_person.setdefault(record.person, []).append(record)
    table = catalogue.table(node.right.table)
    nothing = {(node.right.alias, column.name): None for column in (table.columns if table else ())}
    found: list[_Record] = []
    for one in left:
        pairs = [_combine(one, other.values, other.u, other.h) for other in by_person.get(one.person, [])]
        matches = [pair for pair in pairs if node.condition is None or pair.value(node.condition) is True]
        if not matches and node.kind == "left":
            matches = [_combine(one, nothing, 0, (0,))]
        found += matches
    return found


def _combine(one: _Record, values: Environment, u: int, h: tuple[int, ...]) -> _Record:
    return _Record(one.person, one.values | values, (one.u * _MULTIPLIER + u) % _MODULUS, one.h + h, one.numbers)


def _numbers(query: Query, catalogue: Catalogue) -> frozenset[Expression]:
    """Calls that choose between integers and numbers."""
    scope = {scan.alias: table for scan in query.scans if (table := catalogue.table(scan.table))}
    return frozenset(
        node
        for expression in query.expressions()
        for node in walk(expression)
        if isinstance(node, Call) and node.function in ("case", "coalesce")
        if infer(node, scope, lambda *_, **__: None).type is ColumnType.NUMBER
    )
