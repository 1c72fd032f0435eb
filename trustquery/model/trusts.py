"""The trust as a key: each trust's figures in cells of their own.

Which trust answers is no fact of a row. The model lists the trusts that are asked; each puts its own name in place of
the key before it runs the plan, so all its rows fall in its own cells, and engines need to know nothing of it.
"""

from __future__ import annotations

import dataclasses

from trustquery.catalogue.schema import ColumnType
from trustquery.model.nodes import Key, Literal
from trustquery.model.query import Query

__all__ = ["at_trust", "trust_key", "trusts_of"]


def trust_key(name: str, trusts: tuple[str, ...]) -> Key:
    """A key over the trusts that are asked."""
    return Key(name, Literal(None, None), ColumnType.TEXT, trusts, "trust")


def trusts_of(query: Query) -> tuple[str, ...]:
    """The trusts that the query's trust key lists; none where it has no such key."""
    return tuple(str(value) for key in query.keys if key.kind == "trust" for value in key.values)


def at_trust(query: Query, trust: str) -> Query:
    """The query as one trust runs it: the key is that trust's name, the same on every row. To be run, not signed."""
    here = Literal(ColumnType.TEXT, trust)
    keys = tuple(
        dataclasses.replace(key, expression=here, kind="public") if key.kind == "trust" else key for key in query.keys
    )
    return query if keys == query.keys else dataclasses.replace(query, keys=keys)
