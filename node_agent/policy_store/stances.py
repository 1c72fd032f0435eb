"""What this trust says of each permit, in a document that the whole federation may read: signed by the node's own key.

It is never written by hand. The node looks at what governance accepted and declined, and says that; so a stance cannot
differ from what the gate does for longer than one look.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from node_agent.budget.book import BookReader
from node_agent.policy_store.documents import DocumentStore
from node_agent.policy_store.files import replace_file, safe_name
from node_agent.policy_store.store import PolicyStore
from trustquery.errors import TrustQueryError
from trustquery.identity import Acceptance, Envelope, Permit, SigningKey
from trustquery.projects.decisions import Stance

__all__ = ["MOST_CONDITIONS", "NO_LONGER", "Stances", "check_reason"]

MOST_CONDITIONS = 50
MOST_REASON = 4_000
NO_LONGER = (
    "The acceptance no longer counts at this trust, which answers nothing for the project until two of its governance "
    "people accept the permit anew."
)
"""What a node says by itself where an acceptance is gone that nobody declined: a person's key left the list, say."""


def check_reason(reason: str) -> str:
    """A reason that people can read.

    Raises:
        TrustQueryError: ``usage-invalid``: blank, or longer than 4,000 characters.
    """
    text = reason.strip()
    if not text or len(text) > MOST_REASON:
        raise TrustQueryError(
            "usage-invalid", place="--reason", problem=f"say why, in words, in at most {MOST_REASON:,} characters"
        )
    return text


