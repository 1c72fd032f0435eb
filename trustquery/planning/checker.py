"""The privacy type checker: what every machine checks of a model before it plans or runs it.

It trusts neither the text nor the client that compiled it. Rules: privacy-rules.md section 2. That every join is
on the person key, that bounding comes last and that no rows leave are not checked here because no model can
express anything else.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from trustquery.catalogue.schema import Catalogue, ColumnType, Table
from trustquery.errors import Problems, TrustQueryError, nearest
from trustquery.language.types import Info
from trustquery.model.facts import Scope, infer
from trustquery.model.nodes import Call, Expression, Filter, Join, Relation, Scan, scans, walk
from trustquery.model.query import Query

__all__ = ["MAX_CELLS", "MAX_VECTOR", "Place", "check", "scope_of"]

MAX_CELLS = 1_000_000
MAX_VECTOR = 4_000_000

Place = Callable[[object], tuple[int, int]]
"""Where a node was written: 1-based line and column, or (0, 0)."""


def _nowhere(node: object) -> tuple[int, int]:
    return (0, 0)


def scope_of(query_scans: tuple[Scan, ...], catalogue: Catalogue) -> dict[str, Table]:
    """Alias to table for every scan whose table exists and is about people."""
    found = {}
    for scan in query_scans:
        table = catalogue.table(scan.table)
        if table is not None and table.kind == "person":
            found[scan.alias] = table
    return found


def check(query: Query, catalogue: Catalogue, place: Place = _nowhere) -> None:
    """Refuse a model that breaks a rule, reporting every problem found.

    Raises:
        TrustQueryError: ``query-…`` codes, sorted by place.
    """
    if (query.catalogue_id, query.catalogue_version) != (catalogue.id, catalogue.version) or (
        query.catalogue_sha256 != catalogue.sha256
    ):
        raise TrustQueryError("query-catalogue-mismatch", catalogue=catalogue.id)
    if query.mode != "local":
        raise TrustQueryError("policy-mode-unavailable", mode=query.mode)
    problems = Problems()

    def report(code: str, node: object, **fields: object) -> None:
        problems.add(code, place(node), **fields)

    scope = scope_of(query.scans, catalogue)
    for scan in query.scans:
        if scan.alias not in scope:
            names = [table.name for table in catalogue.tables if table.kind == "person"]
            report(
                "query-unknown-table",
                scan,
                table=scan.table,
                catalogue=catalogue.id,
                nearest=nearest(scan.table, names) or names[0],
            )
    problems.raise_any()
    _relation(query.relation, scope, report)
    for key in query.keys:
        _key_type(key.type, infer(key.expression, scope, report), key, report)
    for aggregate in query.aggregates:
        if aggregate.filter is not None:
            _condition(aggregate.filter, scope, report)
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
    cells = math.prod(len(key.values) + 2 for key in query.keys)
    width = sum(aggregate.bins.count if aggregate.bins is not None else 1 for aggregate in query.aggregates)
    if cells > MAX_CELLS or cells * width > MAX_VECTOR:
        limit = MAX_CELLS if cells > MAX_CELLS else MAX_VECTOR // width
        report("query-too-many-cells", query, cells=cells, limit=limit)
    problems.raise_any()


def _relation(node: Relation, scope: Scope, report: Callable[..., None]) -> None:
    if isinstance(node, Filter):
        _condition(node.predicate, scope, report)
        _relation(node.source, scope, report)
    elif isinstance(node, Join):
        visible = {scan.alias for scan in scans(node)}
        if node.condition is not None:
            _small(node.condition, report)
            _condition(node.condition, {a: t for a, t in scope.items() if a in visible}, report)
        _relation(node.left, scope, report)


def _small(node: Expression, report: Callable[..., None]) -> None:
    """Join conditions run in one piece, so functions that mention an argument several times stay out of them."""
    for part in walk(node):
        if isinstance(part, Call) and part.function in ("clamp", "band", "age_band"):
            report(
                "query-form-unsupported", part, form=f"{part.function} in a join condition", instead="use it in WHERE"
            )


def _condition(node: Expression, scope: Scope, report: Callable[..., None]) -> None:
    info = infer(node, scope, report)
    if info.type not in (None, ColumnType.BOOLEAN):
        report(
            "query-type",
            node,
            what="a condition",
            found=info.type,
            needed="boolean",
            instead="write a comparison such as x > 0",
        )


def _key_type(declared: ColumnType, info: Info, key: object, report: Callable[..., None]) -> None:
    if info.type is not None and info.type is not declared:
        report("query-type", key, what="a key", found=info.type, needed=declared, instead="use a key of a coded type")
