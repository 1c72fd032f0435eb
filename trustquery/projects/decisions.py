"""What is decided about a project beside its permit: each a signed document with a reason that people can read."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from trustquery.identity.documents import Document, Hex32, Name, Seconds, Words

__all__ = ["CloseDown", "Decision", "Stance", "Verdict", "Word"]

Verdict = Literal["return", "refuse", "suspend", "resume"]
Word = Literal["accepted", "accepted-with-conditions", "declined"]


class Decision(Document):
    """What a member of the data access committee decided, other than to approve: approving is signing the permit.

    Attributes:
        about: hash of the application (return, refuse) or of the permit in use (suspend, resume).
        reason: in words, for the applicant and the public.
    """

    KIND: ClassVar[str] = "decision"
    federation: Name
    project: Name
    about: Hex32
    verdict: Verdict
    reason: Words
    decided: Seconds


class CloseDown(Document):
    """How a project ended, signed by a lead: what came of it, and that nothing is kept that should not be.

    Attributes:
        permit_hash: of the permit in use at the end.
        findings: in plain words, for the public.
        outputs: publications and other outputs, a line each; empty when there are none.
        kept: what the team keeps of the results, where and until when.
    """

    KIND: ClassVar[str] = "closedown"
    federation: Name
    project: Name
    permit_hash: Hex32
    findings: Words
    outputs: tuple[Words, ...] = Field(max_length=50)
    kept: Words
    closed: Seconds


class Stance(Document):
    """What one trust says of one permit, as its node tells the federation; signed by the node's identity key.

    The acceptance itself is signed by governance people, whose keys are the trust's own affair, and it is what the node
    goes by. This is its echo: anybody with the roster can check that the trust's node said so.

    Attributes:
        acceptance_hash: of the acceptance, "" where the trust declines.
        conditions: in words; empty unless the word is ``accepted-with-conditions``.
        reason: why the trust declines, in words; "" otherwise.
        rho_nano: the cap at this trust, in 1e-9 rho; 0 where it declines.
        said: when, seconds since 1970 UTC; of two stances on a project the later counts.
    """

    KIND: ClassVar[str] = "stance"
    federation: Name
    node: Name
    project: Name
    permit_hash: Hex32
    word: Word
    acceptance_hash: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")]
    conditions: tuple[Words, ...] = Field(max_length=50)
    reason: Annotated[str, Field(max_length=4000)]
    rho_nano: int = Field(ge=0, le=10**15)
    said: Seconds
    expires: Seconds

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        declined = self.word == "declined"
        if declined != bool(self.reason.strip()):
            raise ValueError("a trust that declines says why, and only then")
        if declined != (self.acceptance_hash == "") or declined != (self.rho_nano == 0):
            raise ValueError("an acceptance has a hash and a cap, a refusal has neither")
        if (self.word == "accepted-with-conditions") != bool(self.conditions):
            raise ValueError("conditions stand with the word that announces them")
        return self
