"""What each scalar function means, in plain Python: independent of the SQL in ``language.functions``."""

from __future__ import annotations

import datetime
import math
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
    "add": _real(lambda x, y: x + y),
    "sub": _real(lambda x, y: x - y),
    "mul": _real(lambda x, y: x * y),
    "div": _divide,
    "neg": lambda v: 0 - float(v[0]),
    "abs": lambda v: abs(float(v[0])),
    "floor": _floor,
    "clamp": _clamp,
    "band": _band,
    "age_band": _age_band,
    "year": lambda v: v[0].year,
    "quarter": lambda v: (v[0].month - 1) // 3 + 1,
    "month": lambda v: v[0].month,
    "day": lambda v: v[0].day,
    "isodow": lambda v: v[0].isoweekday(),
    "hour": lambda v: _midnight(v[0]).hour,
    "date_trunc": _date_trunc,
    "date_diff": _date_diff,
    "to_date": lambda v: v[0].date() if isinstance(v[0], datetime.datetime) else v[0],
    "starts_with": lambda v: v[0].startswith(v[1]),
    "left": lambda v: v[0][: v[1]],
}


def _less(left: Any, right: Any) -> bool:
    """Text is ordered by UTF-8 bytes, as every engine is told to; code point order is the same order."""
    return bool(left < right)
