"""The request that a policy judges, derived from the model, the plan and the signed documents; never from data."""

from __future__ import annotations

from typing import Any

from trustquery.catalogue import Catalogue
from trustquery.identity import Member, Permit
from trustquery.model import Query
from trustquery.model.trusts import trusts_of
from trustquery.outputs.profiles import PROFILES
from trustquery.planning import Plan
from trustquery.policy.request import PolicyRequest
from trustquery.policy.uses import uses_of

__all__ = ["query_facts", "released_minimum", "request_of"]


def released_minimum(disclosure_profile: str) -> int:
    """The smallest count, inclusive, that a presentation profile shows; 0 where it withholds none, or is not known."""
    found = PROFILES.get(disclosure_profile)
    return found.minimum_released_count if found is not None else 0


def query_facts(query: Query, plan: Plan, catalogue: Catalogue) -> dict[str, Any]:
    """The fields of a request that follow from the query alone."""
    uses = uses_of(query, catalogue)
    return {
        "dataset": query.catalogue_id,
        "query_hash": query.sha256,
        "tables": query.tables(),
        "uses": uses.columns,
        "date_grains": uses.date_grains,
        "aggregates": frozenset(aggregate.kind for aggregate in query.aggregates),
        "mode": query.mode,
        "rho_nano": plan.rho_nano,
        "delta_atto": query.delta_atto,
        "cells": plan.cells,
        "unknown_keys": query.has_unknown_keys,
        "trust_key": bool(trusts_of(query)),
    }


def request_of(
    query: Query,
    plan: Plan,
    catalogue: Catalogue,
    permit: Permit,
    member: Member,
    *,
    federation: str,
    node: str,
    key_kind: str,
    opt_out_treatment: str,
    disclosure_profile: str,
    min_trusts: int,
    revocations_age: int,
    now: int,
) -> PolicyRequest:
    """The one way from a query and its documents to what a policy judges.

    Args:
        permit: verified; ``member`` is the one who asks.
        node: the name of the node that decides.
        key_kind: as the intent says, like the arguments after it.
        revocations_age: seconds since the newest revocation statement was issued.
        now: the node's wall clock, seconds since 1970.

    Privacy:
        Depends on the query, the catalogue, signed documents and the clock only.
    """
    return PolicyRequest(
        federation=federation,
        node=node,
        project=permit.project,
        person=member.person,
        role=member.role,
        organisation=member.organisation,
        purpose=permit.purpose,
        key_kind=key_kind,
        opt_out_treatment=opt_out_treatment,
        disclosure_profile=disclosure_profile,
        released_minimum=released_minimum(disclosure_profile),
        min_trusts=min_trusts,
        training_expires=member.training_expires,
        revocations_age=revocations_age,
        now=now,
        **query_facts(query, plan, catalogue),
    )
