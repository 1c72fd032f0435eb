"""Rules about whose policy it is, who asks, for what, and when."""

from __future__ import annotations

import datetime
import zoneinfo

from trustquery.errors import Problem
from trustquery.policy.asking import DAYS, Hours
from trustquery.policy.request import PolicyRequest
from trustquery.policy.ruling import Rule, among, listed, refused, rule, unless_listed
from trustquery.policy.schema import Policy

__all__ = ["WHO"]

_HOUR = 3_600
_DAY = 86_400
_FORMAT = "tq-policy-2"


@rule("request")
def _request(policy: Policy, request: PolicyRequest) -> Problem | None:
    """The request is whole: every field is there, and of its type."""
    if type(request) is PolicyRequest and request.is_whole():
        return None
    return refused(policy, "request", "this is a fault of the node's software: tell the trust's IT")


@rule("belongs-here", "federation", "trust", "format")
def _belongs(policy: Policy, request: PolicyRequest) -> Problem | None:
    """The policy is this node's, in this federation."""
    if (policy.format, policy.federation, policy.trust) == (_FORMAT, request.federation, request.node):
        return None
    return refused(policy, "belongs-here", "the trust's governance activates a policy written for this node")


@rule(
    "witnesses",
    "bootstrap",
    "witnesses",
    "witnesses.names",
    "witnesses.quorum",
    "witnesses.faulty",
    "witnesses.stand_alone",
    "witnesses.stand_alone.name",
    "witnesses.stand_alone.key",
)
def _witnesses(policy: Policy, request: PolicyRequest) -> Problem | None:
    """Witnesses are named that make a quorum, or the policy says that it does without; what it says makes sense."""
    named = policy.witnesses
    sound = named is None or (
        isinstance(named.names, tuple)
        and all(type(number) is int and number >= 1 for number in (named.quorum, named.faulty))
        and all(type(item.name) is str and len(bytes.fromhex(item.key)) == 32 for item in named.stand_alone)
        and named.problem() == ""
        and policy.trust not in named.names
    )
    if sound and (policy.bootstrap is True or (policy.bootstrap is False and named is not None)):
        return None
    return Problem("policy-witness-unavailable", fields={"trust": policy.trust})


@rule("denied", "deny.projects", "deny.people", "deny.organisations", "deny.tables", "deny.columns", "deny.queries")
def _denied(policy: Policy, request: PolicyRequest) -> Problem | None:
    """Nothing on the deny lists is asked by, for or about."""
    deny, dataset = policy.deny, request.dataset
    asked: tuple[tuple[frozenset[str], object], ...] = (
        (frozenset({request.project}), deny.projects),
        (frozenset({request.person}), deny.people),
        (frozenset({request.organisation}), deny.organisations),
        (frozenset({request.query_hash}), deny.queries),
        (frozenset(f"{dataset}/{table}" for table in request.tables), deny.tables),
        (frozenset(f"{dataset}/{use.partition(' ')[0]}" for use in request.uses), deny.columns),
    )
    for names, entries in asked:
        if not isinstance(entries, tuple) or not names.isdisjoint(entries):
            return refused(policy, "denied", "ask the trust's governance officer")
    return None


@rule("project", "who.projects")
def _project(policy: Policy, request: PolicyRequest) -> Problem | None:
    """The project is listed, or any that governance has accepted is answered."""
    if policy.who.projects == "any-accepted":
        return None
    return unless_listed(policy, "project", request.project, policy.who.projects, "projects answered")


@rule("organisation", "who.organisations")
def _organisation(policy: Policy, request: PolicyRequest) -> Problem | None:
    """The member's organisation is listed, or any is answered."""
    if policy.who.organisations == "any":
        return None
    return unless_listed(
        policy, "organisation", request.organisation, policy.who.organisations, "organisations answered"
    )


@rule("role", "who.roles")
def _role(policy: Policy, request: PolicyRequest) -> Problem | None:
    """The member's role in the project is listed."""
    return unless_listed(policy, "role", request.role, policy.who.roles, "roles answered")


@rule("purpose", "who.purposes")
def _purpose(policy: Policy, request: PolicyRequest) -> Problem | None:
    """The permit's purpose is one the trust answers."""
    return unless_listed(policy, "purpose", request.purpose, policy.who.purposes, "purposes answered")


@rule("key-kind", "who.key_kinds")
def _key_kind(policy: Policy, request: PolicyRequest) -> Problem | None:
    """The signing key lives where the policy accepts it."""
    return unless_listed(policy, "key-kind", request.key_kind, policy.who.key_kinds, "key kinds accepted")


@rule("training", "who.min_training_days")
def _training(policy: Policy, request: PolicyRequest) -> Problem | None:
    """The person's training is valid, and for as long as the policy asks."""
    if request.training_expires > request.now + policy.who.min_training_days * _DAY:
        return None
    return refused(policy, "training", "renew the training and ask for an amended permit")


@rule("revocations", "documents.revocations_max_age_hours")
def _revocations(policy: Policy, request: PolicyRequest) -> Problem | None:
    """What the federation has revoked is known up to a while ago that the policy accepts."""
    hours = policy.documents.revocations_max_age_hours
    if request.revocations_age <= hours * _HOUR:
        return None
    return refused(policy, "revocations", f"a revocation statement of the last {hours} hours has to reach the trust")


@rule("rate", "who.max_queries_per_hour")
def _rate(policy: Policy, request: PolicyRequest) -> Problem | None:
    """At least one query an hour is answered; the gate counts them."""
    if policy.who.max_queries_per_hour >= 1:
        return None
    return refused(policy, "rate", "the trust answers no queries; ask its governance officer")


@rule("hours", "hours", "hours.zone", "hours.days", "hours.start", "hours.end")
def _hours(policy: Policy, request: PolicyRequest) -> Problem | None:
    """It is a day and a time at which the trust answers, by its own clock."""
    hours = policy.hours
    if hours == "any":
        return None
    if isinstance(hours, Hours):
        local = datetime.datetime.fromtimestamp(request.now, zoneinfo.ZoneInfo(hours.zone))
        # Times compare as text only when both are written in full.
        whole = len(hours.start) == len(hours.end) == len("08:00")
        if whole and among(DAYS[local.weekday()], hours.days) and hours.start <= f"{local:%H:%M}" < hours.end:
            return None
        return refused(
            policy, "hours", f"ask on {listed(hours.days)}, from {hours.start} to {hours.end} ({hours.zone})"
        )
    return refused(policy, "hours", "the trust's governance writes when it answers")


WHO: tuple[Rule, ...] = (
    _request,
    _belongs,
    _witnesses,
    _denied,
    _project,
    _organisation,
    _role,
    _purpose,
    _key_kind,
    _training,
    _revocations,
    _rate,
    _hours,
)
