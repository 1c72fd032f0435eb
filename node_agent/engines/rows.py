"""The first statement of a query: every row that counts, with its person, rank, cell and integers.

Scans (NULL keys gone, rows capped by rank), joins on the person key, subqueries, WHERE; then one row with its cell and
its integers. Bounding comes after this, as the last step before the sum over people.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlglot import exp

from node_agent.engines.relation_sql import BELOW, Layers, Marked, Selected, select_relation
from node_agent.engines.sql import DIALECT, ROWS, VALUE, cell_of, integer_of
from trustquery.model.nodes import references
from trustquery.model.query import Query
from trustquery.model.scope import Tables

__all__ = ["join_lookups", "keys_select", "rows_query", "rows_select"]


def rows_query(query: Query, tables: Tables) -> str:
    """Makes ``_rows``: the rows of ``rows_select``.

    Args:
        tables: the catalogue and the public tables that the model pins.
    """
    temporary = exp.Properties(expressions=[exp.TemporaryProperty()])
    select = rows_select(query, tables)
    return exp.Create(this=exp.to_table(ROWS), kind="TABLE", expression=select, properties=temporary).sql(DIALECT)


def rows_select(query: Query, tables: Tables, marked: Marked | None = None, *, binned: bool = True) -> exp.Select:
    """Person, u, each h, cell and integers of each row that passes WHERE.

    Args:
        tables: the catalogue and the public tables that the model pins.
        marked: as for ``select_relation``.
        binned: as for ``integer_of``.
    """
    below, layers = _below(query, tables, marked)
    cell, lookups = cell_of(query.keys, [layers.add(key.expression) for key in query.keys])
    items: list[exp.Expr] = [exp.column(name, quoted=True) for name in below.carried]
    items.append(_as(cell, "_c"))
    for place, aggregate in enumerate(query.aggregates):
        items.append(_as(integer_of(aggregate, layers, binned=binned), f"_a{place}"))
    return join_lookups(exp.select(*items).from_(layers.over(below.select).subquery(BELOW, copy=False)), lookups)


def keys_select(query: Query, tables: Tables, marked: Marked | None = None) -> exp.Select:
    """The same rows with each key's value, ``_key0`` and so on, in place of the cell, and no bins.

    For sums by value: a cell and a bin are then found for each value, and not for each row.
    """
    below, layers = _below(query, tables, marked)
    items: list[exp.Expr] = [exp.column(mark, quoted=True) for mark in below.marks]
    items += [_as(layers.add(key.expression), f"_key{place}") for place, key in enumerate(query.keys)]
    for place, aggregate in enumerate(query.aggregates):
        items.append(_as(integer_of(aggregate, layers, binned=False), f"_a{place}"))
    return exp.select(*items).from_(layers.over(below.select).subquery(BELOW, copy=False))


def join_lookups(select: exp.Select, lookups: Iterable[tuple[str, exp.Expr]]) -> exp.Select:
    """Join the places of keys with many values (``cell_of``)."""
    for name, value in lookups:
        table = exp.to_identifier(name, quoted=True)
        on = exp.EQ(this=exp.column(VALUE, table=table.copy(), quoted=True), expression=value.copy())
        select = select.join(exp.Table(this=table), on=on, join_type="LEFT", copy=False)
    return select


def _below(query: Query, tables: Tables, marked: Marked | None) -> tuple[Selected, Layers]:
    asked = [key.expression for key in query.keys]
    for aggregate in query.aggregates:
        asked += [part for part in (aggregate.argument, aggregate.filter) if part is not None]
    below = select_relation(query.relation, references(asked), query.catalogue_id, tables, marked)
    return below, Layers(below.columns)


def _as(value: exp.Expr, name: str) -> exp.Expr:
    return exp.alias_(value, name, quoted=True)
