"""Rules about what a query reads, what it is like, and what it may cost."""

from __future__ import annotations

from decimal import Decimal

from trustquery.errors import Problem, TrustQueryError
from trustquery.outputs.profiles import PROFILES
from trustquery.policy.asking import GRAINS
from trustquery.policy.numbers import atto, nano
from trustquery.policy.reading import decimal_text
from trustquery.policy.request import PolicyRequest
from trustquery.policy.ruling import Rule, among, listed, refused, rule, unless_listed
from trustquery.policy.schema import Caps, Policy

__all__ = ["QUERY", "review_minutes", "why_review"]


@rule("dataset", "dataset.id")
def _dataset(policy: Policy, request: PolicyRequest) -> Problem | None:
    """The dataset is listed."""
    if policy.dataset_rule(request.dataset) is not None:
        return None
    return refused(policy, "dataset", f"datasets answered: {listed(tuple(item.id for item in policy.dataset))}")


@rule("table", "dataset.tables", "dataset.tables.name")
def _table(policy: Policy, request: PolicyRequest) -> Problem | None:
    """At least one table is read, and every one is listed."""
    found = policy.dataset_rule(request.dataset)
    if found is not None and request.tables and all(found.table(name) is not None for name in request.tables):
        return None
    open_tables = () if found is None or isinstance(found.tables, str) else tuple(item.name for item in found.tables)
    return refused(policy, "table", f"tables answered: {listed(open_tables)}")


@rule(
    "column",
    "dataset.tables.columns",
    "dataset.tables.columns.dimension",
    "dataset.tables.columns.measure",
    "dataset.tables.columns.join_only",
    "dataset.tables.columns.forbidden",
)
def _column(policy: Policy, request: PolicyRequest) -> Problem | None:
    """Every column is used only as its role allows; what is not listed is forbidden."""
    found = policy.dataset_rule(request.dataset)
    for entry in sorted(request.uses):
        name, role, use = entry.split(" ")
        table, _, column = name.partition(".")
        if found is None or use not in found.uses(table, column, role):
            change = f"{name} may not be used here as: {use}. Leave it out, or group it in bands where its role allows"
            return refused(policy, "column", change)
    return None


@rule("date", "queries.finest_date")
def _date(policy: Policy, request: PolicyRequest) -> Problem | None:
    """Figures are grouped by dates no finer than the policy allows."""
    finest = GRAINS.index(policy.queries.finest_date)
    if all(GRAINS.index(grain) <= finest for grain in request.date_grains):
        return None
    return refused(policy, "date", f"group dates with date_trunc('{policy.queries.finest_date}', …) or coarser")


@rule("aggregate", "queries.aggregates")
def _aggregate(policy: Policy, request: PolicyRequest) -> Problem | None:
    """Every statistic is listed, and there is at least one."""
    if request.aggregates and all(among(kind, policy.queries.aggregates) for kind in request.aggregates):
        return None
    return refused(policy, "aggregate", f"statistics answered: {listed(policy.queries.aggregates)}")


@rule("mode", "queries.modes")
def _mode(policy: Policy, request: PolicyRequest) -> Problem | None:
    """The release mode is listed and built."""
    if request.mode == "local" and among(request.mode, policy.queries.modes):
        return None
    return refused(policy, "mode", f"modes listed: {listed(policy.queries.modes)}; only local is built")


@rule("rho-per-query", "queries.max_rho", "queries.browser_max_rho")
def _rho(policy: Policy, request: PolicyRequest) -> Problem | None:
    """One query stays under its cap; a browser key has a lower one."""
    caps = [policy.queries.max_rho]
    if request.key_kind == "browser":
        caps.append(policy.queries.browser_max_rho or Decimal(0))
    if 0 < request.rho_nano <= nano(min(caps)):
        return None
    return refused(policy, "rho-per-query", f"ask for a rho above 0 and of at most {decimal_text(min(caps))}")


@rule("delta-per-query", "queries.max_delta")
def _delta(policy: Policy, request: PolicyRequest) -> Problem | None:
    """One query's delta stays under its cap."""
    if request.delta_atto <= atto(policy.queries.max_delta):
        return None
    return refused(policy, "delta-per-query", f"ask for a delta of at most {decimal_text(policy.queries.max_delta)}")


_SCOPES = ("rho_12_months", "rho_lifetime", "delta_12_months", "delta_lifetime")


@rule(
    "caps",
    *(f"budget.{scope}.{name}" for scope in ("node_wide", "project", "analyst") for name in _SCOPES),
    *(f"dataset.budget.{name}" for name in _SCOPES),
)
def _caps(policy: Policy, request: PolicyRequest) -> Problem | None:
    """Every cap could pay for the query if nothing had been spent; what is left, the ledger decides."""
    found = policy.dataset_rule(request.dataset)
    if found is None:
        return Problem("budget-exhausted", fields={"scope": "dataset"})
    scopes: tuple[tuple[str, Caps], ...] = (
        ("node-wide", policy.budget.node_wide),
        ("project", policy.budget.project),
        ("analyst", policy.budget.analyst),
        ("dataset", found.budget),
    )
    for name, caps in scopes:
        rho, delta = min(caps.rho_12_months, caps.rho_lifetime), min(caps.delta_12_months, caps.delta_lifetime)
        if request.rho_nano > nano(rho) or request.delta_atto > atto(delta):
            return Problem("budget-exhausted", fields={"scope": name})
    return None


