"""The one table of scalar functions: name, meaning, totality, facts about the result, SQL per engine.

Every function is total: no value of its arguments raises an error on any engine, because an error is a leak
(design section 4). Arithmetic is IEEE double arithmetic with NaN read as NULL; infinities stay until a bound
or a comparison meets them. ``trustquery/reference`` holds an independent plain-Python meaning of each row, and a
specification runs both over the same vectors.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from trustquery.catalogue.schema import ColumnType
from trustquery.language.types import BOOLEAN, Info, TypeMismatchError, common_type, union

__all__ = ["AGE_BANDS", "DATE_PARTS", "FUNCTIONS", "TRUNCATIONS", "Function", "Literal", "band_labels"]

Literal = int | str | bool | Fraction | None
"""A literal argument's value, where the argument is one; None otherwise (and for the literal NULL)."""

Rule = Callable[[Sequence[Info], Sequence[Literal]], Info]

_I, _N, _T, _D, _S = (
    ColumnType.INTEGER,
    ColumnType.NUMBER,
    ColumnType.TEXT,
    ColumnType.DATE,
    ColumnType.TIMESTAMP,
)
TRUNCATIONS = ("year", "quarter", "month", "week", "day")
DIFFERENCES = ("day", "hour", "minute")
DATE_PARTS: dict[str, tuple[int, int]] = {
    "year": (1, 9999),
    "quarter": (1, 4),
    "month": (1, 12),
    "day": (1, 31),
    "isodow": (1, 7),
    "hour": (0, 23),
}
AGE_BANDS = tuple(range(5, 95, 5))


@dataclass(frozen=True)
class Function:
    """One row of the table.

    Attributes:
        arity: fewest and most arguments; None for no upper end.
        rule: facts about the result from facts about the arguments; raises ``TypeMismatchError``.
        sql: engine name to SQL text; ``:0``, ``:1`` … are arguments. "" when the engine module builds it.
        literals: positions of arguments that must be literals ("rest" = all after the first).
    """

    name: str
    meaning: str
    totality: str
    arity: tuple[int, int | None]
    rule: Rule
    sql: dict[str, str]
    example: str
    literals: tuple[int, ...] | str = ()


def band_labels(edges: Sequence[int]) -> tuple[str, ...]:
    """Labels of the half-open bands that ``edges`` cut: "<18", "18-64", "65+" for 18, 65."""
    inner = [f"{lo}-{hi - 1}" if hi - lo > 1 else f"{lo}" for lo, hi in itertools.pairwise(edges)]
    return (f"<{edges[0]}", *inner, f"{edges[-1]}+")


def _need(info: Info, kinds: tuple[ColumnType, ...], what: str, instead: str) -> None:
    if info.type is not None and info.type not in kinds:
        raise TypeMismatchError(what, info.type, " or ".join(kinds), instead)


def _logic(name: str) -> Rule:
    def rule(args: Sequence[Info], literals: Sequence[Literal]) -> Info:
        for info in args:
            _need(info, (ColumnType.BOOLEAN,), f"an operand of {name.upper()}", "write a comparison such as x > 0")
        return BOOLEAN.after(args)

    return rule


def _compare(args: Sequence[Info], literals: Sequence[Literal]) -> Info:
    common_type(args, "the two sides")
    return BOOLEAN.after(args)


def _is_null(args: Sequence[Info], literals: Sequence[Literal]) -> Info:
    return BOOLEAN.after(args)


def _is_in(args: Sequence[Info], literals: Sequence[Literal]) -> Info:
    if any(literal is None for literal in literals[1:]):
        raise TypeMismatchError("the values of IN", None, "literals that are not NULL", "write x IS NULL for the rest")
    common_type(args, "the values of IN")
    return BOOLEAN.after(args)


def _case(args: Sequence[Info], literals: Sequence[Literal]) -> Info:
    for info in args[:-1:2]:
        _need(info, (ColumnType.BOOLEAN,), "a WHEN condition", "write a comparison such as x > 0")
    results = [*args[1:-1:2], args[-1]]
    return union(results, "the results of CASE").after(args)


def _coalesce(args: Sequence[Info], literals: Sequence[Literal]) -> Info:
    return union(list(args), "coalesce")


