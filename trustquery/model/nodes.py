"""Expressions, keys, aggregates and outputs of the query model: frozen, and validated when built.

An invalid node cannot exist.

Structure is checked here (names, forms, sizes, known functions); types and privacy in ``planning.checker``,
which sees the catalogue.
"""

from __future__ import annotations

import bisect
import datetime
import itertools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Literal as OneOf

from trustquery.catalogue.schema import ColumnType
from trustquery.errors import TrustQueryError
from trustquery.language.functions import FUNCTIONS

__all__ = [
    "BIN_FUNCTIONS",
    "OUTPUT_FUNCTIONS",
    "Aggregate",
    "AggregateRef",
    "Bins",
    "Call",
    "ColumnRef",
    "Expression",
    "FieldRef",
    "Key",
    "KeyKind",
    "KeyRef",
    "Literal",
    "Output",
    "OutputCall",
    "OutputExpression",
    "check_expression",
    "check_fixed_point",
    "check_name",
    "check_optional",
    "conjuncts",
    "depth_of",
    "invalid",
    "output_depth",
    "references",
    "walk",
    "walk_output",
]

_IDENTIFIER = re.compile(r"[a-z][a-z0-9_]{0,62}")
MAX_INTEGER = 2**53 - 1
MAX_TEXT = 200
MAX_FRACTION_BITS = 20
MAX_KEY_VALUES = 50_000
MAX_DEPTH = 40
"""Calls inside one another: engines and the canonical encoding recurse, and an accepted query must run."""
MAX_BINS = 1_000


def invalid() -> TrustQueryError:
    """The one refusal for a model that no compiler of ours writes."""
    return TrustQueryError("query-model-invalid")


def check_name(text: object) -> None:
    """Refuse anything that is not a plain lower-case identifier."""
    if not isinstance(text, str) or not _IDENTIFIER.fullmatch(text):
        raise invalid()


@dataclass(frozen=True)
class ColumnRef:
    """A column of one scan, by the scan's alias."""

    alias: str
    column: str

    def __post_init__(self) -> None:
        check_name(self.alias)
        check_name(self.column)


@dataclass(frozen=True)
class Literal:
    """A literal. Numbers are decimal text, dates and timestamps ISO 8601 text; type None is NULL."""

    type: ColumnType | None
    value: int | str | bool | None

    def __post_init__(self) -> None:
        if not _literal_is_valid(self.type, self.value):
            raise invalid()


def _literal_is_valid(kind: ColumnType | None, value: object) -> bool:
    if kind is None:
        return value is None
    if kind is ColumnType.BOOLEAN:
        return isinstance(value, bool)
    if kind is ColumnType.INTEGER:
        return type(value) is int and abs(value) <= MAX_INTEGER
    if not isinstance(value, str) or len(value) > MAX_TEXT:
        return False
    try:
        if kind is ColumnType.DATE:
            return datetime.date.fromisoformat(value).isoformat() == value
        if kind is ColumnType.TIMESTAMP:
            found = datetime.datetime.fromisoformat(value)
            return found.tzinfo is None and found.isoformat() == value
        if kind is ColumnType.NUMBER:
            number = Decimal(value)
            return number.is_finite() and str(number) == value and abs(number) <= MAX_INTEGER and len(value) <= 40
    except (ValueError, InvalidOperation):
        return False
    return "\0" not in value


@dataclass(frozen=True)
class Call:
    """A scalar function of the one table, applied."""

    function: str
    arguments: tuple[Expression, ...]

    def __post_init__(self) -> None:
        row = FUNCTIONS.get(self.function)
        if row is None or not isinstance(self.arguments, tuple):
            raise invalid()
        fewest, most = row.arity
        count = len(self.arguments)
        if count < fewest or (most is not None and count > most) or (self.function == "case" and count % 2 == 0):
            raise invalid()
        for place, argument in enumerate(self.arguments):
            if not isinstance(argument, ColumnRef | Literal | Call):
                raise invalid()
            must = place > 0 if row.literals == "rest" else place in row.literals
            if must and not isinstance(argument, Literal):
                raise invalid()


