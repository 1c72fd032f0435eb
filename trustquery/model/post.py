"""What happens after release: HAVING, ORDER BY, LIMIT, and outer SELECTs over the merged, noised table.

All of it is post-processing: it reads figures that are noised already and public tables, so it costs no privacy and no
node evaluates it. It stands in the signed model all the same, so that every released query can be run again. Here are
the nodes, their canonical bytes and their types; ``trustquery.outputs.post`` evaluates them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any
from typing import Literal as OneOf

from trustquery.catalogue.schema import ColumnType
from trustquery.codelists.table import Pin
from trustquery.model import codec, rates
from trustquery.model.nodes import (
    BIN_FUNCTIONS,
    MAX_DEPTH,
    MAX_INTEGER,
    Aggregate,
    AggregateRef,
    Bins,
    FieldRef,
    Key,
    KeyRef,
    Literal,
    Output,
    OutputCall,
    OutputExpression,
    invalid,
    output_depth,
    walk_output,
)

__all__ = [
    "NO_POST",
    "NO_TAIL",
    "Field",
    "Order",
    "OutputTypeError",
    "Post",
    "PublicJoin",
    "Refs",
    "Stage",
    "StageAggregate",
    "Tail",
    "describe",
    "fields_of_release",
    "post_pins",
    "release_refs",
    "stage_refs",
    "tidy_bins",
    "walks_bins",
]

MAX_STAGES = 4
MAX_PARTS = 200
MAX_JOINS = 8
MAX_ROWS = 2_000_000
"""Rows that an outer SELECT may make; far more than a plan has cells."""

_NUMERIC = (ColumnType.INTEGER, ColumnType.NUMBER)
_NODES = (KeyRef, AggregateRef, FieldRef, Literal, OutputCall)


def _expression(node: object) -> None:
    if not isinstance(node, _NODES):
        raise invalid()
    if output_depth(node) > MAX_DEPTH:
        raise invalid()


def _optional(node: object) -> None:
    if node is not None:
        _expression(node)


def _several(parts: object, kind: type, most: int) -> None:
    if not isinstance(parts, tuple) or len(parts) > most or not all(isinstance(part, kind) for part in parts):
        raise invalid()


# -- nodes -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Order:
    """One key of ORDER BY.

    Attributes:
        descending: largest first.
        nulls_first: whether rows without a value come first. They are *other*, *missing* and figures that cannot be
            told from the noise, and by default come last whatever the direction.
    """

    expression: OutputExpression
    descending: bool = False
    nulls_first: bool = False

    def __post_init__(self) -> None:
        _expression(self.expression)
        if type(self.descending) is not bool or type(self.nulls_first) is not bool:
            raise invalid()


@dataclass(frozen=True)
class Tail:
    """HAVING, ORDER BY, LIMIT and OFFSET of one SELECT, in that order."""

    having: OutputExpression | None = None
    order: tuple[Order, ...] = ()
    limit: int | None = None
    offset: int = 0

    def __post_init__(self) -> None:
        _optional(self.having)
        _several(self.order, Order, MAX_PARTS)
        for number in (self.limit, self.offset):
            if number is not None and (type(number) is not int or not 0 <= number <= MAX_INTEGER):
                raise invalid()

    def expressions(self) -> Iterator[OutputExpression]:
        """HAVING, then the keys of ORDER BY."""
        if self.having is not None:
            yield self.having
        yield from (order.expression for order in self.order)


NO_TAIL = Tail()


@dataclass(frozen=True)
class PublicJoin:
    """A public table joined to the rows so far. Rows *other* and *missing* match none of its rows.

    Attributes:
        columns: all of the table's, names and types; they follow the fields so far.
        on: pairs (expression over the fields so far, column of the table) that must be equal.
        condition: what else must hold, over the fields so far and the table's.
    """

    pin: Pin
    kind: OneOf["inner", "left"]
    columns: tuple[tuple[str, ColumnType], ...]
    on: tuple[tuple[OutputExpression, str], ...]
    condition: OutputExpression | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.pin, Pin) or self.kind not in ("inner", "left"):
            raise invalid()
        _several(self.columns, tuple, MAX_PARTS)
        _several(self.on, tuple, MAX_PARTS)
        if not all(len(pair) == 2 and isinstance(pair[1], ColumnType) for pair in self.columns):
            raise invalid()
        names = [name for name, _ in self.columns]
        if not self.on or len(set(names)) != len(names):
            raise invalid()
        for pair in self.on:
            if len(pair) != 2 or pair[1] not in names:
                raise invalid()
            _expression(pair[0])
        _optional(self.condition)


@dataclass(frozen=True)
class StageAggregate:
    """One aggregate of an outer SELECT, over released figures. ``count`` without argument counts rows."""

    function: OneOf["sum", "avg", "min", "max", "count"]
    argument: OutputExpression | None
    filter: OutputExpression | None = None

    def __post_init__(self) -> None:
        if self.function not in ("sum", "avg", "min", "max", "count"):
            raise invalid()
        if self.argument is None and self.function != "count":
            raise invalid()
        _optional(self.argument)
        _optional(self.filter)


@dataclass(frozen=True)
class Stage:
    """One outer SELECT over the table before it.

    With keys or aggregates its rows are groups and its outputs read those (KeyRef, AggregateRef); else its outputs
    read the fields of each row (FieldRef). Fields are the columns of the table before, then those of each join.
    """

    joins: tuple[PublicJoin, ...]
    where: OutputExpression | None
    keys: tuple[OutputExpression, ...]
    aggregates: tuple[StageAggregate, ...]
    outputs: tuple[Output, ...]
    tail: Tail = NO_TAIL

    def __post_init__(self) -> None:
        _several(self.joins, PublicJoin, MAX_JOINS)
        _optional(self.where)
        _several(self.keys, object, MAX_PARTS)
        for key in self.keys:
            _expression(key)
        _several(self.aggregates, StageAggregate, MAX_PARTS)
        _several(self.outputs, Output, MAX_PARTS)
        names = [output.name for output in self.outputs]
        if not names or len(set(names)) != len(names) or not isinstance(self.tail, Tail):
            raise invalid()
        for output in self.outputs:
            _expression(output.expression)

    @property
    def grouped(self) -> bool:
        """Whether the rows are groups."""
        return bool(self.keys or self.aggregates)


@dataclass(frozen=True)
class Post:
    """Everything after release: the tail of the release's own SELECT, then the outer SELECTs, innermost first."""

    tail: Tail = NO_TAIL
    stages: tuple[Stage, ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.tail, Tail):
            raise invalid()
        _several(self.stages, Stage, MAX_STAGES)
        pins = post_pins(self)
        if len({pin.id for pin in pins}) != len(pins):
            raise invalid()

    def document(self) -> dict[str, Any]:
        """Canonical-JSON data."""
        return {"tail": _write_tail(self.tail), "stages": [_write_stage(stage) for stage in self.stages]}

    @classmethod
    def from_document(cls, data: object) -> Post:
        """Read canonical-JSON data, strictly."""
        tail, stages = codec.members(data, "tail", "stages")
        return cls(_read_tail(tail), tuple(_read_stage(item) for item in _list(stages)))