def _numbers(args: Sequence[Info], name: str) -> None:
    for info in args:
        _need(info, (_I, _N), f"an argument of {name}", "use numeric columns or literals")


def _arithmetic(name: str, ends: Callable[[Fraction, Fraction], Fraction | None], *, integral: bool = True) -> Rule:
    def rule(args: Sequence[Info], literals: Sequence[Literal]) -> Info:
        _numbers(args, name)
        left, right = args
        lo = hi = None
        if left.lo is not None and left.hi is not None and right.lo is not None and right.hi is not None:
            corners = [ends(x, y) for x in (left.lo, left.hi) for y in (right.lo, right.hi)]
            found = [corner for corner in corners if corner is not None]
            if len(found) == len(corners):
                lo, hi = min(found), max(found)
        return Info(_N, lo, hi, integral=integral and left.integral and right.integral).after(args)

    return rule


def _divide(args: Sequence[Info], literals: Sequence[Literal]) -> Info:
    _numbers(args, "/")
    left, right = args
    facts = Info(_N).after(args)
    if left.lo is None or left.hi is None or right.lo is None or right.hi is None or right.lo <= 0 <= right.hi:
        return facts
    corners = [x / y for x in (left.lo, left.hi) for y in (right.lo, right.hi)]
    return Info(_N, min(corners), max(corners)).after(args)


def _negate(args: Sequence[Info], literals: Sequence[Literal]) -> Info:
    _numbers(args, "-")
    (info,) = args
    lo = None if info.hi is None else -info.hi
    return Info(_N, lo, None if info.lo is None else -info.lo, integral=info.integral).after(args)


def _absolute(args: Sequence[Info], literals: Sequence[Literal]) -> Info:
    _numbers(args, "abs")
    (info,) = args
    if info.lo is None or info.hi is None:
        return Info(_N, integral=info.integral).after(args)
    low = Fraction(0) if info.lo <= 0 <= info.hi else min(abs(info.lo), abs(info.hi))
    return Info(_N, low, max(abs(info.lo), abs(info.hi)), integral=info.integral).after(args)


def _floor(args: Sequence[Info], literals: Sequence[Literal]) -> Info:
    _numbers(args, "floor")
    (info,) = args
    lo = None if info.lo is None else Fraction(info.lo.__floor__())
    return Info(_N, lo, None if info.hi is None else Fraction(info.hi.__floor__()), integral=True).after(args)


def _clamp(args: Sequence[Info], literals: Sequence[Literal]) -> Info:
    _numbers(args, "clamp")
    lo, hi = literals[1], literals[2]
    if isinstance(lo, bool | str) or isinstance(hi, bool | str) or lo is None or hi is None or lo > hi:
        raise TypeMismatchError("clamp", args[1].type, "two numbers, the smaller first", "write clamp(x, 0, 100)")
    inner = args[0]
    low = Fraction(lo) if inner.lo is None else min(max(inner.lo, Fraction(lo)), Fraction(hi))
    high = Fraction(hi) if inner.hi is None else max(min(inner.hi, Fraction(hi)), Fraction(lo))
    whole = inner.integral and Fraction(lo).denominator == 1 == Fraction(hi).denominator
    return Info(_N, low, high, integral=whole).after(args)


def _edges(literals: Sequence[Literal]) -> list[int]:
    edges = [edge for edge in literals if isinstance(edge, int) and not isinstance(edge, bool)]
    if len(edges) != len(literals) or edges != sorted(set(edges)) or not edges:
        raise TypeMismatchError("band", _N, "whole numbers in rising order", "write band(x, 18, 65)")
    return edges


def _band(args: Sequence[Info], literals: Sequence[Literal]) -> Info:
    _numbers(args, "band")
    return Info(_T, values=band_labels(_edges(literals[1:]))).after(args[:1])


def _age_band(args: Sequence[Info], literals: Sequence[Literal]) -> Info:
    _numbers(args, "age_band")
    return Info(_T, values=age_band_labels()).after(args)


def age_band_labels() -> tuple[str, ...]:
    """Five-year bands "0-4" to "85-89", then "90+"; ages below 0 fall in *other*."""
    return ("0-4", *band_labels(AGE_BANDS)[1:])