Expression = ColumnRef | Literal | Call


def check_expression(node: object) -> None:
    """Refuse anything that is not a scalar expression."""
    if not isinstance(node, ColumnRef | Literal | Call):
        raise invalid()


def check_optional(node: object) -> None:
    """Refuse anything that is neither None nor a scalar expression."""
    if node is not None:
        check_expression(node)


def check_fixed_point(bits: object, lo: object, hi: object, *, used: bool) -> None:
    """Refuse a precision and bounds that are not whole numbers in range, or that are given where none are used."""
    if not (type(bits) is int and type(lo) is int and type(hi) is int):
        raise invalid()
    if not used and (bits or lo or hi):
        raise invalid()
    if not 0 <= bits <= MAX_FRACTION_BITS or not -MAX_INTEGER <= lo <= hi <= MAX_INTEGER:
        raise invalid()


def depth_of(expression: Expression) -> int:
    """How many calls stand inside one another, 0 for a column or literal."""
    deepest = 0
    stack = [(expression, 0)]
    while stack:
        node, above = stack.pop()
        if isinstance(node, Call):
            deepest = max(deepest, above + 1)
            stack.extend((argument, above + 1) for argument in node.arguments)
    return deepest


def walk(expression: Expression) -> Iterator[Expression]:
    """The expression and all below it, parents first."""
    stack: list[Expression] = [expression]
    while stack:
        node = stack.pop()
        yield node
        if isinstance(node, Call):
            stack.extend(reversed(node.arguments))


def references(parts: Iterable[Expression]) -> set[ColumnRef]:
    """Columns that expressions name."""
    return {node for part in parts for node in walk(part) if isinstance(node, ColumnRef)}


def conjuncts(condition: Expression | None) -> list[Expression]:
    """Conditions that must all hold for this one to hold, from left to right; none where there is no condition."""
    found: list[Expression] = []
    stack = [] if condition is None else [condition]
    while stack:
        node = stack.pop()
        if isinstance(node, Call) and node.function == "and":
            stack.extend(reversed(node.arguments))
        else:
            found.append(node)
    return found


KeyKind = OneOf["public", "unknown", "trust"]


@dataclass(frozen=True)
class Key:
    """A grouping key with its public values, written out; *other* and *missing* are always added.

    Attributes:
        kind: ``unknown`` has no values: those found in the data are released by threshold (``model.unknown``).
            ``trust`` is the trust that answers: its values are the names of the trusts asked, and its expression is
            NULL until a trust puts its own name there (``model.trusts``).
    """

    name: str
    expression: Expression
    type: ColumnType
    values: tuple[int | str | bool, ...]
    kind: KeyKind = "public"

    def __post_init__(self) -> None:
        check_name(self.name)
        check_expression(self.expression)
        if self.kind == "unknown":
            if self.values != () or self.type not in (ColumnType.TEXT, ColumnType.INTEGER):
                raise invalid()
            return
        if self.kind not in ("public", "trust"):
            raise invalid()
        if self.kind == "trust" and (self.expression != Literal(None, None) or self.type is not ColumnType.TEXT):
            raise invalid()
        if self.type in (ColumnType.NUMBER, ColumnType.TIMESTAMP) or not isinstance(self.values, tuple):
            raise invalid()
        if not 1 <= len(self.values) <= MAX_KEY_VALUES or len(set(self.values)) != len(self.values):
            raise invalid()
        if not all(_literal_is_valid(self.type, value) for value in self.values):
            raise invalid()


