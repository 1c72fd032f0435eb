"""Canonical JSON (RFC 8785) without floats: one encoding, one strict reader.

A document is verified as the bytes received; reading then requires that re-encoding gives the same bytes, so no
two byte strings mean the same document (formats.md, "Signed documents").
"""

from __future__ import annotations

from typing import Any, NoReturn

import rfc8785

from trustquery.errors import TrustQueryError
from trustquery.identity.strict_json import read_json

__all__ = ["MAX_SAFE_INTEGER", "decode", "encode"]

MAX_SAFE_INTEGER = 2**53 - 1
"""The largest integer that RFC 8785 (by RFC 7493) writes as a number."""
MAX_DOCUMENT_BYTES = 4 * 1024 * 1024
_MAX_DEPTH = 200


def encode(data: Any) -> bytes:
    """Canonical bytes of JSON data.

    Raises:
        TrustQueryError: ``auth-document`` when the data hold a float, an integer beyond ±(2^53 - 1) or another type.
    """
    _refuse_floats(data, 0)
    try:
        return rfc8785.dumps(data)
    except (rfc8785.CanonicalizationError, UnicodeError, RecursionError) as error:
        raise TrustQueryError("auth-document", document="document", problem="it cannot be encoded") from error


def decode(payload: bytes, *, document: str = "document") -> Any:
    """Read canonical bytes; anything that is not canonical is refused.

    Args:
        payload: UTF-8 bytes, at most 4 MiB, with at most ``strict_json.MAX_VALUES`` values.
        document: the word for this document in an error.

    Raises:
        TrustQueryError: ``auth-document``.
    """
    if len(payload) > MAX_DOCUMENT_BYTES:
        raise TrustQueryError("auth-document", document=document, problem="it is too long")
    try:
        data = read_json(payload, parse_float=_no_float)
        same = encode(data) == payload
    except (ValueError, RecursionError, TrustQueryError) as error:
        raise TrustQueryError("auth-document", document=document, problem="it is not canonical JSON") from error
    if not same:
        raise TrustQueryError("auth-document", document=document, problem="it is not canonical JSON")
    return data


def _refuse_floats(data: Any, depth: int) -> None:
    if depth > _MAX_DEPTH:
        raise TrustQueryError("auth-document", document="document", problem="it is nested too deeply")
    if isinstance(data, float):
        raise TrustQueryError("auth-document", document="document", problem="it holds a floating-point number")
    if isinstance(data, dict):
        for value in data.values():
            _refuse_floats(value, depth + 1)
    elif isinstance(data, list | tuple):
        for value in data:
            _refuse_floats(value, depth + 1)


def _no_float(text: str) -> NoReturn:
    raise ValueError("floating-point number")
