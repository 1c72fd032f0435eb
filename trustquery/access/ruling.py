"""May this actor do this action on this resource? The one answer, with its reason."""

from __future__ import annotations

from dataclasses import dataclass

from trustquery.access.actions import ACTIONS, Reach
from trustquery.access.roles import Held, Role
from trustquery.errors import TrustQueryError

__all__ = ["Actor", "Resource", "Ruling", "check", "may"]

OPERATORS = frozenset({Role.FEDERATION_OPERATOR, Role.NODE_OPERATOR})
DECIDERS = frozenset({Role.COMMITTEE_MEMBER, Role.OUTPUT_CHECKER})


@dataclass(frozen=True)
class Actor:
    """Somebody who is signed in.

    Attributes:
        person: who it is, whichever account they use: two accounts of one person have the same.
        held: every role that any account of this person holds.
        deputises: persons that this one stands in for; what they may not decide, this one may not either.
    """

    person: str
    held: frozenset[Held]
    deputises: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Resource:
    """What is acted on.

    Attributes:
        project: the project that it belongs to, "" for none.
        node: the trust that it belongs to, "" for none.
        asker: the person who asked or started it, "" where that is nobody in particular.
        team: persons who have a part in it.
    """

    project: str = ""
    node: str = ""
    asker: str = ""
    team: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Ruling:
    """Yes or no, and why."""

    allowed: bool
    reason: str


def _is_own(actor: Actor, held: Held, resource: Resource) -> bool:
    """A role over a project or a trust reaches that one; a person reaches what they asked themselves."""
    if resource.asker:
        return actor.person == resource.asker
    return held.over != "" and held.over in (resource.project, resource.node)


def _has_part(actor: Actor, resource: Resource) -> bool:
    people = {actor.person, *actor.deputises}
    in_team = any(
        held.over == resource.project and held.role in (Role.ANALYST, Role.PROJECT_LEAD)
        for held in actor.held
        if resource.project
    )
    return in_team or not people.isdisjoint(resource.team | {resource.asker})


def may(actor: Actor | None, action: str, resource: Resource) -> Ruling:
    """Whether this actor may do this.

    Args:
        actor: None for somebody who is not signed in.
        action: a name of ``ACTIONS``; any other is refused.
    """
    known = ACTIONS.get(action)
    if known is None:
        return Ruling(False, "there is no such action")
    if known.open_to == "anybody":
        return Ruling(True, "anybody may")
    if actor is None or not actor.person:
        return Ruling(False, "sign in first")
    if known.open_to == "signed-in":
        return Ruling(True, "everybody who is signed in may")
    reason = "no role that you hold may do this"
    for held in sorted(actor.held, key=lambda item: (item.role, item.over)):
        reach = known.allowed.get(held.role)
        if reach is None:
            continue
        if reach is Reach.OTHERS:
            if any(item.role in OPERATORS for item in actor.held):
                reason = "who operates does not decide"
                continue
            if _has_part(actor, resource):
                reason = "who has a part in it does not decide"
                continue
        if reach is Reach.OWN and not _is_own(actor, held, resource):
            reason = "it is not yours"
            continue
        return Ruling(True, f"{held.role.value}: {reach.value}")
    return Ruling(False, reason)


def check(actor: Actor | None, action: str, resource: Resource) -> None:
    """Refuse unless ``may``.

    Raises:
        TrustQueryError: ``auth-required``, ``auth-not-permitted``.
    """
    ruling = may(actor, action, resource)
    if ruling.allowed:
        return
    if actor is None:
        raise TrustQueryError("auth-required")
    raise TrustQueryError("auth-not-permitted", action=action, why=ruling.reason)
