"""Model and plan to SQL: built as a tree, so that no text of an analyst's can reach an engine.

First statement (``rows``): scans (NULL keys gone, rows capped by rank), joins on the person key, expressions in
layers, WHERE, then one row with its cell and its integers. Then one statement a block (``blocks``): the bound of
formats.md, and the sum. Bounding is the last step before the sum over people. Expressions are computed layer by
layer, each call once, so that the text grows with the model and not with its nesting.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from typing import Protocol

import sqlglot
from sqlglot import exp

from node_agent.engines.names import COUNT, ORDER, PERSON, H, U
from trustquery.catalogue.schema import ColumnType
from trustquery.language.functions import AGE_BANDS, FUNCTIONS, age_band_labels, band_labels
from trustquery.model.nodes import (
    MAX_INTEGER,
    Aggregate,
    Call,
    ColumnRef,
    Expression,
    Key,
    Literal,
)
from trustquery.model.unknown import CODE, MAX_KEY_BYTES, MISSING, OTHER

__all__ = [
    "CELL_LIMIT",
    "COUNT",
    "DIALECT",
    "MODULUS",
    "MULTIPLIER",
    "ORDER",
    "PERSON",
    "ROWS",
    "H",
    "U",
    "call",
    "cell_of",
    "column_of",
    "fill",
    "fixed_point",
    "inline",
    "integer_of",
    "is_stored",
    "key_table",
    "label_of",
    "literal",
    "number",
    "stored_name",
]

CELL_LIMIT = 2**62
DIALECT = "duckdb"
MODULUS = 2**31 - 1
MULTIPLIER = 1_000_003
ROWS = "_rows"
FEW = 32
"""A key with more values than this is looked up in a table of its values."""
VALUE, PLACE = "_value", "_place"


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


class Adds(Protocol):
    """Computes expressions in layers below."""

    def add(self, node: Expression) -> exp.Expr:
        """A plain column or literal that holds the expression's value."""


def stored_name(dataset: str, table: str) -> str:
    """Name of a prepared table in the store."""
    return f"{dataset}/{table}"


def is_stored(name: str) -> bool:
    """Whether this is the name of a prepared table, and not of a temporary or public one."""
    return "/" in name and not name.startswith("_")


def column_of(table: str, name: str) -> exp.Column:
    """A column of a table, or of a subquery, by its alias."""
    return exp.column(exp.to_identifier(name, quoted=True), table=exp.to_identifier(table, quoted=True))


def number(value: int) -> exp.Expr:
    """A whole number."""
    return exp.Neg(this=exp.Literal.number(str(-value))) if value < 0 else exp.Literal.number(str(value))


def literal(kind: ColumnType | None, value: int | str | bool | None) -> exp.Expr:
    """A typed SQL literal; text is escaped by the generator."""
    if kind is None or value is None:
        return exp.Null()
    if kind is ColumnType.BOOLEAN:
        return exp.Boolean(this=bool(value))
    if kind is ColumnType.INTEGER:
        return exp.cast(number(int(value)), "BIGINT", dialect=DIALECT)
    if kind is ColumnType.NUMBER:
        # From text, which rounds once: a bare 0.1234567890123456789 would be a DECIMAL first.
        return exp.cast(exp.Literal.string(str(value)), "DOUBLE", dialect=DIALECT)
    if kind is ColumnType.TEXT:
        return exp.Literal.string(str(value))
    return exp.cast(exp.Literal.string(str(value)), str(kind).upper(), dialect=DIALECT)


def inline(node: Expression, columns: Mapping[ColumnRef, exp.Column] | None = None) -> exp.Expr:
    """The SQL of an expression in one piece; the checker keeps the conditions that need it small.

    Args:
        columns: the SQL of each column; ``alias.column`` when None.
    """
    if isinstance(node, Literal):
        return literal(node.type, node.value)
    if isinstance(node, ColumnRef):
        return columns[node].copy() if columns is not None else column_of(node.alias, node.column)
    return call(node, [inline(argument, columns) for argument in node.arguments])


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
        if node.function == "date_diff" and word.this == "week":
            # DuckDB 2.0 counts whole weeks between two days here, and boundaries for every other unit.
            mondays = "CAST(date_diff('day', date_trunc('week', :0), date_trunc('week', :1)) AS DOUBLE) / 7"
            return fill(mondays, *moments)
        dated = exp.Anonymous(this=node.function, expressions=[word, *moments])
        return exp.cast(dated, "DATE" if node.function == "date_trunc" else "DOUBLE", dialect=DIALECT)
    return fill(FUNCTIONS[node.function].sql[DIALECT], *parts)


def _band(value: exp.Expr, edges: list[int], labels: tuple[str, ...]) -> exp.Expr:
    real = exp.cast(value, "DOUBLE", dialect=DIALECT)
    case = exp.Case().when(exp.Is(this=exp.Paren(this=value.copy()), expression=exp.Null()), exp.Null(), copy=False)
    for edge, label in zip(edges, labels, strict=False):
        case = case.when(exp.LT(this=real.copy(), expression=number(edge)), exp.Literal.string(label), copy=False)
    return case.else_(exp.Literal.string(labels[-1]), copy=False)


