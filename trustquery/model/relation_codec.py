"""Relations to canonical-JSON data and back, strictly: exactly the known members, nothing else."""

from __future__ import annotations

from typing import Any

from trustquery.model.codec import (
    items,
    members,
    read_expression,
    read_optional,
    write_expression,
    write_optional,
)
from trustquery.model.nodes import invalid
from trustquery.model.relations import (
    Derived,
    Filter,
    Frame,
    Join,
    Leaf,
    Mark,
    Named,
    Order,
    PerPerson,
    PersonValue,
    Relation,
    Scan,
    UnionAll,
    Window,
    Windows,
)

__all__ = ["read_relation", "write_relation"]

MAX_DEPTH = 40
"""Relations inside one another: engines and this module recurse."""


def write_relation(node: Relation) -> dict[str, Any]:
    """A relation as data."""
    match node:
        case Scan():
            return {"scan": node.table, "alias": node.alias}
        case Join():
            return {
                "join": node.kind,
                "left": write_relation(node.left),
                "right": write_relation(node.right),
                "condition": write_optional(node.condition),
            }
        case Filter():
            return {"filter": write_relation(node.source), "where": write_expression(node.predicate)}
        case Mark():
            return {
                "mark": write_relation(node.source),
                "alias": node.alias,
                "rows": write_relation(node.rows),
                "condition": write_optional(node.condition),
            }
        case Windows():
            return {
                "windows": write_relation(node.source),
                "alias": node.alias,
                "columns": [_write_window(window) for window in node.columns],
            }
        case Derived():
            return {
                "derived": write_relation(node.source),
                "alias": node.alias,
                "columns": [_write_named(column) for column in node.columns],
            }
        case PerPerson():
            return {
                "per_person": write_relation(node.source),
                "alias": node.alias,
                "keys": [_write_named(key) for key in node.keys],
                "values": [_write_value(value) for value in node.values],
            }
        case UnionAll():
            return {"union_all": [write_relation(branch) for branch in node.branches], "alias": node.alias}


def read_relation(data: object, depth: int = 0) -> Relation:
    """A relation from data."""
    if not isinstance(data, dict) or depth > MAX_DEPTH:
        raise invalid()
    below = depth + 1
    if "scan" in data:
        table, alias = members(data, "scan", "alias")
        return Scan(alias, table)
    if "join" in data:
        kind, left, right, condition = members(data, "join", "left", "right", "condition")
        return Join(_joined(left, below), _leaf(right, below), kind, read_optional(condition))
    if "filter" in data:
        source, where = members(data, "filter", "where")
        return Filter(read_relation(source, below), read_expression(where))
    if "mark" in data:
        source, alias, rows, condition = members(data, "mark", "alias", "rows", "condition")
        return Mark(read_relation(source, below), alias, read_relation(rows, below), read_optional(condition))
    if "windows" in data:
        source, alias, columns = members(data, "windows", "alias", "columns")
        return Windows(read_relation(source, below), alias, tuple(_read_window(item) for item in items(columns)))
    if "derived" in data or "per_person" in data:
        return _subquery(data, below)
    branches, alias = members(data, "union_all", "alias")
    return UnionAll(alias, tuple(_subquery(branch, below) for branch in items(branches)))


def _subquery(data: object, below: int) -> Derived | PerPerson:
    if isinstance(data, dict) and "derived" in data:
        source, alias, columns = members(data, "derived", "alias", "columns")
        return Derived(alias, read_relation(source, below), tuple(_read_named(item) for item in items(columns)))
    source, alias, keys, values = members(data, "per_person", "alias", "keys", "values")
    return PerPerson(
        alias,
        read_relation(source, below),
        tuple(_read_named(item) for item in items(keys)),
        tuple(_read_value(item) for item in items(values)),
    )


def _leaf(data: object, below: int) -> Leaf:
    found = read_relation(data, below)
    if not isinstance(found, Leaf):
        raise invalid()
    return found


def _joined(data: object, below: int) -> Leaf | Join:
    found = read_relation(data, below)
    if not isinstance(found, Leaf | Join):
        raise invalid()
    return found


def _write_named(node: Named) -> dict[str, Any]:
    return {"name": node.name, "expression": write_expression(node.expression)}


def _read_named(data: object) -> Named:
    name, expression = members(data, "name", "expression")
    return Named(name, read_expression(expression))


def _write_value(node: PersonValue) -> dict[str, Any]:
    return {
        "name": node.name,
        "kind": node.kind,
        "argument": write_optional(node.argument),
        "filter": write_optional(node.filter),
        "fraction_bits": node.fraction_bits,
        "lo": node.lo,
        "hi": node.hi,
    }


def _read_value(data: object) -> PersonValue:
    name, kind, argument, where, bits, lo, hi = members(
        data, "name", "kind", "argument", "filter", "fraction_bits", "lo", "hi"
    )
    return PersonValue(name, kind, read_optional(argument), read_optional(where), bits, lo, hi)


def _write_window(node: Window) -> dict[str, Any]:
    frame = node.frame
    return {
        "name": node.name,
        "function": node.function,
        "arguments": [write_expression(part) for part in node.arguments],
        "partition": [write_expression(part) for part in node.partition],
        "order": [
            {
                "by": write_expression(item.expression),
                "descending": item.descending,
                "nulls_first": item.nulls_first,
            }
            for item in node.order
        ],
        "frame": None if frame is None else {"mode": frame.mode, "start": frame.start, "end": frame.end},
        "fraction_bits": node.fraction_bits,
        "lo": node.lo,
        "hi": node.hi,
    }


def _read_window(data: object) -> Window:
    name, function, arguments, partition, order, frame, bits, lo, hi = members(
        data, "name", "function", "arguments", "partition", "order", "frame", "fraction_bits", "lo", "hi"
    )
    return Window(
        name,
        function,
        tuple(read_expression(part) for part in items(arguments)),
        tuple(read_expression(part) for part in items(partition)),
        tuple(_read_order(item) for item in items(order)),
        None if frame is None else Frame(*members(frame, "mode", "start", "end")),
        bits,
        lo,
        hi,
    )


def _read_order(data: object) -> Order:
    by, descending, nulls_first = members(data, "by", "descending", "nulls_first")
    return Order(read_expression(by), descending, nulls_first)
