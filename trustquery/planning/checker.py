"""The privacy type checker: what every machine checks of a model before it plans or runs it.

It trusts neither the text nor the client that compiled it. Rules: privacy-rules.md section 2. That every join is
on the person key, that bounding comes last and that no rows leave are not checked here because no model can
express anything else.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from trustquery.catalogue.schema import Catalogue, ColumnType, Role
from trustquery.codelists import PublicTables, shipped
from trustquery.errors import Problems, TrustQueryError
from trustquery.language.functions import AGE_BANDS, FUNCTIONS
from trustquery.language.types import Info
from trustquery.model.facts import infer
from trustquery.model.multiplicity import MAX_JOINED, public_factor
from trustquery.model.nodes import Call, Expression, Key
from trustquery.model.query import Query
from trustquery.model.relations import Join, Mark, relations
from trustquery.model.scope import Shape, Tables, condition, rows_of
from trustquery.model.terms import tree_levels
from trustquery.model.unknown import plain_column

__all__ = ["MAX_CELLS", "MAX_VECTOR", "Place", "check", "pinned_tables"]

MAX_CELLS = 1_000_000
MAX_VECTOR = 4_000_000
MAX_WRITTEN = 1_000

Place = Callable[[object], tuple[int, int]]
"""Where a node was written: 1-based line and column, or (0, 0)."""


def _nowhere(node: object) -> tuple[int, int]:
    return (0, 0)


def check(
    query: Query, catalogue: Catalogue, public: PublicTables | None = None, place: Place = _nowhere
) -> Mapping[str, Shape]:
    """Refuse a model that breaks a rule, reporting every problem found.

    Args:
        public: public tables at hand; those that ship when None.

    Returns:
        The columns that keys and aggregates name, by alias.

    Raises:
        TrustQueryError: ``query-…`` codes, sorted by place.
    """
    if (query.catalogue_id, query.catalogue_version) != (catalogue.id, catalogue.version) or (
        query.catalogue_sha256 != catalogue.sha256
    ):
        raise TrustQueryError("query-catalogue-mismatch", catalogue=catalogue.id)
    if query.mode != "local":
        raise TrustQueryError("policy-mode-unavailable", mode=query.mode)
    tables = pinned_tables(query, catalogue, public)
    problems = Problems()

    def report(code: str, node: object, **fields: object) -> None:
        problems.add(code, place(node), **fields)

    for join in relations(query.relation):
        if isinstance(join, Join | Mark) and join.condition is not None:
            _small(join.condition, report)
    found = rows_of(query.relation, tables, report)
    scope = found.scope
    if found.public:
        report("query-only-public", query.relation)
    problems.raise_any()
    for join in relations(query.relation):
        if isinstance(join, Join) and (factor := public_factor(join, tables)) > MAX_JOINED:
            report(
                "query-form-unsupported", join, form=f"a join in which one row meets {factor} public rows",
                instead="join public tables on a column, or use smaller ones",
            )  # fmt: skip
    problems.raise_any()
    for key in query.keys:
        _key_type(key.type, infer(key.expression, scope, report), key, report)
        if key.kind == "unknown":
            _in_vocabulary(key, scope, report)
    for aggregate in query.aggregates:
        if aggregate.filter is not None:
            condition(aggregate.filter, scope, report)
        if aggregate.argument is not None:
            info = infer(aggregate.argument, scope, report)
            if aggregate.kind in ("sum", "histogram") and info.type is not None and not info.numeric:
                report(
                    "query-type",
                    aggregate.argument,
                    what="the argument of this aggregate",
                    found=info.type,
                    needed="integer or number",
                    instead="use a numeric column or expression",
                )
    cells = math.prod(len(key.values) + 2 for key in query.keys)  # 2 for an unknown key, which stands alone
    width = sum(
        sum(tree_levels(aggregate.bins.count, terms.branching)) if aggregate.bins is not None else 1
        for aggregate, terms in zip(query.aggregates, query.terms, strict=True)
    )
    if cells > MAX_CELLS or cells * width > MAX_VECTOR:
        limit = MAX_CELLS if cells > MAX_CELLS else MAX_VECTOR // width
        report("query-too-many-cells", query, cells=cells, limit=limit)
    problems.raise_any()
    return scope


def pinned_tables(query: Query, catalogue: Catalogue, public: PublicTables | None = None) -> Tables:
    """The catalogue, and the very public tables that the model pins and a node reads; no others.

    Raises:
        TrustQueryError: ``query-input-unknown``, ``query-input-differs``; ``query-model-invalid`` for a pin that
            would hide a table about people.
    """
    at_hand = public if public is not None else shipped()
    if any(catalogue.table(pin.id) is not None for pin in query.inputs):
        raise TrustQueryError("query-model-invalid")
    return Tables(catalogue, PublicTables(at_hand.pinned(pin) for pin in query.read_inputs))


def _small(node: Expression, report: Callable[..., None]) -> None:
    """Conditions of joins and marks run in one piece, and functions repeat their arguments."""
    if _written(node) > MAX_WRITTEN:
        report("query-form-unsupported", node, form="a join condition this long", instead="compute it in a subquery")


def _written(node: Expression) -> int:
    """How many parts the text of an expression has when it is written in one piece."""
    if not isinstance(node, Call):
        return 1
    row = FUNCTIONS[node.function]
    if node.function in ("band", "age_band"):
        # Written as one comparison for each edge.
        return (len(node.arguments) + len(AGE_BANDS)) * _written(node.arguments[0])
    return 1 + sum(row.mentions(place) * _written(argument) for place, argument in enumerate(node.arguments))


def _in_vocabulary(key: Key, scope: Mapping[str, Shape], report: Callable[..., None]) -> None:
    """Keys found in the data are codes of a vocabulary that the catalogue names; free text and numbers are none."""
    found = plain_column(key.expression)
    column = scope[found.alias].column(found.column) if found is not None and found.alias in scope else None
    if column is None or column.role is not Role.DIMENSION or not column.vocabulary:
        report("query-key-no-vocabulary", key.expression, expression=key.name)


def _key_type(declared: ColumnType, info: Info, key: object, report: Callable[..., None]) -> None:
    if info.type is not None and info.type is not declared:
        report("query-type", key, what="a key", found=info.type, needed=declared, instead="use a key of a coded type")
