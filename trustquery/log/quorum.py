"""How many witnesses must have seen a head before anybody relies on it.

With W witnesses, f of them faulty, two sets of more than (|W| + f) / 2 share more than f witnesses: at least one that
is honest, and it signs one history only. So two heads that do not extend each other never both have a quorum.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from trustquery.errors import TrustQueryError
from trustquery.log.checkpoint import Checkpoint
from trustquery.log.cosignature import cosigners
from trustquery.log.note import valid_name

__all__ = ["Quorum"]


@dataclass(frozen=True)
class Quorum:
    """A fixed set of witnesses.

    Attributes:
        witnesses: name to public key, 32 raw bytes; no key twice, since one key is one witness.
        faulty: how many of them may lie or be silent, from 1.

    Raises:
        TrustQueryError: ``witness-quorum-invalid``: there is no quorum that the others could reach.
    """

    witnesses: Mapping[str, bytes]
    faulty: int

    def __post_init__(self) -> None:
        keys = set(self.witnesses.values())
        if self.faulty < 1:
            problem = "at least one faulty witness is assumed"
        elif len(keys) != len(self.witnesses) or any(len(key) != 32 for key in keys):
            problem = "each witness has one key of its own"
        elif not all(map(valid_name, self.witnesses)):
            problem = "a witness's name has another form"
        elif len(self.witnesses) - self.faulty < self.needed:
            problem = f"{len(self.witnesses)} witnesses are too few for {self.faulty} faulty"
        else:
            return
        raise TrustQueryError("witness-quorum-invalid", problem=problem)

    @property
    def needed(self) -> int:
        """How many must have signed: the smallest number above (|W| + f) / 2."""
        return (len(self.witnesses) + self.faulty) // 2 + 1

    def check(self, note: bytes, origin: str, public: bytes) -> Checkpoint:
        """The head that a note shows, once its log and enough witnesses have signed it.

        Args:
            public: the log's own key.

        Raises:
            TrustQueryError: ``auth-document``: not the log's, or a witness's line is wrong; ``witness-quorum``.
        """
        found = Checkpoint.verify(note, origin, public)
        signed = len(cosigners(note, self.witnesses))
        if signed < self.needed:
            raise TrustQueryError("witness-quorum", origin=origin, found=signed, needed=self.needed)
        return found
