"""C2SP signed notes: a text, an empty line, then one line for each signature.

Source: C2SP signed-note. A signature line is ``— name base64(key hash ‖ signature)``, the key hash being the first
four bytes of SHA-256(name ‖ 0x0A ‖ type ‖ public key).

One document has one spelling here: a line that decodes but would be written otherwise is refused.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass

from trustquery.errors import TrustQueryError

__all__ = [
    "COSIGNATURE",
    "ED25519",
    "Line",
    "bad_note",
    "exact_base64",
    "key_hash",
    "read_lines",
    "split_note",
    "valid_name",
]

ED25519 = b"\x01"
"""Type of a log's own signature."""
COSIGNATURE = b"\x04"
"""Type of a witness's signature with its time."""
_NAME = re.compile(r"[^\s+]{1,200}")
_LINE = re.compile(r"— (\S+) (\S+)")
_MAX_BYTES = 64 * 1024
_MAX_LINES = 256


def bad_note(problem: str) -> TrustQueryError:
    """The error of every note that cannot be believed."""
    return TrustQueryError("auth-document", document="checkpoint", problem=problem)


def valid_name(name: str) -> bool:
    """Whether a key may have this name: no space, no plus sign, no control character."""
    return _NAME.fullmatch(name) is not None and name.isprintable()


def key_hash(name: str, kind: bytes, public: bytes) -> bytes:
    """The four bytes that say which key made a line."""
    return hashlib.sha256(name.encode() + b"\n" + kind + public).digest()[:4]


def exact_base64(text: str) -> bytes:
    """Standard base64 in its one spelling.

    Raises:
        ValueError: another alphabet, or bits that stand for nothing.
    """
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error
    if base64.b64encode(data).decode() != text:
        raise ValueError("another spelling")
    return data


@dataclass(frozen=True)
class Line:
    """One signature line.

    Attributes:
        name: of the key, not believed until its signature is.
        hash: four bytes.
        signature: what follows them.
    """

    name: str
    hash: bytes
    signature: bytes

    def encode(self) -> bytes:
        """The line with its newline."""
        return f"— {self.name} {base64.b64encode(self.hash + self.signature).decode()}\n".encode()


def read_lines(text: str) -> tuple[Line, ...]:
    """Signature lines, each ending in a newline.

    Raises:
        TrustQueryError: ``auth-document``.
    """
    *lines, last = text.split("\n")
    if last or len(lines) > _MAX_LINES:
        raise bad_note("its signature lines have another form")
    found = []
    for line in lines:
        match = _LINE.fullmatch(line)
        try:
            data = exact_base64(match[2]) if match is not None else b""
        except ValueError:
            data = b""
        if match is None or len(data) < 5 or not valid_name(match[1]):
            raise bad_note("a signature line has another form")
        found.append(Line(match[1], data[:4], data[4:]))
    return tuple(found)


def split_note(note: bytes) -> tuple[str, tuple[Line, ...]]:
    """The text with its last newline, and the signature lines (at least one).

    Raises:
        TrustQueryError: ``auth-document``.
    """
    if len(note) > _MAX_BYTES:
        raise bad_note("it is too long")
    try:
        text, gap, lines = note.decode("utf-8").rpartition("\n\n")
    except UnicodeDecodeError as error:
        raise bad_note("it is not UTF-8") from error
    found = read_lines(lines)
    if not gap or not found or any(character < " " and character != "\n" for character in text):
        raise bad_note("it has another form")
    return text + "\n", found
