"""Step 10: charge every scope and write the planned slot, durably, before anything is read."""

from __future__ import annotations

import math

from node_agent.budget.port import Limits, Reservation, ScopeLimit, ScopeName
from node_agent.gate.case import Case, KnownReleaseError, Project
from node_agent.gate.ports import Ports, ToReview
from node_agent.gate.slots import needed_ms, planned_slot, review_slots
from trustquery.errors import TrustQueryError
from trustquery.policy import Policy
from trustquery.policy.rules_query import why_review
from trustquery.policy.schema import Caps, atto, nano

__all__ = ["policy_limits", "run", "scopes"]


def _limits(caps: Caps) -> Limits:
    return Limits(
        nano(caps.rho_lifetime), atto(caps.delta_lifetime), nano(caps.rho_12_months), atto(caps.delta_12_months)
    )


def _smallest(limits: list[Limits]) -> Limits:
    return Limits(
        min(item.rho_lifetime for item in limits),
        min(item.delta_lifetime for item in limits),
        min(item.rho_window or 0 for item in limits),
        min(item.delta_window or 0 for item in limits),
    )


def scopes(
    policy: Policy, project: Project, dataset: str, ports: Ports, *, profile: bool = False
) -> tuple[ScopeLimit, ...]:
    """The scopes a release is charged to, with their caps; a project's is the least of policy, permit and acceptance.

    Datasets kept from one source share one budget, under the strictest of their caps.

    A profile is everybody's: bounds are chosen from it for every project, whoever asked first. Were the asker to pay,
    each project would wait for another to ask. So in place of project and analyst it has a cap of its own, over all
    askers. The trust's promise to patients, node-wide and by dataset, covers it like any release.

    Args:
        profile: whether it is one, and drawn for everybody; only where the policy has a cap for it.
    """
    subject = ports.budget_subject(dataset)
    rules = [policy.dataset_rule(name) for name in {dataset, *subject.split("+")}]
    everyones = (
        ScopeLimit("node-wide", "", _limits(policy.budget.node_wide)),
        ScopeLimit("dataset", subject, _smallest([_limits(rule.budget) for rule in rules if rule is not None])),
    )
    if profile and policy.profiles is not None:
        caps = Limits(nano(policy.profiles.rho_lifetime), 0, nano(policy.profiles.rho_90_days), 0)
        return (*everyones, ScopeLimit("profiles", subject, caps))
    permit, acceptance = project.permit, project.acceptance
    allowed = policy.budget.project
    whole_project = Limits(
        min(nano(allowed.rho_lifetime), permit.rho_nano, acceptance.rho_nano),
        min(atto(allowed.delta_lifetime), permit.delta_atto),
        nano(allowed.rho_12_months),
        atto(allowed.delta_12_months),
    )
    return (
        *everyones,
        ScopeLimit("project", permit.project, whole_project),
        ScopeLimit("analyst", project.member.person, _limits(policy.budget.analyst)),
    )


def policy_limits(policy: Policy, scope: ScopeName, subject: str) -> Limits | None:
    """The caps that a policy alone sets for a scope and subject; None where it has none, so that nothing is paid.

    Permit and acceptance may lower a project's.
    """
    if scope == "dataset":
        rules = [policy.dataset_rule(name) for name in subject.split("+")]
        return _smallest([_limits(rule.budget) for rule in rules if rule is not None]) if any(rules) else None
    if scope == "profiles":
        caps = policy.profiles
        return Limits(nano(caps.rho_lifetime), 0, nano(caps.rho_90_days), 0) if caps is not None else None
    by_scope = {"node-wide": policy.budget.node_wide, "project": policy.budget.project}
    return _limits(by_scope.get(scope, policy.budget.analyst))


def run(case: Case, ports: Ports) -> None:
    """Take a seat, fix the slot, reserve; keep what people will look at, where they do.

    Raises:
        TrustQueryError: ``node-rate``, ``node-deadline``, ``budget-exhausted``, ``node-release-conflict``,
            ``ledger-unwritable``, ``ledger-frozen``, ``policy-witness-unavailable``.
        KnownReleaseError: another passage reserved the same release meanwhile.
    """
    settings, clock = ports.settings, ports.clock
    until = case.arrived + settings.queue_ms / 1_000
    # A ledger that went back would charge what is spent already: its witnesses are heard before anything is.
    known = 0.0 if case.policy.bootstrap else ports.cosigning.admit(case.policy.trust, until, clock.wait_until)
    case.seat_since = max(known, ports.seats.take(until - clock.monotonic()))
    case.seated = True
    # The time that the checks took is not in it: it is longer while other releases' engines are busy, and that depends
    # on data. The allowance has room for them.
    waited_ms = max(0, math.ceil((case.seat_since - case.arrived) * 1_000))
    wanted_ms = needed_ms(case.query, case.catalogue, case.inputs, case.plan, settings)
    ready_slot = planned_slot(waited_ms, wanted_ms, settings)
    # A review's deadline is planned like the rest: from the policy, so that nothing in data or verdict moves it.
    case.review_slots = review_slots(case.review_minutes, settings)
    case.planned_slot = ready_slot + case.review_slots
    elapsed_ms = max(0, int((clock.monotonic() - case.arrived) * 1_000))
    due_ms = clock.wall_ms() + (case.planned_slot + 1) * settings.slot_ms - elapsed_ms
    if due_ms >= case.intent.not_after * 1_000:
        raise TrustQueryError("node-deadline")
    release, made = ports.ledger.reserve(
        Reservation(
            release_id=case.release_id,
            intent_hash=case.intent_hash,
            query_hash=case.query.sha256,
            plan_hash=case.plan.sha256,
            question=case.question,
            project=case.project.permit.project,
            analyst=case.project.member.person,
            data_version=case.data_version,
            mode=case.intent.mode,
            rho_nano=case.plan.rho_nano,
            delta_atto=case.query.delta_atto,
            policy_hash=case.policy_hash,
            planned_slot=case.planned_slot,
            not_after=case.intent.not_after,
            project_ends=case.project.ends,
            due_ms=due_ms,
            stored=case.is_stored,
            scopes=scopes(case.policy, case.project, case.query.catalogue_id, ports, profile=case.is_profile),
        ),
        clock.wall(),
    )
    if not made:
        raise KnownReleaseError
    case.reserved = True
    case.ledger_seq = release.reserved_seq
    if case.review_minutes:
        ready_ms = due_ms - (case.review_slots + 1) * settings.slot_ms
        ports.reviews.keep(ToReview(case.release_id, case.offer, why_review(case.policy, case.request), ready_ms))
