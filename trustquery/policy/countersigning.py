"""Who must have countersigned the ledger's head before an answer leaves."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from trustquery.identity.documents import Name
from trustquery.policy.meaning import Means, Part, Tighter

__all__ = ["Witnesses"]


class Witnesses(Part):
    """The witnesses that this trust believes, and how many of them it takes.

    A witness countersigns the head of the ledger, so that a ledger that was put back from an old copy is noticed.
    Witnesses are not built yet: where ``bootstrap`` is false every query is refused, whatever stands here; where it is
    true the trust answers without them, and this says which there will be.

    Attributes:
        names: their names on the roster.
        quorum: how many of them must have countersigned; at least 1.
    """

    names: Annotated[tuple[Name, ...], Means("Witnesses that are believed", Tighter.FEWER)]
    quorum: Annotated[int, Field(ge=1, le=1_000), Means("Witnesses that must have countersigned", Tighter.MORE)]

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        if len(set(self.names)) != len(self.names) or self.quorum > len(self.names):
            raise ValueError("each witness is listed once, and the quorum is no larger than the list")
        return self