def post_pins(post: Any) -> tuple[Pin, ...]:
    """The public tables that are read after release, each once, sorted by name.

    Args:
        post: a ``Post``, or a query with one.
    """
    found = post if isinstance(post, Post) else post.post
    pins = {join.pin for stage in found.stages for join in stage.joins}
    return tuple(sorted(pins, key=lambda pin: (pin.id, pin.version, pin.sha256)))


NO_POST = Post()


# -- types -------------------------------------------------------------------------------------------------------


class OutputTypeError(Exception):
    """An expression over figures that means nothing: what has which type, and which is needed."""

    def __init__(self, node: OutputExpression, what: str, found: str, needed: str) -> None:
        super().__init__(what)
        self.node, self.what, self.found, self.needed = node, what, found, needed


@dataclass(frozen=True)
class Field:
    """What is known of an expression or column before release.

    Attributes:
        type: None for NULL and for histograms.
        noised: whether noise is in it.
        form: how its interval is made: ``linear`` (exact for a sum of figures), ``ratio`` (Fieller's, or the
            ends of an interval mapped by a rising function), ``bins`` (read out of a histogram), ``first-order``;
            ``exact`` where there is no noise.
        bins: of a histogram that stands by itself.
        people: whether people counted once a trust are in it.
        reads: names of special functions below, for caveats.
        name: of a column.
        key: its values are shown as they are; otherwise they are figures with an interval.
        sampled: whether it is a count or a rate, which has an interval for sampling too.
    """

    type: ColumnType | None
    noised: bool = False
    form: OneOf["exact", "linear", "ratio", "bins", "first-order"] = "exact"
    bins: Bins | None = None
    people: bool = False
    reads: frozenset[str] = frozenset()
    name: str = ""
    key: bool = False
    sampled: rates.Sampled = rates.PLAIN

    @property
    def numeric(self) -> bool:
        """Integer or number; NULL fits too."""
        return self.bins is None and (self.type is None or self.type in _NUMERIC)

    @property
    def words(self) -> str:
        """Its type, for people."""
        return "histogram" if self.bins is not None else str(self.type or "NULL")


