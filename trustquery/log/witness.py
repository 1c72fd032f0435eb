"""A witness: it signs the head of another's log only where it extends every head that it signed before.

Source: C2SP tlog-witness. Bytes and time come in, a line goes out. What it remembers is behind a port, and is written
down for good before a signature exists that depends on it: killed anywhere, it never signs backwards.

A note is not proof that its sender is the log. So only two heads of one size with two roots, both signed by the log,
are called a fork; a head whose proof does not fit is refused and kept beside what was seen, for a person to settle.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Protocol

from trustquery.errors import TrustQueryError
from trustquery.identity.keys import SigningKey
from trustquery.log.checkpoint import Checkpoint
from trustquery.log.cosignature import cosign
from trustquery.log.note import valid_name
from trustquery.log.tree import EMPTY_ROOT, verify_consistency

__all__ = ["MAX_PROOF", "Conflict", "Fork", "Witness", "WitnessHeads"]

MAX_PROOF = 63
"""Lines of a consistency proof, at most."""


class Conflict(TrustQueryError):
    """The sender does not know which head the witness signed last.

    Attributes:
        kept: that head as its log signed it; None where there is none yet.
        size: of that head.
    """

    def __init__(self, kept: bytes | None) -> None:
        self.kept = kept
        self.size = Checkpoint.read(kept).size if kept is not None else 0
        super().__init__("witness-conflict", size=self.size)


class Fork(TrustQueryError):
    """A head that does not extend the one that was signed: both notes, each signed by the log.

    Attributes:
        ours: the head that the witness signed.
        theirs: the one that it refused.
        proven: both have one size, so the two alone convict the log.
    """

    def __init__(self, ours: bytes, theirs: bytes, *, proven: bool) -> None:
        self.ours = ours
        self.theirs = theirs
        self.proven = proven
        code = "witness-fork" if proven else "witness-inconsistent"
        super().__init__(code, origin=Checkpoint.read(theirs).origin)


class WitnessHeads(Protocol):
    """What a witness remembers, for good."""

    def head(self, origin: str) -> bytes | None:
        """The note that was signed last for this log."""
        ...

    def advance(self, origin: str, old: bytes | None, new: bytes) -> None:
        """Put ``new`` in the place of ``old`` and no other: all or nothing, and durable when it returns.

        Raises:
            Conflict: another head is there.
        """
        ...

    def keep_fork(self, origin: str, ours: bytes, theirs: bytes) -> None:
        """Keep two notes that do not go together; the same two are kept once."""
        ...


class Witness:
    """One witness with one key.

    Args:
        name: of its key, in its signature lines.
        heads: what it remembers.
        logs: the public key of a log that somebody introduced, None for every other.
    """

    def __init__(self, name: str, key: SigningKey, heads: WitnessHeads, logs: Callable[[str], bytes | None]) -> None:
        if not valid_name(name):
            raise TrustQueryError("witness-quorum-invalid", problem="a witness's name has another form")
        self._name = name
        self._key = key
        self._heads = heads
        self._logs = logs
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        """The name of its key."""
        return self._name

    def add(self, old_size: int, proof: Sequence[bytes], note: bytes, now: int) -> bytes:
        """Take a head.

        Args:
            old_size: size of the head that the sender believes to be the last one signed here.
            proof: that the new head extends it (RFC 6962), at most 63 hashes.
            note: the new head, signed by its log.
            now: seconds since 1970 UTC.

        Returns:
            The witness's signature line.

        Raises:
            TrustQueryError: ``auth-document``: it is no checkpoint; ``witness-unknown-log``; ``witness-signature``: its
                log has not signed it; ``witness-request``: it goes backwards, or the proof has another form.
            Conflict: ``witness-conflict``, with the head that is kept.
            Fork: ``witness-fork`` or ``witness-inconsistent``, with both heads.
        """
        new = Checkpoint.read(note)
        public = self._logs(new.origin)
        if public is None:
            raise TrustQueryError("witness-unknown-log", origin=new.origin)
        try:
            theirs = Checkpoint.bare(note, new.origin, public)
        except TrustQueryError as error:
            raise TrustQueryError("witness-signature", origin=new.origin) from error
        if not 0 <= old_size <= new.size:
            raise TrustQueryError("witness-request", problem="the old size is above the new one")
        if len(proof) > MAX_PROOF or any(len(step) != 32 for step in proof):
            raise TrustQueryError("witness-request", problem=f"a proof has at most {MAX_PROOF} hashes of 32 bytes")
        with self._lock:
            ours = self._heads.head(new.origin)
            kept = Checkpoint.verify(ours, new.origin, public) if ours is not None else None
            if old_size != (kept.size if kept is not None else 0):
                raise Conflict(ours)
            if ours is not None and kept is not None:
                self._extends(kept, new, proof, ours, theirs)
            elif proof:
                raise TrustQueryError("witness-request", problem="a first head has no proof")
            self._heads.advance(new.origin, ours, theirs)
            return cosign(theirs, self._name, self._key, now)

    def _extends(self, kept: Checkpoint, new: Checkpoint, proof: Sequence[bytes], ours: bytes, theirs: bytes) -> None:
        if kept.size == new.size and kept.root != new.root:
            self._heads.keep_fork(new.origin, ours, theirs)
            raise Fork(ours, theirs, proven=True)
        try:
            verify_consistency(kept.size, kept.root if kept.size else EMPTY_ROOT, new.size, new.root, proof)
        except TrustQueryError as error:
            self._heads.keep_fork(new.origin, ours, theirs)
            raise Fork(ours, theirs, proven=False) from error

    def newest(self, origin: str) -> bytes | None:
        """The newest head that was signed for this log, as the log signed it; None where there is none."""
        return self._heads.head(origin)
