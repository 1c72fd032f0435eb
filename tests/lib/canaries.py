"""Values that exist nowhere but in the data that a test plants them in, and a scan that finds each wherever it is.

A canary is found as software may write it: as text, in UTF-16, in hexadecimal, in base64 at any alignment, compressed
or, if it is a number, as eight bytes. The scan looks at every offset, so that one inside a longer word is found too.
"""

from __future__ import annotations

import base64
import binascii
import datetime
import re
import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trustquery.catalogue import Column, ColumnType, Table

__all__ = ["Canaries", "scan", "scan_files"]

_SHAPES = re.compile(
    rb"(?=(Zq[a-z]{10}|Q9Z[0-9A-Z]{7}|9997\d{6}|7301\d{11}|1[0-7]\d\d-[01]\d-[0-3]\d))"  # every canary has one of these
)
_EIGHT = re.compile(rb"(?s)(?=(.{6}\x02\x00)|(\x00\x02.{6}))")
_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{12,}")
_HEX = re.compile(rb"(?:[0-9a-f]{2}){8,}|(?:[0-9A-F]{2}){8,}")
_FIRST_NUMBER = 730_100_000_000_000


@dataclass
class Canaries:
    """A source of values, none twice; ``planted`` is text of each to where it was put."""

    planted: dict[bytes, str] = field(default_factory=dict)

    def value(self, column: Column, place: str) -> Any:
        """The next value that a column of this type can hold; None where no value of the type can be unique."""
        number = len(self.planted)
        if column.type in (ColumnType.INTEGER, ColumnType.NUMBER):
            whole = _FIRST_NUMBER + number * 7_919
            self.planted[b"%d" % whole] = place
            return float(whole) if column.type is ColumnType.NUMBER else whole
        if column.type in (ColumnType.DATE, ColumnType.TIMESTAMP):
            day = datetime.date(1000, 1, 1) + datetime.timedelta(days=number * 11 % 290_000)
            self.planted[day.isoformat().encode()] = place
            return day if column.type is ColumnType.DATE else datetime.datetime(day.year, day.month, day.day, 3, 4, 5)
        if column.type is ColumnType.TEXT:
            text = self._text(number)
            self.planted[text.encode()] = place
            return text
        return None

    @staticmethod
    def _text(number: int) -> str:
        """A made-up name, a number in the form of an NHS number, or a made-up code."""
        if number % 3 == 0:
            digits = f"{number:010d}"
            return "Zq" + "".join(chr(ord("a") + int(digit) * 2) for digit in digits)
        return f"9997{number:06d}" if number % 3 == 1 else f"Q9Z{number:07d}"

    def row(self, table: Table, person: Mapping[str, Any], place: str) -> dict[str, Any]:
        """A row with a canary in every column that can hold one; ``person`` has the keys that must be this person's."""
        return {
            column.name: person[column.name] if column.name in person else self.value(column, f"{place}.{column.name}")
            for column in table.columns
        }


def _eights(canaries: Iterable[bytes]) -> frozenset[bytes]:
    numbers = [int(item) for item in canaries if item.startswith(b"7301") and len(item) == 15]
    return frozenset(form for number in numbers for form in (struct.pack("<q", number), struct.pack(">q", number)))


def scan(data: bytes, canaries: Mapping[bytes, str]) -> set[bytes]:
    """The canaries that some bytes hold, in any form."""
    found: set[bytes] = set()
    eights = _eights(canaries)
    for view in _views(data):
        found |= {match[1] for match in _SHAPES.finditer(view)} & canaries.keys()
        for match in _EIGHT.finditer(view):
            form = match[1] or match[2]
            if form in eights:
                found.add(b"%d" % struct.unpack("<q" if match[1] else ">q", form)[0])
    return found


def _views(data: bytes) -> Iterator[bytes]:
    yield data
    if b"\0" in data:
        yield data.replace(b"\0", b"")
    for match in _HEX.finditer(data):
        yield binascii.unhexlify(match[0])
    for match in _BASE64.finditer(data):
        text = match[0].translate(bytes.maketrans(b"-_", b"+/"))
        for shift in range(4):
            part = text[shift:]
            part = part[:-1] if len(part) % 4 == 1 else part
            yield base64.b64decode(part + b"=" * (-len(part) % 4))
    for start in _starts(data, (b"\x1f\x8b\x08", b"\x78\x9c", b"\x78\x01", b"\x78\xda")):
        try:
            yield zlib.decompressobj(47).decompress(data[start:], 50_000_000)
        except zlib.error:
            continue


def _starts(data: bytes, marks: Sequence[bytes]) -> Iterator[int]:
    for mark in marks:
        at = data.find(mark)
        while at >= 0:
            yield at
            at = data.find(mark, at + 1)


def scan_files(paths: Iterable[Path], canaries: Mapping[bytes, str]) -> dict[Path, set[bytes]]:
    """The files that hold any, with what they hold."""
    found = {}
    for path in paths:
        if path.is_file() and not path.is_symlink():
            held = scan(path.read_bytes(), canaries)
            if held:
                found[path] = held
    return found
