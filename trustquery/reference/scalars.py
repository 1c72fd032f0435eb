"""What each scalar function means, in plain Python: independent of the SQL in ``language.functions``."""

from __future__ import annotations

import calendar
import datetime
import math
import re
from collections.abc import Callable, Collection, Sequence
from decimal import Decimal
from typing import Any

from trustquery.catalogue.schema import ColumnType
from trustquery.model.nodes import Call, ColumnRef, Expression, Literal

__all__ = ["Environment", "scalar"]

Environment = dict[tuple[str, str], Any]
"""(alias, column) to value, for one row."""


def literal_value(node: Literal) -> Any:
    """The Python value of a literal."""
    if node.value is None:
        return None
    if node.type is ColumnType.NUMBER:
        return float(Decimal(str(node.value)))
    if node.type is ColumnType.DATE:
        return datetime.date.fromisoformat(str(node.value))
    if node.type is ColumnType.TIMESTAMP:
        return datetime.datetime.fromisoformat(str(node.value))
    return node.value


def scalar(node: Expression, row: Environment, numbers: Collection[Expression] = ()) -> Any:
    """The value of an expression on one row; None is NULL.

    ``numbers`` holds the calls of ``case`` and ``coalesce`` that choose between integers and numbers: what they
    choose is a number, as it is in every engine.
    """
    if isinstance(node, Literal):
        return literal_value(node)
    if isinstance(node, ColumnRef):
        return row[node.alias, node.column]
    if node.function in ("and", "or"):
        return _logic(node, row, numbers)
    if node.function in ("case", "coalesce"):
        chosen = _choose(node, row, numbers)
        return float(chosen) if chosen is not None and node in numbers else chosen
    values = [scalar(argument, row, numbers) for argument in node.arguments]
    if node.function == "is_null":
        return values[0] is None
    if node.function == "is_distinct":
        return _is_distinct(values)
    if any(value is None for value in values):
        return None
    return _MEANINGS[node.function](values)


def _choose(node: Call, row: Environment, numbers: Collection[Expression]) -> Any:
    if node.function == "coalesce":
        values = (scalar(argument, row, numbers) for argument in node.arguments)
        return next((value for value in values if value is not None), None)
    *branches, default = node.arguments
    for condition, result in zip(branches[::2], branches[1::2], strict=True):
        if scalar(condition, row, numbers) is True:
            return scalar(result, row, numbers)
    return scalar(default, row, numbers)


def _logic(node: Call, row: Environment, numbers: Collection[Expression]) -> bool | None:
    wins = node.function == "or"
    values = [scalar(argument, row, numbers) for argument in node.arguments]
    if wins in values:
        return wins
    return None if None in values else not wins


def _pair(values: Sequence[Any]) -> tuple[Any, Any]:
    """Two comparable values: a date beside a timestamp is its midnight, an integer beside a number a number."""
    left, right = values
    kinds = [isinstance(value, datetime.datetime) for value in (left, right)]
    if any(kinds) and not all(kinds):
        left, right = (_midnight(value) for value in (left, right))
    if isinstance(left, float) != isinstance(right, float):
        left, right = float(left), float(right)
    return left, right


def _midnight(value: datetime.date) -> datetime.datetime:
    if isinstance(value, datetime.datetime):
        return value
    return datetime.datetime.combine(value, datetime.time())


def _is_distinct(values: Sequence[Any]) -> bool:
    if None in values:
        return any(value is not None for value in values)
    left, right = _pair(values)
    return bool(left != right)


def _is_in(values: Sequence[Any]) -> bool:
    return any(_pair((values[0], other))[0] == _pair((values[0], other))[1] for other in values[1:])


def _real(operation: Callable[[float, float], float]) -> Callable[[Sequence[Any]], float | None]:
    def meaning(values: Sequence[Any]) -> float | None:
        try:
            found = operation(float(values[0]), float(values[1]))
        except OverflowError:
            found = math.inf
        return None if math.isnan(found) else found

    return meaning


def _divide(values: Sequence[Any]) -> float | None:
    top, bottom = float(values[0]), float(values[1])
    if bottom == 0:
        return None
    found = top / bottom
    return None if math.isnan(found) else found


def _int_div(values: Sequence[Any]) -> float | None:
    found = _divide(values)
    return found if found is None or math.isinf(found) else float(math.trunc(found))


def _mod(values: Sequence[Any]) -> float | None:
    top, bottom = float(values[0]), float(values[1])
    return None if bottom == 0 or math.isinf(top) else math.fmod(top, bottom)


def _away(value: float) -> float:
    """Nearest whole number, halves away from 0. The fraction of a double is exact; adding a half would not be."""
    low = math.floor(abs(value))
    return math.copysign(low + 1 if abs(value) - low >= 0.5 else low, value)


