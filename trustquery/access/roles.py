"""Who takes part. A role is held over the whole federation, one trust or one project, and never says more than that."""

from __future__ import annotations

import enum
from dataclasses import dataclass

__all__ = ["MEANING", "Held", "Role"]


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


MEANING: dict[Role, str] = {
    Role.ANALYST: "asks questions in the projects whose permits name them",
    Role.PROJECT_LEAD: "applies, answers for a project's team, publishes its releases, closes it",
    Role.COMMITTEE_MEMBER: "decides on applications that are not their own, with a second member",
    Role.DATA_CUSTODIAN: "holds a trust's data and says what is in it",
    Role.GOVERNANCE_OFFICER: "writes a trust's policy and accepts or declines projects for it",
    Role.NODE_OPERATOR: "runs a trust's node",
    Role.FEDERATION_OPERATOR: "runs the coordinator: people, invitations, roster; approves nothing",
    Role.OUTPUT_CHECKER: "reviews what is about to leave, where policy asks for it",
    Role.SECURITY_OFFICER: "looks into incidents: reads everything that is written about uses, disables people",
    Role.AUDITOR: "reads everything that is written about uses; changes nothing",
}


@dataclass(frozen=True)
class Held:
    """A role that somebody holds.

    Attributes:
        over: the ODS code of the trust or the name of the project; "" for the whole federation.
    """

    role: Role
    over: str = ""
