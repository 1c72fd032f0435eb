"""Types, roles and public facts of expressions: shared by the text compiler and by the checker at every node.

Problems are reported, not raised, so that one pass finds them all; the reporter knows where each node was written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Protocol

from trustquery.catalogue.schema import ColumnType, Role
from trustquery.errors import nearest
from trustquery.language.functions import FUNCTIONS
from trustquery.language.types import NULL, Info, TypeMismatchError
from trustquery.model.nodes import Call, ColumnRef, Expression, Literal

__all__ = ["Report", "Scope", "infer", "literal_number", "unreported"]


class Named(Protocol):
    """A column as expressions see it: its role, its public facts, and for identifiers the catalogue's own name."""

    @property
    def name(self) -> str: ...
    @property
    def role(self) -> Role: ...
    @property
    def origin(self) -> str: ...
    @property
    def info(self) -> Info: ...


class Columns(Protocol):
    """The columns under one alias."""

    @property
    def name(self) -> str: ...
    @property
    def columns(self) -> tuple[Named, ...]: ...
    def column(self, name: str) -> Named | None: ...


Scope = Mapping[str, Columns]
"""Alias to columns."""

Report = Callable[..., None]
"""``report(code, node, **fields)``."""


def literal_number(literal: Literal) -> Fraction | None:
    """The exact value of a numeric literal, or None."""
    if literal.type in (ColumnType.INTEGER, ColumnType.NUMBER) and literal.value is not None:
        return Fraction(literal.value)
    return None


def unreported(*_: object, **__: object) -> None:
    """The report of who only wants facts about what has been checked before."""


def infer(node: Expression, scope: Scope, report: Report) -> Info:
    """Facts about ``node``; every violation of types or roles below it is reported.

    Args:
        node: the expression.
        scope: aliases in FROM.
        report: called with ``code, node, **fields``.
    """
    if isinstance(node, Literal):
        number = literal_number(node)
        coded = node.value is not None and node.type not in (ColumnType.NUMBER, ColumnType.TIMESTAMP)
        values = (node.value,) if coded and node.value is not None else None
        return Info(node.type, number, number, integral=number is not None and number.denominator == 1, values=values)
    if isinstance(node, ColumnRef):
        return _column(node, scope, report)
    row = FUNCTIONS[node.function]
    if all(result == Literal(None, None) for result in _results(node)):
        # NULL alone has no type, and an engine would choose one.
        report("query-type", node, what="the result", found="NULL", needed="a value", instead="give one result a value")
        return NULL
    if _joins_identifiers(node, scope):
        return row.rule([NULL, NULL], [None, None])
    # Of the column itself only: below another function an identifier could be compared with a value.
    bare = node.function == "is_null" and isinstance(node.arguments[0], ColumnRef)
    infos = [infer(argument, scope, _allow_missing(report) if bare else report) for argument in node.arguments]
    literals = [_literal_value(argument) for argument in node.arguments]
    try:
        return row.rule(infos, literals)
    except TypeMismatchError as error:
        report(
            "query-type", node, what=error.what, found=error.found or "NULL", needed=error.needed, instead=error.instead
        )
        return NULL


def _results(node: Call) -> tuple[Expression, ...]:
    """What the value of a call may be, where it is one of its arguments; else the call itself."""
    if node.function == "case":
        return (*node.arguments[1:-1:2], node.arguments[-1])
    return node.arguments if node.function == "coalesce" else (node,)


def _literal_value(node: Expression) -> int | str | bool | Fraction | None:
    if not isinstance(node, Literal):
        return None
    return Fraction(str(node.value)) if node.type is ColumnType.NUMBER else node.value


def _column(node: ColumnRef, scope: Scope, report: Report) -> Info:
    table = scope.get(node.alias)
    column = table.column(node.column) if table else None
    if table is None or column is None:
        names = [found.name for found in table.columns] if table else []
        report(
            "query-unknown-column",
            node,
            column=node.column,
            table=table.name if table else node.alias,
            nearest=nearest(node.column, names) or "one of its columns",
        )
        return NULL
    if column.role in (Role.PERSON_KEY, Role.JOIN_ONLY, Role.FORBIDDEN):
        report("query-column-forbidden", node, column=f"{node.alias}.{node.column}", role=column.role)
        return NULL
    return column.info


def _identifier(node: Expression, scope: Scope) -> str | None:
    """The catalogue's name of a join-only column, None for anything else."""
    if isinstance(node, ColumnRef) and node.alias in scope:
        column = scope[node.alias].column(node.column)
        return column.origin if column is not None and column.role is Role.JOIN_ONLY else None
    return None


def _joins_identifiers(node: Call, scope: Scope) -> bool:
    """Whether this is ``a.id = b.id`` for one join-only identifier of two tables of the same person."""
    if node.function != "eq":
        return False
    left, right = node.arguments
    name = _identifier(left, scope)
    if name is None or not isinstance(left, ColumnRef) or not isinstance(right, ColumnRef):
        return False
    return left.alias != right.alias and _identifier(right, scope) == name


def _allow_missing(report: Report) -> Report:
    """Whether an identifier is missing may be asked (data quality); what it is may not."""

    def lenient(code: str, node: Expression, **fields: object) -> None:
        if code != "query-column-forbidden" or fields.get("role") != Role.JOIN_ONLY:
            report(code, node, **fields)

    return lenient
