"""Roster and permits as the coordinator sent them. It only carries them: each is verified here, none goes backwards."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Protocol

from node_agent.policy_store.files import replace_file, safe_name
from trustquery.errors import TrustQueryError
from trustquery.identity import Envelope, Permit, Root, Roster
from trustquery.protocol.messages import Documents

__all__ = ["DocumentStore", "Seen"]


class Seen(Protocol):
    """Where versions seen are noted: the ledger."""

    def see(self, kind: str, name: str, version: int, sha256: str, now: int) -> None:
        """Note a version; raises ``policy-document-stale`` when it goes backwards."""
        ...


class DocumentStore:
    """The federation's documents on disk.

    Args:
        folder: the home's ``documents/``.
        root: the trust anchor confirmed at enrolment.
    """

    def __init__(self, folder: Path, root: Root) -> None:
        self._folder = folder
        self._root = root
        self._lock = threading.Lock()
        self._cached: tuple[bytes, Roster] | None = None

    def _verified(self, data: bytes) -> tuple[Roster, Envelope]:
        roster, _, envelope = Roster.verify(data, self._root.ring, self._root.threshold)
        if roster.federation != self._root.federation:
            raise TrustQueryError("auth-document", document="roster", problem="it belongs to another federation")
        return roster, envelope

    def roster(self, now: int) -> Roster:
        """The roster in force.

        Raises:
            TrustQueryError: ``policy-document-stale``: none yet, expired or not yet valid; ``auth-document``.
        """
        try:
            data = (self._folder / "roster.dsse").read_bytes()
        except OSError as error:
            raise TrustQueryError("policy-document-stale", document="roster") from error
        with self._lock:
            if self._cached is None or self._cached[0] != data:
                self._cached = data, self._verified(data)[0]
            roster = self._cached[1]
        if not roster.issued <= now < roster.expires:
            raise TrustQueryError("policy-document-stale", document="roster")
        return roster

    def take_roster(self, data: bytes, seen: Seen, now: int) -> Roster:
        """Verify and keep a roster.

        Raises:
            TrustQueryError: ``auth-document``, ``policy-document-stale``.
        """
        roster, envelope = self._verified(data)
        if not roster.issued <= now < roster.expires:
            raise TrustQueryError("policy-document-stale", document="roster")
        seen.see("roster", roster.federation, roster.version, envelope.sha256, now)
        replace_file(self._folder / "roster.dsse", data)
        return roster

    def take(self, message: Documents, seen: Seen, now: int) -> tuple[str, ...]:
        """Keep whatever of a message verifies; returns the codes of what did not."""
        refused: list[str] = []
        if message.roster:
            try:
                self.take_roster(message.roster, seen, now)
            except TrustQueryError as error:
                refused.append(error.code)
        for data in message.permits:
            try:
                self.take_permit(data, now)
            except TrustQueryError as error:
                refused.append(error.code)
        return tuple(refused)

    def take_permit(self, data: bytes, now: int) -> Permit:
        """Verify a permit and keep it for governance to read; an older version never replaces a newer one.

        Raises:
            TrustQueryError: ``auth-document``, ``policy-document-stale``.
        """
        permit, _ = self._permit(data, now)
        path = self._permit_path(permit.project)
        if path.exists():
            kept = Permit.read(path.read_bytes())
            if kept.version > permit.version:
                raise TrustQueryError("policy-document-stale", document="permit")
        replace_file(path, data)
        return permit

    def _permit(self, data: bytes, now: int) -> tuple[Permit, Envelope]:
        roster = self.roster(now)
        permit, _, envelope = Permit.verify(data, roster.committee_ring, max(2, roster.committee_threshold))
        if permit.federation != self._root.federation:
            raise TrustQueryError("auth-document", document="permit", problem="it belongs to another federation")
        return permit, envelope

    def _permit_path(self, project: str) -> Path:
        return self._folder / "permits" / f"{safe_name(project)}.dsse"

    def permit(self, project: str, now: int) -> tuple[Permit, Envelope]:
        """The permit of a project as it was last sent, verified again.

        Raises:
            TrustQueryError: ``project-unknown``, ``auth-document``, ``policy-document-stale``.
        """
        try:
            data = self._permit_path(project).read_bytes()
        except (OSError, ValueError) as error:
            raise TrustQueryError("project-unknown", project=project) from error
        return self._permit(data, now)

    def kept(self, project: str) -> tuple[Permit, Envelope]:
        """The permit of a project as it was verified when it came, also where no roster is in date now.

        Raises:
            TrustQueryError: ``project-unknown``, ``auth-document``.
        """
        try:
            data = self._permit_path(project).read_bytes()
        except (OSError, ValueError) as error:
            raise TrustQueryError("project-unknown", project=project) from error
        envelope = Envelope.decode(data, kind=Permit.KIND)
        return Permit.from_payload(envelope.payload), envelope

    def projects(self) -> tuple[str, ...]:
        """Names of the projects whose permits are here, sorted."""
        return tuple(sorted(path.stem for path in (self._folder / "permits").glob("*.dsse")))
