"""Model and plan to SQL: built as a tree, so that no text of an analyst's can reach an engine.

First statement: scans (NULL keys gone, rows capped by rank), joins on the person key, expressions in layers, WHERE,
then one row with its cell and its integers. Then one statement a block: the selection of formats.md, and the sum.
Bounding is the last step before the sum over people. Expressions are computed layer by layer, each call once, so
that the text grows with the model and not with its nesting.
"""

from __future__ import annotations

import functools
import re

import sqlglot
from sqlglot import exp

from trustquery.catalogue.schema import Catalogue, ColumnType, Table
from trustquery.language.functions import AGE_BANDS, FUNCTIONS, age_band_labels, band_labels
from trustquery.model.nodes import (
    Aggregate,
    Call,
    ColumnRef,
    Expression,
    Filter,
    Join,
    Key,
    Literal,
    Scan,
    scans,
)
from trustquery.model.query import Query
from trustquery.planning.checker import scope_of
from trustquery.planning.plan import Block, Plan

__all__ = ["CELL_LIMIT", "ROWS", "block_queries", "rows_query", "stored_name"]

CELL_LIMIT = 2**62
DIALECT = "duckdb"
MODULUS = 2**31 - 1
MULTIPLIER = 1_000_003
ROWS = "_rows"
FEW = 32
"""A key with more values than this is looked up by a join."""
VALUE, PLACE = "_value", "_place"
PERSON, U, H, ORDER = "_p", "_u", "_h", "_r"
"""Columns that preparing adds: person key as text, u, h, and the row's position in rank order."""


@functools.cache
def _template(text: str) -> exp.Expr:
    # ":0" is not an expression everywhere in the grammar (CAST(:0 AS ...)); a reserved column name is.
    return sqlglot.parse_one(re.sub(r":(\d)", r"__part_\1", text), read=DIALECT)


def fill(text: str, *parts: exp.Expr) -> exp.Expr:
    """A tree from constant SQL text with ``:0``, ``:1`` … replaced by trees."""

    def replace(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Column) and node.name.startswith("__part_"):
            return exp.Paren(this=parts[int(node.name.removeprefix("__part_"))].copy())
        return node

    return _template(text).copy().transform(replace)


def stored_name(dataset: str, table: str) -> str:
    """Name of a prepared table in the store."""
    return f"{dataset}/{table}"


def _column(alias: str, name: str) -> exp.Column:
    return exp.column(exp.to_identifier(name, quoted=True), table=exp.to_identifier(alias, quoted=True))


def _number(value: int) -> exp.Expr:
    return exp.Neg(this=exp.Literal.number(str(-value))) if value < 0 else exp.Literal.number(str(value))


def literal(kind: ColumnType | None, value: int | str | bool | None) -> exp.Expr:
    """A typed SQL literal; text is escaped by the generator."""
    if kind is None or value is None:
        return exp.Null()
    if kind is ColumnType.BOOLEAN:
        return exp.Boolean(this=bool(value))
    if kind is ColumnType.INTEGER:
        return exp.cast(_number(int(value)), "BIGINT", dialect=DIALECT)
    if kind is ColumnType.NUMBER:
        # From text, which rounds once: a bare 0.1234567890123456789 would be a DECIMAL first.
        return exp.cast(exp.Literal.string(str(value)), "DOUBLE", dialect=DIALECT)
    if kind is ColumnType.TEXT:
        return exp.Literal.string(str(value))
    return exp.cast(exp.Literal.string(str(value)), str(kind).upper(), dialect=DIALECT)


def inline(node: Expression) -> exp.Expr:
    """The SQL of a join condition, in one piece; the checker keeps these small."""
    if isinstance(node, Literal):
        return literal(node.type, node.value)
    if isinstance(node, ColumnRef):
        return _column(node.alias, node.column)
    return call(node, [inline(argument) for argument in node.arguments])


