"""Relations of the query model: rows that each belong to one person, or to nobody.

Every node that combines rows about people does so within one person, by its meaning: no model can say otherwise.
Structure is checked here; types, and what is about people and what is public, in ``model.scope``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal as OneOf

from trustquery.catalogue.schema import ColumnType
from trustquery.model.nodes import (
    Expression,
    Literal,
    check_expression,
    check_fixed_point,
    check_name,
    check_optional,
    invalid,
)

__all__ = [
    "FOUND",
    "Derived",
    "Filter",
    "Frame",
    "Join",
    "Leaf",
    "Mark",
    "Named",
    "Order",
    "PerPerson",
    "PersonValue",
    "Relation",
    "Scan",
    "UnionAll",
    "Window",
    "Windows",
    "aliases",
    "column_names",
    "expressions",
    "leaves",
    "relations",
    "scans",
    "ties",
]

MAX_SCANS = 16
"""Tables of one FROM, and branches of one UNION ALL."""
MAX_RELATIONS = 100
"""Relations of one query, subqueries included."""
MAX_COLUMNS = 200
MAX_OFFSET = 100_000


@dataclass(frozen=True)
class Scan:
    """Rows of one table under an alias: a catalogue table, or a public table that the query pins."""

    alias: str
    table: str

    def __post_init__(self) -> None:
        check_name(self.alias)
        check_name(self.table)


@dataclass(frozen=True)
class Join:
    """Rows of two relations that belong to one person, and meet the condition.

    Between relations about people the equality of person keys is part of the node's meaning, so no model can express
    any other join. With a public relation on either side the condition alone joins.
    """

    left: Leaf | Join
    right: Leaf
    kind: OneOf["inner", "left", "right", "full"]
    condition: Expression | None = None

    def __post_init__(self) -> None:
        if self.kind not in ("inner", "left", "right", "full") or not isinstance(self.left, Leaf | Join):
            raise invalid()
        if not isinstance(self.right, Leaf):
            raise invalid()
        check_optional(self.condition)
        _distinct_aliases(self)


@dataclass(frozen=True)
class Filter:
    """Rows for which the predicate holds (NULL does not)."""

    source: Relation
    predicate: Expression

    def __post_init__(self) -> None:
        _relation(self.source)
        check_expression(self.predicate)


FOUND = "found"


@dataclass(frozen=True)
class Mark:
    """The rows of ``source`` with one more column, ``alias.found``: whether ``rows`` has a row that belongs to it.

    A row belongs when it is the same person's (or public) and meets the condition. ``found`` is never NULL. This is
    how EXISTS and IN (SELECT …) are said; rows keep their rank.
    """

    source: Relation
    alias: str
    rows: Relation
    condition: Expression | None = None

    def __post_init__(self) -> None:
        check_name(self.alias)
        _relation(self.source)
        _relation(self.rows)
        check_optional(self.condition)
        if (set(aliases(self.source)) | {self.alias}) & set(aliases(self.rows)):
            raise invalid()
        _distinct_aliases(self)


@dataclass(frozen=True)
class Order:
    """One ORDER BY item of a window."""

    expression: Expression
    descending: bool = False
    nulls_first: bool = False

    def __post_init__(self) -> None:
        check_expression(self.expression)
        if not isinstance(self.descending, bool) or not isinstance(self.nulls_first, bool):
            raise invalid()


@dataclass(frozen=True)
class Frame:
    """The rows of a window around a row.

    Attributes:
        mode: ``rows`` counts rows in the total order; ``range`` counts the one order key, days for dates.
        start: offset, negative for PRECEDING, 0 for the current row, None for unbounded.
        end: the same, ≥ start.
    """

    mode: OneOf["rows", "range"]
    start: int | None
    end: int | None

    def __post_init__(self) -> None:
        ends = [end for end in (self.start, self.end) if end is not None]
        if self.mode not in ("rows", "range") or not all(type(e) is int and abs(e) <= MAX_OFFSET for e in ends):
            raise invalid()
        if self.start is not None and self.end is not None and self.start > self.end:
            raise invalid()


VALUE_WINDOWS = ("first_value", "last_value", "nth_value")
AGGREGATE_WINDOWS = ("count", "sum", "avg", "min", "max")
PEER_WINDOWS = ("rank", "dense_rank")
_WINDOW_ARGUMENTS = {
    "row_number": (0, 0), "rank": (0, 0), "dense_rank": (0, 0), "ntile": (1, 1), "lag": (2, 3), "lead": (2, 3),
    "first_value": (1, 1), "last_value": (1, 1), "nth_value": (2, 2), "count": (0, 1), "sum": (1, 1), "avg": (1, 1),
    "min": (1, 1), "max": (1, 1),
}  # fmt: skip
_COUNTS = {"ntile": 0, "lag": 1, "lead": 1, "nth_value": 1}
"""Which argument is a literal number of rows."""


@dataclass(frozen=True)
class Window:
    """A window function over the rows of one person; the person key is always part of its partition.

    Attributes:
        arguments: of lag and lead: value, offset, and a default; of ntile and nth_value the count comes last.
        partition: further expressions.
        frame: of aggregates and first, last, nth value; None for the others.
        fraction_bits: f; sums and averages are of floor(x·2^f + 0.5), between ``lo`` and ``hi``.
    """

    name: str
    function: str
    arguments: tuple[Expression, ...] = ()
    partition: tuple[Expression, ...] = ()
    order: tuple[Order, ...] = ()
    frame: Frame | None = None
    fraction_bits: int = 0
    lo: int = 0
    hi: int = 0

    def __post_init__(self) -> None:
        check_name(self.name)
        fewest, most = _WINDOW_ARGUMENTS.get(self.function, (1, 0))
        if not fewest <= len(self.arguments) <= most:
            raise invalid()
        for part in (*self.arguments, *self.partition):
            check_expression(part)
        if not all(isinstance(item, Order) for item in self.order):
            raise invalid()
        self._check_frame()
        self._check_literals()
        check_fixed_point(self.fraction_bits, self.lo, self.hi, used=self.function in ("sum", "avg"))

    def _check_frame(self) -> None:
        framed = self.function in (*AGGREGATE_WINDOWS, *VALUE_WINDOWS)
        if framed != isinstance(self.frame, Frame) or (self.function in PEER_WINDOWS and not self.order):
            raise invalid()
        measured = self.frame is not None and self.frame.mode == "range" and (self.frame.start or self.frame.end)
        # A distance needs one key to be measured along, and forwards.
        if measured and (len(self.order) != 1 or self.order[0].descending):
            raise invalid()

    def _check_literals(self) -> None:
        if self.function in _COUNTS:
            number = self.arguments[_COUNTS[self.function]]
            if not isinstance(number, Literal) or number.type is not ColumnType.INTEGER:
                raise invalid()
            least = 0 if self.function in ("lag", "lead") else 1
            if not isinstance(number.value, int) or not least <= number.value <= MAX_OFFSET:
                raise invalid()
        if len(self.arguments) == 3 and not isinstance(self.arguments[2], Literal):
            raise invalid()


@dataclass(frozen=True)
class Windows:
    """The rows of ``source`` with window columns under an alias; rows keep their rank."""

    source: Relation
    alias: str
    columns: tuple[Window, ...]

    def __post_init__(self) -> None:
        check_name(self.alias)
        _relation(self.source)
        _named(self.columns, Window, least=1)
        _distinct_aliases(self)


@dataclass(frozen=True)
class Named:
    """An expression under a name."""

    name: str
    expression: Expression

    def __post_init__(self) -> None:
        check_name(self.name)
        check_expression(self.expression)


@dataclass(frozen=True)
class Derived:
    """A subquery: the rows of ``source`` as new columns under one alias; rows keep person and rank."""

    alias: str
    source: Relation
    columns: tuple[Named, ...]

    def __post_init__(self) -> None:
        check_name(self.alias)
        _relation(self.source)
        _named(self.columns, Named, least=0)


PERSON_VALUES = ("count", "count_distinct", "sum", "avg", "min", "max", "any", "every")


@dataclass(frozen=True)
class PersonValue:
    """A figure of one person's rows, exact and never released as it is.

    Attributes:
        argument: None for ``count(*)`` only.
        filter: rows it is about; None for all.
        fraction_bits: f; sums and averages are of floor(x·2^f + 0.5), between ``lo`` and ``hi``.
    """

    name: str
    kind: str
    argument: Expression | None = None
    filter: Expression | None = None
    fraction_bits: int = 0
    lo: int = 0
    hi: int = 0

    def __post_init__(self) -> None:
        check_name(self.name)
        check_optional(self.argument)
        check_optional(self.filter)
        if self.kind not in PERSON_VALUES or (self.argument is None and self.kind != "count"):
            raise invalid()
        check_fixed_point(self.fraction_bits, self.lo, self.hi, used=self.kind in ("sum", "avg"))


@dataclass(frozen=True)
class PerPerson:
    """GROUP BY the person key and ``keys``: one row for each person and key, with the rank of its lowest row."""

    alias: str
    source: Relation
    keys: tuple[Named, ...]
    values: tuple[PersonValue, ...]

    def __post_init__(self) -> None:
        check_name(self.alias)
        _relation(self.source)
        _named(self.keys, Named, least=0)
        _named(self.values, PersonValue, least=0)
        if {key.name for key in self.keys} & {value.name for value in self.values}:
            raise invalid()


@dataclass(frozen=True)
class UnionAll:
    """The rows of several subqueries with the same columns; the branch number comes first in ties of rank."""

    alias: str
    branches: tuple[Derived | PerPerson, ...]

    def __post_init__(self) -> None:
        check_name(self.alias)
        if not isinstance(self.branches, tuple) or not 2 <= len(self.branches) <= MAX_SCANS:
            raise invalid()
        if not all(isinstance(branch, Derived | PerPerson) for branch in self.branches):
            raise invalid()
        if len({column_names(branch) for branch in self.branches}) != 1:
            raise invalid()


Leaf = Scan | Derived | PerPerson | UnionAll
Relation = Leaf | Join | Filter | Mark | Windows


def _relation(node: object) -> None:
    if not isinstance(node, Relation):
        raise invalid()


def _named(items: object, kind: type, *, least: int) -> None:
    if not isinstance(items, tuple) or not all(isinstance(item, kind) for item in items):
        raise invalid()
    names = [item.name for item in items]
    if len(set(names)) != len(names) or not least <= len(names) <= MAX_COLUMNS:
        raise invalid()


def _distinct_aliases(node: Relation) -> None:
    names = aliases(node)
    if len(set(names)) != len(names) or len(leaves(node)) > MAX_SCANS:
        raise invalid()


def column_names(node: Derived | PerPerson) -> tuple[str, ...]:
    """Names of a subquery's columns, in order."""
    if isinstance(node, Derived):
        return tuple(column.name for column in node.columns)
    return (*(key.name for key in node.keys), *(value.name for value in node.values))


