"""Values for the ``$names`` of a query: literals of the tree that was already read, never text that is read again.

The statement is parsed before any value is known, and a value becomes one literal node of that tree. What a value
holds can therefore change no name, no keyword and no structure, whatever its characters are.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from sqlglot import exp

from trustquery.errors import Problems, TrustQueryError, nearest
from trustquery.language.parse import Source

__all__ = ["MAX_VALUES", "Parameter", "Parameters", "Scalar", "bind", "read_parameters", "write_parameters"]

MAX_PARAMETERS = 200
MAX_VALUES = 1_000
MAX_DIGITS = 40
MAX_TEXT_GIVEN = 10_000
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")

Scalar = bool | int | Decimal | str | datetime.date | datetime.datetime
Parameter = Scalar | Sequence[Scalar]
"""A list stands in ``IN ($codes)`` only."""
Parameters = Mapping[str, Parameter]

_INSTEAD = "give a whole number, Decimal, text, true or false, a date or a time without zone, or a list of these"


def bind(tree: exp.Select, source: Source, given: Parameters) -> None:
    """Put the values into the tree, in place.

    Raises:
        TrustQueryError: ``query-parameter-…``, every problem with its place in the text.
    """
    problems = Problems()
    values = _checked(given)
    named = {name for name, _ in source.parameters}
    wanted = dict.fromkeys(name for name, _ in source.parameters)
    for name in values:
        if name not in named:
            close = nearest(name, named) or "another name"
            problems.add("query-parameter-unused", name=name, nearest=close)
    for name, offset in source.parameters:
        if name in wanted and name not in values:
            del wanted[name]  # told once, where it first stands
            problems.add("query-parameter-missing", source.at(offset), name=name)
    problems.raise_any()
    places = _places(tree)
    for name, offset in source.parameters:
        columns = places.get(offset, [])
        if not columns:
            problems.add("query-parameter-place", source.at(offset), name=name)
        for column in columns:
            _put(column, name, values[name], source.at(offset), problems)
    problems.raise_any()


def _places(tree: exp.Select) -> dict[int, list[exp.Column]]:
    """Bare columns called ``$name``, by where they were written: no other text can make one (``parse``)."""
    found: dict[int, list[exp.Column]] = {}
    for column in tree.find_all(exp.Column):
        part = column.this
        if isinstance(part, exp.Identifier) and part.name.startswith("$") and set(_filled(column)) == {"this"}:
            found.setdefault(int(part.meta.get("start", -1)), []).append(column)
    return found


def _filled(node: exp.Expr) -> Iterable[str]:
    return (name for name, value in node.args.items() if value)


def _put(column: exp.Column, name: str, value: Parameter, at: tuple[int, int], problems: Problems) -> None:
    if isinstance(column.parent, exp.Group | exp.Ordered):
        # A number there would mean a column of the SELECT list, and so be a name.
        problems.add("query-parameter-place", at, name=name)
        return
    meta = dict(column.this.meta)
    if not isinstance(value, list):
        column.replace(_literal(value, meta))
    elif isinstance(column.parent, exp.In) and column.arg_key == "expressions":
        # One literal in place of each name: a list in the tree is a list of siblings.
        into = column.parent
        into.set(
            "expressions",
            [
                new
                for old in into.expressions
                for new in ([_literal(item, meta) for item in value] if old is column else [old])
            ],
        )
    else:
        problems.add(
            "query-parameter-invalid",
            at,
            name=name,
            reason="a list stands in IN only",
            instead=f"write IN (${name}), or give one value",
        )


def _literal(value: object, meta: Mapping[str, Any]) -> exp.Expr:
    """One value as the tree writes it; ``meta`` is the place that problems with it will name."""
    if isinstance(value, bool):
        node: exp.Expr = exp.Boolean(this=value)
    elif isinstance(value, int | Decimal):
        # As text would be read: a minus and a number.
        node = exp.Literal(this=format(abs(value), "f" if isinstance(value, Decimal) else ""), is_string=False)
        node.meta.update(meta)
        node = exp.Neg(this=node) if value < 0 else node
    elif isinstance(value, datetime.datetime):
        node = _cast(value.isoformat(), exp.DType.TIMESTAMP, meta)
    elif isinstance(value, datetime.date):
        node = _cast(value.isoformat(), exp.DType.DATE, meta)
    else:
        node = exp.Literal(this=str(value), is_string=True)
    node.meta.update(meta)
    return node


def _cast(text: str, kind: exp.DType, meta: Mapping[str, Any]) -> exp.Expr:
    inner = exp.Literal(this=text, is_string=True)
    inner.meta.update(meta)
    return exp.Cast(this=inner, to=exp.DataType(this=kind, nested=False))


# -- what may be given ---------------------------------------------------------------------------------------------


def _refuse(name: str, reason: str, instead: str = _INSTEAD) -> TrustQueryError:
    return TrustQueryError("query-parameter-invalid", f"parameter {name}", name=name, reason=reason, instead=instead)


def _checked(given: Parameters) -> dict[str, Scalar | list[Scalar]]:
    if len(given) > MAX_PARAMETERS:
        raise _refuse("…", f"more than {MAX_PARAMETERS} are given", "give fewer")
    found: dict[str, Scalar | list[Scalar]] = {}
    for name, value in given.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            shown = str(name)[:30]
            raise _refuse(shown, "its name is not plain", "use lower-case letters, digits and _ for the name")
        if isinstance(value, list | tuple | set | frozenset):
            if not 1 <= len(value) <= MAX_VALUES:
                raise _refuse(
                    name, f"a list holds 1 to {MAX_VALUES} values", "put a long code set into a codelist: --input FILE"
                )
            items = sorted(value, key=str) if isinstance(value, set | frozenset) else value
            found[name] = [_scalar(name, item) for item in items]
        else:
            found[name] = _scalar(name, value)
    return found


def _scalar(name: str, value: object) -> Scalar:
    if isinstance(value, bool):
        return value
    if isinstance(value, int | Decimal):
        if isinstance(value, Decimal) and not value.is_finite():
            raise _refuse(name, "it is not a finite number")
        if isinstance(value, int) and value.bit_length() > 4 * MAX_DIGITS:
            raise _refuse(name, "it is too large", "use a number between -(2^53 - 1) and 2^53 - 1")
        if isinstance(value, Decimal) and not -MAX_DIGITS <= value.adjusted() <= MAX_DIGITS:
            raise _refuse(name, "it is too large or too small", "use a number between -(2^53 - 1) and 2^53 - 1")
        return value
    if isinstance(value, datetime.datetime) and value.tzinfo is not None:
        raise _refuse(name, "it is a time with a zone")
    if isinstance(value, datetime.date):  # a datetime is one
        return value
    if isinstance(value, str):
        if len(value) > MAX_TEXT_GIVEN:
            raise _refuse(name, "it is too long", "use at most 200 printable characters")
        return value
    raise _refuse(name, "it has a type that no literal has")


# -- as data -------------------------------------------------------------------------------------------------------


def write_parameters(given: Parameters) -> dict[str, Any]:
    """JSON data; what travels beside the text and is kept with it.

    Raises:
        TrustQueryError: ``query-parameter-invalid``.
    """
    return {
        name: [_write(item) for item in value] if isinstance(value, list) else _write(value)
        for name, value in _checked(given).items()
    }


def _write(value: Scalar) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"type": "boolean", "value": value}
    if isinstance(value, int):
        return {"type": "integer", "value": str(value)}
    if isinstance(value, Decimal):
        return {"type": "number", "value": str(value)}
    if isinstance(value, datetime.datetime):
        return {"type": "timestamp", "value": value.isoformat()}
    if isinstance(value, datetime.date):
        return {"type": "date", "value": value.isoformat()}
    return {"type": "text", "value": value}


def read_parameters(data: object) -> dict[str, Scalar | list[Scalar]]:
    """Read JSON data, strictly.

    Raises:
        TrustQueryError: ``query-parameter-invalid``.
    """
    if not isinstance(data, dict):
        raise _refuse("…", "they are not of the form that travels")
    found: dict[str, Parameter] = {}
    for name, value in data.items():
        try:
            found[name] = [_read(item) for item in value] if isinstance(value, list) else _read(value)
        except (KeyError, TypeError, ValueError, ArithmeticError) as error:
            raise _refuse(str(name)[:30], "it is not of the form that travels") from error
    return _checked(found)


def _read(data: Any) -> Scalar:
    if set(data) != {"type", "value"}:
        raise ValueError("members")
    kind, value = data["type"], data["value"]
    if not isinstance(value, bool if kind == "boolean" else str):
        raise TypeError("value")
    if kind in ("integer", "number") and len(str(value)) > 2 * MAX_DIGITS + 10:
        raise ValueError("length")
    readers: dict[str, Any] = {
        "boolean": bool,
        "integer": int,
        "number": Decimal,
        "text": str,
        "date": datetime.date.fromisoformat,
        "timestamp": datetime.datetime.fromisoformat,
    }
    found: Scalar = readers[kind](value)
    return found
