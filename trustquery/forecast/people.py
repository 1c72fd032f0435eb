"""What one person does in a question, as far as declared sizes and profiles tell: rows, cells touched, totals.

Profiles are of whole tables. A condition only makes a person's rows fewer, so bounds picked from them are never too
small for it; how many rows pass is not known, and figures of size assume that all do.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from trustquery.catalogue.schema import ColumnType, Table
from trustquery.forecast.distribution import Distribution
from trustquery.forecast.profiles import Profiles
from trustquery.model.facts import unreported
from trustquery.model.multiplicity import most_rows, public_factor
from trustquery.model.nodes import Aggregate, Call, ColumnRef, Expression, Key, references, walk
from trustquery.model.query import Query
from trustquery.model.relations import Filter, Join, Mark, Relation, Scan, Windows
from trustquery.model.scope import Tables, rows_of
from trustquery.reference.scalars import scalar

__all__ = ["Crowd", "Group", "crowd_of"]

GUESS = 8
"""Without a profile a measure is taken to lie an eighth of the way up between its bounds: hospital data are skewed."""
SLICE = 0.005
"""Share of the people that one slice holds at most."""
SHARE_OF_FILTER = 0.5
"""Rows that an aggregate's own FILTER lets through, when nobody knows."""


@dataclass(frozen=True)
class Group:
    """People who are alike.

    Attributes:
        people: how many, at one trust.
        rows: of each.
        cells: that the rows of each fall in, 1 to ``rows``.
        size: of the statistic, summed over the rows of each, in its own unit and without its sign.
    """

    people: float
    rows: float
    cells: float
    size: float


@dataclass(frozen=True)
class Crowd:
    """The people of one statistic at one trust.

    Attributes:
        groups: who is alike; empty where how many rows a person has is not known.
        total: the statistic over all of them and all cells, unbounded, in its own unit.
        cells: cells with a value of their own for every key.
        known: whether the rows a person has are told by a profile, or by construction.
        sizes: of one person's total, where a profile tells; else None.
        values: of a sum, what rows add without its sign, and how many people have each; empty where nothing tells.
    """

    groups: tuple[Group, ...]
    total: float
    cells: float
    known: bool
    sizes: Distribution | None = None
    values: tuple[tuple[float, float], ...] = ()

    @property
    def one_cell(self) -> bool:
        """Whether nobody's rows fall in more than one cell."""
        return self.cells <= 1 or all(group.cells <= 1 for group in self.groups)


def crowd_of(query: Query, place: int, tables: Tables, profiles: Profiles) -> Crowd:
    """The people of one aggregate of a question."""
    return _Asker(query, tables, profiles).crowd(place)