Refs = Callable[[KeyRef | AggregateRef | FieldRef], Field]
"""Facts about what a reference stands for; raises ``invalid()`` where it stands for nothing."""


def describe(node: OutputExpression, refs: Refs) -> Field:
    """Facts about an expression over figures.

    Raises:
        OutputTypeError: it means nothing.
    """
    if isinstance(node, Literal):
        return Field(node.type)
    if not isinstance(node, OutputCall):
        return refs(node)
    parts = [describe(argument, refs) for argument in node.arguments]
    name = node.function
    histograms = 1 if name == "quantile" else len(parts) if name in BIN_FUNCTIONS else 0
    for place, part in enumerate(parts):
        if (part.bins is not None) is not (place < histograms):
            needed = "a histogram" if place < histograms else "a single figure"
            raise OutputTypeError(node, f"an argument of {name}", part.words, needed)
    sampled = rates.of_call(node, name, [(part.noised, part.sampled) for part in parts])
    return replace(_RULES.get(name, _arithmetic)(node, parts), sampled=sampled)


def _joined(parts: list[Field], kind: ColumnType | None, form: Any = "first-order", *reads: str) -> Field:
    noised = any(part.noised for part in parts)
    return Field(
        kind,
        noised,
        form if noised else "exact",
        people=any(part.people for part in parts),
        reads=frozenset(reads).union(*(part.reads for part in parts)),
    )


def _affine(node: OutputCall, parts: list[Field]) -> Any:
    """The form of a sum, product or quotient: it survives shifts and scaling by numbers without noise."""
    forms = [part.form for part in parts]
    noised = [part for part in parts if part.noised]
    if node.function in ("add", "sub", "neg") and all(form in ("exact", "linear") for form in forms):
        return "linear"
    divides = node.function == "div" and parts[1].noised
    if len(noised) == 1 and not divides and node.function in ("add", "sub", "neg", "mul", "div", "round", "clamp"):
        bent = node.function in ("round", "clamp") and noised[0].form == "linear"
        return "ratio" if bent else noised[0].form
    if divides and all(form in ("exact", "linear") for form in forms):
        return "ratio"
    return "first-order"


def _arithmetic(node: OutputCall, parts: list[Field]) -> Field:
    for part in parts:
        if not part.numeric:
            raise OutputTypeError(node, f"an argument of {node.function}", part.words, "a number")
    return _joined(parts, ColumnType.NUMBER, _affine(node, parts))


def _logic(node: OutputCall, parts: list[Field]) -> Field:
    for part in parts:
        if part.type not in (None, ColumnType.BOOLEAN):
            raise OutputTypeError(node, f"an argument of {node.function.upper()}", part.words, "a condition")
    return _joined(parts, ColumnType.BOOLEAN)


def _common(node: OutputCall, parts: list[Field]) -> ColumnType | None:
    found: ColumnType | None = None
    for part in parts:
        kind = ColumnType.NUMBER if part.type in _NUMERIC else part.type
        if kind is None:
            continue
        if found is not None and kind is not found:
            raise OutputTypeError(node, f"an argument of {node.function}", part.words, f"a value of type {found}")
        found = kind
    return found


def _comparison(node: OutputCall, parts: list[Field]) -> Field:
    _common(node, parts)
    return _joined(parts, ColumnType.BOOLEAN)


def _is_null(node: OutputCall, parts: list[Field]) -> Field:
    return _joined(parts, ColumnType.BOOLEAN)


