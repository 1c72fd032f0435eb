"""Step 7: what the trust's own policy says, and whether this person has been suspended here."""

from __future__ import annotations

from node_agent.budget.decisions import Decided
from node_agent.gate.case import Asked, Case, Project
from node_agent.gate.ports import Ports
from trustquery.catalogue import Catalogue
from trustquery.errors import TrustQueryError
from trustquery.forecast.questions import is_profile
from trustquery.identity import canonical
from trustquery.model import Query
from trustquery.planning import Plan
from trustquery.policy import Policy, PolicyRequest, evaluate
from trustquery.policy.facts import request_of
from trustquery.policy.rules_query import review_minutes

__all__ = ["NO_ANSWER_LIMIT", "decide", "is_everybodys", "run"]

NO_ANSWER_LIMIT = 3
"""This many no-answers in 30 days suspend a person: an outcome that could be forced to tell one bit is rationed."""


def decide(
    asked: Asked,
    project: Project,
    query: Query,
    catalogue: Catalogue,
    plan: Plan,
    ports: Ports,
    now: int,
    *,
    release_id: str = "",
) -> tuple[Policy, PolicyRequest]:
    """The policy in force and what it judged, when it allows this query.

    Args:
        release_id: of an offer: its decision is recorded, durably, before anything is said of it; "" for a preview.

    Raises:
        TrustQueryError: ``policy-…``, one problem for each rule that objects; ``ledger-unwritable``.
    """
    policy = ports.governance.policy()
    member = project.member
    request = request_of(
        query,
        plan,
        catalogue,
        project.permit,
        member,
        federation=ports.federation,
        node=ports.node,
        key_kind=asked.key_kind,
        opt_out_treatment=asked.opt_out_treatment,
        disclosure_profile=asked.disclosure_profile,
        min_trusts=asked.min_trusts,
        revocations_age=project.revocations_age,
        now=now,
    )
    decision = evaluate(policy, request)
    if release_id:
        seen = canonical.encode(request.document())
        taken = Decided(release_id, seen, decision.allowed, decision.rules, policy.version, policy.sha256)
        ports.ledger.record(taken, now)
    if not decision.allowed:
        raise TrustQueryError.of(decision.reasons)
    if ports.ledger.no_answers(member.person, now) >= NO_ANSWER_LIMIT:
        raise TrustQueryError("policy-analyst-suspended")
    return policy, request


def is_everybodys(policy: Policy, query: Query, catalogue: Catalogue) -> bool:
    """Whether a query is a profile, to the last bit of its model, and the policy gives profiles a cap of their own."""
    return policy.profiles is not None and is_profile(query, catalogue) is not None


def run(case: Case, ports: Ports) -> None:
    """Decide, and count the query against the person's hour.

    Raises:
        TrustQueryError: as ``decide``, and ``node-rate``.
    """
    now = ports.clock.wall()
    case.policy, case.request = decide(
        case.asked, case.project, case.query, case.catalogue, case.plan, ports, now, release_id=case.release_id
    )
    case.policy_hash = case.policy.sha256
    case.review_minutes = review_minutes(case.policy, case.request)
    # A fresh draw of what is there already is its asker's to pay: else one person could use up what everybody shares.
    case.is_profile = case.intent.reuse == "stored" and is_everybodys(case.policy, case.query, case.catalogue)
    person, per_hour = case.project.member.person, case.policy.who.max_queries_per_hour
    if not ports.rates.allows_person(person, per_hour, ports.clock.monotonic()):
        raise TrustQueryError("node-rate")
