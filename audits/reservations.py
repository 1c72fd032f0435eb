"""What the gate hands to the node's ledger for one release, with caps too wide to meet."""

from __future__ import annotations

import hashlib

from node_agent.budget import Limits, Reservation, ScopeLimit

__all__ = ["print_of", "reservation"]

WIDE = Limits(10**16, 10**18)


def print_of(text: str) -> str:
    """64 hexadecimal digits that stand for a text."""
    return hashlib.sha256(text.encode()).hexdigest()


def reservation(
    name: str,
    *,
    question: str,
    dataset: str,
    project: str,
    analyst: str,
    rho_nano: int,
    delta_atto: int,
    time: int,
    is_stored: bool,
) -> Reservation:
    """One release's reservation.

    Args:
        name: of the release.
        question: what makes two questions identical.
        time: seconds since 1970.
        is_stored: whether it is answered with the vector of an earlier identical question.
    """
    return Reservation(
        release_id=print_of(name),
        intent_hash=print_of(f"intent of {name}"),
        query_hash=print_of(question),
        plan_hash=print_of(f"plan of {question}"),
        question=print_of(question),
        project=project,
        analyst=analyst,
        data_version=1,
        mode="local",
        rho_nano=rho_nano,
        delta_atto=delta_atto,
        policy_hash=print_of("policy"),
        planned_slot=1,
        not_after=time,
        project_ends=time,
        due_ms=0,
        stored=is_stored,
        scopes=(
            ScopeLimit("node-wide", "", WIDE),
            ScopeLimit("dataset", dataset, WIDE),
            ScopeLimit("project", project, WIDE),
            ScopeLimit("analyst", analyst, WIDE),
        ),
    )
