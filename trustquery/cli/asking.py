"""What is asked, as a command line gives it: the text, from where, and the values of its parameters."""

from __future__ import annotations

import datetime
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from trustquery.errors import TrustQueryError

if TYPE_CHECKING:
    from trustquery.language.parameters import Parameter, Scalar

__all__ = ["TYPES", "Statement", "read_parameters", "read_statement"]


@dataclass(frozen=True)
class Statement:
    """A query's text, and the file that it stands in; "" where it was typed."""

    text: str
    file: str = ""


def read_statement(given: str, file: Path | None = None) -> Statement:
    """The statement: the argument itself, ``-`` for standard input, or a file.

    Args:
        given: ``@FILE`` is a file, and so is anything without a blank that ends in ``.sql``: no SELECT does.

    Raises:
        TrustQueryError: ``config-missing``, ``usage-invalid``.
    """
    if file is not None:
        if given:
            raise TrustQueryError("usage-invalid", "--file", problem="give a SELECT or --file, not both")
        return _read(file)
    if given == "-":
        return Statement(sys.stdin.read(), "standard input")
    if given.startswith("@"):
        return _read(Path(given[1:]))
    if given.lower().endswith(".sql") and not re.search(r"\s", given):
        return _read(Path(given))
    if not given:
        raise TrustQueryError("usage-invalid", "SQL", problem="give a SELECT, a file of one, or - for standard input")
    return Statement(given)


def _read(path: Path) -> Statement:
    try:
        return Statement(path.expanduser().read_text(encoding="utf-8-sig"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise TrustQueryError("config-missing", path=path, instead="give the path of a text file") from error


# -- parameters ----------------------------------------------------------------------------------------------------


def _boolean(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError(text)
    return text.lower() == "true"


TYPES: dict[str, Callable[[str], Scalar]] = {
    "integer": int,
    "int": int,
    "number": Decimal,
    "decimal": Decimal,
    "boolean": _boolean,
    "text": str,
    "date": datetime.date.fromisoformat,
    "timestamp": datetime.datetime.fromisoformat,
}


def _guess(text: str) -> Scalar:
    """A whole number, a decimal, true or false, a date; else text. ``007`` is text: it would lose its noughts."""
    if re.fullmatch(r"-?(0|[1-9][0-9]{0,30})", text):
        return int(text)
    if re.fullmatch(r"-?(0|[1-9][0-9]{0,30})\.[0-9]{1,30}", text):
        return Decimal(text)
    if text in ("true", "false"):
        return text == "true"
    if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        try:
            return datetime.date.fromisoformat(text)
        except ValueError:
            return text
    return text


def read_parameters(given: Sequence[str]) -> dict[str, Parameter]:
    """``name=value`` or ``name:type=value``, each; a name that is given several times is a list.

    Raises:
        TrustQueryError: ``usage-invalid``.
    """
    texts: dict[str, list[tuple[str, str]]] = {}
    for item in given:
        before, mark, value = item.partition("=")
        name, colon, kind = before.partition(":")
        if not mark or not name:
            raise _refuse(item, "a parameter is NAME=VALUE or NAME:TYPE=VALUE")
        if colon and kind not in TYPES:
            raise _refuse(item, f"a type is one of {', '.join(TYPES)}")
        texts.setdefault(name, []).append((kind, value))
    return {name: values[0] if len(values := _values(name, items)) == 1 else values for name, items in texts.items()}


def _values(name: str, items: Sequence[tuple[str, str]]) -> list[Scalar]:
    guesses = [_guess(value) for kind, value in items if not kind]
    # One code of a list that is no number makes all of them text.
    as_text = any(isinstance(guess, str) for guess in guesses)
    found: list[Scalar] = []
    for kind, value in items:
        try:
            found.append(TYPES[kind](value) if kind else value if as_text else _guess(value))
        except (ValueError, ArithmeticError) as error:
            raise _refuse(f"{name}:{kind}={value}", f"this is not a {kind}") from error
    return found


def _refuse(item: str, problem: str) -> TrustQueryError:
    return TrustQueryError("usage-invalid", f"--param {item[:60]}", problem=problem)
