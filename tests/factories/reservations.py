"""Reservations: what the ledger is asked to charge."""

import hashlib
from typing import Any

from node_agent.budget import Limits, Reservation, ScopeLimit

__all__ = ["print_of", "profile_scopes", "reservation", "scopes"]

WIDE = Limits(10**12, 10**18, 10**12, 10**18)


def print_of(text: str) -> str:
    """64 hexadecimal digits from a word."""
    return hashlib.sha256(text.encode()).hexdigest()


def scopes(
    node: Limits = WIDE,
    dataset: Limits = WIDE,
    project: Limits = WIDE,
    analyst: Limits = WIDE,
    *,
    names: tuple[str, str, str] = ("omop-5.4", "stays", "ada"),
) -> tuple[ScopeLimit, ...]:
    """The four scopes of a release; names are those of dataset, project and person."""
    return (
        ScopeLimit("node-wide", "", node),
        ScopeLimit("dataset", names[0], dataset),
        ScopeLimit("project", names[1], project),
        ScopeLimit("analyst", names[2], analyst),
    )


def profile_scopes(
    profiles: Limits = WIDE, *, node: Limits = WIDE, dataset: Limits = WIDE, subject: str = "omop-5.4"
) -> tuple[ScopeLimit, ...]:
    """The three scopes of a profile of one dataset."""
    return (
        ScopeLimit("node-wide", "", node),
        ScopeLimit("dataset", subject, dataset),
        ScopeLimit("profiles", subject, profiles),
    )


def reservation(name: str = "r1", **changes: Any) -> Reservation:
    """A reservation of 30 nano-rho by ada for project stays."""
    facts: dict[str, Any] = {
        "release_id": print_of(name),
        "intent_hash": print_of(f"intent {name}"),
        "query_hash": print_of("query"),
        "plan_hash": print_of("plan"),
        "question": print_of(f"question {name}"),
        "project": "stays",
        "analyst": "ada",
        "data_version": 1,
        "mode": "local",
        "rho_nano": 30,
        "delta_atto": 0,
        "policy_hash": print_of("policy"),
        "planned_slot": 3,
        "not_after": 2_000_000_000,
        "project_ends": 2_000_000_000,
        "due_ms": 0,
        "stored": False,
        "scopes": scopes(),
    }
    return Reservation(**(facts | changes))