def call(node: Call, parts: list[exp.Expr]) -> exp.Expr:
    """The SQL of one call over the SQL of its arguments."""
    if node.function in ("and", "or"):
        combine = exp.and_ if node.function == "and" else exp.or_
        return combine(*parts, copy=False)
    if node.function == "in":
        # Whole and other numbers apart: one list of both would turn a large integer column into doubles.
        kinds = [argument.type is ColumnType.NUMBER for argument in node.arguments[1:] if isinstance(argument, Literal)]
        lists = [
            [part for part, real in zip(parts[1:], kinds, strict=True) if real is wanted] for wanted in (False, True)
        ]
        return exp.or_(
            *(exp.In(this=exp.Paren(this=parts[0].copy()), expressions=found) for found in lists if found), copy=False
        )
    if node.function == "case":
        *branches, default = parts
        case = exp.Case()
        for condition, result in zip(branches[::2], branches[1::2], strict=True):
            case = case.when(condition, result, copy=False)
        return case.else_(default, copy=False)
    if node.function == "coalesce":
        return exp.Coalesce(this=parts[0], expressions=parts[1:])
    if node.function == "band":
        edges = [int(str(edge.value)) for edge in node.arguments[1:] if isinstance(edge, Literal)]
        return _band(parts[0], edges, band_labels(edges))
    if node.function == "age_band":
        labels = age_band_labels()
        banded = _band(parts[0], list(AGE_BANDS), labels)
        return fill("CASE WHEN CAST(:0 AS DOUBLE) < 0 THEN NULL ELSE :1 END", parts[0], banded)
    if node.function in ("date_trunc", "date_diff"):
        # The unit is one of a closed list of words, and must stay a bare string to be read as one.
        unit = node.arguments[0]
        word = exp.Literal.string(str(unit.value if isinstance(unit, Literal) else ""))
        # Cast, so that a bare NULL does not leave the choice of overload open.
        moments = [exp.cast(part, "TIMESTAMP", dialect=DIALECT) for part in parts[1:]]
        dated = exp.Anonymous(this=node.function, expressions=[word, *moments])
        return exp.cast(dated, "DATE" if node.function == "date_trunc" else "DOUBLE", dialect=DIALECT)
    return fill(FUNCTIONS[node.function].sql[DIALECT], *parts)


def _band(value: exp.Expr, edges: list[int], labels: tuple[str, ...]) -> exp.Expr:
    number = exp.cast(value, "DOUBLE", dialect=DIALECT)
    case = exp.Case().when(exp.Is(this=exp.Paren(this=value.copy()), expression=exp.Null()), exp.Null(), copy=False)
    for edge, label in zip(edges, labels, strict=False):
        case = case.when(exp.LT(this=number.copy(), expression=_number(edge)), exp.Literal.string(label), copy=False)
    return case.else_(exp.Literal.string(labels[-1]), copy=False)


# -- rows --------------------------------------------------------------------------------------------------------


def _scan(scan: Scan, table: Table, dataset: str) -> exp.Subquery:
    cap = 1 if table.one_row_per_person else table.row_cap
    stored = exp.to_identifier(stored_name(dataset, table.name), quoted=True)
    select = (
        exp.select("*")
        .from_(exp.Table(this=stored))
        .where(exp.LTE(this=exp.column(ORDER, quoted=True), expression=_number(cap)))
    )
    return select.subquery(exp.to_identifier(scan.alias, quoted=True), copy=False)


def _sources(node: Scan | Join, scope: dict[str, Table], dataset: str) -> exp.Select:
    """SELECT without its list: FROM and JOINs."""
    if isinstance(node, Scan):
        return exp.Select().from_(_scan(node, scope[node.alias], dataset), copy=False)
    select = _sources(node.left, scope, dataset)
    same = exp.EQ(this=_column(scans(node.left)[0].alias, PERSON), expression=_column(node.right.alias, PERSON))
    on = same if node.condition is None else exp.And(this=same, expression=exp.Paren(this=inline(node.condition)))
    kind = "LEFT" if node.kind == "left" else "INNER"
    return select.join(_scan(node.right, scope[node.right.alias], dataset), on=on, join_type=kind, copy=False)


