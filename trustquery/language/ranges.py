"""Public values of keys: declared, literal, or counted out of a literal date range."""

from __future__ import annotations

import datetime
from collections.abc import Mapping

from trustquery.catalogue.schema import ColumnType
from trustquery.language.types import Info
from trustquery.model.nodes import Call, ColumnRef, Expression, Literal

__all__ = ["DateRange", "date_ranges", "key_values"]

Value = int | str | bool
DateRange = tuple[datetime.date | None, datetime.date | None]
"""First and last day possible, None where the query does not say."""

_FLIPPED = {"lt": "gt", "le": "ge", "gt": "lt", "ge": "le", "eq": "eq"}
MAX_STEPS = 50_000


def date_ranges(predicate: Expression | None) -> dict[ColumnRef, DateRange]:
    """Literal date ranges that the top-level conjuncts of WHERE put on columns."""
    found: dict[ColumnRef, DateRange] = {}
    stack = [predicate] if predicate is not None else []
    while stack:
        node = stack.pop()
        if not isinstance(node, Call):
            continue
        if node.function == "and":
            stack.extend(node.arguments)
        elif node.function in _FLIPPED:
            _narrow(found, node)
    return found


def _narrow(found: dict[ColumnRef, DateRange], node: Call) -> None:
    left, right = node.arguments
    operator = node.function
    if isinstance(left, Literal):
        left, right, operator = right, left, _FLIPPED[operator]
    if isinstance(left, Call) and left.function == "to_date":
        left = left.arguments[0]
    if not isinstance(left, ColumnRef) or not isinstance(right, Literal):
        return
    if right.type not in (ColumnType.DATE, ColumnType.TIMESTAMP):
        return
    when = datetime.datetime.fromisoformat(str(right.value))
    day = when.date()
    first, last = found.get(left, (None, None))
    if operator in ("ge", "gt", "eq"):
        first = day if first is None else max(first, day)
    if operator in ("le", "lt", "eq"):
        # Nothing at or after midnight of the literal passes "<", so the day itself is not in the range.
        whole = operator == "lt" and when.time() == datetime.time() and day > datetime.date.min
        end = day - datetime.timedelta(days=1) if whole else day
        last = end if last is None else min(last, end)
    found[left] = (first, last)


def key_values(node: Expression, info: Info, ranges: Mapping[ColumnRef, DateRange]) -> tuple[Value, ...] | None:
    """The public values of a key in order, or None when it has none."""
    if info.values:
        days = _range_of(node, ranges) if info.type is ColumnType.DATE and isinstance(node, ColumnRef) else None
        if days is None:
            return tuple(value for value in info.values)
        # Days of a public calendar, of which WHERE keeps a literal range.
        first, last = (day.isoformat() for day in days)
        return tuple(value for value in info.values if first <= str(value) <= last) or None
    if isinstance(node, Call) and node.function == "date_trunc" and isinstance(node.arguments[0], Literal):
        days = _range_of(node.arguments[1], ranges)
        return _steps(str(node.arguments[0].value), *days) if days else None
    if isinstance(node, Call) and node.function == "to_date":
        days = _range_of(node.arguments[0], ranges)
        return _steps("day", *days) if days else None
    if isinstance(node, ColumnRef) and info.type is ColumnType.DATE:
        days = _range_of(node, ranges)
        return _steps("day", *days) if days else None
    if isinstance(node, Call) and node.function == "year":
        days = _range_of(node.arguments[0], ranges)
        return tuple(range(days[0].year, days[1].year + 1)) if days else None
    if isinstance(node, Call) and node.function == "coalesce":
        parts = [
            (argument.value,) if isinstance(argument, Literal) else key_values(argument, Info(info.type), ranges)
            for argument in node.arguments
        ]
        if all(part is not None for part in parts):
            return tuple(dict.fromkeys(value for part in parts for value in part or () if value is not None)) or None
    return None


def _range_of(node: Expression, ranges: Mapping[ColumnRef, DateRange]) -> tuple[datetime.date, datetime.date] | None:
    while isinstance(node, Call) and node.function in ("to_date", "date_trunc"):
        node = node.arguments[-1]
    if not isinstance(node, ColumnRef):
        return None
    first, last = ranges.get(node, (None, None))
    return (first, last) if first is not None and last is not None and first <= last else None


def truncate(unit: str, day: datetime.date) -> datetime.date:
    """First day of the unit that holds ``day`` (weeks start on Monday)."""
    if unit == "year":
        return day.replace(month=1, day=1)
    if unit == "quarter":
        return day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1)
    if unit == "month":
        return day.replace(day=1)
    if unit == "week":
        return datetime.date.fromordinal(max(day.toordinal() - day.weekday(), 1))
    return day


def _steps(unit: str, first: datetime.date, last: datetime.date) -> tuple[Value, ...] | None:
    if unit not in ("year", "quarter", "month", "week", "day"):
        return None
    found: list[Value] = []
    day = truncate(unit, first)
    while day <= last and len(found) <= MAX_STEPS:
        found.append(day.isoformat())
        longest = {"year": 366, "quarter": 92, "month": 31, "week": 7, "day": 1}[unit]
        if day > datetime.date.max - datetime.timedelta(days=longest + 1):
            break
        day = truncate(unit, day + datetime.timedelta(days=longest))
    return tuple(found) if len(found) <= MAX_STEPS else None
