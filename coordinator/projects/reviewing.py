"""Project review: two output checkers look at a merged table before its project does.

Whether it is looked at, and until when, is fixed before any trust is asked, by the federation's settings, the project's
application and the question itself; never by a figure. Verdicts are signed with the keys of the checkers' own accounts
and count while their signers are who may review it. What they make of it is ``trustquery.reviews.Hearing``, as at a
trust. At the deadline two approvals show the result; everything else does not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import structlog

from coordinator.access import actor_of, release_resource
from coordinator.projects.desks import EARLY_SECONDS, not_so
from coordinator.projects.permits import read_permit
from coordinator.projects.releases import criteria_row, reviewed_digest
from coordinator.queries.machine import State
from coordinator.services import Base
from coordinator.store import ProjectRow, QueryRow, ReviewRow, ReviewVerdictRow
from trustquery.access import Resource, may
from trustquery.errors import TrustQueryError
from trustquery.identity import ring_of
from trustquery.projects.application import Application
from trustquery.reviews import Hearing, Review, Stage
from trustquery.reviews.shown import REVIEWED_BY

__all__ = ["Planned", "ReviewDesk"]

_log = structlog.get_logger()


@dataclass(frozen=True)
class Planned:
    """That a project's merged tables are reviewed.

    Attributes:
        why: ``federation``, ``application`` or ``question``.
        seconds: from a question's own deadline to that of its review.
    """

    why: str
    seconds: int


@dataclass(frozen=True)
class ReviewDesk:
    """Where reviews are planned, verdicts come in and outcomes are told.

    Args:
        clock: whole seconds since 1970 UTC.
    """

    base: Base
    clock: Callable[[], int]

    # -- before anybody is asked ---------------------------------------------------------------------------------------

    def planned(self, project: ProjectRow, query_hash: str = "") -> Planned | None:
        """Whether two output checkers look at what comes of a question; None where nobody does.

        A question that is in review somewhere, or was returned, is reviewed for whoever asks it: trusts answer it with
        the vectors that they have given already.

        Args:
            query_hash: of the question; "" for any question of the project.
        """
        settings = self.base.settings.review
        if settings.every_project:
            return Planned("federation", settings.seconds)
        if self._applied_for(project):
            return Planned("application", settings.seconds)
        if query_hash and self.base.store.reviews.keeps(query_hash):
            return Planned("question", settings.seconds)
        return None

    def _applied_for(self, project: ProjectRow) -> bool:
        """Whether the application that the permit in use approves asks for it; so too where that cannot be read."""
        wanted = read_permit(project).application
        for row in self.base.store.projects.applications(project.name):
            if row.sha256 == wanted:
                try:
                    return Application.read(row.envelope).output_review != "no"
                except TrustQueryError:
                    return True
        return True

    def begin(self, project: ProjectRow, release_id: str, query_hash: str, not_after: int) -> ReviewRow | None:
        """The review that is kept with a question; None where nobody reviews it.

        Args:
            not_after: the question's own deadline.

        Raises:
            TrustQueryError: ``query-review-unset``.
        """
        found = self.planned(project, query_hash)
        if found is None:
            return None
        if not found.seconds:
            raise TrustQueryError("query-review-unset")
        return ReviewRow(release_id=release_id, why=found.why, deadline=not_after + found.seconds)

    # -- while it is in review -----------------------------------------------------------------------------------------

    def resource(self, row: QueryRow) -> Resource:
        """A release, with everybody who has a part in it."""
        return release_resource(self.base.store, self.base.rosters.found(), row)

    def held(self, release_id: str) -> tuple[ReviewRow, QueryRow, Hearing]:
        """A merged result in review now, and the verdicts that count.

        Raises:
            TrustQueryError: ``policy-review-unknown``; ``policy-review-differs``, ``query-…``: it cannot be read.
        """
        found = self.base.store.reviews.held(release_id)
        if found is None:
            raise TrustQueryError("policy-review-unknown", release=release_id[:16])
        review, query, verdicts = found
        return review, query, self._hearing(query, verdicts, self._digest(query, review.held))

    def _digest(self, query: QueryRow, content: bytes) -> str:
        try:
            return reviewed_digest(self.base, query, content)
        except (ValueError, KeyError, TypeError) as error:
            raise TrustQueryError("policy-review-differs", problem="what is held is no merged result") from error

    def _hearing(self, query: QueryRow, verdicts: Iterable[ReviewVerdictRow], digest: str) -> Hearing:
        return Hearing.of(self._counting(query, verdicts, digest))

    def _counting(self, query: QueryRow, verdicts: Iterable[ReviewVerdictRow], digest: str) -> Iterable[Review]:
        """Verdicts that count: by those who may review it today, with a key of theirs, about this very table."""
        resource, store = self.resource(query), self.base.store
        users = {user.public_key: user for user, _ in store.roles.accounts() if not user.disabled}
        for row in verdicts:
            user = users.get(row.key)
            if user is None:
                continue
            actor = actor_of(store, self.base.rosters.found(), user, self.clock())
            if actor.person != row.person or not may(actor, "release.review", resource).allowed:
                continue
            try:
                review = self._read(row.envelope, row.person, row.key)
            except TrustQueryError:
                continue
            if not self._strays(review, query, digest):
                yield review

    @staticmethod
    def _read(envelope: bytes, person: str, key: str) -> Review:
        review, _, found = Review.verify(envelope, ring_of([key]), 1)
        if review.reviewer != person or len(found.signatures) != 1:
            raise not_so(Review.KIND, "each person signs their own verdict, with the key of the account in use")
        return review

    def _strays(self, review: Review, query: QueryRow, digest: str) -> str:
        federation = self.base.root.federation
        return review.strays(
            federation=federation,
            body=federation,
            release_id=query.release_id,
            plan_hash=query.plan_hash,
            figures=digest,
        )

    def take(self, release_id: str, person: str, key: str, envelope: bytes) -> Stage:
        """Take a signed verdict in, from somebody who may review this; returns where the review is then.

        Args:
            person: who is signed in; ``key`` of their account, hexadecimal.

        Raises:
            TrustQueryError: ``auth-document``, ``policy-review-unknown``, ``policy-review-differs``,
                ``policy-review-given``, ``policy-review-closed``.
        """
        review = self._read(envelope, person, key)
        found = self.base.store.reviews.held(release_id)
        if found is None:
            raise TrustQueryError("policy-review-unknown", release=release_id[:16])
        held, query, seen = found
        digest = self._digest(query, held.held)
        problem = self._strays(review, query, digest)
        if problem:
            raise TrustQueryError("policy-review-differs", problem=f"it is about {problem}")
        if review.given > self.clock() + EARLY_SECONDS:
            raise not_so(Review.KIND, "it was signed at another time")
        hearing = self._hearing(query, seen, digest)
        mine = ReviewVerdictRow(release_id=release_id, person=person, key=key, envelope=envelope, at=self.clock())
        after = self._hearing(query, [*seen, mine], digest)
        with self.base.store.reviews.change(release_id) as change:
            if change is None or self.clock() >= change.review.deadline:
                raise TrustQueryError("policy-review-closed", problem="its deadline has passed")
            hearing.check_turn(review)
            if len(change.verdicts) != len(seen):
                raise TrustQueryError("policy-review-closed", problem="another verdict has just come in: look again")
            change.add(mine)
        return after.stage

    # -- at the deadline -----------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Tell the outcome of every review whose deadline has come. Safe to repeat, and after a restart."""
        for release_id in self.base.store.reviews.due(self.clock()):
            try:
                self._settle(release_id)
            except Exception:
                # Nothing of it is shown, and it is tried again; the others must not wait for it.
                _log.exception("review-not-settled", release=release_id)

    def _settle(self, release_id: str) -> None:
        found = self.base.store.reviews.held(release_id)
        if found is None:
            return
        review, query, verdicts = found
        try:
            digest = self._digest(query, review.held)
            hearing = self._hearing(query, verdicts, digest)
            criteria = criteria_row(self.base, query, review.held, REVIEWED_BY)
        except TrustQueryError:
            # A table that cannot be made any more is no table that anybody approved.
            _log.warning("review-unreadable", release=release_id)
            digest, hearing, criteria = "", Hearing.of(()), None
        approved = hearing.stage is Stage.APPROVED
        words = (
            "Two output checkers approved its merged table before it was shown."
            if approved
            else "Two output checkers did not both approve its merged table, so that it has no result."
        )
        with self.base.store.reviews.change(release_id) as change:
            if change is None or len(change.verdicts) != len(verdicts):
                return
            change.settle(
                state=(State.CLOSED if approved else State.RETURNED).value,
                outcome="approved" if approved else "returned",
                reasons=" ".join(hearing.reasons),
                table_sha256=digest,
                now=self.clock(),
                words=f"Query {query.query_hash[:12]}, release {release_id[:12]}. {words}",
                criteria=criteria if approved else None,
            )
        _log.info("review-settled", release=release_id, outcome="approved" if approved else "returned")
