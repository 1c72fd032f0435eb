"""What a frame holds, counted before the generated reader makes anything of it.

An empty field takes two bytes on the wire and tens or hundreds in memory: 8 MiB of them become 340 MB. So the tags are
walked first, by the frame's own description, and a frame of too many fields, or of one that nobody knows, is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from trustquery.errors import TrustQueryError

__all__ = ["MAX_FIELDS", "check_fields"]

MAX_FIELDS = 20_000
"""Fields of one frame, inner ones too. Permits are by far the most: each takes a thousand bytes and more."""
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_TEXTS = (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES)
_Kinds = Mapping[int, Descriptor | bool]


@cache
def _kinds(message: Descriptor) -> _Kinds:
    """By field number: the inner message, or whether it is text or bytes."""
    return {field.number: field.message_type or field.type in _TEXTS for field in message.fields}


def _refuse(place: str) -> TrustQueryError:
    return TrustQueryError("node-message-invalid", place=place)


def check_fields(data: bytes, message: Descriptor) -> None:
    """Refuse bytes that are no message, or one with too many fields or an unknown one.

    Raises:
        TrustQueryError: ``node-message-invalid``.
    """
    left = MAX_FIELDS
    parts: list[tuple[int, int, Descriptor]] = [(0, len(data), message)]
    while parts:
        at, end, about = parts.pop()
        kinds = _kinds(about)
        while at < end:
            left -= 1
            tag, at = _varint(data, at, end)
            kind, way = kinds.get(tag >> 3), tag & 7
            if kind is None:
                raise _refuse("unknown field")
            if way == _BYTES:
                length, at = _varint(data, at, end)
                if length > end - at:
                    raise _refuse("frame")
                if isinstance(kind, Descriptor):
                    parts.append((at, at + length, kind))
                elif not kind:
                    # Numbers, one after the other: each takes a byte at least.
                    left -= length
                at += length
            elif way == _VARINT:
                _, at = _varint(data, at, end)
            elif way in (_FIXED64, _FIXED32):
                at += 8 if way == _FIXED64 else 4
            else:
                raise _refuse("unknown field")
            if left < 0:
                raise _refuse("too many fields")
        if at != end:
            raise _refuse("frame")


def _varint(data: bytes, at: int, end: int) -> tuple[int, int]:
    """A number of at most ten bytes, and where the next thing begins."""
    found = 0
    for shift in range(0, 70, 7):
        if at >= end:
            break
        byte = data[at]
        at += 1
        found |= (byte & 0x7F) << shift
        if byte < 0x80:
            return found, at
    raise _refuse("frame")
