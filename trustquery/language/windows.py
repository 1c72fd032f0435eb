"""Window functions of a subquery: always within one person."""

from __future__ import annotations

from sqlglot import exp

from trustquery.catalogue.schema import ColumnType, Role
from trustquery.language.measures import fixed_point
from trustquery.language.scalar import Reader
from trustquery.model.nodes import Expression, Literal
from trustquery.model.relations import (
    AGGREGATE_WINDOWS,
    MAX_OFFSET,
    PEER_WINDOWS,
    VALUE_WINDOWS,
    Frame,
    Order,
    Window,
)

__all__ = ["read_window"]

_FUNCTIONS: dict[type[exp.Expr], str] = {
    exp.RowNumber: "row_number",
    exp.Rank: "rank",
    exp.DenseRank: "dense_rank",
    exp.Ntile: "ntile",
    exp.Lag: "lag",
    exp.Lead: "lead",
    exp.FirstValue: "first_value",
    exp.First: "first_value",
    exp.LastValue: "last_value",
    exp.Last: "last_value",
    exp.NthValue: "nth_value",
    exp.Count: "count",
    exp.Sum: "sum",
    exp.Avg: "avg",
    exp.Min: "min",
    exp.Max: "max",
}
_FORM = "f(…) OVER (PARTITION BY {key} ORDER BY …)"


def read_window(
    tree: exp.Expr, name: str, select: exp.Select, person_columns: list[exp.Expr], reader: Reader
) -> Window:
    """One window call.

    Args:
        name: of the column it becomes.
        select: whose WINDOW clause may define the window.
        person_columns: how the person key was written, where the rows are grouped already.

    Raises:
        Refused: with problems noted.
    """
    reader.only(tree, "this", "partition_by", "order", "spec", "over", "alias")
    window = _named(tree, select, reader)
    call = tree.this
    function = _FUNCTIONS.get(type(call))
    if function is None:
        raise reader.refuse(
            "query-form-unsupported", tree, form=f"the window {call.key.upper()[:40]}", instead=_known()
        )
    arguments = _arguments(call, function, reader)
    partition = _partition(tree, window, person_columns, reader)
    order = tuple(_order(item, reader) for item in _items(window))
    frame = _frame(window, function, order, reader)
    if function in PEER_WINDOWS and not order:
        raise reader.refuse(
            "query-form-unsupported", tree, form=f"{function}() without ORDER BY", instead="say by what rows are ranked"
        )
    bits = lo = hi = 0
    if function in ("sum", "avg"):
        bits, lo, hi = fixed_point(reader, call, call.key, arguments[0])
    return reader.mark(Window(name, function, arguments, partition, order, frame, bits, lo, hi), tree)


def _known() -> str:
    return f"use one of {', '.join(dict.fromkeys(_FUNCTIONS.values()))}"


def _named(tree: exp.Expr, select: exp.Select, reader: Reader) -> exp.Expr:
    """The tree that holds PARTITION BY, ORDER BY and the frame."""
    name = tree.args.get("alias")
    if name is None:
        return tree
    for known in select.args.get("windows") or []:
        if known.this.name.lower() == name.name.lower():
            reader.only(known, "this", "partition_by", "order", "spec")
            if any(tree.args.get(part) for part in ("partition_by", "order", "spec")):
                break
            return known  # type: ignore[no-any-return]
    raise reader.refuse(
        "query-form-unsupported",
        tree,
        form=f"OVER {name.name[:40]}",
        instead="write the window out: OVER (PARTITION BY …)",
    )


def _arguments(call: exp.Expr, function: str, reader: Reader) -> tuple[Expression, ...]:
    if isinstance(call, exp.Ntile):
        reader.only(call, "this")
        return (_count(call.this, 1, reader),)
    if function in ("lag", "lead"):
        reader.only(call, "this", "offset", "default")
        offset = call.args.get("offset")
        found = [reader.read(call.this), _count(offset, 0, reader) if offset is not None else _one()]
        default = call.args.get("default")
        if default is not None and not isinstance(default, exp.Null):
            value = reader.read(default)
            if not isinstance(value, Literal):
                raise reader.refuse(
                    "query-literal",
                    default,
                    literal=default.sql()[:30],
                    instead=f"{function}() takes a literal default",
                )
            found.append(value)
        return tuple(found)
    if function == "nth_value":
        reader.only(call, "this", "offset")
        return (reader.read(call.this), _count(call.args.get("offset") or call, 1, reader))
    if function == "count":
        reader.only(call, "this")
        if call.this is None or isinstance(call.this, exp.Star):
            return ()
    if function in ("row_number", "rank", "dense_rank"):
        reader.only(call)
        return ()
    reader.only(call, "this")
    if isinstance(call.this, exp.Distinct):
        raise reader.refuse(
            "query-form-unsupported",
            call,
            form=f"{function}(DISTINCT …) as a window",
            instead="count distinct values with GROUP BY the person key",
        )
    return (reader.read(call.this),)


