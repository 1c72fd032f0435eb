"""Bounds and precision of sums: from interval arithmetic over public facts, or refused with the fix."""

from __future__ import annotations

import math
from fractions import Fraction

from sqlglot import exp

from trustquery.language.scalar import Reader, Refused
from trustquery.language.types import Info
from trustquery.model.facts import infer
from trustquery.model.nodes import Call, ColumnRef, Expression

__all__ = ["FRACTION_BITS", "MAX_SUM_BOUND", "bounded", "fixed_point", "fraction_bits", "numeric", "short", "words_of"]

FRACTION_BITS = 8
"""Fixed-point precision of sums over values that are not whole, where none is declared: 1/256 of the unit."""
MAX_SUM_BOUND = 2**40


def numeric(reader: Reader, call: exp.Expr, name: str, argument: Expression) -> Info:
    """Facts about the argument of an aggregate that needs numbers.

    Args:
        name: of the aggregate, for messages.

    Raises:
        Refused: ``query-type``.
    """
    before = bool(reader.problems)
    info = infer(argument, reader.scope, lambda code, node, **f: reader.problems.add(code, reader.place(node), **f))
    if info.type is None or not info.numeric:
        if not before and not reader.problems:
            reader.refuse(
                "query-type", call, what=f"the argument of {name}", found=info.type or "NULL",
                needed="integer or number", instead="use a numeric column or expression",
            )  # fmt: skip
        raise Refused
    return info


def bounded(
    reader: Reader, call: exp.Expr, name: str, written: exp.Expr, argument: Expression
) -> tuple[Fraction, Fraction, Info]:
    """Smallest and largest value of an argument, and its other facts.

    Raises:
        Refused: ``query-type``, ``query-bounds-missing``.
    """
    info = numeric(reader, call, name, argument)
    if info.lo is None or info.hi is None:
        raise reader.refuse("query-bounds-missing", written, expression=words_of(written), function=name)
    return info.lo, info.hi, info


def fixed_point(reader: Reader, call: exp.Expr, name: str, argument: Expression) -> tuple[int, int, int]:
    """Fraction bits, lo and hi (integers) of what one row may add to a sum.

    Raises:
        Refused: ``query-type``, ``query-bounds-missing`` or ``query-bounds-invalid``.
    """
    low, high, info = bounded(reader, call, name, call.this, argument)
    bits = 0 if info.integral else fraction_bits(reader, argument)
    lo, hi = (math.floor(end * 2**bits + Fraction(1, 2)) for end in (low, high))
    if max(abs(lo), abs(hi)) > MAX_SUM_BOUND:
        raise reader.refuse("query-bounds-invalid", call.this, lo=short(low), hi=short(high))
    return bits, lo, hi


def fraction_bits(reader: Reader, argument: Expression) -> int:
    """The precision that the catalogue declares for a measure, clamped or not; else the default."""
    while isinstance(argument, Call) and argument.function == "clamp":
        argument = argument.arguments[0]
    if isinstance(argument, ColumnRef):
        column = reader.shape(argument.alias).column(argument.column)
        if column is not None and column.fraction_bits:
            return column.fraction_bits
    return FRACTION_BITS


def words_of(tree: exp.Expr) -> str:
    """What was written, short enough for a message."""
    text = tree.sql("duckdb")
    return text if len(text) <= 80 else text[:77] + "…"


def short(number: Fraction) -> str:
    """A bound for a message."""
    return str(number) if number.denominator == 1 else f"{float(number):g}"