def _choice(node: OutputCall, parts: list[Field]) -> Field:
    results = parts
    if node.function == "case":
        _logic(node, parts[:-1:2])
        results = [*parts[1:-1:2], parts[-1]]
    kind = _common(node, results)
    if kind is None:
        raise OutputTypeError(node, "the result", "NULL", "a value")
    forms = {part.form for part in (results[:1] if node.function == "nullif" else results) if part.noised}
    form = next(iter(forms)) if len(forms) == 1 else "first-order"
    if node.function in ("greatest", "least") and form == "linear":
        form = "ratio" if sum(part.noised for part in results) == 1 else "first-order"
    found = _joined(parts, kind, form)
    return found if kind is ColumnType.NUMBER else replace(found, key=True)


def _bin(node: OutputCall, parts: list[Field]) -> Field:
    return Field(ColumnType.TEXT, reads=frozenset(("bin",)), key=True)


def _read_bins(node: OutputCall, parts: list[Field]) -> Field:
    if node.function in ("at_risk", "survival") and parts[0].bins != parts[1].bins:
        raise OutputTypeError(node, "the grid of times", "another", "the same")
    if node.function == "quantile":
        return Field(ColumnType.NUMBER, True, "bins", reads=frozenset(("quantile",)))
    form: Any = "first-order" if node.function == "survival" else "linear"
    return Field(ColumnType.NUMBER, True, form, reads=frozenset((node.function,)))


_RULES: dict[str, Callable[[OutputCall, list[Field]], Field]] = {
    **dict.fromkeys(("eq", "ne", "lt", "le", "gt", "ge", "in"), _comparison),
    **dict.fromkeys(("and", "or", "not"), _logic),
    **dict.fromkeys(("case", "coalesce", "nullif", "greatest", "least"), _choice),
    "is_null": _is_null,
    "bin": _bin,
    **dict.fromkeys(("quantile", "bin_count", "at_risk", "survival"), _read_bins),
}


def release_refs(keys: tuple[Key, ...], aggregates: tuple[Aggregate, ...]) -> Refs:
    """What references mean in the release's own SELECT: keys and aggregates across persons."""

    def refs(node: KeyRef | AggregateRef | FieldRef) -> Field:
        if isinstance(node, KeyRef) and node.key < len(keys):
            return Field(keys[node.key].type, key=True)
        if isinstance(node, AggregateRef) and node.aggregate < len(aggregates):
            found = aggregates[node.aggregate]
            if found.bins is not None:
                return Field(None, True, "linear", bins=found.bins)
            people = found.kind == "count_distinct_person"
            sampled = rates.Sampled(rates.count_of(found))
            return Field(ColumnType.NUMBER, True, "linear", people=people, sampled=sampled)
        raise invalid()

    return refs


def stage_refs(fields: tuple[Field, ...]) -> Refs:
    """What references mean in the rows of an outer SELECT, before grouping."""

    def refs(node: KeyRef | AggregateRef | FieldRef) -> Field:
        if isinstance(node, FieldRef) and node.field < len(fields):
            return fields[node.field]
        raise invalid()

    return refs


def group_refs(keys: tuple[Field, ...], aggregates: tuple[Field, ...]) -> Refs:
    """What references mean in the groups of an outer SELECT."""

    def refs(node: KeyRef | AggregateRef | FieldRef) -> Field:
        if isinstance(node, KeyRef) and node.key < len(keys):
            return keys[node.key]
        if isinstance(node, AggregateRef) and node.aggregate < len(aggregates):
            return aggregates[node.aggregate]
        raise invalid()

    return refs


def describe_aggregate(aggregate: StageAggregate, refs: Refs) -> Field:
    """Facts about an aggregate of an outer SELECT.

    Raises:
        OutputTypeError: it means nothing.
    """
    if aggregate.filter is not None:
        need_condition(aggregate.filter, refs)
    if aggregate.argument is None:
        return Field(ColumnType.NUMBER)
    found = describe(aggregate.argument, refs)
    if found.bins is not None or (aggregate.function != "count" and not found.numeric):
        raise OutputTypeError(aggregate.argument, f"the argument of {aggregate.function}", found.words, "a number")
    if aggregate.function == "count":
        return Field(ColumnType.NUMBER)
    linear = aggregate.function in ("sum", "avg") and found.form in ("exact", "linear")
    sampled = rates.of_aggregate(aggregate.function, aggregate.filter, found.noised, found.sampled)
    return replace(_joined([found], ColumnType.NUMBER, "linear" if linear else "first-order"), sampled=sampled)


