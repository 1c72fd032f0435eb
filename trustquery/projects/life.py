"""The life of a project, as two tables of moves. What is not in a table cannot happen; the diagram is drawn from them.

An application is written, decided, and over. A project begins with the first application that is approved, and lives
from permit to permit: an amendment is a further application, a renewal a further permit on the same one.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from trustquery.access.roles import Role
from trustquery.errors import TrustQueryError

__all__ = [
    "APPLICATION_MOVES",
    "ASKABLE",
    "PROJECT_MOVES",
    "ApplicationState",
    "Move",
    "ProjectState",
    "application_after",
    "project_after",
    "state_after",
]


class ApplicationState(enum.StrEnum):
    """Where an application is.

    DRAFT: being written, seen by its team alone. SUBMITTED: signed and sent. SECONDED: one committee member has signed
    the permit. APPROVED: a second one has. RETURNED: sent back with a reason; it can be changed and sent again.
    REFUSED: decided against, with a reason. WITHDRAWN: taken back by the team.
    """

    DRAFT = "draft"
    SUBMITTED = "submitted"
    SECONDED = "seconded"
    APPROVED = "approved"
    RETURNED = "returned"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


class ProjectState(enum.StrEnum):
    """Where a project with a permit is.

    APPROVED: trusts are deciding; each one that has accepted may answer. LIVE: at least as many trusts have accepted as
    its answers need. SUSPENDED: the committee has stopped it, with a reason. EXPIRED: its permit has ended. CLOSED: a
    lead has closed it, with a close-down report.
    """

    APPROVED = "approved"
    LIVE = "live"
    SUSPENDED = "suspended"
    EXPIRED = "expired"
    CLOSED = "closed"


ASKABLE = frozenset({ProjectState.APPROVED, ProjectState.LIVE})
"""States in which the coordinator takes queries. Whether a trust answers is that trust's own decision."""

State = TypeVar("State", bound=enum.StrEnum)


@dataclass(frozen=True)
class Move(Generic[State]):
    """One move.

    Attributes:
        action: what it is called; the same word in the command, the endpoint and the log.
        by: who makes it; None for the clock.
        signs: the document that carries the signature, "" where there is none to sign.
    """

    before: State
    action: str
    after: State
    by: Role | None
    signs: str = ""


_A, _P = ApplicationState, ProjectState
APPLICATION_MOVES: tuple[Move[ApplicationState], ...] = (
    Move(_A.DRAFT, "submit", _A.SUBMITTED, Role.PROJECT_LEAD, "application"),
    Move(_A.RETURNED, "submit", _A.SUBMITTED, Role.PROJECT_LEAD, "application"),
    Move(_A.SUBMITTED, "approve", _A.SECONDED, Role.COMMITTEE_MEMBER, "permit"),
    Move(_A.SECONDED, "approve", _A.APPROVED, Role.COMMITTEE_MEMBER, "permit"),
    Move(_A.SUBMITTED, "return", _A.RETURNED, Role.COMMITTEE_MEMBER, "decision"),
    Move(_A.SECONDED, "return", _A.RETURNED, Role.COMMITTEE_MEMBER, "decision"),
    Move(_A.SUBMITTED, "refuse", _A.REFUSED, Role.COMMITTEE_MEMBER, "decision"),
    Move(_A.SECONDED, "refuse", _A.REFUSED, Role.COMMITTEE_MEMBER, "decision"),
    Move(_A.DRAFT, "withdraw", _A.WITHDRAWN, Role.PROJECT_LEAD),
    Move(_A.RETURNED, "withdraw", _A.WITHDRAWN, Role.PROJECT_LEAD),
    Move(_A.SUBMITTED, "withdraw", _A.WITHDRAWN, Role.PROJECT_LEAD),
    Move(_A.SECONDED, "withdraw", _A.WITHDRAWN, Role.PROJECT_LEAD),
)
PROJECT_MOVES: tuple[Move[ProjectState], ...] = (
    Move(_P.APPROVED, "accept", _P.LIVE, Role.GOVERNANCE_OFFICER, "acceptance"),
    Move(_P.LIVE, "decline", _P.APPROVED, Role.GOVERNANCE_OFFICER),
    Move(_P.APPROVED, "suspend", _P.SUSPENDED, Role.COMMITTEE_MEMBER, "decision"),
    Move(_P.LIVE, "suspend", _P.SUSPENDED, Role.COMMITTEE_MEMBER, "decision"),
    Move(_P.SUSPENDED, "resume", _P.APPROVED, Role.COMMITTEE_MEMBER, "decision"),
    Move(_P.APPROVED, "amend", _P.APPROVED, Role.COMMITTEE_MEMBER, "permit"),
    Move(_P.LIVE, "amend", _P.APPROVED, Role.COMMITTEE_MEMBER, "permit"),
    Move(_P.EXPIRED, "amend", _P.APPROVED, Role.COMMITTEE_MEMBER, "permit"),
    Move(_P.APPROVED, "expire", _P.EXPIRED, None),
    Move(_P.LIVE, "expire", _P.EXPIRED, None),
    Move(_P.SUSPENDED, "expire", _P.EXPIRED, None),
    Move(_P.APPROVED, "close", _P.CLOSED, Role.PROJECT_LEAD, "closedown"),
    Move(_P.LIVE, "close", _P.CLOSED, Role.PROJECT_LEAD, "closedown"),
    Move(_P.SUSPENDED, "close", _P.CLOSED, Role.PROJECT_LEAD, "closedown"),
    Move(_P.EXPIRED, "close", _P.CLOSED, Role.PROJECT_LEAD, "closedown"),
)


def state_after(
    moves: tuple[Move[State], ...], state: State, action: str, refusal: Callable[[str], TrustQueryError]
) -> State:
    """Where an action leads, by a table of moves.

    Args:
        refusal: the error where the table has no such move, from what is possible instead, in words.

    Raises:
        TrustQueryError: ``refusal``.
    """
    for move in moves:
        if (move.before, move.action) == (state, action):
            return move.after
    possible = sorted({move.action for move in moves if move.before == state})
    raise refusal(", ".join(possible) or "nothing")


def _after(moves: tuple[Move[State], ...], state: State, action: str, project: str) -> State:
    def refusal(possible: str) -> TrustQueryError:
        return TrustQueryError("project-move", project=project, action=action, state=state.value, possible=possible)

    return state_after(moves, state, action, refusal)


def application_after(state: ApplicationState, action: str, project: str) -> ApplicationState:
    """Where an application is after an action.

    Raises:
        TrustQueryError: ``project-move``: that action is not possible there.
    """
    return _after(APPLICATION_MOVES, state, action, project)


def project_after(state: ProjectState, action: str, project: str) -> ProjectState:
    """Where a project is after an action.

    Raises:
        TrustQueryError: ``project-move``: that action is not possible there.
    """
    return _after(PROJECT_MOVES, state, action, project)
