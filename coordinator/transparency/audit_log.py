"""The coordinator's log as the public sees it: a signed head, tiles and bundles, and lines of its witnesses.

The tree is in memory and the entries are in the database; what is served is made from the two. A head is signed only
where it extends the last one that was shown: a database that was put back to an earlier day signs nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable

from coordinator.store import Store
from trustquery.errors import TrustQueryError
from trustquery.identity import SigningKey
from trustquery.log import Checkpoint, Tree, VerifierKey, with_lines
from trustquery.log.note import split_note
from trustquery.log.tiles import ENTRIES, WIDTH, encode_bundle, parse_path, tile

__all__ = ["AuditLog"]


class AuditLog:
    """One log. Safe to use from several threads.

    Args:
        origin: its name.
        key: the coordinator's own, which the roster names.
        bare: whether a head may be shown before any witness has signed it.
    """

    def __init__(self, store: Store, origin: str, key: SigningKey, *, bare: bool = True) -> None:
        self._store = store
        self._key = key
        self._bare = bare
        self._lock = threading.Lock()
        self._tree = Tree()
        self.origin = origin

    @property
    def verifier_key(self) -> VerifierKey:
        """What the log's heads are verified with."""
        return VerifierKey(self.origin, self._key.public, witness=False)

    def _grown(self, size: int) -> Tree:
        """The tree, with at least ``size`` leaves."""
        if len(self._tree) < size:
            for leaf in self._store.audit.leaves(len(self._tree)):
                self._tree.append(leaf)
        return self._tree

    def sign(self) -> bytes:
        """The head of all entries that there are now, signed, to be witnessed before it is shown.

        Raises:
            TrustQueryError: ``log-rewound``: the entries are no longer those behind the head that was shown last.
        """
        with self._lock:
            size = self._store.audit.size()
            shown = self._store.audit.checkpoint()
            tree = self._grown(size)
            if shown is not None:
                last = Checkpoint.verify(shown, self.origin, self._key.public)
                if last.size > size or tree.root(last.size) != last.root:
                    raise TrustQueryError("log-rewound", seen=last.size, found=size)
            return Checkpoint(self.origin, size, tree.root(size)).sign(self._key)

    def last(self) -> bytes | None:
        """The head that was shown last, by this process or an earlier one, with the log's own line; None for none."""
        note = self._store.audit.checkpoint()
        return Checkpoint.bare(note, self.origin, self._key.public) if note is not None else None

    def lacks(self, note: bytes) -> bool:
        """Whether this is a head of this log, signed with its key, that the entries here do not extend."""
        try:
            head = Checkpoint.verify(note, self.origin, self._key.public)
        except TrustQueryError:
            return False
        with self._lock:
            size = self._store.audit.size()
            tree = self._grown(size)
            return head.size > size or tree.root(head.size) != head.root

    def entries(self) -> int:
        """How many there are."""
        return self._store.audit.size()

    def show(self, note: bytes, lines: Iterable[bytes] = ()) -> None:
        """Show a head from now on, with what witnesses said of it; one that is shown already gains their lines."""
        head = Checkpoint.verify(note, self.origin, self._key.public)
        with self._lock:
            kept = self._store.audit.checkpoint(head.size)
            self._store.audit.keep_checkpoint(head.size, with_lines(kept or note, lines))

    def lines(self, size: int) -> list[bytes]:
        """The signature lines of the head that is shown at this size, the log's own first; none before it is shown."""
        note = self._store.audit.checkpoint(size)
        return [line.encode() for line in split_note(note)[1]] if note is not None else []

    def shown(self) -> bytes:
        """The head that is shown; the first is signed when it is first asked for, where it needs no witness.

        Raises:
            TrustQueryError: ``usage-not-here``: none has been shown yet.
        """
        found = self._store.audit.checkpoint()
        if found is None:
            if not self._bare:
                raise TrustQueryError("usage-not-here")
            self.show(self.sign())
            found = self._store.audit.checkpoint()
        return found or b""

    def consistency(self, old: int, size: int) -> tuple[bytes, ...]:
        """Proof for a witness that the log of ``size`` entries extends that of ``old``.

        Raises:
            TrustQueryError: ``log-rewound``: there are no longer so many.
        """
        with self._lock:
            tree = self._grown(size)
            if not old <= size <= len(tree):
                raise TrustQueryError("log-rewound", seen=old, found=len(tree))
            return tree.consistency_proof(old, size)

    def inclusion(self, seq: int, size: int) -> tuple[bytes, ...]:
        """Proof that an entry stands in the log of ``size`` entries.

        Args:
            seq: from 1.
        """
        with self._lock:
            return self._grown(size).inclusion_proof(seq - 1, size)

    def file(self, path: str) -> bytes | None:
        """A tile or bundle by its path after ``tile/``; None for what no head that is shown needs."""
        found = parse_path(path)
        if found is None:
            return None
        level, index, width = found
        size = Checkpoint.read(self.shown()).size
        with self._lock:
            # Whole tiles, and partial ones of every size that a head may have had.
            if index * WIDTH + width > size >> (8 * max(level, 0)):
                return None
            if level == ENTRIES:
                return encode_bundle(self._store.audit.payloads(index * WIDTH, width))
            return tile(self._grown(size), level, index, width)