class _Asker:
    def __init__(self, query: Query, tables: Tables, profiles: Profiles) -> None:
        self.query, self.tables, self.profiles = query, tables, profiles
        self.scope = rows_of(query.relation, tables, unreported)
        self.main = _main_table(query.relation, tables)
        self.names = _tables_of(query.relation, tables)

    def crowd(self, place: int) -> Crowd:
        """The people of one aggregate."""
        aggregate = self.query.aggregates[place]
        cells = math.prod(len(key.values) for key in self.query.keys if key.kind == "public")
        rows = self._rows()
        values = self._values_of(aggregate)
        each, signed = _mean(values, aggregate)
        sizes = self._sizes(aggregate)
        factor = SHARE_OF_FILTER if aggregate.filter is not None else 1.0
        if rows is None:
            declared = max((table.declared_rows for table in self._read()), default=1)
            people = float(self.tables.catalogue.unit.declared_people)
            size = people if aggregate.kind == "count_distinct_person" else declared * signed
            return Crowd((), size * factor, cells, known=False)
        base = sizes if sizes is not None else rows
        groups = []
        for people, at, point in _slices(base):
            number = rows.at(at) if sizes is not None else point
            number = max(number, 1.0)
            size = point if sizes is not None else number * each
            groups.append(Group(people, number, self._touched(number, at, cells), abs(size)))
        total = sum(group.people * (group.cells if aggregate.kind == "count_distinct_person" else group.size)
                    for group in groups)  # fmt: skip
        return Crowd(
            tuple(groups),
            total * (1 if signed >= 0 else -1) * factor,
            cells,
            known=True,
            sizes=sizes,
            values=tuple((abs(value), people) for value, people in values),
        )

    def _read(self) -> Iterator[Table]:
        for name in self.query.tables():
            table = self.tables.catalogue.table(name)
            if table is not None:
                yield table

    def _rows(self) -> Distribution | None:
        """Rows a person; None where no profile tells."""
        if self.scope.one_row:
            return Distribution((1.0,), (float(self.tables.catalogue.unit.declared_people),))
        return self.profiles.relied_on(self.main.name, "rows") if self.main is not None else None

    def _sizes(self, aggregate: Aggregate) -> Distribution | None:
        """Of a sum: one person's total, where a profile tells of the very column."""
        node = aggregate.argument
        while isinstance(node, Call) and node.function == "clamp":
            node = node.arguments[0]
        column = self._column(node) if isinstance(node, ColumnRef) else None
        if aggregate.kind != "sum" or column is None or self.scope.one_row:
            return None
        return self.profiles.relied_on(column[0], "total", column[1])

    def _values_of(self, aggregate: Aggregate) -> list[tuple[float, float]]:
        """What rows add to a sum and how many people have each value; empty where nothing tells."""
        if aggregate.kind != "sum" or aggregate.argument is None:
            return []
        scale = 2.0**aggregate.fraction_bits
        columns = references([aggregate.argument])
        known = self._values(next(iter(columns))) if len(columns) == 1 else None
        if known is None:
            return []
        [column] = columns
        return list(_mapped(aggregate.argument, column, known, aggregate.lo / scale, aggregate.hi / scale))

    def _values(self, column: ColumnRef) -> Distribution | None:
        """Values of a column: from a profile, or a guess between its bounds."""
        named = self._column(column)
        known = self.profiles.relied_on(named[0], "value", named[1]) if named is not None else None
        if known is not None:
            return known
        shape = self.scope.scope.get(column.alias)
        field = shape.column(column.column) if shape is not None else None
        if field is None or field.info.lo is None or field.info.hi is None:
            return None
        lo, hi = float(field.info.lo), float(field.info.hi)
        shares = [(2 * step + 1) / 16 for step in range(8)]
        points = [lo + min(-math.log(1 - share) / GUESS, 1.0) * (hi - lo) for share in shares]
        return Distribution(tuple(points), (1.0,) * len(points))

    def _column(self, node: ColumnRef) -> tuple[str, str] | None:
        """Table and name, where an alias is a table itself."""
        table = self.names.get(node.alias)
        return (table, node.column) if table is not None else None

    def _touched(self, rows: float, at: float, cells: float) -> float:
        """Cells that a person touches who has so many rows, as many as others at the same place in the order.

        With several keys there are at least as many as by the finest of them, and at most as many as if the keys had
        nothing to do with one another: the middle, in proportion.
        """
        each = [self._distinct(key, rows, at) for key in self.query.keys if key.kind == "public"]
        most = min(math.prod(each), rows)
        found = math.sqrt(max(each, default=1.0) * most)
        return max(min(found, rows, max(cells, 1.0)), 1.0)

    def _distinct(self, key: Key, rows: float, at: float) -> float:
        columns = references([key.expression])
        info = [self.scope.scope[node.alias].column(node.column) for node in columns if node.alias in self.scope.scope]
        if all(field is not None and field.info.person_only for field in info):
            return 1.0
        values = float(len(key.values))
        # Rows thrown into so many values by chance.
        chance: float = values * (1.0 - (1.0 - 1.0 / values) ** rows)
        dated = any(field is not None and field.info.type in (ColumnType.DATE, ColumnType.TIMESTAMP) for field in info)
        if len(columns) != 1 or (dated and _finer_than_months(key.expression)):
            return max(chance, 1.0)
        named = self._column(next(iter(columns)))
        known = self.profiles.relied_on(named[0], "distinct", named[1]) if named is not None else None
        if known is None:
            return max(chance, 1.0)
        return max(min(known.at(at), values, rows), 1.0)


