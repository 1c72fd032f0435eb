"""What the committee does: two different members sign a permit; one returns, refuses or suspends, with a reason."""

from __future__ import annotations

from dataclasses import dataclass

from coordinator.projects.committee import require_outsiders, signers_of
from coordinator.projects.desks import (
    FRESH_SECONDS,
    Desk,
    check_time,
    drop_signing,
    is_of_now,
    newest,
    next_permit_version,
    not_so,
)
from coordinator.projects.settling import settle
from coordinator.store import ApplicationRow, DecisionRow, PermitRow
from coordinator.store.projects import Change
from trustquery.errors import TrustQueryError
from trustquery.identity import Envelope, Permit, Person
from trustquery.projects.application import Application
from trustquery.projects.decisions import Decision, Verdict
from trustquery.projects.life import ApplicationState, ProjectState, application_after, project_after
from trustquery.projects.permits import DAY, check_drawn_from

__all__ = ["CommitteeDesk"]

_DECIDABLE = frozenset({ApplicationState.SUBMITTED, ApplicationState.SECONDED})


@dataclass(frozen=True)
class CommitteeDesk(Desk):
    """Where the committee decides."""

    def approve(self, project: str, person: str, envelope: bytes) -> str:
        """Take in one member's signature on a permit.

        Args:
            person: who hands it in; theirs is the signature that is new.
            envelope: the permit, with this signature and those that were there.

        Returns:
            ``seconded`` while signatures are wanted, else ``approved``.

        Raises:
            TrustQueryError: ``auth-document``, ``auth-not-permitted``: a signer has a part in the project, or it is not
                this person's signature; ``project-move``, ``project-dates``.
        """
        roster, now = self.rosters.current(), self.clock()
        found = Envelope.decode(envelope, kind=Permit.KIND)
        permit = Permit.from_payload(found.payload)
        signers = signers_of(found, roster)
        with self.store.projects.change(project, now) as change:
            row = self._decidable(change, project)
            application = Application.read(row.envelope)
            check_drawn_from(permit, application)
            self._check_new(change, permit, now)
            require_outsiders(signers, application, row.applicant, "application.approve")
            signing = next((item for item in change.permits() if item.state == "signing"), None)
            before = self._signatures(signing, permit, found, now)
            if {item.person for item in signers} != {item.person for item in before} | {person}:
                raise TrustQueryError(
                    "auth-not-permitted",
                    action="application.approve",
                    why="the permit carries the signatures that were there and your own, each from a different person",
                )
            if any(item.person == person for item in before):
                raise TrustQueryError(
                    "auth-not-permitted", action="application.approve", why="you have signed it already"
                )
            done = len(signers) >= max(2, roster.committee_threshold)
            self._keep_permit(change, signing, permit, found, envelope, done)
            state = ApplicationState(row.state)
            if state is ApplicationState.SUBMITTED:
                state = application_after(state, "approve", project)
            if done and state is ApplicationState.SECONDED:
                state = application_after(state, "approve", project)
            row.state, row.updated = state, now
            name = next(item.name for item in signers if item.person == person)
            words = f"{name} of the data access committee signed permit version {permit.version}"
            change.note("approve", name, f"{words}, which is now approved." if done else f"{words}.", public=done)
            if done:
                settle(change, project, self.rosters, now)
        return "approved" if done else "seconded"

    def _decidable(self, change: Change, project: str) -> ApplicationRow:
        """The application that is before the committee; for a renewal, the one that was approved last."""
        row, running = newest(change, project), change.project()
        if running is not None:
            project_after(ProjectState(running.state), "amend", project)
        if row.state in _DECIDABLE:
            return row
        approved = [item for item in change.applications() if item.state == ApplicationState.APPROVED]
        if approved:
            # Whatever amendment is being written or was decided against: what was approved is renewed.
            return approved[-1]
        # Raises: no table lets anybody approve what is not before the committee.
        application_after(ApplicationState(row.state), "approve", project)
        return row

    @staticmethod
    def _check_new(change: Change, permit: Permit, now: int) -> None:
        if permit.version != next_permit_version(change.permits()):
            raise TrustQueryError("policy-document-stale", document="permit")
        first_day = permit.valid_from % DAY == 0 and permit.valid_from > now
        if not (is_of_now(permit.valid_from, now) or first_day) or permit.expires <= now:
            raise not_so("permit", "it neither begins now nor on the project's first day")

    def _signatures(self, signing: PermitRow | None, permit: Permit, found: Envelope, now: int) -> tuple[Person, ...]:
        """Who signed this very permit before; nobody if it is a new one, or the one begun is too old."""
        if signing is None:
            return ()
        if signing.permit_hash == found.sha256:
            return signers_of(Envelope.decode(signing.envelope, kind=Permit.KIND), self.rosters.current())
        if signing.updated > now - FRESH_SECONDS and signing.application == permit.application:
            raise not_so("permit", "another member has signed a permit for it already: add your signature to that one")
        return ()

    @staticmethod
    def _keep_permit(
        change: Change, signing: PermitRow | None, permit: Permit, found: Envelope, envelope: bytes, done: bool
    ) -> None:
        row = signing
        if row is None:
            row = next((item for item in change.permits() if item.version == permit.version), None)
        if row is None:
            row = PermitRow(project=permit.project, version=permit.version, updated=0)
            change.add(row)
        row.permit_hash, row.application, row.envelope = found.sha256, permit.application, envelope
        row.state, row.updated = "approved" if done else "signing", change.now

    def decide(self, project: str, person: str, envelope: bytes, verdicts: tuple[Verdict, ...]) -> Decision:
        """Return or refuse an application, suspend or resume a project: what the signed decision says.

        Args:
            verdicts: those that are asked for here.

        Raises:
            TrustQueryError: ``auth-document``, ``auth-not-permitted``, ``project-move``.
        """
        roster, now = self.rosters.current(), self.clock()
        found = Envelope.decode(envelope, kind=Decision.KIND)
        decision = Decision.from_payload(found.payload)
        signers = signers_of(found, roster)
        needed = max(2, roster.committee_threshold) if decision.verdict == "resume" else 1
        if len(signers) < needed or all(item.person != person for item in signers):
            raise not_so("decision", f"it needs {needed} signatures of the committee, one of them yours")
        if (decision.federation, decision.project) != (self.federation, project) or decision.verdict not in verdicts:
            raise not_so("decision", "it is about another project, or decides something else")
        check_time("decision", decision.decided, now)
        with self.store.projects.change(project, now) as change:
            known = {Envelope.decode(item.envelope, kind=item.kind).payload for item in change.decisions()}
            if found.payload in known:
                raise TrustQueryError("policy-document-stale", document="decision")
            if decision.verdict in ("return", "refuse"):
                self._decide_application(change, decision, signers)
            else:
                self._decide_project(change, decision, signers)
            change.add(
                DecisionRow(project=project, kind=Decision.KIND, about=decision.about, envelope=envelope, at=now)
            )
            names = " and ".join(item.name for item in signers)
            done = {"return": "returned the application", "refuse": "refused the application"}
            done |= {"suspend": "suspended the project", "resume": "resumed the project"}
            public = decision.verdict in ("suspend", "resume")
            change.note(decision.verdict, names, f"{names} {done[decision.verdict]}: {decision.reason}", public=public)
        return decision

    def _decide_application(self, change: Change, decision: Decision, signers: tuple[Person, ...]) -> None:
        row = newest(change, decision.project)
        after = application_after(ApplicationState(row.state), decision.verdict, decision.project)
        if decision.about != row.sha256:
            raise not_so("decision", "it is about another version of the application")
        require_outsiders(signers, Application.read(row.envelope), row.applicant, "application.decide")
        row.state, row.updated = after, change.now
        drop_signing(change)

    def _decide_project(self, change: Change, decision: Decision, signers: tuple[Person, ...]) -> None:
        row = change.project()
        if row is None:
            raise TrustQueryError("project-unknown", project=decision.project)
        if decision.about != row.permit_hash:
            raise not_so("decision", "it is about another permit")
        approved = [item for item in change.applications() if item.state == ApplicationState.APPROVED]
        # Stopping is open to every member; starting again is not for those who gain by it.
        if decision.verdict == "resume" and approved:
            require_outsiders(
                signers, Application.read(approved[-1].envelope), approved[-1].applicant, "project.resume"
            )
        if decision.verdict == "resume" and any(decision.decided < item.at for item in change.decisions()):
            raise not_so("decision", "it is older than the suspension")
        row.state = project_after(ProjectState(row.state), decision.verdict, decision.project)
        if decision.verdict == "suspend":
            # What was approved before is not taken up behind the suspension's back.
            drop_signing(change)
            for item in change.permits():
                if item.state == "approved":
                    item.state, item.updated = "revoked", change.now
        settle(change, decision.project, self.rosters, change.now)
