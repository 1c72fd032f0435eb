"""The roster: drafted here, signed by the root holders elsewhere, checked again when it comes back."""

from __future__ import annotations

from collections.abc import Iterable

from coordinator.store import NodeRow, Store
from coordinator.store.models import DocumentRow
from trustquery.errors import TrustQueryError
from trustquery.identity import NodeEntry, Person, Root, Roster
from trustquery.identity.documents import ROSTER_MAX_SECONDS

__all__ = ["Rosters", "draft", "verify_roster"]


def draft(
    root: Root,
    earlier: Roster | None,
    nodes: Iterable[NodeRow],
    committee: tuple[Person, ...],
    coordinator_key: bytes,
    now: int,
) -> Roster:
    """The next version, for the root holders to read and sign: every approved node, valid for 30 days."""
    return Roster(
        federation=root.federation,
        version=earlier.version + 1 if earlier is not None else 1,
        issued=now,
        expires=now + ROSTER_MAX_SECONDS,
        coordinator_key=coordinator_key.hex(),
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
    """The roster in force, read from the store and verified once for each version."""

    def __init__(self, store: Store, root: Root) -> None:
        self._store = store
        self._root = root
        self._envelope = b""
        self._roster: Roster | None = None

    def refresh(self) -> bool:
        """Look for a newer version; True when there is one."""
        row = self._store.nodes.document(Roster.KIND)
        if row is None or row.envelope == self._envelope:
            return False
        roster, _, _ = Roster.verify(row.envelope, self._root.ring, self._root.threshold)
        self._envelope, self._roster = row.envelope, roster
        return True

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
