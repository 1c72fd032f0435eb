"""Would this be accepted? Asked before anything is spent; answered from text, documents, policy and budget alone."""

from __future__ import annotations

from node_agent.budget.port import ScopeLimit
from node_agent.gate import admit, authenticate, endings, model, optouts, policy, reserve, verify
from node_agent.gate.case import Asked, Peer
from node_agent.gate.ports import Ports
from trustquery.errors import Problem, TrustQueryError
from trustquery.policy.rules_query import review_minutes
from trustquery.protocol.messages import Preview, PreviewReply, ScopeShare

__all__ = ["answer_preview"]

_MILLION = 1_000_000


def answer_preview(message: Preview, peer: Peer, ports: Ports) -> PreviewReply:
    """Decide without reserving; free, and limited in rate.

    Raises:
        TrustQueryError: ``ledger-unwritable`` only.
    """
    try:
        reasons, shares, notes = _decide(message, peer, ports)
    except Exception as error:
        if ports.ledger.failed:
            raise TrustQueryError("ledger-unwritable") from error
        reasons, shares, notes = endings.problems_of(error, ports), (), ()
    said = tuple(problem.document() for problem in (reasons or notes))
    return PreviewReply(message.preview_id, not reasons, said, shares)


Decision = tuple[tuple[Problem, ...], tuple[ScopeShare, ...], tuple[Problem, ...]]


def _decide(message: Preview, peer: Peer, ports: Ports) -> Decision:
    """Why it would be refused, what would be left, and what there is to know of an answer."""
    authenticate.check(peer, ports)
    if not (0 < len(message.model) <= admit.MAX_MODEL and 0 < len(message.permit) <= admit.MAX_PERMIT):
        raise TrustQueryError("node-message-invalid", place="preview")
    if not ports.rates.allows("preview", ports.clock.monotonic()):
        raise TrustQueryError("node-rate")
    now = ports.clock.wall()
    project = verify.project_of(message.permit, None, message.key_id, message.key_kind, ports, now)
    read = model.read(message.model, project.permit, ports)
    query = read.query
    plan = ports.compile_plan(query, read.catalogue, read.inputs)
    asked = Asked(message.key_kind, message.opt_out_treatment, message.disclosure_profile, message.min_trusts)
    if (asked.opt_out_treatment, asked.disclosure_profile) != (
        project.permit.opt_out_treatment,
        project.permit.disclosure_profile,
    ) or asked.min_trusts < project.permit.min_trusts:
        raise TrustQueryError("auth-document", document="preview", problem="it does not fit the permit")
    found, request = policy.decide(asked, project, query, read.catalogue, plan, ports, now)
    optouts.check(asked.opt_out_treatment, read.engine, found, ports, now)
    reasons: list[Problem] = []
    shares: list[ScopeShare] = []
    profile = policy.is_everybodys(found, query, read.catalogue)
    for item in reserve.scopes(found, project, query.catalogue_id, ports, profile=profile):
        fits, share = _share(item, plan.rho_nano, query.delta_atto, now, ports)
        if not fits:
            reasons.append(Problem("budget-exhausted", fields={"scope": item.scope}))
        shares.append(share)
    minutes = review_minutes(found, request)
    notes = (Problem("policy-review-held", fields={"minutes": str(minutes)}),) if minutes else ()
    return tuple(reasons), tuple(shares) if found.queries.show_budget_left else (), notes


def _share(item: ScopeLimit, rho_nano: int, delta_atto: int, now: int, ports: Ports) -> tuple[bool, ScopeShare]:
    """Whether the scope can pay; what is left after it and what it takes, in millionths of the cap."""
    spent, limits = ports.ledger.spent(item.scope, item.subject, now), item.limits
    figures = [
        (spent.rho_lifetime, limits.rho_lifetime, rho_nano),
        (spent.rho_window, limits.rho_window, rho_nano),
        (spent.delta_lifetime, limits.delta_lifetime, delta_atto),
        (spent.delta_window, limits.delta_window, delta_atto),
    ]
    fits, left, cost = True, _MILLION, 0
    for used, cap, wanted in figures:
        if cap is None:
            continue
        fits = fits and used + wanted <= cap
        if cap > 0:
            left = min(left, max(0, cap - used - wanted) * _MILLION // cap)
            cost = max(cost, -(-wanted * _MILLION // cap))
        elif wanted > 0:
            left, cost = 0, _MILLION
    return fits, ScopeShare(item.scope, left, min(cost, 2**32 - 1))