def _rank(scans: tuple[Scan, ...]) -> exp.Expr:
    """The combined u of a joined row."""
    found = fill("CAST(:0 AS BIGINT)", _column(scans[0].alias, U))
    for scan in scans[1:]:
        found = fill(
            "(:0 * :1 + COALESCE(:2, 0)) % :3", found, _number(MULTIPLIER), _column(scan.alias, U), _number(MODULUS)
        )
    return found


class _Layers:
    """Expressions over joined rows, each distinct call computed once, in a layer above its arguments."""

    def __init__(self) -> None:
        self._columns: dict[ColumnRef, str] = {}
        self._calls: dict[Call, str] = {}
        self._layers: list[list[exp.Expr]] = []

    def add(self, node: Expression) -> exp.Expr:
        """A plain column or literal that holds the expression's value in the topmost layer."""
        return self._add(node)[0]

    def _add(self, node: Expression) -> tuple[exp.Expr, int]:
        if isinstance(node, Literal):
            return literal(node.type, node.value), 0
        if isinstance(node, ColumnRef):
            name = self._columns.setdefault(node, f"_v{len(self._columns)}")
            return exp.column(name, quoted=True), 0
        known = self._calls.get(node)
        if known is None:
            parts = [self._add(argument) for argument in node.arguments]
            level = max((height for _, height in parts), default=0)
            known = f"_e{len(self._calls)}.{level + 1}"
            self._calls[node] = known
            while len(self._layers) <= level:
                self._layers.append([])
            value = call(node, [part for part, _ in parts])
            self._layers[level].append(exp.alias_(value, known, quoted=True))
        return exp.column(known, quoted=True), int(known.rsplit(".", 1)[1])

    def over(self, sources: exp.Select, carried: list[exp.Expr]) -> exp.Select:
        """The topmost layer: ``carried`` columns of the sources, raw columns, and every call."""
        raw = [exp.alias_(_column(ref.alias, ref.column), name, quoted=True) for ref, name in self._columns.items()]
        select = sources.select(*carried, *raw, copy=False)
        for layer in self._layers:
            select = exp.select("*", *layer).from_(select.subquery("_below", copy=False))
        return select


def _cell(keys: tuple[Key, ...], layers: _Layers) -> tuple[exp.Expr, list[tuple[str, exp.Select, exp.Expr]]]:
    """The cell of a row; and the look-ups it needs: alias, positions of a key's values, the key."""
    found: exp.Expr = _number(0)
    lookups: list[tuple[str, exp.Select, exp.Expr]] = []
    for place, key in enumerate(keys):
        size = len(key.values)
        values = exp.Array(expressions=[literal(key.type, value) for value in key.values])
        value = layers.add(key.expression)
        if size <= FEW:
            position = fill("list_position(:1, :0) - 1", value, values)
        else:
            # A list is searched from its start for every row: a join finds the place at once.
            alias = f"_k{place}"
            rows = fill(f"SELECT unnest(:0) AS {VALUE}, unnest(range(:1)) AS {PLACE}", values, _number(size))
            if isinstance(rows, exp.Select):
                lookups.append((alias, rows, value))
            position = _column(alias, PLACE)
        where = fill(
            "CASE WHEN :0 IS NULL THEN :1 ELSE COALESCE(:2, :3) END", value, _number(size + 1), position, _number(size)
        )
        found = fill(":0 * :1 + :2", found, _number(size + 2), where)
    return exp.cast(found, "BIGINT", dialect=DIALECT), lookups


def _bin(value: exp.Expr, cuts: tuple[str, ...], first: int = 0) -> exp.Expr:
    """The bin of a number that is not NULL: ``first`` plus how many cuts are at or below it, by halving."""
    if not cuts:
        return exp.cast(_number(first), "BIGINT", dialect=DIALECT)
    middle = len(cuts) // 2
    below = exp.LT(this=value.copy(), expression=literal(ColumnType.NUMBER, cuts[middle]))
    case = exp.Case().when(below, _bin(value, cuts[:middle], first), copy=False)
    return case.else_(_bin(value, cuts[middle + 1 :], first + middle + 1), copy=False)


