"""The accepted projects and the promise, as both the assessment and the notice tell them."""

from __future__ import annotations

from collections.abc import Iterator

from node_agent.reports.evidence import Known
from node_agent.reports.setting import Setting
from node_agent.reports.words import OPT_OUTS, bullets, day_of, loss, named, plain, rho
from trustquery.policy.promised import in_words
from trustquery.policy.schema import nano

__all__ = ["cap_of", "caps", "project", "projects", "promise"]

NO_POLICY = "No policy is in force, so the node answers nothing."


def cap_of(known: Known) -> int:
    """What permit and acceptance allow at most, in 1e-9 rho."""
    accepted = known.acceptance.rho_nano if known.acceptance is not None else 0
    return min(known.permit.rho_nano, accepted)


def project(known: Known) -> Iterator[str]:
    """One project, for anybody to read."""
    permit, basis = known.permit, known.permit.lawful_basis
    yield from (f"### {plain(permit.title)}", "")
    ends = min(permit.expires, known.acceptance.expires) if known.acceptance is not None else permit.expires
    facts = [
        f"Why: {named(permit.purpose)}. {plain(permit.lay_summary)}",
        f"Lawful basis under Article 6 of the UK GDPR: {plain(basis.article_6)}",
        f"Condition under Article 9: {plain(basis.article_9)}",
        f"Common law duty of confidentiality: {plain(basis.common_law)}",
        "People who ask: " + "; ".join(f"{plain(item.name)}, {plain(item.organisation)}" for item in permit.members),
        f"Data: {', '.join(map(plain, permit.datasets))}",
        f"Opt-outs: {OPT_OUTS[permit.opt_out_treatment]}",
        f"Most privacy loss at this trust: {loss(cap_of(known))}",
        f"Until {day_of(ends)}",
    ]
    if known.acceptance is not None and known.acceptance.conditions:
        facts.append("Our conditions: " + "; ".join(map(plain, known.acceptance.conditions)))
    yield from bullets(facts)


def projects(setting: Setting) -> list[str]:
    """Every accepted project."""
    found = [line for known in setting.accepted for line in project(known)]
    return found or ["This trust answers no project at present.", ""]


def promise(setting: Setting) -> list[str]:
    """What the caps promise one patient, over 12 months, 10 years and life."""
    if setting.policy is None:
        return [NO_POLICY, ""]
    return bullets(f"{sentence[0].upper()}{sentence[1:]}." for sentence in in_words(setting.policy))


def caps(setting: Setting) -> list[list[str]]:
    """Rows of caps: on what, in any 12 months, for life."""
    if setting.policy is None:
        return []
    budget = setting.policy.budget
    found = [("everything this trust answers", budget.node_wide)]
    found += [(f"dataset {plain(rule.id)}", rule.budget) for rule in setting.policy.dataset]
    found += [("each project", budget.project), ("each person who asks", budget.analyst)]
    return [[what, rho(nano(item.rho_12_months)), rho(nano(item.rho_lifetime))] for what, item in found]
