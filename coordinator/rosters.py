"""Roots and the roster: signed by the root holders elsewhere, checked again when they come back."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

from coordinator.store import NodeRow, Store
from coordinator.store.models import DocumentRow
from trustquery.errors import TrustQueryError
from trustquery.identity import NodeEntry, Person, Root, Roster
from trustquery.identity.federation import ROSTER_MAX_SECONDS
from trustquery.identity.rotation import follow, next_root

__all__ = ["Rosters", "draft", "verify_roster"]


def draft(
    root: Root,
    earlier: Roster | None,
    nodes: Iterable[NodeRow],
    committee: tuple[Person, ...],
    statement_keys: tuple[str, ...],
    coordinator_key: bytes,
    now: int,
) -> Roster:
    """The next version, for the root holders to read and sign: every approved node, valid for 30 days.

    Args:
        statement_keys: public keys of the delegates who sign revocation statements, hexadecimal.
    """
    return Roster(
        federation=root.federation,
        version=earlier.version + 1 if earlier is not None else 1,
        issued=now,
        expires=now + ROSTER_MAX_SECONDS,
        coordinator_key=coordinator_key.hex(),
        statement_keys=statement_keys,
        nodes=tuple(
            NodeEntry(
                node=row.node, ods=row.ods, name=row.name, key=row.identity_key, tls_key_sha256=row.tls_key_sha256
            )
            for row in nodes
            if row.status == "approved"
        ),
        committee=committee,
        committee_threshold=2,
    )


def verify_roster(envelope: bytes, root: Root, now: int) -> Roster:
    """Read a roster that enough root keys signed and that is in date.

    Raises:
        TrustQueryError: ``auth-document``, ``policy-document-stale``.
    """
    roster, _, _ = Roster.verify(envelope, root.ring, root.threshold)
    if roster.federation != root.federation:
        raise TrustQueryError("auth-document", document="roster", problem="it is another federation's")
    if not roster.issued <= now + 300 or roster.expires <= now:
        raise TrustQueryError("policy-document-stale", document="roster")
    return roster


class Rosters:
    """The roots and the roster in force, read from the store and verified once for each version.

    Args:
        root: the first root, whose fingerprint went to every trust.
    """

    def __init__(self, store: Store, root: Root) -> None:
        self._store = store
        self._first = self._root = root
        self._chain: tuple[bytes, ...] = ()
        self._envelope = b""
        self._read: tuple[bytes, Root] | None = None
        self._roster: Roster | None = None

    def refresh(self) -> bool:
        """Look for newer versions; True when there is one."""
        chain = tuple(row.envelope for row in self._store.nodes.documents(Root.KIND))
        if chain != self._chain:
            self._chain, self._root = chain, follow(self._first, chain)
        row = self._store.nodes.document(Roster.KIND)
        if row is None or self._read == (row.envelope, self._root):
            return False
        if self._read is not None and self._read[1] != self._root:
            # A roster that only an earlier root signed is none: nobody else takes it either.
            self._envelope, self._roster = b"", None
        self._read = row.envelope, self._root
        roster, _, _ = Roster.verify(row.envelope, self._root.ring, self._root.threshold)
        self._envelope, self._roster = row.envelope, roster
        return True

    @property
    def root(self) -> Root:
        """The newest root."""
        return self._root

    @property
    def chain(self) -> tuple[bytes, ...]:
        """Every root after the first, as it was signed, oldest first."""
        return self._chain

    @property
    def envelope(self) -> bytes:
        """The roster as the root holders signed it; empty before the first."""
        return self._envelope

    def current(self) -> Roster:
        """The roster in force.

        Raises:
            TrustQueryError: ``config-missing`` before the first is installed.
        """
        if self._roster is None:
            raise TrustQueryError(
                "config-missing",
                path="the roster",
                instead="draft it, have it signed, then `tq-coordinator roster install`",
            )
        return self._roster

    def found(self) -> Roster | None:
        """The roster in force, or None."""
        return self._roster

    def install_root(self, envelope: bytes, roster: bytes, now: int) -> Root:
        """Verify and keep a next root, together with a roster that it signed: the one before it counts no more.

        Raises:
            TrustQueryError: ``auth-document``, ``policy-document-stale``.
        """
        self.refresh()
        root = next_root(envelope, self._root)
        # All that could refuse the roster comes first: a root in force without a roster would stop the federation.
        newest = self._store.nodes.document(Roster.KIND)
        found = verify_roster(roster, root, now)
        if newest is not None and found.version <= newest.version:
            raise TrustQueryError("policy-document-stale", document="roster")
        row = DocumentRow(kind=Root.KIND, version=root.version, sha256=root.sha256, envelope=envelope, installed=now)
        if not self._store.nodes.install(row):
            raise TrustQueryError("policy-document-stale", document="root")
        with contextlib.suppress(TrustQueryError):
            self.refresh()
        self.install(roster, now)
        return root

    def install(self, envelope: bytes, now: int) -> Roster:
        """Verify and keep a signed roster; versions only go up.

        Raises:
            TrustQueryError: ``auth-document``, ``policy-document-stale``.
        """
        roster = verify_roster(envelope, self._root, now)
        row = DocumentRow(
            kind=Roster.KIND, version=roster.version, sha256=roster.sha256, envelope=envelope, installed=now
        )
        if not self._store.nodes.install(row):
            raise TrustQueryError("policy-document-stale", document="roster")
        self.refresh()
        return roster
