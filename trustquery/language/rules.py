"""What is known of a function's result before any data are read, from what is known of its arguments.

Each rule checks the types of a call and gives the result's type, its interval, and its values where they are few and
public. Intervals are those of exact arithmetic: a plan enforces its bounds by clamping, so the last bit is harmless.
"""

from __future__ import annotations

import datetime
import itertools
import math
import re
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

from trustquery.catalogue.schema import ColumnType
from trustquery.language.types import BOOLEAN, Info, TypeMismatchError, common_type, union

Literal = int | str | bool | Fraction | None
"""A literal argument's value, where the argument is one; None otherwise (and for the literal NULL)."""

Rule = Callable[[Sequence[Info], Sequence[Literal]], Info]

_I, _N, _T, _D, _S, _B = (
    ColumnType.INTEGER,
    ColumnType.NUMBER,
    ColumnType.TEXT,
    ColumnType.DATE,
    ColumnType.TIMESTAMP,
    ColumnType.BOOLEAN,
)
TRUNCATIONS = ("year", "quarter", "month", "week", "day")
DIFFERENCES = ("year", "quarter", "month", "week", "day", "hour", "minute")
CLOCK = ("hour", "minute")
"""Units that need a time of day."""
DATE_PARTS: dict[str, tuple[int, int]] = {
    "year": (1, 9999),
    "quarter": (1, 4),
    "month": (1, 12),
    "day": (1, 31),
    "isodow": (1, 7),
    "hour": (0, 23),
    "minute": (0, 59),
    "second": (0, 59),
    "dayofyear": (1, 366),
    "week": (1, 53),
    "hour_of_week": (1, 168),
}
CLOCK_PARTS = ("hour", "minute", "second", "hour_of_week")
SHIFTS: dict[str, int] = {
    "year": 10_000,
    "quarter": 40_000,
    "month": 120_000,
    "week": 521_775,
    "day": 3_652_425,
    "hour": 87_658_200,
    "minute": 5_259_492_000,
}
"""Most of each unit that may be added: 10,000 years, more than which no result is ever in range."""
AGE_BANDS = tuple(range(5, 95, 5))
MAX_TEXT_RESULT = 1000
"""Characters of a joined text: two texts joined over and over would otherwise grow without end."""
MAX_PLACE = 100
"""Farthest character that a literal position may name."""
_MAX_MAPPED = 5_000
_MAX_TEXT = 200
"""A key's value is a literal, and no literal is longer."""


def band_labels(edges: Sequence[int]) -> tuple[str, ...]:
    """Labels of the half-open bands that ``edges`` cut: "<18", "18-64", "65+" for 18, 65."""
    inner = [f"{lo}-{hi - 1}" if hi - lo > 1 else f"{lo}" for lo, hi in itertools.pairwise(edges)]
    return (f"<{edges[0]}", *inner, f"{edges[-1]}+")


def age_band_labels() -> tuple[str, ...]:
    """Five-year bands "0-4" to "85-89", then "90+"; ages below 0 fall in *other*."""
    return ("0-4", *band_labels(AGE_BANDS)[1:])


def _need(info: Info, kinds: tuple[ColumnType, ...], what: str, instead: str) -> None:
    if info.type is not None and info.type not in kinds:
        raise TypeMismatchError(what, info.type, " or ".join(kinds), instead)


def _mapped(args: Sequence[Info], meaning: Callable[..., Any]) -> tuple[Any, ...] | None:
    """The values of a call whose arguments all have few public values."""
    values = [info.values for info in args]
    sizes = [len(found) for found in values if found is not None]
    if len(sizes) != len(args) or math.prod(sizes) > _MAX_MAPPED:
        return None
    return tuple(dict.fromkeys(meaning(*found) for found in itertools.product(*(found or () for found in values))))


# -- logic, comparison, choice


def logic(name: str) -> Rule:
    """AND, OR and NOT of conditions."""

    def rule(args: Sequence[Info], literals: Sequence[Literal]) -> Info:
        for info in args:
            _need(info, (_B,), f"an operand of {name.upper()}", "write a comparison such as x > 0")
        return BOOLEAN.after(args)

    return rule


def compare(args: Sequence[Info], literals: Sequence[Literal]) -> Info:
    """A comparison of two values of one type."""
    common_type(args, "the two sides")
    return BOOLEAN.after(args)


def is_null(args: Sequence[Info], literals: Sequence[Literal]) -> Info:
    """Any type."""
    return BOOLEAN.after(args)


