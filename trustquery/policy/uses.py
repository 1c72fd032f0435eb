"""The uses of every column in a query, as words that a policy's rules compare with what it allows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from trustquery.catalogue import Catalogue
from trustquery.catalogue.schema import ColumnType
from trustquery.model import Query
from trustquery.model.nodes import Call, ColumnRef, Expression, references
from trustquery.model.relations import (
    FOUND,
    Derived,
    Filter,
    Join,
    Mark,
    PerPerson,
    PersonValue,
    Relation,
    Scan,
    UnionAll,
    Window,
    Windows,
    column_names,
)
from trustquery.policy.asking import Grain
from trustquery.policy.data import Use
from trustquery.policy.tracing import LOST, NOTHING, PUBLIC, Origin, Scope, Trace, join, trace

__all__ = ["Uses", "uses_of"]

_IDENTIFIERS = ("join-only", "person-key")


@dataclass(frozen=True)
class Uses:
    """What a query does with the catalogue's columns.

    Attributes:
        columns: each written ``TABLE.COLUMN ROLE USE``; the role is the catalogue's.
        date_grains: how fine the dates are that figures are grouped by.
    """

    columns: frozenset[str]
    date_grains: frozenset[Grain]


@dataclass
class _Reader:
    """One pass over a query.

    Attributes:
        public: names of the public tables that it pins.
    """

    catalogue: Catalogue
    public: frozenset[str]
    found: set[str] = field(default_factory=set)
    grains: set[Grain] = field(default_factory=set)

    # -- noting ---------------------------------------------------------------------------------------------------

    def note(self, origins: Iterable[Origin], use: Use) -> None:
        for origin in origins:
            if origin.column == "unknown" and origin.table == "unknown":
                self.found.add("unknown.unknown forbidden other")
            else:
                told: Use = "count" if origin.shown == "count" else use
                self.found.add(f"{origin.table}.{origin.column} {origin.role} {told}")

    def use(self, node: Expression | None, scope: Scope, use: Use) -> None:
        """Note every column of an expression. Identifiers meet each other, or are asked whether they are there."""
        if isinstance(node, ColumnRef):
            self.note(trace(node, scope).origins, use)
        elif isinstance(node, Call):
            bare = all(isinstance(argument, ColumnRef) for argument in node.arguments)
            told: Use | None = {"eq": "join", "is_null": "count"}.get(node.function) if bare else None  # type: ignore[assignment]
            for argument in node.arguments:
                if told is not None and isinstance(argument, ColumnRef):
                    for origin in trace(argument, scope).origins:
                        self.note([origin], told if origin.role in _IDENTIFIERS else use)
                else:
                    self.use(argument, scope, use)

    def group(self, told: Trace) -> None:
        """Note the columns of what figures are grouped by, and how fine its dates are."""
        for origin in told.origins:
            self.note([origin], "key" if origin.shown == "itself" else "band")
            if origin.grain is not None:
                self.grains.add(origin.grain)

    # -- relations ------------------------------------------------------------------------------------------------

    def read(self, node: Relation) -> tuple[Scope, Trace]:
        """Columns that expressions above may name, and what decided which rows are there."""
        match node:
            case Scan():
                return {node.alias: self._scan(node)}, NOTHING
            case Filter():
                scope, decided = self.read(node.source)
                self.use(node.predicate, scope, "filter")
                return scope, join([decided, _condition(node.predicate, scope)])
            case Join():
                return self._join(node)
            case Mark():
                return self._mark(node)
            case Windows():
                scope, decided = self.read(node.source)
                own = {window.name: self._window(window, scope) for window in node.columns}
                return {**scope, node.alias: own}, decided
            case Derived():
                scope, decided = self.read(node.source)
                return {node.alias: {column.name: trace(column.expression, scope) for column in node.columns}}, decided
            case PerPerson():
                return self._per_person(node)
            case UnionAll():
                return self._union(node)

    def _scan(self, node: Scan) -> dict[str, Trace] | Trace:
        table = self.catalogue.table(node.table)
        if table is None or table.kind != "person":
            return PUBLIC if node.table in self.public else LOST
        grains: dict[ColumnType, Grain] = {ColumnType.DATE: "day", ColumnType.TIMESTAMP: "time"}
        return {
            column.name: Trace(
                frozenset({Origin(table.name, column.name, column.role.value, "itself", grains.get(column.type))})
            )
            for column in table.columns
        }

    def _join(self, node: Join) -> tuple[Scope, Trace]:
        left, one = self.read(node.left)
        right, other = self.read(node.right)
        scope = {**left, **right}
        if node.condition is None:
            return scope, join([one, other])
        self.use(node.condition, scope, "join")
        met = join(trace(ref, scope) for ref in references([node.condition]))
        # A look-up tells what it was looked up by: its columns may be those very values under another name.
        told = {
            alias: Trace(met.origins, constant=True) if met.origins and _nobodys(columns) else columns
            for alias, columns in scope.items()
        }
        return told, join([one, other, _condition(node.condition, scope)])

    def _mark(self, node: Mark) -> tuple[Scope, Trace]:
        scope, decided = self.read(node.source)
        inner, chosen = self.read(node.rows)
        both = {**scope, **inner}
        self.use(node.condition, both, "filter")
        told = join([chosen, _condition(node.condition, both) if node.condition is not None else NOTHING])
        return {**scope, node.alias: {FOUND: told}}, decided

    def _window(self, window: Window, scope: Scope) -> Trace:
        for argument in window.arguments:
            self.use(argument, scope, "count" if window.function == "count" else "value")
        for part in window.partition:
            self._within(part, scope)
        for item in window.order:
            self.use(item.expression, scope, "value")
        values = join([trace(argument, scope) for argument in window.arguments])
        if window.function == "count":
            return values.counted()
        ranks = window.function in ("row_number", "rank", "dense_rank", "ntile")
        return values.undated().banded() if ranks else values

    def _within(self, node: Expression, scope: Scope) -> None:
        """Rows of one person put together by an expression, often an identifier as it stands."""
        if isinstance(node, ColumnRef):
            for origin in trace(node, scope).origins:
                self.note([origin], "join" if origin.role in _IDENTIFIERS else "value")
        else:
            self.use(node, scope, "value")

    def _per_person(self, node: PerPerson) -> tuple[Scope, Trace]:
        scope, decided = self.read(node.source)
        for key in node.keys:
            self._within(key.expression, scope)
        own = {key.name: trace(key.expression, scope) for key in node.keys}
        own |= {value.name: join([self._value(value, scope), decided]) for value in node.values}
        return {node.alias: own}, decided

    def _value(self, value: PersonValue, scope: Scope) -> Trace:
        counts = value.kind in ("count", "count_distinct")
        self.use(value.argument, scope, "count" if counts else "value")
        self.use(value.filter, scope, "filter")
        told = trace(value.argument, scope) if value.argument is not None else NOTHING
        if counts:
            told = told.counted()
        elif value.kind in ("any", "every"):
            told = told.banded()
        return join([told, _condition(value.filter, scope)]) if value.filter is not None else told

    def _union(self, node: UnionAll) -> tuple[Scope, Trace]:
        branches = [(branch, *self.read(branch)) for branch in node.branches]
        own = {
            name: join([trace(ColumnRef(branch.alias, name), scope) for branch, scope, _ in branches])
            for name in column_names(node.branches[0])
        }
        return {node.alias: own}, join([decided for _, _, decided in branches])


def _nobodys(columns: Mapping[str, Trace] | Trace) -> bool:
    """Whether no column comes from a record: a public table, or a subquery of one."""
    return not any(told.origins for told in ([columns] if isinstance(columns, Trace) else columns.values()))


def _condition(node: Expression, scope: Scope) -> Trace:
    """What a condition tells of columns; identifiers that meet tell nothing."""
    found = trace(node, scope).banded()
    return Trace(frozenset(origin for origin in found.origins if origin.role not in _IDENTIFIERS))


def uses_of(query: Query, catalogue: Catalogue) -> Uses:
    """The uses of every catalogue column in a query.

    Privacy:
        Depends on the query and the catalogue only.
    """
    reader = _Reader(catalogue, frozenset(pin.id for pin in query.inputs))
    scope, _ = reader.read(query.relation)
    for key in query.keys:
        reader.group(trace(key.expression, scope))
    for aggregate in query.aggregates:
        reader.use(aggregate.filter, scope, "filter")
        counts = aggregate.kind in ("count", "count_distinct_person")
        reader.use(aggregate.argument, scope, "count" if counts else "value")
        if aggregate.kind == "histogram" and aggregate.argument is not None:
            # Bins group like a key in bands.
            reader.group(trace(aggregate.argument, scope).banded())
    return Uses(frozenset(reader.found), frozenset(reader.grains))
