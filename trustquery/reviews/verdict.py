"""One person's verdict on one release, as a signed document. Reasons are a closed list, each with what it means.

A reviewer signs what they saw: the release, the plan and the hash of the noised vector. The list is closed so that a
verdict that leaves the trust says nothing but what is printed here.
"""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Mapping
from typing import ClassVar, Self

from pydantic import Field, model_validator

from trustquery.identity import Document
from trustquery.identity.documents import Hex32, Name, Seconds

__all__ = ["EXPLAINED", "Reason", "Review", "Verdict", "digest_of"]


class Verdict(enum.StrEnum):
    """What a reviewer says of a release."""

    APPROVE = "approve"
    REFUSE = "refuse"


class Reason(enum.StrEnum):
    """Why a release is refused. The list is closed."""

    PURPOSE = "purpose"
    SMALL_GROUPS = "small-groups"
    SENSITIVE_TOPIC = "sensitive-topic"
    COMBINATION = "combination"
    MISLEADING = "misleading"
    QUALITY = "quality"


EXPLAINED: Mapping[Reason, str] = {
    Reason.PURPOSE: "the question does not serve the purpose that the project was accepted for",
    Reason.SMALL_GROUPS: "the figures are about groups so small that people may believe they recognise somebody",
    Reason.SENSITIVE_TOPIC: "the topic is one that those who answer for it want to discuss first",
    Reason.COMBINATION: "together with earlier releases the figures tell more than each was accepted for",
    Reason.MISLEADING: "the noise is so large beside the figures that they would mislead",
    Reason.QUALITY: "the data behind these figures are known not to be fit for this question",
}


class Review(Document):
    """One person's verdict on one release, signed with their own key.

    Attributes:
        body: who reviews: the node's name, or the federation's for a project review.
        plan_hash: the plan that the reviewer saw.
        vector_sha256: the noised figures that they saw: of a trust its vector, of a project the table that they saw.
        round: 1: blind, without the other's verdict. 2: after two first verdicts that differ, with both in view.
        seen: in round 2 the hashes of both first verdicts, sorted; empty in round 1.
        reasons: for a refusal at least one, in the order of the closed list; none for an approval.
        reviewer: their name on the list.
        given: when, seconds since 1970; it stays inside.
    """

    KIND: ClassVar[str] = "review"
    federation: Name
    body: Name
    release_id: Hex32
    plan_hash: Hex32
    vector_sha256: Hex32
    round: int = Field(ge=1, le=2)
    seen: tuple[Hex32, ...] = Field(max_length=2)
    verdict: Verdict
    reasons: tuple[Reason, ...]
    reviewer: Name
    given: Seconds

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        if self.reasons != tuple(reason for reason in Reason if reason in self.reasons):
            raise ValueError("each reason once, in the order of the list")
        if (self.verdict is Verdict.REFUSE) != bool(self.reasons):
            raise ValueError("a refusal has reasons, an approval none")
        if len(self.seen) != (2 if self.round == 2 else 0) or list(self.seen) != sorted(set(self.seen)):
            raise ValueError("a second verdict names both first ones, a first one none")
        return self

    def strays(self, *, federation: str, body: str, release_id: str, plan_hash: str, figures: str) -> str:
        """What this verdict is about that is not what is held; "" where it is about exactly that.

        Args:
            figures: hash of the noised figures that are held.
        """
        pairs = (
            ("another federation", self.federation, federation),
            ("another trust's or project's review", self.body, body),
            ("another release", self.release_id, release_id),
            ("another plan", self.plan_hash, plan_hash),
            ("other figures", self.vector_sha256, figures),
        )
        return next((words for words, found, wanted in pairs if found != wanted), "")


def digest_of(vector: bytes) -> str:
    """The hash by which a review names the noised figures."""
    return hashlib.sha256(vector).hexdigest()