def is_in(args: Sequence[Info], literals: Sequence[Literal]) -> Info:
    """A value and literals of its type."""
    if any(literal is None for literal in literals[1:]):
        raise TypeMismatchError("the values of IN", None, "literals that are not NULL", "write x IS NULL for the rest")
    common_type(args, "the values of IN")
    return BOOLEAN.after(args)


def case(args: Sequence[Info], literals: Sequence[Literal]) -> Info:
    """Conditions, and results of one type."""
    for info in args[:-1:2]:
        _need(info, (_B,), "a WHEN condition", "write a comparison such as x > 0")
    results = [*args[1:-1:2], args[-1]]
    return union(results, "the results of CASE").after(args)


def coalesce(args: Sequence[Info], literals: Sequence[Literal]) -> Info:
    """Values of one type."""
    return union(list(args), "coalesce")


def extreme(name: str, pick: Callable[[Fraction, Fraction], Fraction]) -> Rule:
    """Greatest or least of two values of one type; ``pick`` is max or min."""

    def rule(args: Sequence[Info], literals: Sequence[Literal]) -> Info:
        kind = common_type(args, name)
        if kind in (None, _B):
            raise TypeMismatchError(name, kind, "numbers, texts or dates", f"write {name}(a, b) with values that order")
        one, two = args

        def end(first: Fraction | None, second: Fraction | None, alone: bool) -> Fraction | None:
            # The greatest is at least as large as either lower end, so one will do; its upper end needs both.
            if first is None or second is None:
                return (second if first is None else first) if alone else None
            return pick(first, second)

        lo, hi = end(one.lo, two.lo, name == "greatest"), end(one.hi, two.hi, name == "least")
        values = _mapped(args, pick) if kind is _I else None
        return Info(kind, lo, hi, integral=one.integral and two.integral, values=values).after(args)

    return rule


# -- numbers


def _numbers(args: Sequence[Info], name: str) -> None:
    for info in args:
        instead = "use numeric columns or literals"
        if info.temporal:
            instead = "write d + INTERVAL 30 DAY, or date_diff('day', start, finish) for a difference"
        _need(info, (_I, _N), f"an argument of {name}", instead)


def arithmetic(name: str, ends: Callable[[Fraction, Fraction], Fraction | None]) -> Rule:
    """Sum, difference or product: monotone in each argument, so the corners hold the extremes."""

    def rule(args: Sequence[Info], literals: Sequence[Literal]) -> Info:
        _numbers(args, name)
        left, right = args
        lo = hi = None
        if left.lo is not None and left.hi is not None and right.lo is not None and right.hi is not None:
            corners = [ends(x, y) for x in (left.lo, left.hi) for y in (right.lo, right.hi)]
            found = [corner for corner in corners if corner is not None]
            if len(found) == len(corners):
                lo, hi = min(found), max(found)
        return Info(_N, lo, hi, integral=left.integral and right.integral).after(args)

    return rule


def quotient(name: str, whole: Callable[[Fraction], Fraction] | None = None) -> Rule:
    """Division, where the divisor cannot be 0 bounded by its corners; ``whole`` makes each a whole number."""

    def rule(args: Sequence[Info], literals: Sequence[Literal]) -> Info:
        _numbers(args, name)
        left, right = args
        facts = Info(_N, integral=whole is not None).after(args)
        if left.lo is None or left.hi is None or right.lo is None or right.hi is None or right.lo <= 0 <= right.hi:
            return facts
        corners = [x / y for x in (left.lo, left.hi) for y in (right.lo, right.hi)]
        if whole is not None:
            corners = [whole(corner) for corner in corners]
        return Info(_N, min(corners), max(corners), integral=whole is not None).after(args)

    return rule


def truncated(value: Fraction) -> Fraction:
    """The whole part."""
    return Fraction(math.trunc(value))


def remainder(args: Sequence[Info], literals: Sequence[Literal]) -> Info:
    """Smaller than the divisor, no larger than the dividend, with the dividend's sign."""
    _numbers(args, "%")
    left, right = args
    integral = left.integral and right.integral
    low: list[Fraction] = [] if left.lo is None else [min(left.lo, Fraction(0))]
    high: list[Fraction] = [] if left.hi is None else [max(left.hi, Fraction(0))]
    if right.lo is not None and right.hi is not None:
        most = max(abs(right.lo), abs(right.hi))
        most = max(most - 1, Fraction(0)) if integral else most
        low.append(-most)
        high.append(most)
    return Info(_N, max(low, default=None), min(high, default=None), integral=integral).after(args)