@dataclass(frozen=True)
class Bins:
    """Public bins of a histogram: where they are cut, chosen before any data are read.

    Bin i holds the values x with cuts[i-1] <= x < cuts[i], compared as IEEE doubles; the first bin holds all below the
    first cut and the last all at or above the last cut, so every value that is not NULL falls in exactly one bin.

    Attributes:
        cuts: decimal text in the argument's own unit, strictly rising; at most ``MAX_BINS`` - 1 of them.
        ends: public bounds of the argument, which close the first and last bin (values outside count as the bound);
            None where the bins are the user's own, and the outer two are open.
        whole: every value is a whole number, so that what is read out is one too.
    """

    cuts: tuple[str, ...]
    ends: tuple[str, str] | None = None
    whole: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.cuts, tuple) or len(self.cuts) >= MAX_BINS or type(self.whole) is not bool:
            raise invalid()
        if self.ends is None and not self.cuts:
            raise invalid()
        if self.ends is not None and (not isinstance(self.ends, tuple) or len(self.ends) != 2):
            raise invalid()
        points = [self.ends[0], *self.cuts, self.ends[1]] if self.ends is not None else list(self.cuts)
        if not all(_literal_is_valid(ColumnType.NUMBER, point) for point in points):
            raise invalid()
        places = [float(point) for point in points]
        if places[:1] == places[1:] and not self.cuts:
            return  # a constant has one bin, whose ends meet
        # The last bin may hold one value alone: its cut is then the upper bound itself.
        closed = places[:-1] if self.ends is not None and self.cuts else places
        rising = all(one < other for one, other in itertools.pairwise(closed))
        if not rising or (self.ends is not None and self.cuts and places[-2] > places[-1]):
            raise invalid()

    @property
    def count(self) -> int:
        """Number of bins."""
        return len(self.cuts) + 1

    def place(self, value: float) -> int:
        """The bin of a value, from 0."""
        return bisect.bisect_right([float(cut) for cut in self.cuts], value)


@dataclass(frozen=True)
class Aggregate:
    """One statistic over the bounded rows of each cell.

    Attributes:
        argument: None for ``count(*)`` and for counting people.
        filter: rows it is about; None for all.
        fraction_bits: f: values are floor(x·2^f + 0.5).
        lo: smallest integer after rounding (sums only; else 0).
        hi: largest.
        bins: of a histogram: rows are counted in each bin of each cell; else None.
    """

    kind: OneOf["count", "count_distinct_person", "sum", "histogram"]
    argument: Expression | None = None
    filter: Expression | None = None
    fraction_bits: int = 0
    lo: int = 0
    hi: int = 0
    bins: Bins | None = None

    def __post_init__(self) -> None:
        for part in (self.argument, self.filter):
            if part is not None and not isinstance(part, ColumnRef | Literal | Call):
                raise invalid()
        whole = type(self.fraction_bits) is type(self.lo) is type(self.hi) is int
        if not whole or not 0 <= self.fraction_bits <= MAX_FRACTION_BITS:
            raise invalid()
        if (self.kind == "histogram") is not isinstance(self.bins, Bins):
            raise invalid()
        if self.kind == "sum":
            if self.argument is None or not -MAX_INTEGER <= self.lo <= self.hi <= MAX_INTEGER:
                raise invalid()
        elif self.kind in ("count", "count_distinct_person", "histogram"):
            if self.lo or self.hi or self.fraction_bits:
                raise invalid()
            if (self.kind == "count_distinct_person" and self.argument is not None) or (
                self.kind == "histogram" and self.argument is None
            ):
                raise invalid()
        else:
            raise invalid()


@dataclass(frozen=True)
class KeyRef:
    """The value of a key, by position."""

    key: int

    def __post_init__(self) -> None:
        if type(self.key) is not int or self.key < 0:
            raise invalid()


@dataclass(frozen=True)
class AggregateRef:
    """An aggregate's estimate, by position. A histogram stands only where a function reads its bins."""

    aggregate: int

    def __post_init__(self) -> None:
        if type(self.aggregate) is not int or self.aggregate < 0:
            raise invalid()


@dataclass(frozen=True)
class FieldRef:
    """A column of the rows that an outer SELECT reads, by position (``model.post``)."""

    field: int

    def __post_init__(self) -> None:
        if type(self.field) is not int or self.field < 0:
            raise invalid()


