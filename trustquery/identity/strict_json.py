"""JSON of strangers: every name once, no number that is none, and not more things than memory has room for.

A few bytes can ask for many times their size: ``[],`` takes 3 and becomes 64. So what a text could hold is counted
before anything of it is made.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NoReturn

__all__ = ["MAX_VALUES", "check_values", "no_duplicates", "read_json"]

MAX_VALUES = 500_000
"""Most values in one text, counted from above; they become about 40 MB of Python objects."""


def check_values(data: bytes, most: int = MAX_VALUES) -> None:
    """Refuse a text that could hold too many values: commas and brackets are counted, and colons twice.

    What stands within strings counts as well. An object's entry takes more room than a list's.

    Raises:
        ValueError: it could.
    """
    if data.count(b",") + data.count(b"[") + data.count(b"{") + 2 * data.count(b":") > most:
        raise ValueError("it holds too many values")


def no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose names all differ; for ``object_pairs_hook``.

    Raises:
        ValueError: a name stands there twice.
    """
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("it writes a name twice")
    return found


def _no_number(text: str) -> NoReturn:
    raise ValueError("it writes a number that is none")


def read_json(data: bytes, *, parse_float: Callable[[str], Any] = float, most: int = MAX_VALUES) -> Any:
    """JSON of UTF-8 bytes.

    Args:
        parse_float: what a number with a point or an exponent becomes; it may raise ValueError.
        most: values that it may hold.

    Raises:
        ValueError: it is none, is nested too deeply, writes a name twice, holds NaN or infinity or too many values.
    """
    check_values(data, most)
    try:
        return json.loads(
            data.decode("utf-8"), object_pairs_hook=no_duplicates, parse_float=parse_float, parse_constant=_no_number
        )
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