def _one() -> Literal:
    return Literal(ColumnType.INTEGER, 1)


def _count(tree: exp.Expr, least: int, reader: Reader) -> Literal:
    """A literal number of rows."""
    text = str(tree.this) if isinstance(tree, exp.Literal) and not tree.args.get("is_string") else ""
    if not text.isdecimal() or not least <= int(text[:9]) <= MAX_OFFSET or len(text) > 9:
        raise reader.refuse(
            "query-literal", tree, literal=tree.sql()[:30], instead=f"write a whole number from {least} to {MAX_OFFSET}"
        )
    return Literal(ColumnType.INTEGER, int(text))


def _partition(
    tree: exp.Expr, window: exp.Expr, person_columns: list[exp.Expr], reader: Reader
) -> tuple[Expression, ...]:
    found: list[Expression] = []
    on_person = False
    for part in window.args.get("partition_by") or []:
        if isinstance(part, exp.Column):
            if any(part == known or part.name == known.name for known in person_columns):
                on_person = True
                continue
            reference = reader.column(part)
            column = reader.shape(reference.alias).column(reference.column)
            if column is not None and column.role is Role.PERSON_KEY:
                on_person = True
                continue
        found.append(reader.read(part))
    if not on_person:
        raise reader.refuse(
            "query-subquery-crosses-persons",
            tree,
            form="a window over several people",
            instead=f"write {_FORM.format(key=reader.person_key)}",
        )
    return tuple(found)


def _items(window: exp.Expr) -> list[exp.Expr]:
    order = window.args.get("order")
    return list(order.expressions) if order is not None else []


def _order(item: exp.Expr, reader: Reader) -> Order:
    if not isinstance(item, exp.Ordered):
        return Order(reader.read(item))
    reader.only(item, "this", "desc", "nulls_first")
    return Order(reader.read(item.this), bool(item.args.get("desc")), bool(item.args.get("nulls_first")))


def _frame(window: exp.Expr, function: str, order: tuple[Order, ...], reader: Reader) -> Frame | None:
    if function not in (*AGGREGATE_WINDOWS, *VALUE_WINDOWS):
        if window.args.get("spec") is not None:
            raise reader.refuse(
                "query-form-unsupported", window.args["spec"], form=f"a frame of {function}()", instead="leave it out"
            )
        return None
    spec = window.args.get("spec")
    if spec is None:
        mode, start, end = "range", None, 0 if order else None
    else:
        reader.only(spec, "kind", "start", "start_side", "end", "end_side")
        mode = str(spec.args.get("kind") or "").lower()
        start = _bound(spec, "start", mode, reader)
        end = _bound(spec, "end", mode, reader) if spec.args.get("end") is not None else 0
    if mode not in ("rows", "range"):
        raise reader.refuse(
            "query-form-unsupported", spec or window, form=f"a {mode.upper()} frame", instead="use ROWS or RANGE"
        )
    distance = bool(start or end)
    if mode == "range" and (function in VALUE_WINDOWS or not order):
        if distance:
            raise reader.refuse(
                "query-form-unsupported",
                spec or window,
                form=f"RANGE with a distance for {function}()",
                instead="use ROWS, or an aggregate, and ORDER BY one date",
            )
        # Rows are put in a total order, in which nobody has a peer.
        mode, end = "rows", end if order else None
    wrong = start is not None and end is not None and start > end
    if wrong or (mode == "range" and distance and (len(order) != 1 or order[0].descending)):
        raise reader.refuse(
            "query-form-unsupported",
            spec or window,
            form="this frame",
            instead="start before the end, and order a RANGE by one date, rising",
        )
    return Frame("rows" if mode == "rows" else "range", start, end)


def _bound(spec: exp.Expr, name: str, mode: str, reader: Reader) -> int | None:
    value, side = spec.args.get(name), str(spec.args.get(f"{name}_side") or "").upper()
    sign = -1 if side == "PRECEDING" else 1
    if isinstance(value, str):
        if value.upper() == "CURRENT ROW":
            return 0
        outward = (name == "start") == (side == "PRECEDING")
        if value.upper() == "UNBOUNDED" and outward:
            return None
    number = value
    if mode == "range" and isinstance(value, exp.Interval):
        unit = str(value.args.get("unit") or "").upper().rstrip("S")
        number = exp.Literal.number(str(value.this.this)) if unit == "DAY" and value.this is not None else None
    text = str(number.this) if isinstance(number, exp.Literal) else ""
    if not text.isdecimal() or len(text) > 9 or int(text) > MAX_OFFSET:
        raise reader.refuse(
            "query-form-unsupported",
            spec if not isinstance(value, exp.Expr) else value,
            form="this end of a frame",
            instead=f"use CURRENT ROW, UNBOUNDED, or a whole number (of days) up to {MAX_OFFSET}",
        )
    return sign * int(text)
