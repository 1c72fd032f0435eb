"""The value of an expression over released figures, keys and literals. Total: no input makes it fail.

Values are None (NULL), plain Python values (of keys and literals), ``OTHER`` (a key's *other* cell: a value, but none
of the list) and figures. Logic is three-valued, and a comparison with NULL, OTHER or an undefined figure is NULL.

A suppressed figure is a value of its own, neither NULL nor a number. Whatever needs it to be worked out is suppressed
as well: arithmetic, a comparison, IS NULL, COALESCE, a CASE whose condition depends on it. Only a logic that another
part decides (``true OR …``) is decided.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

from trustquery.catalogue.schema import ColumnType
from trustquery.model.nodes import AggregateRef, FieldRef, KeyRef, Literal, OutputCall, OutputExpression
from trustquery.outputs.figures import UNDEFINED, Figure, constant, extreme, suppressed
from trustquery.outputs.table import KeyCell

__all__ = ["OTHER", "Cell", "Value", "evaluate", "holds", "is_suppressed", "value_of_cell"]


class _Other:
    """The value of a key's *other* cell."""


OTHER: Final = _Other()
Value = None | bool | int | str | Figure | _Other
Cell = KeyCell | Figure | None
"""What stands in a row: a key, a figure, or nothing."""

Look = Callable[[KeyRef | AggregateRef | FieldRef | OutputCall], Value]
"""The value of a reference, and of a call that reads histograms."""

HISTOGRAM_FUNCTIONS = ("quantile", "bin", "bin_count", "at_risk", "survival")


def value_of_cell(cell: Cell) -> Value:
    """A cell as a value."""
    if isinstance(cell, KeyCell):
        if cell.kind == "value":
            return cell.value
        if cell.kind == "suppressed":
            return suppressed("made-of-suppressed")
        return None if cell.kind == "missing" else OTHER
    return cell


def holds(node: OutputExpression, look: Look) -> bool:
    """Whether a condition is true; NULL is not."""
    return evaluate(node, look) is True


def evaluate(node: OutputExpression, look: Look) -> Value:
    """The value of an expression."""
    if isinstance(node, Literal):
        if node.type in (ColumnType.INTEGER, ColumnType.NUMBER) and node.value is not None:
            return constant(float(node.value))
        return node.value
    if not isinstance(node, OutputCall) or node.function in HISTOGRAM_FUNCTIONS:
        return look(node)
    name = node.function
    if name == "case":
        for place in range(0, len(node.arguments) - 1, 2):
            found = evaluate(node.arguments[place], look)
            if found is True:
                return evaluate(node.arguments[place + 1], look)
            if is_suppressed(found):
                return suppressed("made-of-suppressed")
        return evaluate(node.arguments[-1], look)
    values = [evaluate(argument, look) for argument in node.arguments]
    if name in ("and", "or"):
        decisive = name == "or"
        if any(value is decisive for value in values):
            return decisive
        if any(map(is_suppressed, values)):
            return suppressed("made-of-suppressed")
        return None if any(not isinstance(value, bool) for value in values) else not decisive
    if name in _LOOKS_FIRST and is_suppressed(values[0]):
        return suppressed("made-of-suppressed")
    if name == "not":
        return not values[0] if isinstance(values[0], bool) else None
    if name == "is_null":
        return _missing(values[0])
    if name == "coalesce":
        return next((value for value in values if not _missing(value)), values[-1])
    if name in ("greatest", "least"):
        return _extreme(values, largest=name == "greatest")
    if name in _COMPARISONS:
        return _compare(name, values[0], values[1])
    if name == "nullif":
        same = _compare("eq", values[0], values[1])
        return same if is_suppressed(same) else None if same is True else values[0]
    if name == "in":
        each = [_compare("eq", values[0], value) for value in values[1:]]
        return True if True in each else None if None in each else False
    return _arithmetic(name, values)


_LOOKS_FIRST = ("not", "is_null", "in")
"""Functions that are nothing without their first argument."""


def is_suppressed(value: object) -> bool:
    """Whether a disclosure profile withholds a value."""
    return isinstance(value, Figure) and bool(value.suppressed)


def _missing(value: Value) -> bool:
    return value is None or (isinstance(value, Figure) and value.value is None and not value.suppressed)


def number_of(value: Value) -> Figure | None:
    """A number as a figure; NULL where there is none."""
    if isinstance(value, Figure):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return constant(float(value))
    if isinstance(value, str):  # a key that is a number with a fraction stands as its text
        try:
            return constant(float(value))
        except ValueError:
            return None
    return None


def _extreme(values: list[Value], *, largest: bool) -> Value:
    """NULLs are left out, as in DuckDB; an undefined figure makes the result undefined."""
    if any(map(is_suppressed, values)):
        return suppressed("made-of-suppressed")
    known = [value for value in values if value is not None]
    if any(value is OTHER for value in known) or not known:
        return None
    texts = any(isinstance(value, str | bool) for value in known)
    figures = [] if texts else [found for value in known if (found := number_of(value)) is not None]
    if figures:
        return extreme(figures, largest=largest)
    pick = max if largest else min
    return pick(known, key=str)


def _plain(value: Value) -> int | float | str | bool | None:
    if isinstance(value, Figure):
        return value.value
    return None if isinstance(value, _Other) else value


_COMPARISONS: dict[str, Callable[[int], bool]] = {
    "eq": lambda order: order == 0,
    "ne": lambda order: order != 0,
    "lt": lambda order: order < 0,
    "le": lambda order: order <= 0,
    "gt": lambda order: order > 0,
    "ge": lambda order: order >= 0,
}


def _compare(name: str, left: Value, right: Value) -> bool | Figure | None:
    if is_suppressed(left) or is_suppressed(right):
        return suppressed("made-of-suppressed")
    one, other = _plain(left), _plain(right)
    if one is None or other is None:
        return None
    if isinstance(one, str) != isinstance(other, str):
        return None
    order = (one > other) - (one < other)  # type: ignore[operator]
    return _COMPARISONS[name](order)


def _arithmetic(name: str, values: list[Value]) -> Figure | None:
    if any(map(is_suppressed, values)):
        return suppressed("made-of-suppressed")
    figures = [number_of(value) for value in values]
    known = [figure for figure in figures if figure is not None]
    if len(known) < len(figures):
        return None
    if any(figure.value is None for figure in known):
        return UNDEFINED
    first, *rest = known
    if name in ("add", "sub"):
        return first.plus(rest[0], 1.0 if name == "add" else -1.0)
    if name == "mul":
        return first.times(rest[0])
    if name == "div":
        return first.over(rest[0])
    if name == "neg":
        return first.times_number(-1.0)
    if name == "abs":
        return first.absolute()
    if name == "sqrt":
        return first.root()
    if name == "round":
        return first.rounded(int(rest[0].value or 0))
    low, high = (bound.value if bound.value is not None else math.nan for bound in rest)
    return first.clamped(low, high)
