"""Which verdicts count, and the one place that takes a verdict in.

The reviewers are the people of the trust's governance list. Neither may be of the project whose question it is, known
by person, by key and by name: a second account of one person is no second person.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from node_agent.budget.port import Release, unpack
from node_agent.budget.states import State
from node_agent.gate.ports import ToReview
from node_agent.reviews.folder import ReviewFolder
from trustquery.errors import TrustQueryError
from trustquery.identity import Envelope, GovernanceList, Intent, Permit, Person, key_id
from trustquery.reviews import Hearing, Review, Stage, digest_of

__all__ = ["Bench", "Held", "Releases", "Trust"]


class Releases(Protocol):
    """What the bench asks of the ledger."""

    def find(self, release_id: str) -> Release | None:
        """The release, or None."""
        ...

    def outbox(self, release_id: str) -> bytes | None:
        """The exact bytes of a release, or None."""
        ...


class Trust(Protocol):
    """Whose node this is, and who decides there."""

    @property
    def federation(self) -> str:
        """The federation's name."""
        ...

    @property
    def node(self) -> str:
        """This node's name."""
        ...

    @property
    def governance(self) -> GovernanceList:
        """The people whose signatures count now."""
        ...


@dataclass(frozen=True)
class Held:
    """A release that people look at, with everything that the ledger vouches for.

    Attributes:
        model: the question's canonical bytes.
        why: why the policy asks for a review.
        vector: the noised figures, the very bytes that would leave.
    """

    release: Release
    intent: Intent
    permit: Permit
    model: bytes
    why: str
    vector: bytes

    def matches(self, review: Review, trust: Trust) -> str:
        """Why a verdict is not about this release as it is held; "" where it is."""
        return review.strays(
            federation=trust.federation,
            body=trust.node,
            release_id=self.release.release_id,
            plan_hash=self.release.plan_hash,
            figures=digest_of(self.vector),
        )

    def barred(self, person: Person) -> str:
        """Why a listed person may not review this: they ask it, or are of its project; "" where they may."""
        team = self.permit.members
        plain = person.name.casefold().split()
        if person.person == self.release.analyst or key_id(bytes.fromhex(person.key)) == self.intent.key_id:
            return "nobody reviews their own question"
        if any(
            member.person == person.person or member.key == person.key or member.name.casefold().split() == plain
            for member in team
        ):
            return "nobody reviews a question of their own project"
        return ""


@dataclass
class Bench:
    """The port ``node_agent.gate.ports.Reviews``, and where commands hand verdicts in.

    Args:
        wall_ms: ms since 1970.
        slot_ms: length of a slot; a verdict's deadline is one slot before the answer's time.
    """

    folder: ReviewFolder
    trust: Trust
    ledger: Releases
    wall_ms: Callable[[], int]
    slot_ms: int

    def keep(self, asked: ToReview) -> None:
        """Keep what is to be reviewed, durably."""
        self.folder.keep(asked)

    def ready_ms(self, release_id: str) -> int | None:
        """When the figures were there to be seen, ms since 1970; None where that cannot be told."""
        asked = self.folder.asked(release_id)
        return asked.ready_ms if asked is not None else None

    def deadline_ms(self, release: Release) -> int:
        """Until when verdicts count, ms since 1970."""
        return release.due_ms - self.slot_ms

    def held(self, release_id: str) -> Held:
        """A release that people look at now.

        Raises:
            TrustQueryError: ``policy-review-unknown``; ``policy-review-differs``: what is kept of it is not what the
                ledger names.
        """
        release = self.ledger.find(release_id)
        if release is None or release.state is not State.HELD:
            raise TrustQueryError("policy-review-unknown", release=release_id[:16])
        return self._held(release)

    def _held(self, release: Release) -> Held:
        content, asked = self.ledger.outbox(release.release_id), self.folder.asked(release.release_id)
        if content is None or asked is None:
            raise TrustQueryError("policy-review-differs", problem="the question that was kept cannot be read")
        intent_envelope = Envelope.decode(asked.offer.intent, kind=Intent.KIND)
        permit_envelope = Envelope.decode(asked.offer.permit, kind=Permit.KIND)
        intent = Intent.from_payload(intent_envelope.payload)
        # The ledger names the intent, and the intent names all else: nothing can be put in their place.
        if (intent_envelope.sha256, permit_envelope.sha256, intent.release_id) != (
            release.intent_hash,
            intent.permit_hash,
            release.release_id,
        ):
            raise TrustQueryError("policy-review-differs", problem="the question that was kept is not the one asked")
        permit = Permit.from_payload(permit_envelope.payload)
        return Held(release, intent, permit, asked.offer.model, asked.why, unpack(content)[1])

    def hearing(self, release: Release) -> Hearing:
        """The verdicts that count now: none where the question or the list of people cannot be read."""
        try:
            return self.verdicts(self._held(release))
        except (OSError, ValueError, TrustQueryError):
            return Hearing.of(())

    def verdicts(self, held: Held) -> Hearing:
        """The verdicts that count: by people who are listed today and may review this, about what is held.

        Raises:
            TrustQueryError: the list of people cannot be read.
        """
        listed = self.trust.governance
        return Hearing.of(self._counting(held, listed, self.folder.envelopes(held.release.release_id)))

    def _counting(self, held: Held, listed: GovernanceList, envelopes: Iterable[bytes]) -> Iterable[Review]:
        for data in envelopes:
            try:
                review, person = _read(data, listed)
            except TrustQueryError:
                continue
            if not held.matches(review, self.trust) and not held.barred(person):
                yield review

    def take(self, data: bytes) -> Stage:
        """Take a signed verdict in; returns where the review is then, which says nothing of a first verdict.

        Raises:
            TrustQueryError: ``policy-signature``, ``policy-review-unknown``, ``policy-review-differs``,
                ``policy-review-person``, ``policy-review-given``, ``policy-review-closed``.
        """
        review, person = _read(data, self.trust.governance)
        held = self.held(review.release_id)
        problem = held.matches(review, self.trust)
        if problem:
            raise TrustQueryError("policy-review-differs", problem=f"it is about {problem}")
        problem = held.barred(person)
        if problem:
            raise TrustQueryError("policy-review-person", person=person.person, problem=problem)
        if self.wall_ms() >= self.deadline_ms(held.release):
            raise TrustQueryError("policy-review-closed", problem="its deadline has passed")
        self.verdicts(held).check_turn(review)
        self.folder.put(review.release_id, review.round, review.reviewer, data)
        return self.verdicts(held).stage


def _read(data: bytes, listed: GovernanceList) -> tuple[Review, Person]:
    """A verdict and the one listed person who signed it.

    Raises:
        TrustQueryError: ``policy-signature``.
    """
    try:
        review, signers, _ = Review.verify(data, listed.ring, 1)
    except TrustQueryError as error:
        problem = error.problem.fields.get("problem", "it cannot be read")
        raise TrustQueryError("policy-signature", document="review", problem=problem) from error
    people = [item for item in listed.people if key_id(bytes.fromhex(item.key)) in signers]
    if len(people) != 1 or people[0].person != review.reviewer:
        raise TrustQueryError("policy-signature", document="review", problem="each person signs their own verdict")
    return review, people[0]