def _integer(aggregate: Aggregate, layers: _Layers) -> exp.Expr:
    """The integer a row adds (of a histogram: its bin), NULL when it is not eligible."""
    one = exp.cast(_number(1), "BIGINT", dialect=DIALECT)
    if aggregate.argument is None:
        found: exp.Expr = one
    elif aggregate.bins is not None:
        argument = layers.add(aggregate.argument)
        number = exp.cast(argument, "DOUBLE", dialect=DIALECT)
        missing = fill(":0 IS NULL OR isnan(CAST(:0 AS DOUBLE))", argument)
        found = exp.Case().when(missing, exp.Null(), copy=False).else_(_bin(number, aggregate.bins.cuts), copy=False)
    elif aggregate.kind != "sum":
        # NaN needs no case of its own: scans and arithmetic make it NULL.
        found = fill("CASE WHEN :0 IS NULL THEN NULL ELSE :1 END", layers.add(aggregate.argument), one)
    else:
        # min(max(floor(x·2^f + 0.5), lo), hi) in IEEE double; NaN is NULL, infinities meet the bound.
        scaled = "CAST(:0 AS DOUBLE) * CAST(:1 AS DOUBLE) + 0.5"
        found = fill(
            "CASE WHEN :0 IS NULL OR isnan(CAST(:0 AS DOUBLE)) THEN NULL"
            f" WHEN {scaled} >= :3 THEN CAST(:3 AS BIGINT)"
            f" WHEN {scaled} <= :2 THEN CAST(:2 AS BIGINT)"
            f" ELSE CAST(floor({scaled}) AS BIGINT) END",
            layers.add(aggregate.argument), _number(2**aggregate.fraction_bits), _number(aggregate.lo),
            _number(aggregate.hi),
        )  # fmt: skip
    if aggregate.filter is None:
        return found
    return fill("CASE WHEN :0 THEN :1 ELSE NULL END", layers.add(aggregate.filter), found)


def rows_query(query: Query, catalogue: Catalogue) -> str:
    """Makes ``_rows``: person, u, each h, cell and integers of each joined row that passes WHERE."""
    scope = scope_of(query.scans, catalogue)
    relation = query.relation
    predicate = relation.predicate if isinstance(relation, Filter) else None
    source = relation.source if isinstance(relation, Filter) else relation
    carried = [exp.alias_(_column(query.scans[0].alias, PERSON), PERSON, quoted=True)]
    carried.append(exp.alias_(_rank(query.scans), U, quoted=True))
    for place, scan in enumerate(query.scans):
        h = fill("CAST(COALESCE(:0, 0) AS BIGINT)", _column(scan.alias, H))
        carried.append(exp.alias_(h, f"{H}{place}", quoted=True))
    layers = _Layers()
    items = [*_identifiers([PERSON, U, *(f"{H}{place}" for place in range(len(query.scans)))])]
    cell, lookups = _cell(query.keys, layers)
    items.append(exp.alias_(cell, "_c", quoted=True))
    for place, aggregate in enumerate(query.aggregates):
        items.append(exp.alias_(_integer(aggregate, layers), f"_a{place}", quoted=True))
    passes = layers.add(predicate) if predicate is not None else None
    below = layers.over(_sources(source, scope, catalogue.id), carried)
    select = exp.select(*items).from_(below.subquery("_below", copy=False))
    for alias, rows, value in lookups:
        on = exp.EQ(this=_column(alias, VALUE), expression=value.copy())
        select = select.join(rows.subquery(alias, copy=False), on=on, join_type="LEFT", copy=False)
    if passes is not None:
        select = select.where(passes)
    temporary = exp.Properties(expressions=[exp.TemporaryProperty()])
    return exp.Create(this=exp.to_table(ROWS), kind="TABLE", expression=select, properties=temporary).sql(DIALECT)