def negate(args: Sequence[Info], literals: Sequence[Literal]) -> Info:
    """The interval turned round."""
    _numbers(args, "-")
    (info,) = args
    lo = None if info.hi is None else -info.hi
    return Info(_N, lo, None if info.lo is None else -info.lo, integral=info.integral).after(args)


def absolute(args: Sequence[Info], literals: Sequence[Literal]) -> Info:
    """From 0, or from the end nearer to 0."""
    _numbers(args, "abs")
    (info,) = args
    if info.lo is None or info.hi is None:
        return Info(_N, integral=info.integral).after(args)
    low = Fraction(0) if info.lo <= 0 <= info.hi else min(abs(info.lo), abs(info.hi))
    return Info(_N, low, max(abs(info.lo), abs(info.hi)), integral=info.integral).after(args)


def whole(name: str, step: Callable[[Fraction], int]) -> Rule:
    """Floor or ceiling of both ends."""

    def rule(args: Sequence[Info], literals: Sequence[Literal]) -> Info:
        _numbers(args, name)
        (info,) = args
        lo = None if info.lo is None else Fraction(step(info.lo))
        return Info(_N, lo, None if info.hi is None else Fraction(step(info.hi)), integral=True).after(args)

    return rule


def _half_away(value: Fraction, digits: int) -> Fraction:
    scaled = Fraction(math.floor(abs(value) * 10**digits + Fraction(1, 2)), 10**digits)
    return -scaled if value < 0 else scaled


def rounded(args: Sequence[Info], literals: Sequence[Literal]) -> Info:
    """Both ends rounded."""
    _numbers(args, "round")
    digits = literals[1]
    if not isinstance(digits, int) or isinstance(digits, bool) or not 0 <= digits <= 6:
        raise TypeMismatchError("round", args[1].type, "digits from 0 to 6, a literal", "write round(x, 1)")
    info = args[0]
    lo = None if info.lo is None else _half_away(info.lo, digits)
    hi = None if info.hi is None else _half_away(info.hi, digits)
    return Info(_N, lo, hi, integral=digits == 0 or info.integral).after(args[:1])


def sign(args: Sequence[Info], literals: Sequence[Literal]) -> Info:
    """One of three values."""
    _numbers(args, "sign")
    return Info(_I, Fraction(-1), Fraction(1), integral=True, values=(-1, 0, 1)).after(args)


def root(args: Sequence[Info], literals: Sequence[Literal]) -> Info:
    """Roots of both ends, to the whole numbers around them."""
    _numbers(args, "sqrt")
    (info,) = args
    low = Fraction(math.isqrt(math.floor(info.lo))) if info.lo is not None and info.lo > 0 else Fraction(0)
    high = None
    if info.hi is not None:
        top = math.ceil(max(info.hi, Fraction(0)))
        high = Fraction(math.isqrt(top - 1) + 1 if top else 0)
    return Info(_N, low, high).after(args)


def clamp(args: Sequence[Info], literals: Sequence[Literal]) -> Info:
    """The two literals, tightened by what is known already."""
    _numbers(args, "clamp")
    lo, hi = literals[1], literals[2]
    if isinstance(lo, bool | str) or isinstance(hi, bool | str) or lo is None or hi is None or lo > hi:
        raise TypeMismatchError("clamp", args[1].type, "two numbers, the smaller first", "write clamp(x, 0, 100)")
    inner = args[0]
    low = Fraction(lo) if inner.lo is None else min(max(inner.lo, Fraction(lo)), Fraction(hi))
    high = Fraction(hi) if inner.hi is None else max(min(inner.hi, Fraction(hi)), Fraction(lo))
    integral = inner.integral and Fraction(lo).denominator == 1 == Fraction(hi).denominator
    return Info(_N, low, high, integral=integral).after(args)


def _edges(literals: Sequence[Literal]) -> list[int]:
    edges = [edge for edge in literals if isinstance(edge, int) and not isinstance(edge, bool)]
    if len(edges) != len(literals) or edges != sorted(set(edges)) or not edges:
        raise TypeMismatchError("band", _N, "whole numbers in rising order", "write band(x, 18, 65)")
    return edges


