"""Bounds and precision of a sum: from interval arithmetic over public facts, or refused with the fix."""

from __future__ import annotations

import math
from fractions import Fraction

from sqlglot import exp

from trustquery.language.scalar import Reader, Refused
from trustquery.model.facts import infer
from trustquery.model.nodes import Call, ColumnRef, Expression

__all__ = ["FRACTION_BITS", "MAX_SUM_BOUND", "fixed_point", "fraction_bits"]

FRACTION_BITS = 8
"""Fixed-point precision of sums over values that are not whole, where none is declared: 1/256 of the unit."""
MAX_SUM_BOUND = 2**40


def fixed_point(reader: Reader, call: exp.Expr, argument: Expression) -> tuple[int, int, int]:
    """Fraction bits, lo and hi (integers) of what one row may add to a sum.

    Raises:
        Refused: ``query-type``, ``query-bounds-missing`` or ``query-bounds-invalid``.
    """
    before = bool(reader.problems)
    info = infer(argument, reader.scope, lambda code, node, **f: reader.problems.add(code, reader.place(node), **f))
    if info.type is None or not info.numeric:
        refused = Refused()
        if not before and not reader.problems:
            refused = reader.refuse(
                "query-type", call, what=f"the argument of {call.key}", found=info.type or "NULL",
                needed="integer or number", instead="use a numeric column or expression",
            )  # fmt: skip
        raise refused
    if info.lo is None or info.hi is None:
        raise reader.refuse("query-bounds-missing", call.this, expression=_words(call.this), function=call.key.lower())
    bits = 0 if info.integral else fraction_bits(reader, argument)
    lo, hi = (math.floor(end * 2**bits + Fraction(1, 2)) for end in (info.lo, info.hi))
    if max(abs(lo), abs(hi)) > MAX_SUM_BOUND:
        raise reader.refuse("query-bounds-invalid", call.this, lo=_short(info.lo), hi=_short(info.hi))
    return bits, lo, hi


def fraction_bits(reader: Reader, argument: Expression) -> int:
    """The precision that the catalogue declares for a measure, clamped or not; else the default."""
    while isinstance(argument, Call) and argument.function == "clamp":
        argument = argument.arguments[0]
    if isinstance(argument, ColumnRef):
        column = reader.scope[argument.alias].column(argument.column)
        if column is not None and column.fraction_bits:
            return column.fraction_bits
    return FRACTION_BITS


def _words(tree: exp.Expr) -> str:
    text = tree.sql("duckdb")
    return text if len(text) <= 80 else text[:77] + "…"


def _short(number: Fraction) -> str:
    return str(number) if number.denominator == 1 else f"{float(number):g}"