# -- selection and sum -------------------------------------------------------------------------------------------


def _identifiers(names: list[str]) -> list[exp.Expr]:
    return [exp.column(name, quoted=True) for name in names]


def block_queries(query: Query, plan: Plan) -> list[str]:
    """One statement a block over ``_rows``; each gives (place, integer) for the cells, or bins of cells, with rows."""
    ranks = [U, *(f"{H}{place}" for place in range(len(query.scans)))]
    return [_block(block, ranks, plan.cells).sql(DIALECT) for block in plan.blocks]


def _numbered(partition: list[str], order: list[str], name: str) -> exp.Expr:
    window = exp.Window(
        this=exp.RowNumber(),
        partition_by=_identifiers(partition),
        order=exp.Order(expressions=[exp.Ordered(this=item, nulls_first=True) for item in _identifiers(order)]),
    )
    return exp.alias_(window, name, quoted=True)


def _block(block: Block, ranks: list[str], cells: int) -> exp.Select:
    value = exp.column(f"_a{block.statistic}", quoted=True)
    eligible = exp.select(*_identifiers(["_p", "_c", *ranks]), exp.alias_(value, "_v", quoted=True)).from_(
        exp.to_table(ROWS)
    )
    eligible = eligible.where(fill(":0 IS NOT NULL", value))
    # The R lowest of each (person, cell).
    in_group = exp.select(*_identifiers(["_p", "_c", "_v", *ranks]), _numbered(["_p", "_c"], ranks, "_n"))
    kept = (
        exp.select(*_identifiers(["_p", "_c", "_v", *ranks, "_n"]))
        .from_("_in_group")
        .where(exp.LTE(this=exp.column("_n", quoted=True), expression=_number(block.bound.rows)))
    )
    query = exp.Select().with_("_eligible", as_=eligible)
    query = query.with_("_in_group", as_=in_group.from_("_eligible")).with_("_rows_kept", as_=kept)
    source = "_rows_kept"
    if block.bound.groups < cells:
        # The G groups whose lowest row is lowest, ties by cell.
        heads = (
            exp.select(*_identifiers(["_p", "_c"]), _numbered(["_p"], [*ranks, "_c"], "_g"))
            .from_("_rows_kept")
            .where(exp.EQ(this=exp.column("_n", quoted=True), expression=_number(1)))
        )
        both = (
            exp.select(
                exp.alias_(_column("k", "_c"), "_c", quoted=True), exp.alias_(_column("k", "_v"), "_v", quoted=True)
            )
            .from_(exp.to_table("_rows_kept").as_("k"))
            .join(
                exp.to_table("_heads").as_("g"),
                on=exp.And(
                    this=exp.EQ(this=_column("k", "_p"), expression=_column("g", "_p")),
                    expression=exp.EQ(this=_column("k", "_c"), expression=_column("g", "_c")),
                ),
            )
            .where(exp.LTE(this=_column("g", "_g"), expression=_number(block.bound.groups)))
        )
        query = query.with_("_heads", as_=heads).with_("_kept", as_=both)
        source = "_kept"
    where: exp.Expr = exp.column("_c", quoted=True)
    added: exp.Expr = exp.column("_v", quoted=True)
    if block.bins is not None:
        # Each row is 1 in its bin; the selection above knew nothing of bins.
        where = exp.cast(fill(":0 * :1 + :2", where, _number(block.bins.count), added), "BIGINT", dialect=DIALECT)
        added = exp.cast(_number(1), "BIGINT", dialect=DIALECT)
    total = fill(
        "greatest(least(sum(CAST(:0 AS HUGEINT)), CAST(:1 AS HUGEINT)), CAST(:2 AS HUGEINT))",
        added,
        _number(CELL_LIMIT),
        _number(-CELL_LIMIT),
    )
    return (
        query.select(
            exp.alias_(where, "_c", quoted=True),
            exp.alias_(exp.cast(total, "BIGINT", dialect=DIALECT), "_s", quoted=True),
        )
        .from_(source)
        .group_by(where.copy())
    )
