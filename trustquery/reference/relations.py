"""The rows of a relation, computed the plain way; each carries its person and its rank. Never optimise this."""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from trustquery.catalogue.schema import Catalogue, ColumnType
from trustquery.codelists import PublicTable, PublicTables
from trustquery.model.facts import infer, unreported
from trustquery.model.multiplicity import Cap, join_caps
from trustquery.model.nodes import Call, ColumnRef, Expression, walk
from trustquery.model.relations import (
    FOUND,
    Derived,
    Filter,
    Frame,
    Join,
    Leaf,
    Mark,
    Order,
    PerPerson,
    PersonValue,
    Relation,
    Scan,
    UnionAll,
    Window,
    Windows,
    ties,
)
from trustquery.model.scope import Rows, Tables, rows_of
from trustquery.reference.rank import PERSON, H, U, ranked_rows
from trustquery.reference.scalars import Environment, scalar

__all__ = ["Record", "Source", "fixed", "ranked_rows", "records_of"]

_MODULUS = 2**31 - 1
_MULTIPLIER = 1_000_003


@dataclass(frozen=True)
class Record:
    """One row: its person (None for a public row), values, u and the ordinals that break ties of u."""

    person: str | None
    values: Environment
    u: int
    h: tuple[int, ...]
    numbers: frozenset[Expression] = frozenset()

    def value(self, expression: Expression) -> Any:
        """An expression's value on this row."""
        return scalar(expression, self.values, self.numbers)

    @property
    def rank(self) -> tuple[int, tuple[int, ...]]:
        """What orders a person's rows."""
        return (self.u, self.h)


@dataclass(frozen=True)
class Source:
    """What scans read."""

    catalogue: Catalogue
    public: PublicTables
    tables: Mapping[str, Sequence[Mapping[str, Any]]]
    rank_key: bytes
    data_version: int

    def rows(self, node: Relation) -> Rows:
        """The columns of a relation."""
        return rows_of(node, Tables(self.catalogue, self.public), unreported)


def records_of(node: Relation, above: Iterable[Expression], source: Source) -> list[Record]:
    """The rows of a relation, ready for the expressions that will be asked of them."""
    numbers = _numbers(above, source.rows(node))
    return [replace(record, numbers=numbers) for record in _records(node, source)]


def _records(node: Relation, source: Source) -> list[Record]:
    match node:
        case Scan():
            public = source.public.get(node.table)
            return _public(node, public) if public is not None else _scan(node, source)
        case Join():
            return _join(node, source)
        case Filter():
            rows = records_of(node.source, [node.predicate], source)
            return [record for record in rows if record.value(node.predicate) is True]
        case Mark():
            return _mark(node, source)
        case Windows():
            return _windows(node, source)
        case Derived():
            rows = records_of(node.source, [column.expression for column in node.columns], source)
            return [
                replace(
                    record,
                    values={(node.alias, column.name): record.value(column.expression) for column in node.columns},
                )
                for record in rows
            ]
        case PerPerson():
            return _per_person(node, source)
        case UnionAll():
            return _union_all(node, source)


def _scan(node: Scan, source: Source) -> list[Record]:
    table = source.catalogue.table(node.table)
    if table is None:
        raise ValueError(f"no table {node.table}")
    rows = ranked_rows(source.tables[node.table], table, rank_key=source.rank_key, data_version=source.data_version)
    return [
        Record(
            row[PERSON], {(node.alias, column.name): row[column.name] for column in table.columns}, row[U], (row[H],)
        )
        for row in rows
    ]


def _public(node: Scan, table: PublicTable) -> list[Record]:
    return [
        Record(
            None,
            {
                (node.alias, column.name): _public_value(column.type, value)
                for column, value in zip(table.columns, row, strict=True)
            },
            rank,
            (line,),
        )
        for line, (row, rank) in enumerate(zip(table.rows, table.ranks, strict=True), start=1)
    ]


