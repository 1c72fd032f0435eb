"""The federation's documents as the coordinator sent them: roots, roster, revocation statement, permits, withdrawals.

It only carries them: each is verified here, and none goes backwards.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from pathlib import Path

from node_agent.policy_store.files import replace_file, safe_name
from node_agent.policy_store.newest import Seen, see_root, see_roster, see_statement
from trustquery.codelists import Pin
from trustquery.errors import TrustQueryError
from trustquery.identity import Envelope, Permit, Revocations, Root, Roster
from trustquery.identity.rotation import follow, next_root
from trustquery.projects.inputs import InputDecision, read_decision
from trustquery.protocol.messages import Documents

__all__ = ["DocumentStore"]

Alarm = Callable[[str, str, bytes], None]

CLOCK_SKEW = 300
"""Seconds that the clock of whoever drafts a roster or a statement may be ahead of this one."""


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
        self._newest: tuple[tuple[bytes, ...], Root] | None = None
        self._cached: tuple[bytes, Root, Roster] | None = None
        self._said: tuple[bytes, Roster, Revocations, frozenset[str]] | None = None

    # -- the root ------------------------------------------------------------------------------------------------

    def root(self) -> Root:
        """The newest root here: the one confirmed at enrolment, or the last that follows from it.

        Raises:
            TrustQueryError: ``auth-document``: a root that is kept here does not follow.
        """
        chain = tuple(path.read_bytes() for path in sorted((self._folder / "roots").glob("*.dsse")))
        with self._lock:
            if self._newest is None or self._newest[0] != chain:
                self._newest = chain, follow(self._root, chain)
            return self._newest[1]

    def take_roots(self, chain: Iterable[bytes], seen: Seen, now: int) -> None:
        """Keep every root that follows from the newest one here.

        Raises:
            TrustQueryError: ``auth-document``, ``policy-document-stale``.
        """
        for data in chain:
            newest = self.root()
            if Root.read(data).version <= newest.version:
                continue
            new = next_root(data, newest)
            see_root(seen, new, now)
            replace_file(self._folder / "roots" / f"{new.version:08d}.dsse", data)

    # -- the roster ----------------------------------------------------------------------------------------------

    def _verified(self, data: bytes, root: Root) -> Roster:
        roster, _, _ = Roster.verify(data, root.ring, root.threshold)
        if roster.federation != root.federation:
            raise TrustQueryError("auth-document", document="roster", problem="it belongs to another federation")
        return roster

    def roster(self, now: int) -> Roster:
        """The roster in force.

        Raises:
            TrustQueryError: ``policy-document-stale``: none yet, expired or not yet valid; ``auth-document``.
        """
        try:
            data = (self._folder / "roster.dsse").read_bytes()
        except OSError as error:
            raise TrustQueryError("policy-document-stale", document="roster") from error
        root = self.root()
        with self._lock:
            if self._cached is None or self._cached[:2] != (data, root):
                self._cached = data, root, self._verified(data, root)
            roster = self._cached[2]
        if not roster.issued <= now + CLOCK_SKEW or roster.expires <= now:
            raise TrustQueryError("policy-document-stale", document="roster")
        return roster

    def take_roster(self, data: bytes, seen: Seen, now: int) -> Roster:
        """Verify and keep a roster.

        Raises:
            TrustQueryError: ``auth-document``, ``policy-document-stale``.
        """
        roster = self._verified(data, self.root())
        if not roster.issued <= now + CLOCK_SKEW or roster.expires <= now:
            raise TrustQueryError("policy-document-stale", document="roster")
        see_roster(seen, roster, now)
        replace_file(self._folder / "roster.dsse", data)
        return roster

    # -- the revocation statement --------------------------------------------------------------------------------

    def _statement(self, data: bytes, roster: Roster) -> tuple[Revocations, frozenset[str]]:
        statement, signers, _ = Revocations.verify(data, roster.statement_ring, 1)
        if statement.federation != self._root.federation:
            raise TrustQueryError("auth-document", document="revocations", problem="it belongs to another federation")
        return statement, signers

    def _kept_statement(self, roster: Roster) -> tuple[Revocations, frozenset[str]]:
        """The statement that is here, by a key that the roster in force names.

        Raises:
            TrustQueryError: ``policy-revocations-absent``: none is here; ``auth-document``.
        """
        try:
            data = (self._folder / "revocations.dsse").read_bytes()
        except OSError as error:
            raise TrustQueryError("policy-revocations-absent") from error
        with self._lock:
            if self._said is None or self._said[:2] != (data, roster):
                self._said = data, roster, *self._statement(data, roster)
            return self._said[2:]

    def revocations(self, now: int) -> tuple[Revocations, frozenset[str]]:
        """The revocation statement in force, and the ids of the statement keys that signed it.

        Raises:
            TrustQueryError: ``policy-revocations-absent``: none here, by a key that the roster names, that is in date;
                as ``roster``.
        """
        try:
            statement, signers = self._kept_statement(self.roster(now))
        except TrustQueryError as error:
            if error.problem.fields.get("document") == Revocations.KIND:
                raise TrustQueryError("policy-revocations-absent") from error
            raise
        if not statement.issued <= now + CLOCK_SKEW or statement.expires <= now:
            raise TrustQueryError("policy-revocations-absent")
        return statement, signers

    def take_revocations(self, data: bytes, seen: Seen, now: int) -> Revocations:
        """Verify and keep a revocation statement; one that forgets what an earlier one said is refused.

        Raises:
            TrustQueryError: ``auth-document``, ``policy-document-stale``.
        """
        roster = self.roster(now)
        statement, signers = self._statement(data, roster)
        if not statement.issued <= now + CLOCK_SKEW or statement.expires <= now:
            raise TrustQueryError("policy-document-stale", document="revocations")
        try:
            kept, _ = self._kept_statement(roster)
        except TrustQueryError:
            # None yet, or by a key that the root no longer names: that key's word binds nobody.
            kept = None
        if (
            kept is not None
            and kept.version < statement.version
            and (kept.issued > statement.issued or statement.forgets(kept))
        ):
            problem = "it leaves out what an earlier statement revoked"
            raise TrustQueryError("auth-document", document="revocations", problem=problem)
        see_statement(seen, statement, signers, roster, now)
        replace_file(self._folder / "revocations.dsse", data)
        return statement

    # -- what a message brings -----------------------------------------------------------------------------------

    def take(self, message: Documents, seen: Seen, now: int, alarm: Alarm = lambda *_: None) -> tuple[str, ...]:
        """Keep whatever of a message verifies; returns the codes of what did not.

        Each rests on the one before it: roots, roster, revocation statement, permits.

        Args:
            alarm: called with code, kind and bytes of each document that is refused for what it is itself.
        """
        refused: list[str] = []

        def keep(kind: str, data: bytes, taking: Callable[[], object]) -> None:
            try:
                taking()
            except TrustQueryError as error:
                refused.append(error.code)
                # Where what it rests on is not here or out of date, that is no fault of this document.
                if error.code != "policy-document-stale" or error.problem.fields.get("document") == kind:
                    alarm(error.code, kind, data)
            except Exception:
                # A verifier that fails has not said yes. The node goes on with what it has.
                refused.append("internal-fault")
                alarm("internal-fault", kind, data)

        if message.roots:
            keep("root", b"".join(message.roots), lambda: self.take_roots(message.roots, seen, now))
        if message.roster:
            keep("roster", message.roster, lambda: self.take_roster(message.roster, seen, now))
        if message.revocations:
            keep("revocations", message.revocations, lambda: self.take_revocations(message.revocations, seen, now))
        for data in message.permits:
            keep("permit", data, lambda data=data: self.take_permit(data, now))  # type: ignore[misc]
        for data in message.withdrawals:
            keep("input", data, lambda data=data: self.take_withdrawal(data, now))  # type: ignore[misc]
        return tuple(refused)

    # -- inputs that were withdrawn ------------------------------------------------------------------------------

    def take_withdrawal(self, data: bytes, now: int) -> InputDecision | None:
        """Keep a committee member's word that no query may pin an input any more; None where it is here already.

        It is kept for good, also when its signer leaves the committee: nothing brings a withdrawn version back.

        Raises:
            TrustQueryError: ``auth-document``, ``policy-document-stale``: there is no roster in date here.
        """
        told = Envelope.decode(data, kind=InputDecision.KIND)
        path = self._withdrawal_path(InputDecision.from_payload(told.payload).pin)
        if path.exists():
            return None
        decision, _ = read_decision(data, self.roster(now))
        if decision.verdict != "withdraw":
            raise TrustQueryError("auth-document", document=InputDecision.KIND, problem="it withdraws nothing")
        replace_file(path, data)
        return decision

    def _withdrawal_path(self, pin: Pin) -> Path:
        return self._folder / "withdrawals" / f"{pin.sha256}.dsse"

    def check_inputs(self, pins: Iterable[Pin]) -> None:
        """Refuse a query that pins a withdrawn input.

        Raises:
            TrustQueryError: ``query-input-withdrawn``.
        """
        for pin in pins:
            if self._withdrawal_path(pin).exists():
                raise TrustQueryError("query-input-withdrawn", table=pin.id, version=pin.version)

    # -- permits -------------------------------------------------------------------------------------------------

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