def cell_of(
    keys: tuple[Key, ...], values: Sequence[exp.Expr], first: int = 0
) -> tuple[exp.Expr, list[tuple[str, exp.Expr]]]:
    """The cell of a row; and the tables of key values that it is looked up in (``key_tables``): name and key.

    Args:
        values: of each key, a plain column or literal.
        first: the first key's place among the query's.
    """
    if any(key.kind == "unknown" for key in keys):
        return label_of(keys[0], values[0]), []
    found: exp.Expr = number(0)
    lookups: list[tuple[str, exp.Expr]] = []
    for place, key in enumerate(keys):
        size = len(key.values)
        value = values[place]
        if size <= FEW:
            listed = exp.Array(expressions=[literal(key.type, item) for item in key.values])
            position = fill("list_position(:1, :0) - 1", value, listed)
        else:
            # A list is searched from its start for every row, and a long one takes long to read: a join does neither.
            lookups.append((key_table(first + place), value))
            position = column_of(key_table(first + place), PLACE)
        where = fill(
            "CASE WHEN :0 IS NULL THEN :1 ELSE COALESCE(:2, :3) END", value, number(size + 1), position, number(size)
        )
        found = fill(":0 * :1 + :2", found, number(size + 2), where)
    return exp.cast(found, "BIGINT", dialect=DIALECT), lookups


def key_table(place: int) -> str:
    """Name of the table with a key's values, ``_value`` and ``_place``."""
    return f"_key/{place}"


def label_of(key: Key, value: exp.Expr) -> exp.Expr:
    """The label of a row's cell, for a key whose values are found in the data (``trustquery.model.unknown``)."""
    if key.type is ColumnType.INTEGER:
        odd = fill(":0 > :1 OR :0 < :2", value, number(MAX_INTEGER), number(-MAX_INTEGER))
    else:
        odd = fill("strlen(:0) > :1 OR contains(:0, chr(0))", value, number(MAX_KEY_BYTES))
    parts = [exp.Literal.string(text) for text in (MISSING, OTHER, CODE)]
    return fill("CASE WHEN :0 IS NULL THEN :2 WHEN :1 THEN :3 ELSE :4 || CAST(:0 AS VARCHAR) END", value, odd, *parts)


def fixed_point(value: exp.Expr, bits: int, lo: int, hi: int) -> exp.Expr:
    """min(max(floor(x·2^f + 0.5), lo), hi) in IEEE double; NaN is NULL, infinities meet the bound."""
    scaled = "CAST(:0 AS DOUBLE) * CAST(:1 AS DOUBLE) + 0.5"
    return fill(
        "CASE WHEN :0 IS NULL OR isnan(CAST(:0 AS DOUBLE)) THEN NULL"
        f" WHEN {scaled} >= :3 THEN CAST(:3 AS BIGINT)"
        f" WHEN {scaled} <= :2 THEN CAST(:2 AS BIGINT)"
        f" ELSE CAST(floor({scaled}) AS BIGINT) END",
        value, number(2**bits), number(lo), number(hi),
    )  # fmt: skip


def _bin(value: exp.Expr, cuts: tuple[str, ...], first: int = 0) -> exp.Expr:
    """The bin of a number that is not NULL: ``first`` plus how many cuts are at or below it, by halving."""
    if not cuts:
        return exp.cast(number(first), "BIGINT", dialect=DIALECT)
    middle = len(cuts) // 2
    below = exp.LT(this=value.copy(), expression=literal(ColumnType.NUMBER, cuts[middle]))
    case = exp.Case().when(below, _bin(value, cuts[:middle], first), copy=False)
    return case.else_(_bin(value, cuts[middle + 1 :], first + middle + 1), copy=False)


def integer_of(aggregate: Aggregate, layers: Adds, *, binned: bool = True) -> exp.Expr:
    """The integer a row adds (of a histogram: its bin), NULL when it is not eligible.

    Args:
        binned: False for a histogram's values themselves, as DOUBLE: whoever reads them finds the bins.
    """
    one = exp.cast(number(1), "BIGINT", dialect=DIALECT)
    if aggregate.argument is None:
        found: exp.Expr = one
    elif aggregate.bins is not None:
        argument = layers.add(aggregate.argument)
        real = exp.cast(argument, "DOUBLE", dialect=DIALECT)
        missing = fill(":0 IS NULL OR isnan(CAST(:0 AS DOUBLE))", argument)
        where = _bin(real, aggregate.bins.cuts) if binned else real
        found = exp.Case().when(missing, exp.Null(), copy=False).else_(where, copy=False)
    elif aggregate.kind != "sum":
        # NaN needs no case of its own: scans and arithmetic make it NULL.
        found = fill("CASE WHEN :0 IS NULL THEN NULL ELSE :1 END", layers.add(aggregate.argument), one)
    else:
        value = layers.add(aggregate.argument)
        found = fixed_point(value, aggregate.fraction_bits, aggregate.lo, aggregate.hi)
    if aggregate.filter is None:
        return found
    return fill("CASE WHEN :0 THEN :1 ELSE NULL END", layers.add(aggregate.filter), found)
