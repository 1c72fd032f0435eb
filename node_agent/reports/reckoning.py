"""From the evidence to a month's report. It says what the node knows and no more.

Where the ledger holds less than a reader would like (a name, a day, a reason), the report says that it is missing; it
never guesses.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace

from node_agent.budget.decisions import Charged, Decided
from node_agent.budget.history import Passed
from node_agent.budget.port import WINDOW_DAYS, Limits, ScopeName
from node_agent.budget.states import State
from node_agent.gate.reserve import policy_limits
from node_agent.replay import request_of
from node_agent.reports.changes import changes_of
from node_agent.reports.evidence import Evidence, Span
from node_agent.reports.month import Early, Left, Month, Part, Question
from trustquery.errors import TrustQueryError
from trustquery.policy import PolicyRequest

__all__ = ["LATER", "month_of"]

OUTCOMES = {
    State.SENT: "released",
    State.DEAD: "no answer",
    State.WITHHELD: "held back",
    State.EXPIRED: "not run",
}
"""What became of a release, in a word; every other state is under way."""
LATER = "after-policy"
"""The reason given where the policy allowed a query and a later step refused it, and no log says which."""


def month_of(found: Evidence, span: Span) -> Month:
    """Put a month's report together."""
    questions = tuple(_questions(found, span))
    early = tuple(_early(found, span))
    by_project: dict[str, list[Question]] = defaultdict(list)
    for item in questions:
        by_project[item.project].append(item)
    parts = tuple(
        Part(
            project,
            found.known.get(project),
            tuple(sorted(by_project[project], key=lambda item: item.day)),
            _left_of(found, span, project),
        )
        for project in sorted(by_project)
    )
    return Month(
        span,
        found.trust,
        found.node,
        found.federation,
        parts,
        early,
        changes_of(found, span),
        _left_of_trust(found, span),
        tuple(_notes(found, span, questions, early)),
    )


def _questions(found: Evidence, span: Span) -> Iterator[Question]:
    asked = {item.release_id: item for item in found.decisions}
    charged: dict[str, dict[str, Charged]] = defaultdict(dict)
    for charge in found.charges:
        charged[charge.release_id][charge.scope] = charge
    for item in found.releases:
        if not span.first <= item.day <= span.last:
            continue
        outcome = OUTCOMES.get(item.state, "under way")
        outcome = "released again" if outcome == "released" and item.stored else outcome
        costs = charged.get(item.release_id, {})
        yield _question(found, item.day, item.release_id, outcome, (), asked.get(item.release_id), costs, item)
    reserved = {item.release_id for item in found.releases}
    for decided in asked.values():
        if decided.release_id in reserved:
            continue
        logged = found.logged.get(decided.release_id)
        reasons = decided.rules or (logged.codes if logged is not None else (LATER,))
        yield _question(found, decided.day, decided.release_id, "refused", reasons, decided, {}, None)


def _question(
    found: Evidence,
    day: int,
    release_id: str,
    outcome: str,
    reasons: tuple[str, ...],
    decided: Decided | None,
    charged: Mapping[str, Charged],
    passed: Passed | None,
) -> Question:
    request = _request(decided)
    project = request.project if request is not None else passed.project if passed is not None else ""
    person = request.person if request is not None else passed.person if passed is not None else ""
    known = found.known.get(project)
    everyones, own = charged.get("node-wide"), charged.get("project")
    dataset = charged["dataset"].subject if "dataset" in charged else ""
    return Question(
        day,
        release_id,
        project,
        person,
        known.name(person) if known is not None else "",
        request.organisation if request is not None else "",
        request.dataset if request is not None else dataset,
        request.opt_out_treatment if request is not None else "",
        request.query_hash if request is not None else passed.query_hash if passed is not None else "",
        outcome,
        reasons,
        everyones.rho_nano if everyones is not None else 0,
        own.rho_nano if own is not None else 0,
        everyones.delta_atto if everyones is not None else 0,
        request is not None,
    )


