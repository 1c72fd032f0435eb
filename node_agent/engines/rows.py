"""The first statement of a query: every row that counts, with its person, rank, cell and integers.

Scans (NULL keys gone, rows capped by rank), joins on the person key, subqueries, WHERE; then one row with its cell and
its integers. Bounding comes after this, as the last step before the sum over people.
"""

from __future__ import annotations

from sqlglot import exp

from node_agent.engines.relation_sql import BELOW, Layers, references, select_relation
from node_agent.engines.sql import DIALECT, ROWS, VALUE, cell_of, integer_of
from trustquery.model.query import Query
from trustquery.model.scope import Tables

__all__ = ["rows_query"]


def rows_query(query: Query, tables: Tables) -> str:
    """Makes ``_rows``: person, u, each h, cell and integers of each row that passes WHERE.

    Args:
        tables: the catalogue and the public tables that the model pins.
    """
    asked = [key.expression for key in query.keys]
    for aggregate in query.aggregates:
        asked += [part for part in (aggregate.argument, aggregate.filter) if part is not None]
    below = select_relation(query.relation, references(asked), query.catalogue_id, tables)
    layers = Layers(below.columns)
    cell, lookups = cell_of(query.keys, layers)
    items: list[exp.Expr] = [exp.column(name, quoted=True) for name in below.carried]
    items.append(exp.alias_(cell, "_c", quoted=True))
    for place, aggregate in enumerate(query.aggregates):
        items.append(exp.alias_(integer_of(aggregate, layers), f"_a{place}", quoted=True))
    select = exp.select(*items).from_(layers.over(below.select).subquery(BELOW, copy=False))
    for alias, rows, value in lookups:
        on = exp.EQ(
            this=exp.column(VALUE, table=exp.to_identifier(alias, quoted=True), quoted=True), expression=value.copy()
        )
        select = select.join(rows.subquery(alias, copy=False), on=on, join_type="LEFT", copy=False)
    temporary = exp.Properties(expressions=[exp.TemporaryProperty()])
    return exp.Create(this=exp.to_table(ROWS), kind="TABLE", expression=select, properties=temporary).sql(DIALECT)
