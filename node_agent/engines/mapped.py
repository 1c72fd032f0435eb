"""Questions about one table whose every expression reads one column: computed by value, and not by row.

A column of codes, days or small whole numbers has few values. DuckDB computes what a query makes of each value once:
its part of the cell, whether it passes, what it adds. Rows look that up. Rows of a table stand by person and rank
already, so that they go straight to the kernel: none is copied out of a database.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from sqlglot import exp

from node_agent.engines.job import ABSENT, MAP_INDEX, MAP_VALUE, Item, Lookup, Mapped
from node_agent.engines.names import ORDER, PERSON
from node_agent.engines.relation_sql import BELOW, Layers
from node_agent.engines.rows import join_lookups
from node_agent.engines.sql import DIALECT, cell_of, fill, integer_of, number, stored_name
from trustquery.catalogue.schema import Column, ColumnType, Role
from trustquery.model.nodes import Aggregate, Call, ColumnRef, Expression, Key, conjuncts, references, walk
from trustquery.model.query import Query
from trustquery.model.relations import Derived, Filter, Scan
from trustquery.model.scope import Tables

__all__ = ["mapped"]

MOST_NODES = 500
"""Of one expression, once subqueries are put into it."""
_TYPES = (ColumnType.TEXT, ColumnType.DATE, ColumnType.INTEGER, ColumnType.BOOLEAN)


class _NotThisWayError(Exception):
    """The query is not of this kind."""


def mapped(query: Query, tables: Tables) -> Mapped | None:
    """How to compute the query by value; None where it is not of that kind."""
    node, predicates, inside = query.relation, list[Expression](), dict[ColumnRef, Expression]()
    layers: list[Filter | Derived] = []
    while isinstance(node, Filter | Derived):
        layers.append(node)
        node = node.source
    table = tables.catalogue.table(node.table) if isinstance(node, Scan) else None
    if not isinstance(node, Scan) or table is None or tables.open(node.table) is not None:
        return None
    writer = _Writer(node.alias, {column.name: column for column in table.columns}, inside)
    try:
        for layer in reversed(layers):
            if isinstance(layer, Filter):
                predicates += map(writer.inlined, conjuncts(layer.predicate))
            else:
                inside |= {ColumnRef(layer.alias, item.name): writer.inlined(item.expression) for item in layer.columns}
        keys = tuple(writer.key(key, place) for place, key in enumerate(query.keys))
        wheres = tuple(map(writer.test, predicates))
        values = tuple(writer.value(aggregate) for aggregate in query.aggregates)
        filters = tuple(
            tuple(map(writer.test, map(writer.inlined, conjuncts(item.filter)))) for item in query.aggregates
        )
    except _NotThisWayError:
        return None
    cap = 1 if table.one_row_per_person else table.row_cap
    reads = tuple(sorted({PERSON, ORDER, *writer.columns}))
    sizes = tuple(len(key.values) + 2 for key in query.keys)
    return Mapped(
        stored_name(query.catalogue_id, table.name), cap, writer.lookups(), keys, sizes, wheres, values, filters, reads
    )


class _Writer:
    """Collects what is computed of each column's values."""

    def __init__(self, alias: str, columns: Mapping[str, Column], inside: Mapping[ColumnRef, Expression]) -> None:
        self.alias, self.known, self.inside = alias, columns, inside
        self.columns: dict[str, list[exp.Expr]] = {}
        self._layers: dict[str, Layers] = {}
        self._joins: dict[str, list[tuple[str, exp.Expr]]] = {}

    def inlined(self, node: Expression) -> Expression:
        """The expression over the table's own columns."""
        if isinstance(node, ColumnRef):
            return self.inside.get(node, node)
        if not isinstance(node, Call):
            return node
        found = dataclasses.replace(node, arguments=tuple(map(self.inlined, node.arguments)))
        if sum(1 for _ in walk(found)) > MOST_NODES:
            raise _NotThisWayError
        return found

    def key(self, key: Key, place: int) -> Item:
        """A key's part of the cell, or its label."""
        node = self.inlined(key.expression)
        column, layers = self._column(node)
        cell, joins = cell_of((key,), [layers.add(node)], first=place)
        self._joins[column] += joins
        return self._item(column, cell)

    def test(self, node: Expression) -> Item:
        """Whether a value passes."""
        column, layers = self._column(node)
        return self._item(column, fill("CASE WHEN :0 THEN 1 ELSE 0 END", layers.add(node)))

    def value(self, aggregate: Aggregate) -> Item | None:
        """What a value adds; None where every row adds 1."""
        if aggregate.argument is None:
            return None
        node = self.inlined(aggregate.argument)
        column, layers = self._column(node)
        added = integer_of(dataclasses.replace(aggregate, argument=node, filter=None), layers)
        return self._item(column, fill("COALESCE(CAST(:0 AS BIGINT), :1)", added, number(ABSENT)))

    def lookups(self) -> tuple[Lookup, ...]:
        """One statement a column: what is computed of each of its values, in their order."""
        found = []
        for place, (column, items) in enumerate(self.columns.items()):
            values = exp.select("*").from_(exp.Table(this=exp.to_identifier(f"_map/{place}", quoted=True)))
            select = exp.select(*(exp.alias_(item, f"_e{at}", quoted=True) for at, item in enumerate(items)))
            select = select.from_(self._layers[column].over(values).subquery(BELOW, copy=False))
            select = join_lookups(select, self._joins[column])
            select = select.order_by(exp.column(MAP_INDEX, table=BELOW, quoted=True))
            found.append(Lookup(column, f"_map/{place}", select.sql(DIALECT), len(items)))
        return tuple(found)

    def _column(self, node: Expression) -> tuple[str, Layers]:
        """The one column that an expression reads."""
        refs = references([node])
        if len(refs) != 1:
            raise _NotThisWayError
        [ref] = refs
        column = self.known.get(ref.column) if ref.alias == self.alias else None
        if column is None or column.type not in _TYPES:
            raise _NotThisWayError
        if column.type is ColumnType.TEXT and column.role is Role.JOIN_ONLY:
            raise _NotThisWayError
        if column.name not in self.columns:
            self.columns[column.name] = []
            self._layers[column.name] = Layers({ref: MAP_VALUE})
            self._joins[column.name] = []
        return column.name, self._layers[column.name]

    def _item(self, column: str, item: exp.Expr) -> Item:
        self.columns[column].append(item)
        return list(self.columns).index(column), len(self.columns[column]) - 1