def need_condition(node: OutputExpression, refs: Refs) -> None:
    """Require a condition.

    Raises:
        OutputTypeError: it is none.
    """
    found = describe(node, refs)
    if found.type not in (None, ColumnType.BOOLEAN) or found.bins is not None:
        raise OutputTypeError(node, "a condition", found.words, "a comparison such as n > 10")


def describe_column(node: OutputExpression, refs: Refs) -> Field:
    """Facts about an output column, which is one figure or one key.

    Raises:
        OutputTypeError: it is a histogram, or NULL.
    """
    found = describe(node, refs)
    if found.bins is not None or found.type is None:
        raise OutputTypeError(node, "an output", found.words, "a figure or a key")
    return found if found.numeric else replace(found, key=True)


def check_tail(tail: Tail, refs: Refs) -> None:
    """Require a condition in HAVING and values in ORDER BY.

    Raises:
        OutputTypeError: otherwise.
    """
    if tail.having is not None:
        need_condition(tail.having, refs)
    for order in tail.order:
        describe_column(order.expression, refs)


def tidy_bins(outputs: tuple[Output, ...], tail: Tail, aggregates: tuple[Aggregate, ...]) -> Bins | None:
    """The bins that give rows of their own, where an output reads a histogram bin by bin.

    Raises:
        TrustQueryError: ``query-model-invalid``: two grids in one table.
    """
    found: set[Bins] = set()
    for expression in (*(output.expression for output in outputs), *tail.expressions()):
        for node in walk_output(expression):
            if isinstance(node, OutputCall) and node.function in BIN_FUNCTIONS:
                for argument in node.arguments:
                    bins = aggregates[argument.aggregate].bins if isinstance(argument, AggregateRef) else None
                    if bins is None:
                        raise invalid()
                    found.add(bins)
    if len(found) > 1:
        raise invalid()
    return next(iter(found), None)


def walks_bins(node: OutputExpression) -> bool:
    """Whether an expression is read bin by bin."""
    return any(isinstance(part, OutputCall) and part.function in BIN_FUNCTIONS for part in walk_output(node))


def fields_of_release(
    keys: tuple[Key, ...], aggregates: tuple[Aggregate, ...], outputs: tuple[Output, ...]
) -> tuple[Field, ...]:
    """Facts about the release's columns.

    Raises:
        OutputTypeError: an output means nothing.
    """
    refs = release_refs(keys, aggregates)
    return tuple(named(output.name, describe_column(output.expression, refs)) for output in outputs)


def named(name: str, found: Field) -> Field:
    """The same facts, under a name."""
    return replace(found, name=name)


def public_field(name: str, kind: ColumnType) -> Field:
    """A column of a public table that is joined after release."""
    sampled = rates.of_public() if kind in _NUMERIC else rates.PLAIN
    return Field(kind, name=name, key=kind is not ColumnType.NUMBER, sampled=sampled)


def joined_fields(fields: tuple[Field, ...], join: PublicJoin) -> tuple[Field, ...]:
    """The fields after a join.

    Raises:
        OutputTypeError: its conditions mean nothing.
    """
    refs = stage_refs(fields)
    kinds = dict(join.columns)
    for expression, column in join.on:
        found = describe(expression, refs)
        if found.noised or found.bins is not None:
            raise OutputTypeError(expression, "a join condition", "a noised figure", "a key")
        same = found.type is kinds[column] or {found.type, kinds[column]} <= set(_NUMERIC)
        if not same:
            raise OutputTypeError(expression, "a join condition", found.words, f"type {kinds[column]}")
    after = (*fields, *(public_field(name, kind) for name, kind in join.columns))
    if join.condition is not None:
        need_condition(join.condition, stage_refs(after))
    return after


