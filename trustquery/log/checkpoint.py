"""C2SP checkpoints: the head of a log as a signed note.

Source: C2SP tlog-checkpoint. The text is three lines: origin, size, base64 root hash. Extension lines are refused.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass

from trustquery.identity.keys import SigningKey, verify
from trustquery.log.note import ED25519, Line, bad_note, exact_base64, key_hash, split_note
from trustquery.log.tree import EMPTY_ROOT

__all__ = ["Checkpoint", "coordinator_origin", "node_origin"]


def node_origin(federation: str, node: str) -> str:
    """The name of a node's ledger as a log, and of the key that signs its head."""
    return f"{federation}/node/{node}"


def coordinator_origin(federation: str) -> str:
    """The name of the coordinator's log, and of the key that signs its head."""
    return f"{federation}/coordinator"


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
        line = Line(self.origin, key_hash(self.origin, ED25519, key.public), key.sign(self.text.encode()))
        return self.text.encode() + b"\n" + line.encode()

    @classmethod
    def read(cls, note: bytes) -> Checkpoint:
        """What a note says, believing nobody: only to learn which log it is about.

        Raises:
            TrustQueryError: ``auth-document``.
        """
        text, _ = split_note(note)
        try:
            name, size, root, end = text.split("\n")
            found = cls(name, int(size), exact_base64(root))
        except ValueError as error:
            raise bad_note("it has another form") from error
        if end or found.text != text or len(found.root) != 32 or not name or not 0 <= found.size < 2**63:
            raise bad_note("it has another form")
        if found.size == 0 and found.root != EMPTY_ROOT:
            raise bad_note("an empty log has another root")
        return found

    @classmethod
    def verify(cls, note: bytes, origin: str, public: bytes) -> Checkpoint:
        """Read a note, requiring the signature of the log's own key.

        Raises:
            TrustQueryError: ``auth-document``.
        """
        return cls._signed(note, origin, public)[0]

    @classmethod
    def bare(cls, note: bytes, origin: str, public: bytes) -> bytes:
        """The note with the log's own line alone, after verifying it.

        Raises:
            TrustQueryError: ``auth-document``.
        """
        found, line = cls._signed(note, origin, public)
        return found.text.encode() + b"\n" + line.encode()

    @classmethod
    def _signed(cls, note: bytes, origin: str, public: bytes) -> tuple[Checkpoint, Line]:
        found = cls.read(note)
        if found.origin != origin:
            raise bad_note("it has another origin")
        wanted = key_hash(origin, ED25519, public)
        for line in split_note(note)[1]:
            if line.name == origin and line.hash == wanted:
                if not verify(public, found.text.encode(), line.signature):
                    raise bad_note("the signature is wrong")
                return found, line
        raise bad_note("the log's own signature is missing")
