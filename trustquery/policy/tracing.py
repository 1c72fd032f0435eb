"""What a query does with each column of the catalogue, and how fine the dates are that it groups by.

Keys are followed through subqueries, unions, windows and look-ups back to the catalogue's columns. Whatever cannot be
followed counts as every use, and as a date to the second: the policy then refuses it unless it allows everything.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal as OneOf

from trustquery.catalogue.schema import ColumnType
from trustquery.model.nodes import Call, ColumnRef, Expression, Literal
from trustquery.policy.asking import GRAINS, Grain

__all__ = ["LOST", "NOTHING", "Origin", "Scope", "Trace", "join", "trace"]

Shown = OneOf["itself", "band", "count"]


@dataclass(frozen=True)
class Origin:
    """A column of the catalogue that a value comes from.

    Attributes:
        role: the catalogue's.
        shown: whether the value is the column's own, a band or condition of it, or only how often it is there.
        grain: how fine the dates are that the value tells; None where it tells none.
    """

    table: str
    column: str
    role: str
    shown: Shown = "itself"
    grain: Grain | None = None


@dataclass(frozen=True)
class Trace:
    """Where a value comes from.

    Attributes:
        constant: whether something public is mixed in that a date could be compared with.
    """

    origins: frozenset[Origin] = frozenset()
    constant: bool = False

    def banded(self) -> Trace:
        """The same, when only a band or condition of it is told."""
        return self._each(lambda origin: origin if origin.shown == "count" else replace(origin, shown="band"))

    def counted(self) -> Trace:
        """The same, when only how often it is there is told."""
        return self._each(lambda origin: replace(origin, shown="count", grain=None))

    def undated(self) -> Trace:
        """The same, when no date is told."""
        return self._each(lambda origin: replace(origin, grain=None))

    def no_finer(self, grain: Grain) -> Trace:
        """The same, when dates are told no finer than ``grain``."""
        return self._each(
            lambda origin: origin if origin.grain is None else replace(origin, grain=_coarser(origin.grain, grain))
        )

    def _each(self, change: Callable[[Origin], Origin]) -> Trace:
        return Trace(frozenset(change(origin) for origin in self.origins), self.constant)


NOTHING = Trace()
PUBLIC = Trace(constant=True)
LOST = Trace(frozenset({Origin("unknown", "unknown", "forbidden", "itself", "time")}), constant=True)
"""What could not be followed."""
Scope = Mapping[str, Mapping[str, Trace] | Trace]
"""Alias to columns; or to one trace that stands for every column of it."""

_PARTS: Mapping[str, Grain] = {
    "year": "year", "quarter": "quarter", "month": "month", "week": "week", "day": "day", "isodow": "day",
    "dayofyear": "day", "hour": "time", "minute": "time", "second": "time", "hour_of_week": "time",
}  # fmt: skip
_COMPARISONS = frozenset({"eq", "ne", "lt", "le", "gt", "ge", "is_distinct", "in"})
_CONDITIONS = frozenset({"and", "or", "not", "starts_with", "ends_with", "contains", "like"})


def _coarser(one: Grain, other: Grain) -> Grain:
    return min(one, other, key=GRAINS.index)


def join(traces: Iterable[Trace]) -> Trace:
    """Where a value comes from that several made."""
    found = list(traces)
    return Trace(frozenset().union(*(item.origins for item in found)), any(item.constant for item in found))


def trace(node: Expression, scope: Scope) -> Trace:
    """Where the value of an expression comes from."""
    if isinstance(node, ColumnRef):
        columns = scope.get(node.alias, LOST)
        return columns if isinstance(columns, Trace) else columns.get(node.column, LOST)
    if isinstance(node, Literal):
        return NOTHING if node.type is None else PUBLIC
    return _call(node, [trace(argument, scope) for argument in node.arguments])


def _call(node: Call, parts: list[Trace]) -> Trace:
    name, whole = node.function, join(parts)
    if name in _PARTS:
        return whole.no_finer(_PARTS[name]).banded()
    if name in ("date_trunc", "last_day"):
        unit = _unit(node) if name == "date_trunc" else "month"
        return join(parts[1:] if name == "date_trunc" else parts).no_finer(unit).banded()
    if name == "to_date":
        return whole.no_finer("day")
    if name in ("date_diff", "age_years", "overlap_days"):
        return _duration(node, parts)
    if name in ("date_add", "timestamp_add"):
        return join(parts[2:])
    if name in _COMPARISONS:
        return _comparison(node, parts)
    if name == "is_null":
        return whole.undated().banded()
    if name == "case":
        return _case(parts)
    if name in ("band", "age_band"):
        return whole.banded()
    return whole.banded() if name in _CONDITIONS else whole


def _unit(node: Call) -> Grain:
    """The unit that a function names; what is not one of ours is as fine as can be."""
    first = node.arguments[0]
    value = first.value if isinstance(first, Literal) else None
    return next((grain for grain in GRAINS if grain == value), "time")


def _duration(node: Call, parts: list[Trace]) -> Trace:
    """Between two dates of the record itself there is no date; to a date that everybody knows there is one."""
    dates = parts[1:] if node.function == "date_diff" else parts
    found = join(dates)
    if not found.constant:
        return found.undated().banded()
    if node.function == "overlap_days":
        return found
    return found.no_finer(_unit(node) if node.function == "date_diff" else "year")


def _case(parts: list[Trace]) -> Trace:
    """Conditions tell bands; results are shown as they are."""
    results = [*parts[1:-1:2], parts[-1]]
    conditions = [part.banded() for part in parts[0:-1:2]]
    found = join([*results, *conditions])
    return replace(found, constant=any(part.constant for part in results))


def _comparison(node: Call, parts: list[Trace]) -> Trace:
    """A condition. Against dates of the record itself it tells no date; against a public one, as fine as that cuts."""
    found = join(parts).banded()
    if not found.constant:
        return found.undated()
    cut = _cut(node)
    return replace(found if cut is None else found.no_finer(cut), constant=False)


def _cut(node: Call) -> Grain | None:
    """How fine a literal date cuts: at the first of a year, quarter, month or week, or within one."""
    if node.function not in ("lt", "le", "gt", "ge"):
        return None
    left, right = node.arguments
    literal, flipped = (left, True) if isinstance(left, Literal) else (right, False)
    if not isinstance(literal, Literal) or literal.type not in (ColumnType.DATE, ColumnType.TIMESTAMP):
        return None
    moment = datetime.datetime.fromisoformat(str(literal.value))
    # d <= 31 December and d > 31 December cut where the next day begins; among timestamps they do not.
    after = node.function in ("le", "gt") if not flipped else node.function in ("ge", "lt")
    if after and literal.type is ColumnType.DATE:
        try:
            moment += datetime.timedelta(days=1)
        except OverflowError:
            return None
    elif after:
        return None
    return _begins(moment)


def _begins(moment: datetime.datetime) -> Grain:
    if moment.time() != datetime.time():
        return "time"
    if moment.day != 1:
        return "week" if moment.isoweekday() == 1 else "day"
    if moment.month == 1:
        return "year"
    return "quarter" if moment.month in (4, 7, 10) else "month"