def band(args: Sequence[Info], literals: Sequence[Literal]) -> Info:
    """The labels of the bands."""
    _numbers(args, "band")
    return Info(_T, values=band_labels(_edges(literals[1:]))).after(args[:1])


def age_band(args: Sequence[Info], literals: Sequence[Literal]) -> Info:
    """The labels of the bands."""
    _numbers(args, "age_band")
    return Info(_T, values=age_band_labels()).after(args)


# -- casts


def to_integer(args: Sequence[Info], literals: Sequence[Literal]) -> Info:
    """Both ends rounded to whole numbers; a text says nothing of its bounds."""
    (info,) = args
    _need(info, (_I, _N, _T, _B), "the argument of CAST(… AS INTEGER)", "use a number, a text or a boolean")
    if info.type is _B:
        return Info(_I, Fraction(0), Fraction(1), integral=True, values=(0, 1)).after(args)
    lo = None if info.lo is None else Fraction(round(info.lo))
    hi = None if info.hi is None else Fraction(round(info.hi))
    values = info.values if info.type is _I else None
    return Info(_I, lo, hi, integral=True, values=values).after(args)


def to_number(args: Sequence[Info], literals: Sequence[Literal]) -> Info:
    """The same interval; a text says nothing of its bounds."""
    (info,) = args
    _need(info, (_I, _N, _T, _B), "the argument of CAST(… AS DOUBLE)", "use a number, a text or a boolean")
    if info.type is _B:
        return Info(_N, Fraction(0), Fraction(1), integral=True).after(args)
    return Info(_N, info.lo, info.hi, integral=info.integral).after(args)


def to_date(args: Sequence[Info], literals: Sequence[Literal]) -> Info:
    """A date, timestamp or text."""
    _need(args[0], (_D, _S, _T), "the argument of CAST(… AS DATE)", "use a date, a timestamp or a text")
    return Info(_D).after(args)


def to_timestamp(args: Sequence[Info], literals: Sequence[Literal]) -> Info:
    """A date, timestamp or text."""
    _need(args[0], (_D, _S, _T), "the argument of CAST(… AS TIMESTAMP)", "use a date, a timestamp or a text")
    return Info(_S).after(args)


# -- dates and times


def date_part(name: str) -> Rule:
    """The part's range, and its values where they are few."""
    lo, hi = DATE_PARTS[name]

    def rule(args: Sequence[Info], literals: Sequence[Literal]) -> Info:
        kinds = (_S,) if name in CLOCK_PARTS else (_D, _S)
        _need(args[0], kinds, f"the argument of {name}", f"use a {' or '.join(kinds)} column")
        values = tuple(range(lo, hi + 1)) if hi - lo < 400 else None
        return Info(_I, Fraction(lo), Fraction(hi), integral=True, values=values).after(args)

    return rule


def _unit(literals: Sequence[Literal], allowed: Sequence[str], name: str) -> str:
    if literals[0] not in allowed:
        raise TypeMismatchError(name, _T, f"one of {', '.join(allowed)}", f"write {name}('{allowed[-1]}', …)")
    return str(literals[0])


def date_trunc(args: Sequence[Info], literals: Sequence[Literal]) -> Info:
    """A day; which ones, a literal range of dates says."""
    _unit(literals, TRUNCATIONS, "date_trunc")
    _need(args[1], (_D, _S), "the second argument of date_trunc", "use a date or timestamp column")
    return Info(_D).after(args)


def date_diff(args: Sequence[Info], literals: Sequence[Literal]) -> Info:
    """A whole number without bounds."""
    unit = _unit(literals, DIFFERENCES, "date_diff")
    for info in args[1:]:
        _need(info, (_D, _S), "an argument of date_diff", "use date or timestamp columns")
        if unit in CLOCK:
            _need(info, (_S,), f"an argument of date_diff('{unit}', …)", "use timestamp columns")
    return Info(_N, integral=True).after(args)


def shift(kind: ColumnType) -> Rule:
    """A date or timestamp some literal units later."""

    def rule(args: Sequence[Info], literals: Sequence[Literal]) -> Info:
        units = [unit for unit in SHIFTS if kind is _S or unit not in CLOCK]
        unit, count = _unit(literals, units, "INTERVAL"), literals[1]
        if not isinstance(count, int) or isinstance(count, bool) or abs(count) > SHIFTS[unit]:
            needed = f"a whole number of {unit}s, at most {SHIFTS[unit]}"
            raise TypeMismatchError("INTERVAL", args[1].type, needed, "write d + INTERVAL 30 DAY")
        kinds = (_D,) if kind is _D else (_D, _S)
        _need(args[2], kinds, "what an INTERVAL is added to", "use a date or timestamp column")
        return Info(kind).after(args[2:])

    return rule


