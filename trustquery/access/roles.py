"""Who takes part. A role is held over the whole federation, one trust or one project, and never says more than that."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass

from trustquery.errors import TrustQueryError, nearest

__all__ = ["HELD_OVER", "MEANING", "Held", "Role", "Scope", "parse_held"]

_ODS = re.compile(r"[A-Z0-9]{3,8}")


class Role(enum.StrEnum):
    """The ten roles."""

    ANALYST = "analyst"
    PROJECT_LEAD = "project lead"
    COMMITTEE_MEMBER = "committee member"
    DATA_CUSTODIAN = "data custodian"
    GOVERNANCE_OFFICER = "governance officer"
    NODE_OPERATOR = "node operator"
    FEDERATION_OPERATOR = "federation operator"
    OUTPUT_CHECKER = "output checker"
    SECURITY_OFFICER = "security officer"
    AUDITOR = "auditor"


class Scope(enum.StrEnum):
    """What a role can be held over."""

    FEDERATION = "the federation"
    TRUST = "a trust"
    PROJECT = "a project"


MEANING: dict[Role, str] = {
    Role.ANALYST: "asks questions in the projects whose permits name them",
    Role.PROJECT_LEAD: "applies, answers for a project's team, publishes its releases, closes it",
    Role.COMMITTEE_MEMBER: "decides on applications that are not their own, with a second member",
    Role.DATA_CUSTODIAN: "holds a trust's data and says what is in it",
    Role.GOVERNANCE_OFFICER: "writes a trust's policy and accepts or declines projects for it",
    Role.NODE_OPERATOR: "runs a trust's node",
    Role.FEDERATION_OPERATOR: "runs the coordinator: people, invitations, roster; approves only nodes, with another",
    Role.OUTPUT_CHECKER: "reviews merged results before their project sees them, where that is asked for",
    Role.SECURITY_OFFICER: "looks into incidents: reads what is written about uses; approves nodes, with another",
    Role.AUDITOR: "reads everything that is written about uses; changes nothing",
}

_FEDERATION, _TRUST = frozenset({Scope.FEDERATION}), frozenset({Scope.TRUST})
HELD_OVER: dict[Role, frozenset[Scope]] = {
    Role.ANALYST: frozenset({Scope.FEDERATION, Scope.PROJECT}),
    Role.PROJECT_LEAD: frozenset({Scope.PROJECT}),
    Role.COMMITTEE_MEMBER: _FEDERATION,
    Role.DATA_CUSTODIAN: _TRUST,
    Role.GOVERNANCE_OFFICER: _TRUST,
    Role.NODE_OPERATOR: _TRUST,
    Role.FEDERATION_OPERATOR: _FEDERATION,
    Role.OUTPUT_CHECKER: _FEDERATION | _TRUST,
    Role.SECURITY_OFFICER: _FEDERATION,
    Role.AUDITOR: _FEDERATION,
}
"""A role that is held over anything else gives nothing: a committee member of one project is nobody."""


@dataclass(frozen=True)
class Held:
    """A role that somebody holds.

    Attributes:
        over: the ODS code of the trust or the name of the project; "" for the whole federation.
    """

    role: Role
    over: str = ""

    @property
    def scope(self) -> Scope | None:
        """What kind of thing ``over`` names; None where the role cannot be held like this.

        A trust's code and a project's name can be the same text. Which of the two is meant follows from the role, so
        that a project called RX1 gives nothing at the trust RX1.
        """
        if self.over == "":
            found = Scope.FEDERATION
        elif Scope.PROJECT in HELD_OVER[self.role]:
            found = Scope.PROJECT
        else:
            found = Scope.TRUST
        return found if found in HELD_OVER[self.role] else None

    @property
    def text(self) -> str:
        """As commands write it: ``governance-officer:RX1``."""
        name = self.role.value.replace(" ", "-")
        return f"{name}:{self.over}" if self.over else name


def parse_held(text: str) -> Held:
    """Read a role that somebody can be given: ``analyst``, ``committee-member``, ``governance-officer:RX1``.

    Roles over a project cannot be given: they follow from its signed permit, and from its application before that.

    Raises:
        TrustQueryError: ``usage-invalid``.
    """
    name, _, over = text.partition(":")
    name = name.replace("-", " ")
    names = [role.value for role in Role]
    if name not in names:
        guess = (nearest(name, names) or Role.ANALYST.value).replace(" ", "-")
        raise TrustQueryError("usage-invalid", problem=f"there is no role {text[:64]}; did you mean {guess}?")
    role = Role(name)
    scopes = HELD_OVER[role] - {Scope.PROJECT}
    if not scopes:
        problem = f"nobody is given {name}: it follows from a project's application and permit"
        raise TrustQueryError("usage-invalid", problem=problem)
    if Scope.TRUST in scopes and not _ODS.fullmatch(over) and (":" in text or Scope.FEDERATION not in scopes):
        problem = f"{name} is held over a trust: write {Held(role).text}:RX1"
        raise TrustQueryError("usage-invalid", problem=problem)
    if Scope.TRUST not in scopes and ":" in text:
        problem = f"{name} is held over the federation: write {Held(role).text}"
        raise TrustQueryError("usage-invalid", problem=problem)
    return Held(role, over)