@rule("cells", "queries.max_cells")
def _cells(policy: Policy, request: PolicyRequest) -> Problem | None:
    """The keys do not make too many cells. How many are found in the data has a limit of its own."""
    if 0 < request.cells <= policy.queries.max_cells or (request.unknown_keys and policy.queries.max_cells > 0):
        return None
    return refused(policy, "cells", f"use coarser keys: at most {policy.queries.max_cells} cells")


@rule("released-count", "queries.min_released_count")
def _released(policy: Policy, request: PolicyRequest) -> Problem | None:
    """The presentation profile shows no count that is smaller than the policy allows."""
    least = policy.queries.min_released_count
    if request.released_minimum >= least:
        return None
    return refused(policy, "released-count", f"use a presentation profile that shows no count below {least}")


@rule("opt-out-treatment", "queries.opt_out_treatments")
def _opt_out(policy: Policy, request: PolicyRequest) -> Problem | None:
    """Opt-outs are treated in a way the policy accepts."""
    accepted = policy.queries.opt_out_treatments
    return unless_listed(policy, "opt-out-treatment", request.opt_out_treatment, accepted, "treatments accepted")


@rule("disclosure-profile", "queries.disclosure_profiles")
def _profile(policy: Policy, request: PolicyRequest) -> Problem | None:
    """The presentation profile is listed, and is one that there is."""
    accepted = tuple(name for name in policy.queries.disclosure_profiles if name in PROFILES)
    return unless_listed(policy, "disclosure-profile", request.disclosure_profile, accepted, "profiles accepted")


@rule("min-trusts", "queries.min_trusts", "queries.per_trust_figures")
def _min_trusts(policy: Policy, request: PolicyRequest) -> Problem | None:
    """A merge of few trusts shows nearly this trust's own figures, so it needs that permission."""
    if policy.queries.per_trust_figures is True or request.min_trusts >= policy.queries.min_trusts:
        return None
    return refused(policy, "min-trusts", f"ask at least {policy.queries.min_trusts} trusts together")


@rule("per-trust-figures", "queries.per_trust_figures")
def _per_trust(policy: Policy, request: PolicyRequest) -> Problem | None:
    """Local mode shows the coordinator this trust's own noised figures, so it needs that permission."""
    if policy.queries.per_trust_figures is True or request.mode == "secure-sum":
        return None
    return refused(policy, "per-trust-figures", "this trust's figures leave only by secure sum, which is not built")


@rule("unknown-keys", "queries.unknown_keys")
def _unknown_keys(policy: Policy, request: PolicyRequest) -> Problem | None:
    """Keys without a public domain, and any delta, need thresholded release."""
    if policy.queries.unknown_keys is True or not (request.unknown_keys or request.delta_atto):
        return None
    return refused(policy, "unknown-keys", "use keys with a public list of values")


@rule("trust-key", "queries.trust_key", "queries.per_trust_figures")
def _trust_key(policy: Policy, request: PolicyRequest) -> Problem | None:
    """Figures grouped by trust are this trust's own, so they need both permissions."""
    if not request.trust_key or (policy.queries.trust_key is True and policy.queries.per_trust_figures is True):
        return None
    return refused(policy, "trust-key", "leave out the key trust")


def why_review(policy: Policy, request: PolicyRequest) -> str:
    """Why people must look at the query first, in words; "" where they need not."""
    review = policy.review
    # Only a list holds templates, and only a list holds their questions.
    if isinstance(review.template, tuple) and any(
        among(request.query_hash, item.query_hashes) for item in review.template
    ):
        return ""
    kinds = {
        "unknown-keys": request.unknown_keys,
        "trust-key": request.trust_key,
        "sum": "sum" in request.aggregates,
        "histogram": "histogram" in request.aggregates,
    }
    if review.every_query is not False or not isinstance(review.of, tuple):
        return "every query"
    named = [kind for kind, is_one in kinds.items() if is_one and kind in review.of]
    if named:
        return f"queries of kind {named[0]}"
    if request.rho_nano > nano(review.above_rho):
        return f"queries above rho {decimal_text(review.above_rho)}"
    # How many cells are found in the data has a limit of its own.
    too_many = request.cells > review.above_cells and not request.unknown_keys
    return f"queries above {review.above_cells} cells" if too_many else ""


def review_minutes(policy: Policy, request: PolicyRequest) -> int:
    """How long people look at the answer before it leaves; 0 where nobody needs to, known from text and policy alone.

    Raises:
        TrustQueryError: ``policy-refused``: a review is needed and has no deadline.
    """
    problem = _review.check(policy, request)
    if problem is not None:
        raise TrustQueryError.of([problem])
    minutes = policy.review.minutes
    return minutes if minutes and why_review(policy, request) else 0


@rule(
    "review",
    "review.every_query",
    "review.of",
    "review.above_rho",
    "review.above_cells",
    "review.template.name",
    "review.template.query_hashes",
    "review.minutes",
)
def _review(policy: Policy, request: PolicyRequest) -> Problem | None:
    """No review is needed, or it has a deadline at which its verdict leaves."""
    why = why_review(policy, request)
    if not why or (type(policy.review.minutes) is int and policy.review.minutes > 0):
        return None
    change = (
        f"a review is needed for {why}, and review.minutes gives it no deadline; ask a question that governance has "
        "approved beforehand"
    )
    return refused(policy, "review", change)


QUERY: tuple[Rule, ...] = (
    _dataset,
    _table,
    _column,
    _date,
    _aggregate,
    _mode,
    _rho,
    _delta,
    _caps,
    _cells,
    _released,
    _opt_out,
    _profile,
    _min_trusts,
    _per_trust,
    _unknown_keys,
    _trust_key,
    _review,
)