def fields_of_stage(stage: Stage, before: tuple[Field, ...]) -> tuple[Field, ...]:
    """Facts about a stage's columns.

    Raises:
        OutputTypeError: a part of it means nothing.
    """
    fields = before
    for join in stage.joins:
        fields = joined_fields(fields, join)
    refs = stage_refs(fields)
    if stage.where is not None:
        need_condition(stage.where, refs)
    if stage.grouped:
        keys = tuple(describe_column(key, refs) for key in stage.keys)
        for key, found in zip(stage.keys, keys, strict=True):
            if found.noised:
                raise OutputTypeError(key, "a key", "a noised figure", "a key of the table before")
        keys = tuple(replace(found, key=True) for found in keys)
        refs = group_refs(keys, tuple(describe_aggregate(aggregate, refs) for aggregate in stage.aggregates))
    check_tail(stage.tail, refs)
    return tuple(named(output.name, describe_column(output.expression, refs)) for output in stage.outputs)


def check_post(
    post: Post, keys: tuple[Key, ...], aggregates: tuple[Aggregate, ...], outputs: tuple[Output, ...]
) -> tuple[Field, ...]:
    """Require that every expression after release means something; the columns of the last table.

    Raises:
        TrustQueryError: ``query-model-invalid``.
    """
    try:
        check_tail(post.tail, release_refs(keys, aggregates))
        fields = fields_of_release(keys, aggregates, outputs)
        tidy_bins(outputs, post.tail, aggregates)
        for stage in post.stages:
            fields = fields_of_stage(stage, fields)
    except OutputTypeError as error:
        raise invalid() from error
    return fields


# -- bytes -------------------------------------------------------------------------------------------------------


def _list(data: object) -> list[Any]:
    if not isinstance(data, list):
        raise invalid()
    return data


def _write(node: OutputExpression | None) -> dict[str, Any] | None:
    return None if node is None else codec.write_read(node)


def _read(data: object) -> OutputExpression | None:
    return None if data is None else codec.read_read(data)


def _write_tail(tail: Tail) -> dict[str, Any]:
    return {
        "having": _write(tail.having),
        "order": [
            {"by": _write(order.expression), "descending": order.descending, "nulls_first": order.nulls_first}
            for order in tail.order
        ],
        "limit": tail.limit,
        "offset": tail.offset,
    }


def _read_tail(data: object) -> Tail:
    having, orders, limit, offset = codec.members(data, "having", "order", "limit", "offset")
    found = []
    for item in _list(orders):
        by, descending, nulls_first = codec.members(item, "by", "descending", "nulls_first")
        found.append(Order(codec.read_read(by), descending, nulls_first))
    return Tail(_read(having), tuple(found), limit, offset)


def _write_stage(stage: Stage) -> dict[str, Any]:
    return {
        "joins": [
            {
                "input": join.pin.document(),
                "join": join.kind,
                "columns": [{"name": name, "type": str(kind)} for name, kind in join.columns],
                "on": [{"value": _write(value), "column": column} for value, column in join.on],
                "condition": _write(join.condition),
            }
            for join in stage.joins
        ],
        "where": _write(stage.where),
        "keys": [_write(key) for key in stage.keys],
        "aggregates": [
            {"function": found.function, "argument": _write(found.argument), "filter": _write(found.filter)}
            for found in stage.aggregates
        ],
        "outputs": [codec.write_output(output) for output in stage.outputs],
        "tail": _write_tail(stage.tail),
    }


def _read_join(data: object) -> PublicJoin:
    pin, kind, columns, on, condition = codec.members(data, "input", "join", "columns", "on", "condition")
    names = [codec.members(item, "name", "type") for item in _list(columns)]
    pairs = [codec.members(item, "value", "column") for item in _list(on)]
    return PublicJoin(
        Pin(*codec.members(pin, "id", "version", "sha256")),
        kind,
        tuple((name, ColumnType(found)) for name, found in names),
        tuple((codec.read_read(value), column) for value, column in pairs),
        _read(condition),
    )


def _read_stage(data: object) -> Stage:
    joins, where, keys, aggregates, outputs, tail = codec.members(
        data, "joins", "where", "keys", "aggregates", "outputs", "tail"
    )
    read = [codec.members(item, "function", "argument", "filter") for item in _list(aggregates)]
    return Stage(
        tuple(_read_join(item) for item in _list(joins)),
        _read(where),
        tuple(codec.read_read(item) for item in _list(keys)),
        tuple(StageAggregate(name, _read(argument), _read(where_)) for name, argument, where_ in read),
        tuple(codec.read_output(item) for item in _list(outputs)),
        _read_tail(tail),
    )
