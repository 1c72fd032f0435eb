"""May this actor do this action on this resource? The one answer, with its reason."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from trustquery.access.actions import ACTIONS, Reach
from trustquery.access.roles import Held, Role, Scope
from trustquery.errors import TrustQueryError

__all__ = ["APART", "OPERATORS", "Actor", "Resource", "Ruling", "check", "clash", "has_a_part", "may"]

OPERATORS = frozenset({Role.FEDERATION_OPERATOR, Role.NODE_OPERATOR})
DECIDERS = frozenset({Role.COMMITTEE_MEMBER, Role.OUTPUT_CHECKER})
HAS_A_PART = "who has a part in it does not decide"

APART: tuple[tuple[str, str, str], ...] = (
    ("asks", "decides on it", "whoever has a part in a project decides nothing about it, through any account"),
    ("stands in for the one who asks", "decides on it", "a deputy may not decide what the other one may not"),
    ("operates", "decides", "an operator of the federation or of any node decides nothing, also where a role says so"),
    ("decides first", "decides second", "two decisions of one person are one"),
)
"""Pairs of things that one person never does both of, and why: for people who read about roles."""


@dataclass(frozen=True)
class Actor:
    """Somebody who is signed in.

    Attributes:
        person: who it is, whichever account they use: two accounts of one person have the same.
        held: what the person was given, and what the key of the account in use has by permits and applications.
        deputises: persons that this one stands in for. It gives nothing; what they may not decide, this one may not.
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
        team: persons who have a part in it, by every name that they are known under.
        unsent: it is being written, and concerns its team alone: a role that reaches everything does not reach it.
    """

    project: str = ""
    node: str = ""
    asker: str = ""
    team: frozenset[str] = frozenset()
    unsent: bool = False


@dataclass(frozen=True)
class Ruling:
    """Yes or no, and why."""

    allowed: bool
    reason: str


def clash(held: Iterable[Held]) -> str:
    """Why one person may not be given all of these roles; "" where they may."""
    roles = {item.role for item in held}
    if roles & OPERATORS and roles & DECIDERS:
        operates, decides = min(roles & OPERATORS), min(roles & DECIDERS)
        return f"who operates does not decide: nobody is both {operates.value} and {decides.value}"
    return ""


def has_a_part(action: str) -> TrustQueryError:
    """The error for a signer who has a part in what they decide: the signature is asked, and not only the session."""
    return TrustQueryError("auth-not-permitted", action=action, why=HAS_A_PART)


def _is_over(held: Held, resource: Resource) -> bool:
    """Whether a role over one project or one trust is over this one."""
    if held.scope is Scope.PROJECT:
        return held.over == resource.project
    return held.scope is Scope.TRUST and held.over == resource.node


def _has_part(actor: Actor, resource: Resource) -> bool:
    people = {actor.person, *actor.deputises}
    in_team = any(held.scope is Scope.PROJECT and held.over == resource.project for held in actor.held)
    return in_team or not people.isdisjoint(resource.team | {resource.asker})


def _refusal(actor: Actor, held: Held, reach: Reach, resource: Resource) -> str:
    """Why this role does not reach this resource; "" where it does."""
    if resource.unsent and not _is_over(held, resource):
        return "it is still being written"
    if reach is Reach.ANY:
        return ""
    if reach is Reach.OWN:
        return "" if _is_over(held, resource) else "it is not yours"
    if reach is Reach.ASKED:
        asked = _is_over(held, resource) and resource.asker == actor.person
        return "" if asked else "somebody else asked it"
    if reach is Reach.OTHERS:
        if any(item.role in OPERATORS for item in actor.held):
            return "who operates does not decide"
        # Of one trust's people nobody decides for all; nothing that is decided here is one trust's own.
        if held.scope is not Scope.FEDERATION:
            return "it is held over one trust, and this is the whole federation's"
        return HAS_A_PART if _has_part(actor, resource) else ""
    return "nothing says how far this role reaches"


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
    if known.open_to in ("code", "node"):
        return Ruling(False, "this takes a trust's own credentials, not a person's")
    if actor is None or not actor.person:
        return Ruling(False, "sign in first")
    if known.open_to == "signed-in":
        return Ruling(True, "everybody who is signed in may")
    reason = "no role that you hold may do this"
    for held in sorted(actor.held, key=lambda item: (item.role, item.over)):
        reach = known.allowed.get(held.role)
        if reach is None or held.scope is None:
            continue
        refusal = _refusal(actor, held, reach, resource)
        if not refusal:
            return Ruling(True, f"{held.role.value}: {reach.value}")
        reason = refusal
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
