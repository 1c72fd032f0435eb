"""What two people's verdicts make of one release: a table of moves, and the one function that reads it off documents.

First each looks alone: nobody is shown another's verdict before both are in. Where they differ, both see both and each
signs once more. Only two approvals release; everything else, a missing or an unreadable verdict too, does not.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from trustquery.errors import TrustQueryError
from trustquery.reviews.verdict import Reason, Review, Verdict

__all__ = ["MOVES", "Hearing", "Stage"]

_TWO = 2


class Stage(enum.StrEnum):
    """Where a review is.

    NONE: nobody has given a verdict. ONE: one person has, unseen by the other. DIFFER: both have, and they differ; each
    now sees both and signs again. APPROVED: both approve. REFUSED: both refuse. Only APPROVED lets a release go.
    """

    NONE = "none"
    ONE = "one"
    DIFFER = "differ"
    APPROVED = "approved"
    REFUSED = "refused"


MOVES: Mapping[Stage, frozenset[Stage]] = {
    Stage.NONE: frozenset({Stage.ONE}),
    Stage.ONE: frozenset({Stage.DIFFER, Stage.APPROVED, Stage.REFUSED}),
    Stage.DIFFER: frozenset({Stage.APPROVED, Stage.REFUSED}),
    Stage.APPROVED: frozenset(),
    Stage.REFUSED: frozenset(),
}


@dataclass(frozen=True)
class Hearing:
    """The verdicts on one release that count: signed by listed people, about these very figures.

    Attributes:
        first: blind verdicts, by reviewer; at most two.
        second: verdicts after both were seen, by reviewer: each the last that the person gave.
    """

    first: Mapping[str, Review]
    second: Mapping[str, Review]

    @classmethod
    def of(cls, reviews: Iterable[Review]) -> Hearing:
        """Read the verdicts, in any order. More than two first ones, or two of one person, leave none that counts."""
        every = tuple(reviews)
        blind = [review for review in every if review.round == 1]
        first = {review.reviewer: review for review in blind}
        if len(first) != len(blind) or len(first) > _TWO:
            return cls({}, {})
        seen = tuple(sorted(review.sha256 for review in blind))
        second = {
            review.reviewer: review
            for review in every
            if review.round == _TWO and review.reviewer in first and review.seen == seen
        }
        return cls(first, second)

    @property
    def seen(self) -> tuple[str, ...]:
        """Hashes of the first verdicts, sorted: what a second one names."""
        return tuple(sorted(review.sha256 for review in self.first.values()))

    @property
    def stage(self) -> Stage:
        """Where the review is."""
        if len(self.first) < _TWO:
            return Stage.ONE if self.first else Stage.NONE
        return _agreed(self.first) or (_agreed(self.second) if len(self.second) == _TWO else None) or Stage.DIFFER

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """Of an agreed refusal: every reason that either gave, in the order of the list; else none."""
        if self.stage is not Stage.REFUSED:
            return ()
        given = {reason for review in self._last() for reason in review.reasons}
        return tuple(reason for reason in Reason if reason in given)

    @property
    def shown(self) -> tuple[Review, ...]:
        """What a reviewer may see of the verdicts: nothing before both first ones are in."""
        if self.stage in (Stage.NONE, Stage.ONE):
            return ()
        return tuple(sorted((*self.first.values(), *self.second.values()), key=lambda item: (item.round, item.given)))

    def check_turn(self, review: Review) -> None:
        """Refuse a verdict that is not due now: every body that reviews asks this before it takes one in.

        Raises:
            TrustQueryError: ``policy-review-given``, ``policy-review-closed``, ``policy-review-differs``.
        """
        stage = self.stage
        if stage in (Stage.APPROVED, Stage.REFUSED):
            raise TrustQueryError("policy-review-closed", problem="the two reviewers have agreed")
        if review.round == 1:
            if review.reviewer in self.first:
                raise TrustQueryError("policy-review-given", person=review.reviewer)
            if len(self.first) >= _TWO:
                raise TrustQueryError("policy-review-closed", problem="two people review it already")
        elif stage is not Stage.DIFFER:
            raise TrustQueryError("policy-review-closed", problem="a second verdict follows two first ones that differ")
        elif review.reviewer not in self.first:
            raise TrustQueryError("policy-review-closed", problem="two people review it already")
        elif review.seen != self.seen:
            raise TrustQueryError("policy-review-differs", problem="it names other first verdicts")

    def _last(self) -> Iterable[Review]:
        return self.first.values() if _agreed(self.first) else self.second.values()


def _agreed(verdicts: Mapping[str, Review]) -> Stage | None:
    said = {review.verdict for review in verdicts.values()}
    if len(said) != 1:
        return None
    return Stage.APPROVED if said == {Verdict.APPROVE} else Stage.REFUSED