def last_day(args: Sequence[Info], literals: Sequence[Literal]) -> Info:
    """A date."""
    _need(args[0], (_D, _S), "the argument of last_day", "use a date or timestamp column")
    return Info(_D).after(args)


def age_years(args: Sequence[Info], literals: Sequence[Literal]) -> Info:
    """A whole number from 0, without an upper end."""
    for info in args:
        _need(info, (_D, _S), "an argument of age_years", "write age_years(birth_date, on_date)")
    return Info(_I, Fraction(0), integral=True).after(args)


def overlap_days(args: Sequence[Info], literals: Sequence[Literal]) -> Info:
    """From 0 to the length of a range that is given by two literals."""
    for info in args:
        _need(info, (_D, _S), "an argument of overlap_days", "write overlap_days(start1, end1, start2, end2)")
    lengths = []
    for start, end in (literals[:2], literals[2:]):
        if isinstance(start, str) and isinstance(end, str):
            first, last = (datetime.datetime.fromisoformat(text).date() for text in (start, end))
            lengths.append(Fraction(max((last - first).days, 0)))
    return Info(_I, Fraction(0), min(lengths, default=None), integral=True).after(args)


# -- text


def _texts(args: Sequence[Info], name: str) -> None:
    for info in args:
        _need(info, (_T,), f"an argument of {name}", "use a text column")


def text_test(name: str) -> Rule:
    """A condition on a text."""

    def rule(args: Sequence[Info], literals: Sequence[Literal]) -> Info:
        _texts(args, name)
        return BOOLEAN.after(args)

    return rule


def like(args: Sequence[Info], literals: Sequence[Literal]) -> Info:
    """A condition, for patterns that can be matched in one pass."""
    _texts(args, "LIKE")
    pattern = literals[1]
    if not isinstance(pattern, str) or not _one_pass(pattern):
        raise TypeMismatchError(
            "the pattern of LIKE",
            args[1].type,
            "a literal with one % or with one % at each end",
            "write LIKE 'abc%', '%abc', '%abc%' or 'a%b'; _ stands for one character",
        )
    return BOOLEAN.after(args[:1])


def _one_pass(pattern: str) -> bool:
    parts = re.sub("%+", "%", pattern).split("%")
    return len(parts) <= 2 or (len(parts) == 3 and parts[0] == parts[2] == "")


def text_change(name: str, meaning: Callable[[str], str]) -> Rule:
    """A text from a text; known values are known afterwards."""

    def rule(args: Sequence[Info], literals: Sequence[Literal]) -> Info:
        _texts(args, name)
        return Info(_T, values=_mapped(args, meaning)).after(args)

    return rule


def length(args: Sequence[Info], literals: Sequence[Literal]) -> Info:
    """A whole number from 0; known values have known lengths."""
    _texts(args, "length")
    values = _mapped(args, len)
    high = None if values is None else Fraction(max(values))
    return Info(_I, Fraction(0), high, integral=True, values=values).after(args)


def _position(value: Literal, least: int, name: str, example: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= MAX_PLACE:
        needed = f"whole numbers from {least} to {MAX_PLACE}, literals"
        raise TypeMismatchError(name, None if value is None else _N, needed, f"write {example}")
    return value


def cut(name: str, example: str, meaning: Callable[..., str]) -> Rule:
    """Part of a text, from literal positions."""

    def rule(args: Sequence[Info], literals: Sequence[Literal]) -> Info:
        _texts(args[:1], name)
        # The first is a place or a length from 1; only the length of substr may be 0.
        places = [_position(found, 1 - place, name, example) for place, found in enumerate(literals[1:])]
        values = _mapped(args[:1], lambda text: meaning(text, *places))
        return Info(_T, values=values).after(args[:1])

    return rule


def concat(args: Sequence[Info], literals: Sequence[Literal]) -> Info:
    """A text of bounded length; joined public values are public."""
    _texts(args, "||")
    values = _mapped(args, lambda one, two: (one + two)[:MAX_TEXT_RESULT])
    if values is not None and max(map(len, values), default=0) > _MAX_TEXT:
        values = None
    return Info(_T, values=values).after(args)