def _round(values: Sequence[Any]) -> float:
    value, power = float(values[0]), 10.0 ** values[1]
    scaled = value * power
    return value if math.isinf(scaled) else _away(scaled) / power


def _sqrt(values: Sequence[Any]) -> float | None:
    value = float(values[0])
    return None if value < 0 else math.sqrt(value)


def _to_integer(values: Sequence[Any]) -> int | None:
    value = values[0]
    if isinstance(value, str):
        return int(value) if re.fullmatch("[+-]?[0-9]{1,15}", value) else None
    if isinstance(value, float):
        nearest = None if math.isinf(value) else round(value)
        return nearest if nearest is not None and -(2**63) <= nearest < 2**63 else None
    return int(value)


def _to_number(values: Sequence[Any]) -> float | None:
    value = values[0]
    if isinstance(value, str) and not re.fullmatch(r"[+-]?[0-9]{1,15}(\.[0-9]{1,15})?", value):
        return None
    return float(value)


def _day_of_text(text: str) -> datetime.date | None:
    if not re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        return None
    try:
        return datetime.date(int(text[:4]), int(text[5:7]), int(text[8:]))
    except ValueError:
        return None


def _to_date(values: Sequence[Any]) -> datetime.date | None:
    return _day_of_text(values[0]) if isinstance(values[0], str) else _day(values[0])


def _to_timestamp(values: Sequence[Any]) -> datetime.datetime | None:
    if not isinstance(values[0], str):
        return _midnight(values[0])
    day = _day_of_text(values[0][:10])
    clock = re.fullmatch("[ T]([0-9]{2}):([0-9]{2})(:([0-9]{2}))?", values[0][10:])
    if day is None or clock is None:
        return None
    try:
        return datetime.datetime.combine(day, datetime.time(int(clock[1]), int(clock[2]), int(clock[4] or 0)))
    except ValueError:
        return None


def _later(values: Sequence[Any]) -> Any:
    """A date or moment some units later; None outside the years 1 to 9999."""
    unit, count, when = values
    try:
        if unit not in _MONTHS:
            return when + count * datetime.timedelta(**{f"{unit}s": 1})
        year, month = divmod(when.year * 12 + when.month - 1 + count * _MONTHS[unit], 12)
        return when.replace(year=year, month=month + 1, day=min(when.day, calendar.monthrange(year, month + 1)[1]))
    except (OverflowError, ValueError):
        return None


def _age_years(values: Sequence[Any]) -> int | None:
    birth, day = (_day(value) for value in values)
    if day < birth:
        return None
    return day.year - birth.year - ((day.month, day.day) < (birth.month, birth.day))


def _overlap_days(values: Sequence[Any]) -> int:
    start, end, other_start, other_end = (_day(value) for value in values)
    return max((min(end, other_end) - max(start, other_start)).days, 0)


def _like(values: Sequence[Any]) -> bool:
    """The pattern is at most one run of %, or one at each end: each piece has one place, or slides along once."""
    text, pattern = values
    before, *rest = re.sub("%+", "%", pattern).split("%")
    if not rest:
        return _fits(text, before)
    if len(rest) == 2:
        piece = rest[0]
        return any(_fits(text[at : at + len(piece)], piece) for at in range(len(text) - len(piece) + 1))
    (after,) = rest
    long_enough = len(text) >= len(before) + len(after)
    return long_enough and _fits(text[: len(before)], before) and _fits(text[len(text) - len(after) :], after)


def _fits(text: str, piece: str) -> bool:
    return len(text) == len(piece) and all(want in ("_", got) for got, want in zip(text, piece, strict=True))


_ASCII_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}
_ASCII_UPPER = {lower: upper for upper, lower in _ASCII_LOWER.items()}


def _clamp(values: Sequence[Any]) -> float:
    value, lo, hi = (float(item) for item in values)
    return lo if value < lo else hi if value > hi else value


def _band(values: Sequence[Any]) -> str:
    value, *edges = values
    place = sum(1 for edge in edges if float(value) >= edge)
    if place == 0:
        return f"<{edges[0]}"
    if place == len(edges):
        return f"{edges[-1]}+"
    lo, hi = edges[place - 1], edges[place]
    return f"{lo}" if hi - lo == 1 else f"{lo}-{hi - 1}"