def _mean(values: list[tuple[float, float]], aggregate: Aggregate) -> tuple[float, float]:
    """What a row adds on average: without its sign, and with it."""
    if aggregate.kind != "sum":
        return 1.0, 1.0
    people = sum(count for _, count in values)
    if people > 0:
        return (
            sum(abs(value) * count for value, count in values) / people,
            sum(value * count for value, count in values) / people,
        )
    scale = 2.0**aggregate.fraction_bits
    lo, hi = aggregate.lo / scale, aggregate.hi / scale
    guess = lo + (hi - lo) / GUESS
    return max(abs(guess), (hi - lo) / (2 * GUESS)), guess


def _finer_than_months(node: Expression) -> bool:
    """Whether a key of dates tells days or weeks apart, where a profile counts months."""
    for part in walk(node):
        if isinstance(part, Call) and part.function == "date_trunc":
            unit = getattr(part.arguments[0], "value", "")
            return unit in ("day", "week")
    return isinstance(node, ColumnRef) or (isinstance(node, Call) and node.function == "to_date")


def _main_table(node: Relation, tables: Tables) -> Table | None:
    """The one table whose rows are the relation's, beside tables with one row a person and look-ups."""
    while isinstance(node, Filter | Mark | Windows):
        node = node.source
    if isinstance(node, Scan):
        return tables.catalogue.table(node.table)
    if isinstance(node, Join):
        if node.kind == "full" or public_factor(node, tables) > 1:
            return None
        sides = [side for side in (node.left, node.right) if not _is_public(side, tables)]
        many = [side for side in sides if most_rows(side, tables) > 1]
        return _main_table(many[0], tables) if len(many) == 1 else None
    return None


def _is_public(node: Relation, tables: Tables) -> bool:
    return isinstance(node, Scan) and tables.open(node.table) is not None


def _tables_of(node: Relation, tables: Tables) -> dict[str, str]:
    """Aliases that are tables about people themselves."""
    if isinstance(node, Filter | Mark | Windows):
        return _tables_of(node.source, tables)
    if isinstance(node, Join):
        return _tables_of(node.left, tables) | _tables_of(node.right, tables)
    if isinstance(node, Scan) and tables.open(node.table) is None:
        return {node.alias: node.table}
    return {}


def _mapped(
    node: Expression, column: ColumnRef, values: Distribution, lo: float, hi: float
) -> Iterator[tuple[float, float]]:
    """Values of an expression over those of its only column, held to its bounds."""
    for point, people in zip(values.points, values.people, strict=True):
        try:
            found = scalar(node, {(column.alias, column.column): point})
        except (TypeError, ValueError, ArithmeticError, AttributeError, KeyError):
            return
        if isinstance(found, bool | int | float | Fraction) and people > 0:
            yield min(max(float(found), lo), hi), people


def _slices(base: Distribution) -> Iterator[tuple[float, float, float]]:
    """People, their place in the order of values (0 to 1, the middle of the slice), and their value."""
    size, done = base.size, 0.0
    for point, people in zip(base.points, base.people, strict=True):
        # Thin slices: two distributions that differ by a few in a hundred would meet at every middle of a thick one.
        pieces = math.ceil(people / size / SLICE) if people > 0 else 0
        for piece in range(pieces):
            yield people / pieces, (done + people * (piece + 0.5) / pieces) / size, point
        done += max(people, 0.0)
