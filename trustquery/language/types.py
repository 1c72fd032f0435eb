"""What is known of an expression before any data are read: type, interval, public values, dependence."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from fractions import Fraction

from trustquery.catalogue.schema import Column, ColumnType, Table

__all__ = ["BOOLEAN", "NULL", "Info", "TypeMismatchError", "column_info", "common_type", "union"]

Value = int | str | bool


class TypeMismatchError(Exception):
    """An argument has the wrong type: says which is needed and a legal form."""

    def __init__(self, what: str, found: ColumnType | None, needed: str, instead: str) -> None:
        super().__init__(needed)
        self.what, self.found, self.needed, self.instead = what, found, needed, instead


@dataclass(frozen=True)
class Info:
    """Public facts about an expression.

    Attributes:
        type: one of the six column types, or None for the literal NULL.
        lo: smallest finite value it can take, None when unbounded (numeric types only).
        hi: largest.
        integral: every finite value is a whole number.
        values: finite public domain, in order, where there is one.
        person_only: depends only on tables with one row a person, so it is the same on all rows of a person.
    """

    type: ColumnType | None
    lo: Fraction | None = None
    hi: Fraction | None = None
    integral: bool = False
    values: tuple[Value, ...] | None = None
    person_only: bool = True

    @property
    def numeric(self) -> bool:
        """Integer or number."""
        return self.type in (ColumnType.INTEGER, ColumnType.NUMBER)

    @property
    def temporal(self) -> bool:
        """Date or timestamp."""
        return self.type in (ColumnType.DATE, ColumnType.TIMESTAMP)

    @property
    def bounded(self) -> bool:
        """Both ends of the interval are known."""
        return self.lo is not None and self.hi is not None

    def after(self, others: Iterable[Info]) -> Info:
        """The same facts, of a value computed from ``others``."""
        return replace(self, person_only=all(other.person_only for other in others))


NULL = Info(None)
BOOLEAN = Info(ColumnType.BOOLEAN, values=(True, False))


def column_info(column: Column, table: Table) -> Info:
    """Facts that the catalogue declares; generated plans enforce what the privacy proof needs of them."""
    lo, hi = (Fraction(column.bounds[0]), Fraction(column.bounds[1])) if column.bounds else (None, None)
    values = tuple(item.value for item in column.domain) if column.domain else None
    if column.type is ColumnType.BOOLEAN and values is None:
        values = (True, False)
    return Info(
        column.type,
        lo,
        hi,
        integral=column.type is ColumnType.INTEGER,
        values=values,
        person_only=table.one_row_per_person,
    )


def common_type(infos: Iterable[Info], what: str) -> ColumnType | None:
    """The type that all values can have: integers widen to numbers, dates to timestamps."""
    found: ColumnType | None = None
    for info in infos:
        kind = info.type
        if kind is None or kind is found:
            continue
        pair = {found, kind}
        if found is None:
            found = kind
        elif pair == {ColumnType.INTEGER, ColumnType.NUMBER}:
            found = ColumnType.NUMBER
        elif pair == {ColumnType.DATE, ColumnType.TIMESTAMP}:
            found = ColumnType.TIMESTAMP
        else:
            raise TypeMismatchError(what, kind, str(found), f"give {what} values of one type")
    return found


def union(infos: list[Info], what: str) -> Info:
    """Facts of a value that is one of several (CASE, coalesce)."""
    kind = common_type(infos, what)
    known = [info for info in infos if info.type is not None]
    values: tuple[Value, ...] | None = None
    if known and all(info.values is not None for info in known):
        values = tuple(dict.fromkeys(value for info in known for value in info.values or ()))
    bounded = bool(known) and all(info.bounded for info in known)
    return Info(
        kind,
        min(info.lo for info in known if info.lo is not None) if bounded else None,
        max(info.hi for info in known if info.hi is not None) if bounded else None,
        integral=bool(known) and all(info.integral for info in known),
        values=values,
    ).after(infos)
