"""Who must have countersigned the ledger's head before an answer leaves."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from trustquery.identity.documents import Hex32, Name
from trustquery.policy.meaning import Means, Part, Tighter

__all__ = ["COORDINATOR", "StandAlone", "Witnesses"]

COORDINATOR = "coordinator"
"""The coordinator's name as a witness; its key is the one on the roster."""


class StandAlone(Part):
    """A witness that is no member of the federation, such as another organisation's ``tq-witness``.

    Attributes:
        name: its name, as in ``names``.
        key: its public key, hexadecimal; members' keys are on the roster.
    """

    name: Annotated[Name, Means("Stand-alone witness", Tighter.NEVER)]
    key: Annotated[Hex32, Means("Its public key", Tighter.NEVER)]


class Witnesses(Part):
    """The witnesses that this trust believes, and how many of them it takes.

    A witness countersigns the head of the ledger, and never one that does not extend what it saw before: so a ledger
    that was put back from an old copy is noticed. Where ``bootstrap`` is false nothing leaves before the quorum has
    countersigned; where it is true the trust answers without them, and this says which there will be.

    Any two quorums share more witnesses than are assumed to lie: twice the quorum is more than the number of witnesses
    and of faulty ones together, so that four witnesses, one of them faulty, need three. And the honest ones are enough
    for a quorum. Nothing makes it smaller but a new policy, and any change of witnesses counts as a loosening.

    Attributes:
        names: nodes by their names on the roster, ``coordinator``, and those of ``stand_alone``; never this trust.
        quorum: how many of them must have countersigned.
        faulty: how many of them may lie, be copied or be put back together; the coordinator counts as one.
        stand_alone: witnesses that are on no roster, with their keys.
    """

    names: Annotated[tuple[Name, ...], Means("Witnesses that are believed", Tighter.NEVER)]
    quorum: Annotated[int, Field(ge=1, le=1_000), Means("Witnesses that must have countersigned", Tighter.MORE)]
    faulty: Annotated[int, Field(ge=1, le=1_000), Means("Witnesses that may be faulty", Tighter.NEVER)]
    stand_alone: Annotated[tuple[StandAlone, ...], Means("Witnesses on no roster", Tighter.ENTRIES)] = ()

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        problem = self.problem()
        if problem:
            raise ValueError(problem)
        return self

    def problem(self) -> str:
        """What makes no sense of it, in words; "" where it does."""
        if len(set(self.names)) != len(self.names):
            return "each witness is listed once"
        if 2 * self.quorum <= len(self.names) + self.faulty:
            return (
                f"a quorum of {self.quorum} is too small: with {len(self.names)} witnesses, {self.faulty} of them "
                f"faulty, it takes {(len(self.names) + self.faulty) // 2 + 1}"
            )
        if self.quorum > len(self.names) - self.faulty:
            return "the witnesses that are not faulty are fewer than the quorum: name more of them"
        if not {item.name for item in self.stand_alone} <= set(self.names) - {COORDINATOR}:
            return "each stand-alone witness is one of the names, and none is the coordinator"
        if len({item.key for item in self.stand_alone}) != len(self.stand_alone):
            return "each stand-alone witness is listed once, with a key of its own"
        return ""