def _public_value(kind: ColumnType, value: Any) -> Any:
    if value is None:
        return None
    if kind is ColumnType.DATE:
        return datetime.date.fromisoformat(value)
    if kind is ColumnType.TIMESTAMP:
        return datetime.datetime.fromisoformat(value)
    return float(Decimal(value)) if kind is ColumnType.NUMBER else value


# -- joins ---------------------------------------------------------------------------------------------------------


def _join(node: Join, source: Source, caps: Mapping[str, Cap] | None = None) -> list[Record]:
    caps = caps if caps is not None else join_caps(node, Tables(source.catalogue, source.public))
    left = _join(node.left, source, caps) if isinstance(node.left, Join) else _lowest(node.left, caps, source)
    right = _lowest(node.right, caps, source)
    numbers = _numbers([node.condition], source.rows(node))
    meet = _meets(node.condition, numbers)
    nothing_left, nothing_right = _missing(node.left, source), _missing(node.right, source)
    blank_left, blank_right = ties(node.left), ties(node.right)
    found: list[Record] = []
    met: set[int] = set()
    by_person: dict[str | None, list[tuple[int, Record]]] = {}
    for place, other in enumerate(right):
        by_person.setdefault(other.person, []).append((place, other))
    for one in left:
        matches = 0
        if one.person is None:
            candidates = list(enumerate(right))
        else:
            candidates = [*by_person.get(one.person, []), *by_person.get(None, [])]
        for place, other in candidates:
            if meet(one, other):
                found.append(_combine(one, other, numbers))
                met.add(place)
                matches += 1
        if not matches and node.kind in ("left", "full"):
            found.append(_combine(one, Record(None, nothing_right, 0, (0,) * blank_right), numbers))
    if node.kind in ("right", "full"):
        for place, other in enumerate(right):
            if place not in met:
                found.append(_combine(Record(None, nothing_left, 0, (0,) * blank_left), other, numbers))
    return found


def _lowest(leaf: Leaf, caps: Mapping[str, Cap], source: Source) -> list[Record]:
    """The rows of a joined relation, of each person the lowest-ranked that it may keep."""
    rows = _records(leaf, source)
    if leaf.alias not in caps:
        return rows
    cap = caps[leaf.alias]
    people: dict[tuple[Any, ...], list[Record]] = {}
    for row in rows:
        by = () if cap.by is None else (row.values[leaf.alias, cap.by],)
        people.setdefault((row.person, *by), []).append(row)
    return [row for own in people.values() for row in sorted(own, key=lambda r: r.rank)[: cap.rows]]


def _combine(one: Record, other: Record, numbers: frozenset[Expression]) -> Record:
    person = one.person if one.person is not None else other.person
    u = (one.u * _MULTIPLIER + other.u) % _MODULUS
    return Record(person, {**one.values, **other.values}, u, one.h + other.h, numbers)


def _meets(condition: Expression | None, numbers: frozenset[Expression]) -> Callable[[Record, Record], bool]:
    """Whether two rows meet the condition; only the columns that it names are looked at."""
    if condition is None:
        return lambda one, other: True
    named = tuple({(part.alias, part.column): None for part in walk(condition) if isinstance(part, ColumnRef)})
    known: dict[tuple[Any, ...], bool] = {}

    def meet(one: Record, other: Record) -> bool:
        # The same values give the same answer: a public table of thousands of rows meets few different ones.
        values = tuple([one.values[name] if name in one.values else other.values[name] for name in named])
        if values not in known:
            known[values] = scalar(condition, dict(zip(named, values, strict=True)), numbers) is True
        return known[values]

    return meet


def _numbers(asked: Iterable[Expression | None], rows: Rows) -> frozenset[Expression]:
    """What CASE and coalesce choose between integers and numbers is a number, as it is in every engine."""
    return frozenset(
        part
        for expression in asked
        if expression is not None
        for part in walk(expression)
        if isinstance(part, Call)
        and part.function in ("case", "coalesce")
        and infer(part, rows.scope, unreported).type is ColumnType.NUMBER
    )