OUTPUT_FUNCTIONS: dict[str, tuple[int, int | None]] = {
    "add": (2, 2),
    "sub": (2, 2),
    "mul": (2, 2),
    "div": (2, 2),
    "neg": (1, 1),
    "abs": (1, 1),
    "sqrt": (1, 1),
    "round": (2, 2),
    "clamp": (3, 3),
    "greatest": (2, None),
    "least": (2, None),
    "coalesce": (2, None),
    "nullif": (2, 2),
    "case": (3, None),
    "eq": (2, 2),
    "ne": (2, 2),
    "lt": (2, 2),
    "le": (2, 2),
    "gt": (2, 2),
    "ge": (2, 2),
    "in": (2, None),
    "and": (2, None),
    "or": (2, None),
    "not": (1, 1),
    "is_null": (1, 1),
    "quantile": (2, 2),
    "bin": (1, 1),
    "bin_count": (1, 1),
    "at_risk": (2, 2),
    "survival": (2, 2),
}
"""Functions of released figures, with the fewest and most arguments: post-processing, at no privacy cost. The last five
read histograms; all but ``quantile`` of them give a row for each bin."""

BIN_FUNCTIONS = ("bin", "bin_count", "at_risk", "survival")
MAX_ROUND_DIGITS = 12


@dataclass(frozen=True)
class OutputCall:
    """A function of released estimates, keys and literals."""

    function: str
    arguments: tuple[OutputExpression, ...]

    def __post_init__(self) -> None:
        arity = OUTPUT_FUNCTIONS.get(self.function) if isinstance(self.function, str) else None
        if arity is None or not isinstance(self.arguments, tuple):
            raise invalid()
        fewest, most = arity
        count = len(self.arguments)
        if count < fewest or (most is not None and count > most) or (self.function == "case" and count % 2 == 0):
            raise invalid()
        if not all(
            isinstance(argument, KeyRef | AggregateRef | FieldRef | Literal | OutputCall) for argument in self.arguments
        ):
            raise invalid()
        if self.function == "round" and not _is_whole(self.arguments[1], -MAX_ROUND_DIGITS, MAX_ROUND_DIGITS):
            raise invalid()
        if self.function == "in" and not all(
            isinstance(argument, Literal) and argument.type is not None for argument in self.arguments[1:]
        ):
            raise invalid()
        if self.function in (*BIN_FUNCTIONS, "quantile"):
            histograms = self.arguments[:1] if self.function == "quantile" else self.arguments
            if not all(isinstance(argument, AggregateRef) for argument in histograms):
                raise invalid()
        if self.function == "quantile" and not _is_share(self.arguments[1]):
            raise invalid()


def _is_whole(node: OutputExpression, lo: int, hi: int) -> bool:
    return isinstance(node, Literal) and node.type is ColumnType.INTEGER and lo <= int(node.value or 0) <= hi


def _is_share(node: OutputExpression) -> bool:
    """A literal from 0 to 1."""
    if not isinstance(node, Literal) or node.type not in (ColumnType.INTEGER, ColumnType.NUMBER):
        return False
    return node.value is not None and 0 <= Decimal(node.value) <= 1


OutputExpression = KeyRef | AggregateRef | FieldRef | Literal | OutputCall


def walk_output(expression: OutputExpression) -> Iterator[OutputExpression]:
    """The expression and all below it, parents first."""
    stack: list[OutputExpression] = [expression]
    while stack:
        node = stack.pop()
        yield node
        if isinstance(node, OutputCall):
            stack.extend(reversed(node.arguments))


def output_depth(expression: OutputExpression) -> int:
    """How many calls stand inside one another."""
    deepest = 0
    stack = [(expression, 0)]
    while stack:
        node, above = stack.pop()
        if isinstance(node, OutputCall):
            deepest = max(deepest, above + 1)
            stack.extend((argument, above + 1) for argument in node.arguments)
    return deepest


@dataclass(frozen=True)
class Output:
    """One column of the result."""

    name: str
    expression: OutputExpression

    def __post_init__(self) -> None:
        check_name(self.name)
        if not isinstance(self.expression, KeyRef | AggregateRef | FieldRef | Literal | OutputCall):
            raise invalid()
