"""The revocation statement: issued by a delegate of the root elsewhere, checked again here, passed on to everybody.

The coordinator has no key that could make one. It goes by it as well, but nobody relies on that: each node and each
client reads the statement itself.
"""

from __future__ import annotations

import contextlib
import threading

from coordinator.rosters import Rosters
from coordinator.store import Store
from coordinator.store.models import DocumentRow
from trustquery.errors import TrustQueryError
from trustquery.identity import Revocations, Roster

__all__ = ["Statements", "verify_statement"]

CLOCK_SKEW = 300
"""Seconds that the delegate's clock may be ahead of this one."""


def verify_statement(envelope: bytes, roster: Roster) -> Revocations:
    """Read a statement that a key of the roster signed.

    Raises:
        TrustQueryError: ``auth-document``.
    """
    statement, _, _ = Revocations.verify(envelope, roster.statement_ring, 1)
    if statement.federation != roster.federation:
        raise TrustQueryError("auth-document", document="revocations", problem="it is another federation's")
    return statement


class Statements:
    """The newest statement, read from the store and verified once for each version of it and of the roster."""

    def __init__(self, store: Store, rosters: Rosters) -> None:
        self._store = store
        self._rosters = rosters
        self._read: tuple[bytes, Roster | None] = b"", None
        self._statement: Revocations | None = None
        # Sessions look from their own threads: what was read and what came of it must stay together.
        self._refreshing = threading.Lock()

    def refresh(self) -> None:
        """Look for a newer statement. One by a key that the roster no longer names counts no more."""
        with self._refreshing:
            self._refresh()

    def _refresh(self) -> None:
        row, roster = self._store.nodes.document(Revocations.KIND), self._rosters.found()
        envelope = row.envelope if row is not None else b""
        if self._read == (envelope, roster):
            return
        statement = None
        if envelope and roster is not None:
            with contextlib.suppress(TrustQueryError):
                statement = verify_statement(envelope, roster)
        self._read, self._statement = (envelope, roster), statement

    @property
    def envelope(self) -> bytes:
        """The statement as the delegate signed it; empty before the first."""
        return self._read[0] if self._statement is not None else b""

    def found(self) -> Revocations | None:
        """The newest statement, or None. What it revokes stays revoked, however old it is."""
        return self._statement

    def revokes_key(self, public: str) -> bool:
        """Whether a public key, hexadecimal, has been revoked."""
        return self._statement is not None and self._statement.has_key(public)

    def revokes_node(self, key: str, serial: str) -> bool:
        """Whether a node's identity key or the serial number of its certificate has been revoked."""
        said = self._statement
        return said is not None and (said.has_key(key) or serial in said.ids("certificate"))

    def install(self, envelope: bytes, now: int) -> Revocations:
        """Verify and keep a statement; versions only go up, and nothing is forgotten.

        Raises:
            TrustQueryError: ``auth-document``, ``policy-document-stale``; ``config-missing``: there is no roster yet.
        """
        self.refresh()
        statement = verify_statement(envelope, self._rosters.current())
        if not statement.issued <= now + CLOCK_SKEW or statement.expires <= now:
            raise TrustQueryError("policy-document-stale", document="revocations")
        earlier = self._statement
        if earlier is not None and statement.version <= earlier.version:
            raise TrustQueryError("policy-document-stale", document="revocations")
        if earlier is not None and (statement.issued < earlier.issued or statement.forgets(earlier)):
            problem = "it leaves out what an earlier statement revoked"
            raise TrustQueryError("auth-document", document="revocations", problem=problem)
        before = self._store.nodes.document(Revocations.KIND)
        # Counted by arrival: a stolen statement key may have used up the numbers of statements.
        row = DocumentRow(
            kind=Revocations.KIND,
            version=before.version + 1 if before is not None else 1,
            sha256=statement.sha256,
            envelope=envelope,
            installed=now,
        )
        if not self._store.nodes.install(row):
            raise TrustQueryError("policy-document-stale", document="revocations")
        self.refresh()
        return statement
