"""NHS numbers and local keys as lists of text: what may stand in one, and what spoils it.

One number that is none spoils a whole file at the national service, and a list that was cut, mistyped or put together
twice says nothing certain of anybody. So a list is taken whole or refused whole, and its problem is told by line.
"""

from __future__ import annotations

from nhs_number.validate import is_valid

from trustquery.errors import TrustQueryError

__all__ = ["MAX_LIST_BYTES", "read_keys", "read_numbers", "verified"]

MAX_LIST_BYTES = 2 * 10**9
MAX_KEY = 200
DIGITS = 10
_PARTED = str.maketrans("", "", " -")


def verified(text: str | None) -> str | None:
    """An NHS number as ten digits, where its check digit is right; else None.

    Spaces and dashes between the digits go. Ten times the same digit passes the check and is nobody's number.
    """
    found = (text or "").translate(_PARTED)
    if len(found) != DIGITS or not (found.isascii() and found.isdigit()) or len(set(found)) == 1:
        return None
    return found if is_valid(found) else None


def read_numbers(content: bytes, name: str) -> tuple[str, ...]:
    """The NHS numbers of a list, one a line; a comma may follow each. An empty list is a list.

    Args:
        name: what errors call the list.

    Raises:
        TrustQueryError: ``optout-list-invalid``: not text, a line that is no NHS number, one twice, cut short.
    """
    found = []
    for place, line in enumerate(_lines(content, name), 1):
        number = verified(line.removesuffix(","))
        if number is None:
            raise _bad(name, f"line {place} is no NHS number with a right check digit")
        found.append(number)
    return _once(found, name)


def read_keys(content: bytes, name: str) -> tuple[str, ...]:
    """The local person keys of a list, one a line. An empty list is a list.

    Raises:
        TrustQueryError: ``optout-list-invalid``.
    """
    found = []
    for place, line in enumerate(_lines(content, name), 1):
        if not line or len(line) > MAX_KEY or not line.isprintable() or line != line.strip():
            raise _bad(name, f"line {place} is no local person key")
        found.append(line)
    return _once(found, name)


def _lines(content: bytes, name: str) -> list[str]:
    if len(content) > MAX_LIST_BYTES:
        raise _bad(name, "it is too large")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _bad(name, "it is no text in UTF-8") from error
    if not text:
        return []
    if not text.endswith("\n"):
        raise _bad(name, "its last line does not end, so it may have been cut")
    return [line.removesuffix("\r") for line in text[:-1].split("\n")]


def _once(found: list[str], name: str) -> tuple[str, ...]:
    seen: set[str] = set()
    for place, item in enumerate(found, 1):
        if item in seen:
            raise _bad(name, f"line {place} repeats an earlier one")
        seen.add(item)
    return tuple(found)


def _bad(name: str, problem: str) -> TrustQueryError:
    return TrustQueryError("optout-list-invalid", list=name, problem=problem)