def _missing(node: Relation, source: Source) -> Environment:
    scope = source.rows(node).scope
    return {(alias, column.name): None for alias, shape in scope.items() for column in shape.columns}


def _mark(node: Mark, source: Source) -> list[Record]:
    outer, inner = _records(node.source, source), _records(node.rows, source)
    both = Rows({**source.rows(node.source).scope, **source.rows(node.rows).scope})
    meet = _meets(node.condition, _numbers([node.condition], both))
    found = []
    for record in outer:
        belongs = any(other.person in (None, record.person) and meet(record, other) for other in inner)
        found.append(replace(record, values={**record.values, (node.alias, FOUND): belongs}))
    return found


def _union_all(node: UnionAll, source: Source) -> list[Record]:
    longest = max(ties(branch) for branch in node.branches)
    found = []
    for number, branch in enumerate(node.branches, start=1):
        for record in _records(branch, source):
            h = (number, *record.h, *(0,) * (longest - len(record.h)))
            values = {(node.alias, name): value for (_, name), value in record.values.items()}
            found.append(replace(record, values=values, h=h))
    return found


# -- one person's rows -----------------------------------------------------------------------------------------------


def fixed(value: Any, bits: int, lo: int, hi: int) -> int:
    """min(max(floor(x·2^f + 0.5), lo), hi) in IEEE double; infinities meet the bound (formats.md, "Numbers")."""
    scaled = float(value) * 2.0**bits + 0.5
    if scaled >= hi:
        return hi if math.isinf(scaled) else min(math.floor(scaled), hi)
    return lo if scaled <= lo else max(math.floor(scaled), lo)


def _figure(kind: str, values: list[Any], bits: int, lo: int, hi: int) -> Any:
    """count, sum, avg, min or max of values that are not NULL."""
    if kind == "count":
        return len(values)
    if not values:
        return None
    if kind == "min":
        return min(values)
    if kind == "max":
        return max(values)
    total = float(sum(fixed(value, bits, lo, hi) for value in values))
    return (total if kind == "sum" else total / len(values)) / 2.0**bits


def _per_person(node: PerPerson, source: Source) -> list[Record]:
    asked = [key.expression for key in node.keys]
    for value in node.values:
        asked += [part for part in (value.argument, value.filter) if part is not None]
    groups: dict[tuple[Any, ...], list[Record]] = {}
    for record in records_of(node.source, asked, source):
        key = (record.person, *(record.value(key.expression) for key in node.keys))
        groups.setdefault(key, []).append(record)
    found = []
    for key, rows in groups.items():
        lowest = min(rows, key=lambda record: record.rank)
        values = {(node.alias, name.name): value for name, value in zip(node.keys, key[1:], strict=True)}
        values |= {(node.alias, value.name): _person_value(value, rows) for value in node.values}
        found.append(Record(lowest.person, values, lowest.u, lowest.h))
    return found


def _person_value(node: PersonValue, rows: list[Record]) -> Any:
    counted = [row for row in rows if node.filter is None or row.value(node.filter) is True]
    if node.argument is None:
        return len(counted)
    values = [value for row in counted if (value := row.value(node.argument)) is not None]
    if node.kind == "count_distinct":
        return len(set(values))
    if node.kind in ("any", "every"):
        return (any(values) if node.kind == "any" else all(values)) if values else None
    return _figure(node.kind, values, node.fraction_bits, node.lo, node.hi)


def _windows(node: Windows, source: Source) -> list[Record]:
    asked: list[Expression] = []
    for window in node.columns:
        asked += [*window.arguments, *window.partition, *(item.expression for item in window.order)]
    rows = records_of(node.source, asked, source)
    columns: list[dict[int, Any]] = []
    for window in node.columns:
        partitions: dict[tuple[Any, ...], list[int]] = {}
        for place, row in enumerate(rows):
            key = (row.person, *(row.value(part) for part in window.partition))
            partitions.setdefault(key, []).append(place)
        computed: dict[int, Any] = {}
        for places in partitions.values():
            ordered = _ordered(window.order, places, rows)
            for place, value in zip(ordered, _window(window, [rows[at] for at in ordered]), strict=True):
                computed[place] = value
        columns.append(computed)
    return [
        replace(
            row,
            values={
                **row.values,
                **{
                    (node.alias, window.name): column[place]
                    for window, column in zip(node.columns, columns, strict=True)
                },
            },
        )
        for place, row in enumerate(rows)
    ]


