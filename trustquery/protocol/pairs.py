"""The vector of a thresholded release: pairs of key and integer, as bytes (formats.md, "Unknown keys").

Each pair is the integer (int64), the length of the label in bytes (one byte), the label in UTF-8, and zero bytes up to
a multiple of eight. Pairs stand in the order of their labels' bytes, each label once, so that one release has one
encoding; and whole words keep the wire as it is.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping

from trustquery.errors import TrustQueryError
from trustquery.model.unknown import MAX_KEY_BYTES, MAX_UNKNOWN_KEYS, check_label

__all__ = ["add_pairs", "read_pairs", "write_pairs"]

_HEAD = struct.Struct("<qB")
WORD = 8


def write_pairs(pairs: Mapping[str, int]) -> bytes:
    """The bytes of labelled integers.

    Raises:
        TrustQueryError: ``query-model-invalid``: a label that names no cell.
        struct.error: an integer beyond 64 bits.
    """
    parts = []
    for label in sorted(pairs):
        check_label(label)
        text = label.encode()
        pair = _HEAD.pack(pairs[label], len(text)) + text
        parts.append(pair + bytes(-len(pair) % WORD))
    return b"".join(parts)


def read_pairs(vector: bytes) -> dict[str, int]:
    """Labelled integers from bytes that are exactly what ``write_pairs`` writes.

    Raises:
        ValueError: anything else.
    """
    found: dict[str, int] = {}
    position = 0
    try:
        while position < len(vector) and len(found) <= MAX_UNKNOWN_KEYS:
            value, length = _HEAD.unpack_from(vector, position)
            start = position + _HEAD.size
            if length > MAX_KEY_BYTES + 1:
                break
            found[vector[start : start + length].decode()] = value
            position = start + length + -(_HEAD.size + length) % WORD
        same = len(found) <= MAX_UNKNOWN_KEYS and write_pairs(found) == vector
    except (struct.error, TrustQueryError) as error:
        raise ValueError("not pairs") from error
    if not same:
        raise ValueError("not pairs in their one encoding")
    return found


def add_pairs(vectors: Iterable[bytes]) -> dict[str, tuple[int, int]]:
    """The merge: for each label the sum over the trusts that released it, and how many those are."""
    total: dict[str, tuple[int, int]] = {}
    for vector in vectors:
        for label, value in read_pairs(vector).items():
            before, trusts = total.get(label, (0, 0))
            total[label] = before + value, trusts + 1
    return dict(sorted(total.items()))
