"""Model nodes to canonical-JSON data and back. Reading is strict: exactly the known members, nothing else."""

from __future__ import annotations

from typing import Any

from trustquery.catalogue.schema import ColumnType
from trustquery.model.nodes import (
    Aggregate,
    AggregateRef,
    Bins,
    Call,
    ColumnRef,
    Expression,
    FieldRef,
    Key,
    KeyRef,
    Literal,
    Output,
    OutputCall,
    OutputExpression,
    invalid,
)

__all__ = [
    "items",
    "members",
    "read_aggregate",
    "read_expression",
    "read_key",
    "read_optional",
    "read_output",
    "read_read",
    "read_type",
    "write_aggregate",
    "write_bins",
    "write_expression",
    "write_key",
    "write_optional",
    "write_output",
    "write_read",
]


def members(data: object, *names: str) -> list[Any]:
    """The values of exactly these members, in this order."""
    if not isinstance(data, dict) or set(data) != set(names):
        raise invalid()
    return [data[name] for name in names]


def items(data: object) -> list[Any]:
    """The elements of an array."""
    if not isinstance(data, list):
        raise invalid()
    return data


def read_type(data: object) -> ColumnType:
    """A column type."""
    try:
        return ColumnType(data)  # type: ignore[arg-type]
    except ValueError as error:
        raise invalid() from error


def write_expression(node: Expression) -> dict[str, Any]:
    """An expression as data."""
    if isinstance(node, ColumnRef):
        return {"column": node.column, "of": node.alias}
    if isinstance(node, Literal):
        return {"literal": node.value, "type": node.type and str(node.type)}
    return {"call": node.function, "arguments": [write_expression(argument) for argument in node.arguments]}


def read_expression(data: object) -> Expression:
    """An expression from data."""
    if not isinstance(data, dict):
        raise invalid()
    if "column" in data:
        column, alias = members(data, "column", "of")
        return ColumnRef(alias, column)
    if "literal" in data:
        value, kind = members(data, "literal", "type")
        return Literal(None if kind is None else read_type(kind), value)
    name, arguments = members(data, "call", "arguments")
    if not isinstance(name, str):
        raise invalid()
    return Call(name, tuple(read_expression(argument) for argument in items(arguments)))


def write_optional(node: Expression | None) -> dict[str, Any] | None:
    """An expression or null."""
    return None if node is None else write_expression(node)


def read_optional(data: object) -> Expression | None:
    """An expression or None."""
    return None if data is None else read_expression(data)


def write_key(key: Key) -> dict[str, Any]:
    """A key as data; its kind is written only where the values are not public, so that other models keep their hash."""
    kind = {} if key.kind == "public" else {"kind": key.kind}
    return kind | {
        "name": key.name,
        "expression": write_expression(key.expression),
        "type": str(key.type),
        "values": list(key.values),
    }


def read_key(data: object) -> Key:
    """A key from data."""
    special = isinstance(data, dict) and "kind" in data
    names = ("name", "expression", "type", "values", *(("kind",) if special else ()))
    name, expression, type_, values, *kind = members(data, *names)
    if kind == ["public"]:
        raise invalid()
    return Key(name, read_expression(expression), read_type(type_), tuple(items(values)), *kind)


def write_aggregate(aggregate: Aggregate) -> dict[str, Any]:
    """An aggregate as data."""
    bins = aggregate.bins
    return {
        "kind": aggregate.kind,
        "argument": write_optional(aggregate.argument),
        "filter": write_optional(aggregate.filter),
        "fraction_bits": aggregate.fraction_bits,
        "lo": aggregate.lo,
        "hi": aggregate.hi,
        "bins": None if bins is None else write_bins(bins),
    }


def read_aggregate(data: object) -> Aggregate:
    """An aggregate from data."""
    kind, argument, where, bits, lo, hi, bins = members(
        data, "kind", "argument", "filter", "fraction_bits", "lo", "hi", "bins"
    )
    return Aggregate(
        kind, read_optional(argument), read_optional(where), bits, lo, hi, None if bins is None else _read_bins(bins)
    )


def write_bins(bins: Bins) -> dict[str, Any]:
    """Bins as data."""
    return {"cuts": list(bins.cuts), "ends": None if bins.ends is None else list(bins.ends), "whole": bins.whole}


def _read_bins(data: object) -> Bins:
    cuts, ends, whole = members(data, "cuts", "ends", "whole")
    return Bins(tuple(items(cuts)), None if ends is None else _pair(ends), whole)


def _pair(data: object) -> tuple[str, str]:
    found = items(data)
    if len(found) != 2:
        raise invalid()
    return found[0], found[1]


def write_read(node: OutputExpression) -> dict[str, Any]:
    """An expression over released figures as data."""
    if isinstance(node, KeyRef):
        return {"key": node.key}
    if isinstance(node, AggregateRef):
        return {"aggregate": node.aggregate}
    if isinstance(node, FieldRef):
        return {"field": node.field}
    if isinstance(node, Literal):
        return {"literal": node.value, "type": node.type and str(node.type)}
    return {"call": node.function, "arguments": [write_read(argument) for argument in node.arguments]}


def read_read(data: object) -> OutputExpression:
    """An expression over released figures from data."""
    if not isinstance(data, dict):
        raise invalid()
    if "call" in data:
        name, arguments = members(data, "call", "arguments")
        return OutputCall(name, tuple(read_read(argument) for argument in items(arguments)))
    if "literal" in data:
        value, kind = members(data, "literal", "type")
        return Literal(None if kind is None else read_type(kind), value)
    if "field" in data:
        (place,) = members(data, "field")
        return FieldRef(place)
    if "key" in data:
        (place,) = members(data, "key")
        return KeyRef(place)
    (place,) = members(data, "aggregate")
    return AggregateRef(place)


def write_output(output: Output) -> dict[str, Any]:
    """An output as data."""
    return {"name": output.name, "read": write_read(output.expression)}


def read_output(data: object) -> Output:
    """An output from data."""
    name, read = members(data, "name", "read")
    return Output(name, read_read(read))