def _ordered(order: Sequence[Order], places: list[int], rows: list[Record]) -> list[int]:
    """Places in the total order: the items, then rank."""
    found = sorted(places, key=lambda place: rows[place].rank)
    for item in reversed(order):
        known = [place for place in found if rows[place].value(item.expression) is not None]
        missing = [place for place in found if rows[place].value(item.expression) is None]
        known.sort(key=lambda place, item=item: rows[place].value(item.expression), reverse=item.descending)  # type: ignore[misc]
        found = [*missing, *known] if item.nulls_first else [*known, *missing]
    return found


def _window(node: Window, rows: list[Record]) -> list[Any]:
    """The window's value for each row of one partition, in total order."""
    count = len(rows)
    peers = [tuple(row.value(item.expression) for item in node.order) for row in rows]
    arguments = [[row.value(part) for row in rows] for part in node.arguments]
    if node.function == "row_number":
        return list(range(1, count + 1))
    if node.function == "rank":
        return [peers.index(peer) + 1 for peer in peers]
    if node.function == "dense_rank":
        return [list(dict.fromkeys(peers)).index(peer) + 1 for peer in peers]
    if node.function == "ntile":
        size, more = divmod(count, arguments[0][0])
        bucket = [number + 1 for number in range(arguments[0][0]) for _ in range(size + (number < more))]
        return bucket[:count]
    if node.function in ("lag", "lead"):
        step = arguments[1][0] if node.function == "lead" else -arguments[1][0]
        default = arguments[2][0] if len(arguments) == 3 else None
        if default is not None and any(isinstance(value, float) for value in arguments[0]):
            default = float(default)
        return [arguments[0][at + step] if 0 <= at + step < count else default for at in range(count)]
    frames = [_frame(node.frame, at, count, peers) for at in range(count)] if node.frame is not None else []
    if node.function in ("first_value", "last_value", "nth_value"):
        nth = {"first_value": 0, "last_value": -1}.get(node.function)
        nth = arguments[1][0] - 1 if nth is None else nth
        return [arguments[0][frame[nth]] if -1 <= nth < len(frame) and frame else None for frame in frames]
    if not node.arguments:
        return [len(frame) for frame in frames]
    return [
        _figure(
            node.function,
            [arguments[0][at] for at in frame if arguments[0][at] is not None],
            node.fraction_bits,
            node.lo,
            node.hi,
        )
        for frame in frames
    ]


def _frame(frame: Frame, at: int, count: int, peers: list[tuple[Any, ...]]) -> list[int]:
    """Places of the rows in a row's frame."""
    if frame.mode == "rows":
        first = 0 if frame.start is None else at + frame.start
        last = count - 1 if frame.end is None else at + frame.end
        return list(range(max(first, 0), min(last, count - 1) + 1))
    alike = [place for place in range(count) if peers[place] == peers[at]]
    first = 0 if frame.start is None else alike[0]
    last = count - 1 if frame.end is None else alike[-1]
    here = _distance(peers[at][0]) if peers[at] else None
    if here is None or not (frame.start or frame.end):
        return list(range(first, last + 1))
    known = [(place, where) for place in range(count) if (where := _distance(peers[place][0])) is not None]
    if frame.start:
        first = next((place for place, where in known if where >= here + frame.start), count)
    if frame.end:
        last = max((place for place, where in known if where <= here + frame.end), default=-1)
    return list(range(first, last + 1))


def _distance(value: Any) -> int | None:
    return value.toordinal() if isinstance(value, datetime.date) else value