def _request(decided: Decided | None) -> PolicyRequest | None:
    """What the policy saw; None where nothing was kept, or another version wrote it."""
    if decided is None:
        return None
    try:
        return request_of(decided)
    except TrustQueryError:
        return None


def _early(found: Evidence, span: Span) -> Iterator[Early]:
    entered = {item.release_id for item in found.refusals}
    for item in found.refusals:
        logged = found.logged.get(item.release_id)
        if item.release_id in found.decided:
            continue
        if logged is None:
            yield Early(item.first, item.last, ())
        elif span.first <= logged.day <= span.last:
            yield Early(logged.day, logged.day, logged.codes)
    for release_id, logged in found.logged.items():
        # Beyond a number a minute a refusal is in the log alone.
        if release_id not in entered | found.decided and span.first <= logged.day <= span.last:
            yield Early(logged.day, logged.day, logged.codes)


def _spent(found: Evidence, span: Span, scope: ScopeName, subject: str) -> tuple[int, int]:
    """In the scope's window and in all, at the month's end; 1e-9 rho."""
    since = span.last - WINDOW_DAYS[scope]
    rows = [item for item in found.charges if (item.scope, item.subject) == (scope, subject)]
    return sum(item.rho_nano for item in rows if item.day > since), sum(item.rho_nano for item in rows)


def _caps(found: Evidence, span: Span, what: str, scope: ScopeName, subject: str, limits: Limits) -> Iterator[Left]:
    window, lifetime = _spent(found, span, scope, subject)
    if limits.rho_window is not None:
        period = "any 90 days" if scope == "profiles" else "any 12 months"
        yield Left(what, period, limits.rho_window, window)
    yield Left(what, "lifetime", limits.rho_lifetime, lifetime)


def _left_of(found: Evidence, span: Span, project: str) -> tuple[Left, ...]:
    known = found.known.get(project)
    if found.policy is None or known is None or known.acceptance is None:
        return ()
    limits = policy_limits(found.policy, "project", project)
    if limits is None:
        return ()
    least = min(limits.rho_lifetime, known.permit.rho_nano, known.acceptance.rho_nano)
    return tuple(_caps(found, span, "this project", "project", project, replace(limits, rho_lifetime=least)))


def _left_of_trust(found: Evidence, span: Span) -> tuple[Left, ...]:
    if found.policy is None:
        return ()
    scopes: list[tuple[str, ScopeName, str]] = [("everything this trust answers", "node-wide", "")]
    for subject in found.subjects:
        scopes.append((f"dataset {subject}", "dataset", subject))
        scopes.append((f"profiles of {subject}", "profiles", subject))
    lines: list[Left] = []
    for what, scope, subject in scopes:
        limits = policy_limits(found.policy, scope, subject)
        if limits is not None:
            lines += _caps(found, span, what, scope, subject, limits)
    return tuple(lines)


def _notes(found: Evidence, span: Span, questions: tuple[Question, ...], early: tuple[Early, ...]) -> Iterator[str]:
    if not span.whole:
        yield "The month is not over: this is what there is so far."
    if found.policy is None:
        yield "No policy is in force, so no caps can be compared with."
    else:
        yield "Shares of caps are those at the end of the month, under the policy, permits and acceptances of today."
    unnamed = sorted({item.person for item in questions if not item.name})
    if unnamed:
        yield f"No permit kept here names {', '.join(unnamed)}; the short name of the documents stands instead."
    missing = sum(not item.recorded for item in questions)
    if missing:
        yield (
            f"Of {missing} the input of the decision is not kept here, so organisation, dataset and opt-out treatment "
            "are missing where they are blank."
        )
    if any(LATER in item.reasons for item in questions):
        yield (
            f"{LATER}: the policy allowed the question and a later step refused it, such as the budget, a rate or the "
            "time; the ledger does not keep which, and the log no longer does."
        )
    if any(not item.codes for item in early):
        yield (
            "Refusals before the policy was asked carry no day and no reason in the ledger. Where the log no longer "
            "holds them, the days between which they happened are given; some may belong to a neighbouring month."
        )
