"""C2SP checkpoints: the head of a log as a signed note.

Source: C2SP tlog-checkpoint and signed-note. The text is three lines (origin, size, base64 root hash); a signature
line is ``— name base64(key hash ‖ signature)``, the key hash being the first four bytes of
SHA-256(name ‖ 0x0A ‖ 0x01 ‖ public key) for Ed25519.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass

from trustquery.errors import TrustQueryError
from trustquery.identity.keys import SigningKey, verify

__all__ = ["Checkpoint", "node_origin"]

_ED25519 = b"\x01"
_LINE = re.compile(r"— (\S+) (\S+)")
_MAX_BYTES = 64 * 1024


def node_origin(federation: str, node: str) -> str:
    """The name of a node's ledger as a log, and of the key that signs its head."""
    return f"{federation}/node/{node}"


def _key_hash(name: str, public: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + _ED25519 + public).digest()[:4]


def _bad(problem: str) -> TrustQueryError:
    return TrustQueryError("auth-document", document="checkpoint", problem=problem)


@dataclass(frozen=True)
class Checkpoint:
    """The head of one log.

    Attributes:
        origin: the log's name.
        size: number of leaves.
        root: 32 bytes.
    """

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """What is signed; ends with a newline."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"

    def sign(self, key: SigningKey) -> bytes:
        """The signed note, the key being named after the log."""
        signature = _key_hash(self.origin, key.public) + key.sign(self.text.encode())
        return f"{self.text}\n— {self.origin} {base64.b64encode(signature).decode()}\n".encode()

    @classmethod
    def verify(cls, note: bytes, origin: str, public: bytes) -> Checkpoint:
        """Read a note, requiring the signature of the log's own key.

        Raises:
            TrustQueryError: ``auth-document``.
        """
        try:
            text, _, signatures = note.decode("utf-8").rpartition("\n\n")
            name, size, root, *extra = text.split("\n")
            found = cls(name, int(size), base64.b64decode(root, validate=True))
        except (ValueError, binascii.Error) as error:
            raise _bad("it has another form") from error
        text += "\n"
        if len(note) > _MAX_BYTES or extra or found.text != text or len(found.root) != 32 or name != origin:
            raise _bad("it has another form or another origin")
        wanted = _key_hash(origin, public)
        for line in signatures.splitlines():
            match = _LINE.fullmatch(line)
            if match is None:
                raise _bad("a signature line has another form")
            try:
                data = base64.b64decode(match[2], validate=True)
            except binascii.Error as error:
                raise _bad("a signature line has another form") from error
            if match[1] == origin and data[:4] == wanted:
                if not verify(public, text.encode(), data[4:]):
                    raise _bad("the signature is wrong")
                return found
        raise _bad("the log's own signature is missing")
