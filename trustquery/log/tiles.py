"""A log as files: tiles of hashes, bundles of entries, and where each lies.

Source: C2SP tlog-tiles. A tile holds 256 hashes, each the root of a full tile of the level below; a bundle holds 256
entries, each behind its length in two bytes. The last ones of a level are partial, and their path says how wide.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from trustquery.errors import TrustQueryError
from trustquery.log.tree import Tree

__all__ = [
    "ENTRIES",
    "HIGHEST",
    "WIDTH",
    "decode_bundle",
    "encode_bundle",
    "parse_path",
    "paths_of",
    "tile",
    "tile_path",
]

WIDTH = 256
ENTRIES = -1
"""The level of bundles."""
HIGHEST = 63
_PATH = re.compile(r"(entries|0|[1-9][0-9]?)/((?:x[0-9]{3}/)*[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?")


def _bad(problem: str) -> TrustQueryError:
    return TrustQueryError("auth-document", document="log tile", problem=problem)


def tile_path(level: int, index: int, width: int) -> str:
    """Where a tile lies below the log's address, such as ``tile/0/x001/234.p/7``.

    Args:
        level: 0 to 63; -1 for entries.
        width: 1 to 256.
    """
    parts = [f"{index % 1000:03d}"]
    while index >= 1000:
        index //= 1000
        parts.append(f"x{index % 1000:03d}")
    partial = f".p/{width}" if width < WIDTH else ""
    return f"tile/{'entries' if level == ENTRIES else level}/{'/'.join(reversed(parts))}{partial}"


def parse_path(text: str) -> tuple[int, int, int] | None:
    """Level, index and width of a path after ``tile/``; None for what is none, or is written in another way."""
    match = _PATH.fullmatch(text) if len(text) < 100 else None
    if match is None:
        return None
    level = ENTRIES if match[1] == "entries" else int(match[1])
    index = int(match[2].replace("x", "").replace("/", ""))
    found = level, index, int(match[3] or WIDTH)
    return found if level <= HIGHEST and found[2] <= WIDTH and tile_path(*found) == f"tile/{text}" else None


def paths_of(size: int) -> Iterator[tuple[int, int, int]]:
    """Level, index and width of every tile and bundle of a log of ``size`` leaves, bundles first."""
    for level in (ENTRIES, *range(HIGHEST + 1)):
        count = size // WIDTH ** max(level, 0)
        if count == 0:
            return
        for index in range(-(-count // WIDTH)):
            yield level, index, min(WIDTH, count - index * WIDTH)


def tile(tree: Tree, level: int, index: int, width: int) -> bytes:
    """The bytes of a tile of hashes, which the tree must be large enough for."""
    return b"".join(tree.subtree(8 * level, index * WIDTH + place) for place in range(width))


def encode_bundle(entries: Sequence[bytes]) -> bytes:
    """Entries as one file."""
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)


def decode_bundle(data: bytes, width: int) -> list[bytes]:
    """The entries of a file that holds ``width`` of them.

    Raises:
        TrustQueryError: ``auth-document``.
    """
    entries, place = [], 0
    while place < len(data):
        length = int.from_bytes(data[place : place + 2], "big")
        entries.append(data[place + 2 : place + 2 + length])
        place += 2 + length
    if place != len(data) or len(entries) != width:
        raise _bad("its entries have another length or number")
    return entries
