"""Public keys with their names, as people hand them on. Source: C2SP signed-note, verifier keys."""

from __future__ import annotations

import base64
from dataclasses import dataclass

from trustquery.errors import TrustQueryError
from trustquery.log.note import COSIGNATURE, ED25519, exact_base64, key_hash, valid_name

__all__ = ["VerifierKey"]


@dataclass(frozen=True)
class VerifierKey:
    """A key and what it signs.

    Attributes:
        name: a log's origin, or a witness's name.
        public: 32 raw bytes.
        witness: whether it cosigns; else it is a log's own.
    """

    name: str
    public: bytes
    witness: bool

    @property
    def text(self) -> str:
        """``name+hash+base64``, on one line."""
        kind = COSIGNATURE if self.witness else ED25519
        material = base64.b64encode(kind + self.public).decode()
        return f"{self.name}+{key_hash(self.name, kind, self.public).hex()}+{material}"

    @classmethod
    def read(cls, text: str) -> VerifierKey:
        """Read one.

        Raises:
            TrustQueryError: ``log-key``.
        """
        name, _, rest = text.strip().partition("+")
        try:
            data = exact_base64(rest.partition("+")[2])
        except ValueError:
            data = b""
        found = cls(name, data[1:], data[:1] == COSIGNATURE)
        if (
            not valid_name(name)
            or len(data) != 33
            or data[:1] not in (ED25519, COSIGNATURE)
            or found.text != text.strip()
        ):
            raise TrustQueryError("log-key")
        return found