def _age_band(values: Sequence[Any]) -> str | None:
    age = float(values[0])
    if age < 0:
        return None
    if age >= 90:
        return "90+"
    low = int(age // 5) * 5
    return f"{low}-{low + 4}"


def _floor(values: Sequence[Any]) -> float:
    value = float(values[0])
    return value if math.isinf(value) else float(math.floor(value))


def _ceil(values: Sequence[Any]) -> float:
    return -_floor([-float(values[0])])


def _day(value: datetime.date) -> datetime.date:
    return value.date() if isinstance(value, datetime.datetime) else value


_MONTHS = {"year": 12, "quarter": 3, "month": 1}


def _date_trunc(values: Sequence[Any]) -> datetime.date:
    unit, when = values
    day = when.date() if isinstance(when, datetime.datetime) else when
    if unit == "week":
        return day - datetime.timedelta(days=day.weekday())
    if unit == "quarter":
        return datetime.date(day.year, 3 * ((day.month - 1) // 3) + 1, 1)
    parts = {"year": (day.year, 1, 1), "month": (day.year, day.month, 1), "day": (day.year, day.month, day.day)}
    return datetime.date(*parts[unit])


def _date_diff(values: Sequence[Any]) -> float:
    unit, start, finish = values[0], _midnight(values[1]), _midnight(values[2])
    if unit == "day":
        return float((finish.date() - start.date()).days)
    if unit == "week":
        # Day 1 of the calendar, 1 January of the year 1, was a Monday.
        return float((finish.toordinal() - 1) // 7 - (start.toordinal() - 1) // 7)
    if unit in _MONTHS:
        first, last = ((when.year * 12 + when.month - 1) // _MONTHS[unit] for when in (start, finish))
        return float(last - first)
    size = 3600 if unit == "hour" else 60
    epoch = datetime.datetime(1, 1, 1)  # noqa: DTZ001 - times here are local and have no zone
    first, last = ((moment - epoch) // datetime.timedelta(seconds=size) for moment in (start, finish))
    return float(last - first)


_MEANINGS: dict[str, Callable[[Sequence[Any]], Any]] = {
    "not": lambda v: not v[0],
    "eq": lambda v: _pair(v)[0] == _pair(v)[1],
    "ne": lambda v: _pair(v)[0] != _pair(v)[1],
    "lt": lambda v: _less(*_pair(v)),
    "le": lambda v: not _less(*reversed(_pair(v))),
    "gt": lambda v: _less(*reversed(_pair(v))),
    "ge": lambda v: not _less(*_pair(v)),
    "in": _is_in,
    "greatest": lambda v: max(_pair(v)),
    "least": lambda v: min(_pair(v)),
    "add": _real(lambda x, y: x + y),
    "sub": _real(lambda x, y: x - y),
    "mul": _real(lambda x, y: x * y),
    "div": _divide,
    "int_div": _int_div,
    "mod": _mod,
    "neg": lambda v: 0 - float(v[0]),
    "abs": lambda v: abs(float(v[0])),
    "floor": _floor,
    "ceil": _ceil,
    "round": _round,
    "sign": lambda v: (v[0] > 0) - (v[0] < 0),
    "sqrt": _sqrt,
    "clamp": _clamp,
    "band": _band,
    "age_band": _age_band,
    "year": lambda v: v[0].year,
    "quarter": lambda v: (v[0].month - 1) // 3 + 1,
    "month": lambda v: v[0].month,
    "day": lambda v: v[0].day,
    "isodow": lambda v: v[0].isoweekday(),
    "hour": lambda v: _midnight(v[0]).hour,
    "minute": lambda v: _midnight(v[0]).minute,
    "second": lambda v: _midnight(v[0]).second,
    "dayofyear": lambda v: v[0].timetuple().tm_yday,
    "week": lambda v: v[0].isocalendar().week,
    "hour_of_week": lambda v: v[0].weekday() * 24 + _midnight(v[0]).hour + 1,
    "date_trunc": _date_trunc,
    "date_diff": _date_diff,
    "date_add": _later,
    "timestamp_add": lambda v: _later([v[0], v[1], _midnight(v[2])]),
    "last_day": lambda v: _day(v[0]).replace(day=calendar.monthrange(v[0].year, v[0].month)[1]),
    "age_years": _age_years,
    "overlap_days": _overlap_days,
    "to_integer": _to_integer,
    "to_number": _to_number,
    "to_date": _to_date,
    "to_timestamp": _to_timestamp,
    "starts_with": lambda v: v[0].startswith(v[1]),
    "ends_with": lambda v: v[0].endswith(v[1]),
    "contains": lambda v: v[1] in v[0],
    "like": _like,
    "left": lambda v: v[0][: v[1]],
    "right": lambda v: v[0][-v[1] :],
    "substr": lambda v: v[0][v[1] - 1 : v[1] - 1 + v[2]],
    "lower": lambda v: v[0].translate(_ASCII_LOWER),
    "upper": lambda v: v[0].translate(_ASCII_UPPER),
    "trim": lambda v: v[0].strip(" "),
    "length": lambda v: len(v[0]),
    "concat": lambda v: (v[0] + v[1])[:1000],
}


def _less(left: Any, right: Any) -> bool:
    """Text is ordered by UTF-8 bytes, as every engine is told to; code point order is the same order."""
    return bool(left < right)