def aliases(node: Relation) -> tuple[str, ...]:
    """Aliases that expressions above the node may use, in FROM order."""
    if isinstance(node, Leaf):
        return (node.alias,)
    if isinstance(node, Join):
        return (*aliases(node.left), node.right.alias)
    if isinstance(node, Filter):
        return aliases(node.source)
    return (*aliases(node.source), node.alias)


def leaves(node: Relation) -> tuple[Leaf, ...]:
    """The joined leaves that give a row its rank, in FROM order."""
    if isinstance(node, Leaf):
        return (node,)
    if isinstance(node, Join):
        return (*leaves(node.left), node.right)
    return leaves(node.source)


def ties(node: Relation) -> int:
    """How many ordinals break ties of u: one for each joined scan, and one for each UNION ALL above them."""
    if isinstance(node, Scan):
        return 1
    if isinstance(node, Join):
        return ties(node.left) + ties(node.right)
    if isinstance(node, UnionAll):
        return 1 + max(ties(branch) for branch in node.branches)
    return ties(node.source)


def relations(node: Relation) -> Iterator[Relation]:
    """The node and every relation below it, parents first, in FROM order."""
    stack: list[Relation] = [node]
    while stack:
        found = stack.pop()
        yield found
        if isinstance(found, Join):
            stack += [found.right, found.left]
        elif isinstance(found, Mark):
            stack += [found.rows, found.source]
        elif isinstance(found, UnionAll):
            stack += reversed(found.branches)
        elif not isinstance(found, Scan):
            stack.append(found.source)


def scans(relation: Relation) -> tuple[Scan, ...]:
    """Every scan, subqueries included, in FROM order."""
    return tuple(node for node in relations(relation) if isinstance(node, Scan))


def own_expressions(node: Relation) -> Iterator[Expression]:
    """The scalar expressions of one node, without those of the relations below it."""
    if isinstance(node, Filter):
        yield node.predicate
    elif isinstance(node, Join | Mark):
        if node.condition is not None:
            yield node.condition
    elif isinstance(node, Windows):
        for window in node.columns:
            yield from (*window.arguments, *window.partition, *(item.expression for item in window.order))
    elif isinstance(node, Derived):
        yield from (column.expression for column in node.columns)
    elif isinstance(node, PerPerson):
        yield from (key.expression for key in node.keys)
        for value in node.values:
            yield from (part for part in (value.argument, value.filter) if part is not None)


def expressions(relation: Relation) -> Iterator[Expression]:
    """Every scalar expression of a relation and of those below it."""
    for node in relations(relation):
        yield from own_expressions(node)