def _date_part(name: str) -> Rule:
    lo, hi = DATE_PARTS[name]

    def rule(args: Sequence[Info], literals: Sequence[Literal]) -> Info:
        kinds = (_S,) if name == "hour" else (_D, _S)
        _need(args[0], kinds, f"the argument of {name}", f"use a {' or '.join(kinds)} column")
        values = tuple(range(lo, hi + 1)) if hi - lo < 100 else None
        return Info(_I, Fraction(lo), Fraction(hi), integral=True, values=values).after(args)

    return rule


def _unit(literals: Sequence[Literal], allowed: tuple[str, ...], name: str) -> str:
    if literals[0] not in allowed:
        raise TypeMismatchError(name, _T, f"one of {', '.join(allowed)}", f"write {name}('{allowed[-1]}', …)")
    return str(literals[0])


def _date_trunc(args: Sequence[Info], literals: Sequence[Literal]) -> Info:
    _unit(literals, TRUNCATIONS, "date_trunc")
    _need(args[1], (_D, _S), "the second argument of date_trunc", "use a date or timestamp column")
    return Info(_D).after(args)


def _date_diff(args: Sequence[Info], literals: Sequence[Literal]) -> Info:
    unit = _unit(literals, DIFFERENCES, "date_diff")
    for info in args[1:]:
        _need(info, (_D, _S), "an argument of date_diff", "use date or timestamp columns")
        if unit != "day":
            _need(info, (_S,), f"an argument of date_diff('{unit}', …)", "use timestamp columns")
    return Info(_N, integral=True).after(args)


def _to_date(args: Sequence[Info], literals: Sequence[Literal]) -> Info:
    _need(args[0], (_D, _S), "the argument of CAST(… AS DATE)", "use a date or timestamp column")
    return Info(_D).after(args)


def _starts_with(args: Sequence[Info], literals: Sequence[Literal]) -> Info:
    for info in args:
        _need(info, (_T,), "an argument of starts_with", "use a text column")
    return BOOLEAN.after(args)


def _prefix(args: Sequence[Info], literals: Sequence[Literal]) -> Info:
    _need(args[0], (_T,), "the first argument of left", "use a text column")
    length = literals[1]
    if not isinstance(length, int) or isinstance(length, bool) or not 1 <= length <= 100:
        raise TypeMismatchError("left", args[1].type, "a whole number from 1 to 100", "write left(code, 3)")
    return Info(_T).after(args)


_DOUBLE = "CAST(:{} AS DOUBLE)"


def _duck(text: str) -> dict[str, str]:
    return {"duckdb": text}


def _real(operator: str) -> dict[str, str]:
    """Double arithmetic with NaN as NULL."""
    return _duck(f"nullif({_DOUBLE.format(0)} {operator} {_DOUBLE.format(1)}, CAST('nan' AS DOUBLE))")