class Stances:
    """The stances of one node, a file a project.

    Args:
        documents: the permits that the federation sent.
        policies: what governance accepted.
        book: what the ledger has seen of acceptances.
        key: the node's identity key.
        wall: whole seconds since 1970.

    Attributes:
        changes: how many looks found something new, whoever looked.
    """

    def __init__(
        self,
        documents: DocumentStore,
        policies: PolicyStore,
        book: BookReader,
        key: SigningKey,
        wall: Callable[[], int],
    ) -> None:
        self._folder = policies.home.policy / "stances"
        self._documents = documents
        self._policies = policies
        self._book = book
        self._key = key
        self._wall = wall
        self._seen: object = None
        self.changes = 0

    # -- making ----------------------------------------------------------------------------------------------------

    def look(self) -> bool:
        """Bring every stance up to date with what governance decided; True where anything changed since the last look.

        Nothing is read again while no file of permits, acceptances and stances changed.

        Raises:
            OSError: a stance cannot be written; the next look tries again.
        """
        seen = self._signs()
        if seen == self._seen:
            return False
        changed = [self._look_at(project) for project in self._documents.projects()]
        self._seen = self._signs() if any(changed) else seen
        self.changes += 1
        return True

    def _signs(self) -> object:
        home = self._policies.home
        try:
            people = self._policies.governance.sha256
        except TrustQueryError:
            people = ""
        folders = (home.documents / "permits", home.policy / "acceptances", self._folder)
        return people, [_signs_of(folder) for folder in folders]

    def _look_at(self, project: str) -> bool:
        try:
            permit, envelope = self._documents.kept(project)
        except TrustQueryError:
            return False
        last = self.last(project)
        about = last if last is not None and last.permit_hash == envelope.sha256 else None
        acceptance = self.counting(project, envelope.sha256)
        if acceptance is None:
            if about is None or about.word == "declined":
                return False
            self._put(self._declined(permit, envelope, NO_LONGER), last)
            return True
        if about is not None and about.acceptance_hash == acceptance.sha256:
            return False
        self._put(self._accepted(permit, acceptance), last)
        return True

    def counting(self, project: str, permit_hash: str) -> Acceptance | None:
        """The acceptance of this very permit that the gate would go by, in date or not; None where there is none."""
        try:
            found = self._policies.acceptance(project)
        except TrustQueryError:
            return None
        mine = (found.federation, found.node, found.project) == (
            self._policies.federation,
            self._policies.node,
            project,
        )
        if not mine or found.permit_hash != permit_hash or found.accepted > self._wall():
            return None
        seen = self._book.seen("acceptance", project)
        stale = seen is not None and (found.accepted, found.sha256) != seen and found.accepted <= seen[0]
        return None if stale else found

    def decline(self, project: str, reason: str) -> Stance | None:
        """Say no to the permit that is kept here; None where none is, so that there is nothing to speak of.

        Raises:
            TrustQueryError: ``usage-invalid``: no reason.
        """
        text = check_reason(reason)
        try:
            permit, envelope = self._documents.kept(project)
        except TrustQueryError:
            return None
        return self._put(self._declined(permit, envelope, text), self.last(project))

    def _declined(self, permit: Permit, envelope: Envelope, reason: str) -> Stance:
        return Stance(
            federation=self._policies.federation,
            node=self._policies.node,
            project=permit.project,
            permit_hash=envelope.sha256,
            word="declined",
            acceptance_hash="",
            conditions=(),
            reason=reason,
            rho_nano=0,
            said=self._wall(),
            expires=permit.expires,
        )

    def _accepted(self, permit: Permit, acceptance: Acceptance) -> Stance:
        conditions = acceptance.conditions
        if len(conditions) > MOST_CONDITIONS:
            kept = conditions[: MOST_CONDITIONS - 1]
            conditions = (*kept, f"and {len(conditions) - len(kept)} more, which the trust's acceptance holds")
        return Stance(
            federation=self._policies.federation,
            node=self._policies.node,
            project=permit.project,
            permit_hash=acceptance.permit_hash,
            word="accepted-with-conditions" if conditions else "accepted",
            acceptance_hash=acceptance.sha256,
            conditions=conditions,
            reason="",
            # The smaller of the two is the cap; a larger figure in an acceptance promises nothing.
            rho_nano=min(acceptance.rho_nano, permit.rho_nano),
            said=self._wall(),
            expires=min(acceptance.expires, permit.expires),
        )

    def _put(self, stance: Stance, last: Stance | None) -> Stance:
        # Of two stances the later counts, so a clock that was set back must not hide this one.
        said = max(stance.said, last.said + 1) if last is not None else stance.said
        stance = stance.model_copy(update={"said": said})
        replace_file(self._file(stance.project), stance.sign(self._key).encode())
        return stance

    # -- reading ---------------------------------------------------------------------------------------------------

    def _file(self, project: str) -> Path:
        return self._folder / f"{safe_name(project)}.dsse"

    def _read(self, project: str) -> tuple[Stance, bytes] | None:
        try:
            data = self._file(project).read_bytes()
            stance, _, _ = Stance.verify(data, {self._key.key_id: self._key.public}, 1)
        except (OSError, ValueError, TrustQueryError):
            return None
        return stance, data

    def last(self, project: str) -> Stance | None:
        """What was last said of a project, whichever permit it was about."""
        found = self._read(project)
        return found[0] if found is not None else None

    def to_tell(self) -> tuple[bytes, ...]:
        """The envelopes of all stances that are about the permits now kept and in date, by project."""
        found = []
        for project in self._documents.projects():
            kept = self._read(project)
            if kept is None or kept[0].expires <= self._wall():
                continue
            try:
                _, envelope = self._documents.kept(project)
            except TrustQueryError:
                continue
            if kept[0].permit_hash == envelope.sha256:
                found.append(kept[1])
        return tuple(found)


def _signs_of(folder: Path) -> list[tuple[str, int, int, int]]:
    """What tells that a file of a folder was replaced."""
    try:
        with os.scandir(folder) as entries:
            files = [(entry.name, entry.stat()) for entry in entries if entry.name.endswith(".dsse")]
    except OSError:
        return []
    return sorted((name, found.st_ino, found.st_mtime_ns, found.st_size) for name, found in files)
