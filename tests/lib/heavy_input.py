"""Bytes that become many times their size in memory, each handed to the place where it would come in.

Run as a process: one line for each of ``CASES``, with what came of it and by how much the process grew at most.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx

from trustquery.client.replies import SMALL, bounded
from trustquery.codelists import CodingSystem, check_input
from trustquery.errors import TrustQueryError
from trustquery.identity import Envelope, Intent, canonical
from trustquery.v1 import session_pb2 as pb
from trustquery.wire.frames import MAX_FRAME_BYTES, decode

__all__ = ["CASES"]

DOCUMENT = 4 * 1024 * 1024
FILE = 1_500_000


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes((*out, number))


def _field(number: int, data: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _frame(body: str, inner: str, unit: bytes | None = None) -> bytes:
    """A frame as large as may be, of as many of one inner field as fit; of one packed field where a unit is given."""
    outer = pb.Frame.DESCRIPTOR.fields_by_name[body]
    assert outer.message_type is not None
    number = outer.message_type.fields_by_name[inner].number
    room = MAX_FRAME_BYTES - 64
    data = _field(number, unit * room) if unit is not None else _field(number, b"") * (room // 2)
    return b"\x08\x01" + _field(outer.number, data)


def _listed(item: bytes) -> bytes:
    return b"[" + (item + b",") * (DOCUMENT // (len(item) + 1) - 2) + item + b"]"


def _upload(content: bytes) -> object:
    return check_input(content, "list.csv", system=CodingSystem.ICD10, column="")


def _reply(**response: Any) -> object:
    transport = httpx.MockTransport(lambda _: httpx.Response(200, **response))
    with httpx.Client(transport=transport, event_hooks=bounded(lambda _: SMALL)) as client:
        return client.get("https://coordinator.test/v1/projects")


def _endless() -> Iterator[bytes]:
    while True:
        yield b"x" * 65_536


def _bomb() -> bytes:
    return gzip.compress(bytes(200 * 1024 * 1024), 1)


CASES: dict[str, Callable[[], object]] = {
    "frame: numbers": lambda: decode(_frame("hello", "versions", b"\x01")),
    "frame: empty texts": lambda: decode(_frame("hello", "plan_formats")),
    "frame: empty permits": lambda: decode(_frame("documents", "permits")),
    "frame: empty messages": lambda: decode(_frame("preview_reply", "shares")),
    "frame: unknown fields": lambda: decode(b"\x08\x01" + b"\xf8\x3f\x01" * (MAX_FRAME_BYTES // 3 - 1)),
    "frame: groups": lambda: decode(b"\x08\x01" + b"\xfb\x3f" * (MAX_FRAME_BYTES // 2 - 1)),
    "frame: a length that is not there": lambda: decode(b"\x08\x01\x12\xff\xff\xff\x7f"),
    "frame: too long": lambda: decode(bytes(MAX_FRAME_BYTES + 1)),
    "document: lists": lambda: canonical.decode(_listed(b"[]")),
    "document: objects": lambda: canonical.decode(_listed(b"{}")),
    "document: depth": lambda: canonical.decode(b"[" * (DOCUMENT // 2) + b"]" * (DOCUMENT // 2)),
    "document: a number": lambda: canonical.decode(b"1" * DOCUMENT),
    "document: one name": lambda: canonical.decode(b"{" + b'"a":1,' * (DOCUMENT // 6 - 2) + b'"a":1}'),
    "document: a name twice": lambda: canonical.decode(b'{"a":1,"a":1}'),
    "document: names": lambda: canonical.decode(
        b"{" + b",".join(b'"%x":1' % place for place in range(DOCUMENT // 12)) + b"}"
    ),
    "document: signatures": lambda: Envelope.decode(_listed(b'{"keyid":"","sig":""}'), kind=Intent.KIND),
    "file: commas": lambda: _upload(b"code,term\n" + b"," * FILE),
    "file: rows": lambda: _upload(b"code,term\n" + b"a,\n" * (FILE // 3)),
    "file: a quotation": lambda: _upload(b'code,term\n"' + b"a" * FILE),
    "file: depth": lambda: _upload(b'{"a":' + b"[" * FILE),
    "file: a name twice": lambda: _upload(b'{"id":"a","id":"a"}'),
    "file: packed": lambda: _upload(_bomb()),
    "reply: packed": lambda: _reply(headers={"content-encoding": "gzip"}, content=iter([_bomb()])),
    "reply: without an end": lambda: _reply(content=_endless()),
}


def peak_kb() -> int:
    """The most memory that this process has had since it was asked to forget."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1])


def main() -> None:
    for name, run in CASES.items():
        Path("/proc/self/clear_refs").write_text("5")
        before, came = peak_kb(), "accepted"
        try:
            run()
        except TrustQueryError as error:
            came = error.code
        except Exception as error:
            came = type(error).__name__
        print(json.dumps([name, came, (peak_kb() - before) // 1024]), flush=True)


if __name__ == "__main__":
    main()
