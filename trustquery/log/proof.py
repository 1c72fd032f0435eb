"""Proof that one entry stands in a log, in one file that needs nothing else. Source: C2SP tlog-proof."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass

from trustquery.errors import TrustQueryError
from trustquery.log.checkpoint import Checkpoint
from trustquery.log.note import exact_base64
from trustquery.log.tree import leaf_hash, verify_inclusion

__all__ = ["Proof"]

_HEADER = "c2sp.org/tlog-proof@v1"


@dataclass(frozen=True)
class Proof:
    """One proof.

    Attributes:
        index: the entry's position, from 0.
        path: hashes from the entry's sibling up.
        note: a signed head, with what witnesses said of it.
    """

    index: int
    path: Sequence[bytes]
    note: bytes

    def encode(self) -> bytes:
        """The file."""
        lines = [_HEADER, f"index {self.index}", *(base64.b64encode(step).decode() for step in self.path)]
        return "\n".join(lines).encode() + b"\n\n" + self.note

    @classmethod
    def read(cls, data: bytes) -> Proof:
        """Read a file.

        Raises:
            TrustQueryError: ``auth-document``.
        """
        head, gap, note = data.partition(b"\n\n")
        try:
            first, index, *path = head.decode("ascii").split("\n")
            found = cls(int(index.removeprefix("index ")), tuple(map(exact_base64, path)), note)
        except ValueError as error:
            raise TrustQueryError("auth-document", document="log proof", problem="it has another form") from error
        if not gap or first != _HEADER or found.encode() != data:
            raise TrustQueryError("auth-document", document="log proof", problem="it has another form")
        return found

    def verify(self, entry: bytes, origin: str, public: bytes) -> Checkpoint:
        """Check that an entry stands where the proof says; the head's witnesses are counted apart.

        Raises:
            TrustQueryError: ``auth-document``.
        """
        head = Checkpoint.verify(self.note, origin, public)
        verify_inclusion(leaf_hash(entry), self.index, head.size, self.path, head.root)
        return head