_NULL_TOTAL = "NULL when an argument is NULL"
_ROWS: tuple[Function, ...] = (
    Function("and", "both hold", "three-valued: false wins over NULL", (2, None), _logic("and"), {}, "a AND b"),
    Function("or", "at least one holds", "three-valued: true wins over NULL", (2, None), _logic("or"), {}, "a OR b"),
    Function("not", "does not hold", "NULL stays NULL", (1, 1), _logic("not"), _duck("NOT :0"), "NOT a"),
    Function("eq", "equal", _NULL_TOTAL, (2, 2), _compare, _duck(":0 = :1"), "a = b"),
    Function("ne", "not equal", _NULL_TOTAL, (2, 2), _compare, _duck(":0 <> :1"), "a <> b"),
    Function("lt", "less", _NULL_TOTAL, (2, 2), _compare, _duck(":0 < :1"), "a < b"),
    Function("le", "less or equal", _NULL_TOTAL, (2, 2), _compare, _duck(":0 <= :1"), "a <= b"),
    Function("gt", "greater", _NULL_TOTAL, (2, 2), _compare, _duck(":0 > :1"), "a > b"),
    Function("ge", "greater or equal", _NULL_TOTAL, (2, 2), _compare, _duck(":0 >= :1"), "a >= b"),
    Function("is_null", "is missing", "never NULL", (1, 1), _is_null, _duck(":0 IS NULL"), "a IS NULL"),
    Function("in", "is one of the literals", "NULL when the first is NULL", (2, None), _is_in, {}, "a IN (1, 2)", "rest"),
    Function("case", "the first result whose condition holds, else the last", "a NULL condition does not hold", (3, None), _case, {}, "CASE WHEN a > 0 THEN 'x' ELSE 'y' END"),
    Function("coalesce", "the first that is not NULL", "NULL when all are", (2, None), _coalesce, {}, "coalesce(a, 0)"),
    Function("add", "sum", "infinity on overflow", (2, 2), _arithmetic("+", lambda x, y: x + y), _real("+"), "a + b"),
    Function("sub", "difference", "infinity on overflow", (2, 2), _arithmetic("-", lambda x, y: x - y), _real("-"), "a - b"),
    Function("mul", "product", "infinity on overflow", (2, 2), _arithmetic("*", lambda x, y: x * y), _real("*"), "a * b"),
    Function(
        "div", "quotient", "NULL when the divisor is 0", (2, 2), _divide,
        _duck(f"nullif({_DOUBLE.format(0)} / nullif({_DOUBLE.format(1)}, 0), CAST('nan' AS DOUBLE))"),
        "a / b",
    ),
    Function("neg", "minus the value", _NULL_TOTAL, (1, 1), _negate, _duck(f"0 - {_DOUBLE.format(0)}"), "-a"),
    Function("abs", "absolute value", _NULL_TOTAL, (1, 1), _absolute, _duck(f"abs({_DOUBLE.format(0)})"), "abs(a)"),
    Function("floor", "the whole number at or below", _NULL_TOTAL, (1, 1), _floor, _duck(f"floor({_DOUBLE.format(0)})"), "floor(a)"),
    Function(
        "clamp", "the value, at least lo and at most hi", _NULL_TOTAL, (3, 3), _clamp,
        _duck(f"CASE WHEN :0 IS NULL THEN NULL WHEN {_DOUBLE.format(0)} < {_DOUBLE.format(1)} THEN {_DOUBLE.format(1)} WHEN {_DOUBLE.format(0)} > {_DOUBLE.format(2)} THEN {_DOUBLE.format(2)} ELSE {_DOUBLE.format(0)} END"),
        "clamp(a, 0, 100)", (1, 2),
    ),
    Function("band", "the label of the band that holds the value", _NULL_TOTAL, (2, 200), _band, {}, "band(a, 18, 65)", "rest"),
    Function("age_band", "five-year age band, 0-4 to 90+", "NULL below 0 and when NULL", (1, 1), _age_band, {}, "age_band(a)"),
    *(
        Function(
            part, f"the {part} of a date", "NULL when NULL", (1, 1), _date_part(part),
            _duck(f"{part}(CAST(:0 AS TIMESTAMP))"), f"{part}(d)",
        )
        for part in DATE_PARTS
    ),
    Function("date_trunc", "first day of the year, quarter, month, week or day", "NULL when NULL", (2, 2), _date_trunc, _duck("CAST(date_trunc(:0, CAST(:1 AS TIMESTAMP)) AS DATE)"), "date_trunc('month', d)", (0,)),
    Function("date_diff", "day, hour or minute boundaries crossed from the second to the third argument", "NULL when either is NULL", (3, 3), _date_diff, _duck("CAST(date_diff(:0, CAST(:1 AS TIMESTAMP), CAST(:2 AS TIMESTAMP)) AS DOUBLE)"), "date_diff('day', start, finish)", (0,)),
    Function("to_date", "the day of a timestamp", "NULL when NULL", (1, 1), _to_date, _duck("CAST(:0 AS DATE)"), "CAST(t AS DATE)"),
    Function("starts_with", "begins with the text", _NULL_TOTAL, (2, 2), _starts_with, _duck("starts_with(:0, :1)"), "starts_with(code, 'E11')", (1,)),
    Function("left", "the first characters", "NULL when NULL", (2, 2), _prefix, _duck("left(:0, :1)"), "left(code, 3)", (1,)),
)  # fmt: skip

FUNCTIONS: dict[str, Function] = {row.name: row for row in _ROWS}
