"""A request for a query that nobody has asked yet, from its SQL and from what a permit says of who would ask it."""

from __future__ import annotations

import json
from decimal import Decimal, InvalidOperation
from typing import Any

from trustquery.catalogue import load
from trustquery.codelists import shipped
from trustquery.errors import TrustQueryError
from trustquery.identity import Permit
from trustquery.identity.documents import Member
from trustquery.language import compile_query
from trustquery.planning import compile_plan
from trustquery.policy.facts import query_facts, released_minimum
from trustquery.policy.schema import Policy

__all__ = ["from_sql", "member_of", "with_fields"]


def member_of(data: bytes, person: str) -> dict[str, Any]:
    """What a permit says of one member. Its signatures are not looked at: nothing is answered here.

    Args:
        data: an envelope, or the permit's JSON.
        person: id of the member; "" for the first.

    Raises:
        TrustQueryError: ``auth-document``, ``project-not-a-member``.
    """
    try:
        permit = Permit.read(data)
    except TrustQueryError:
        permit = _plain_permit(data)
    member: Member | None = next((item for item in permit.members if person in ("", item.person)), None)
    if member is None:
        raise TrustQueryError("project-not-a-member", project=permit.project)
    return {
        "project": permit.project,
        "person": member.person,
        "role": member.role,
        "organisation": member.organisation,
        "purpose": permit.purpose,
        "key_kind": member.key_kind,
        "opt_out_treatment": permit.opt_out_treatment,
        "disclosure_profile": permit.disclosure_profile,
        "min_trusts": permit.min_trusts,
        "training_expires": member.training_expires,
        "dataset": permit.datasets[0],
    }


def _plain_permit(data: bytes) -> Permit:
    try:
        return Permit.model_validate_json(data)
    except ValueError as error:
        raise TrustQueryError("auth-document", document="permit", problem="it cannot be read") from error


def from_sql(
    sql: str, dataset: str, epsilon: str, policy: Policy, who: dict[str, Any], *, unknown_keys: bool, now: int
) -> dict[str, Any]:
    """The document of a request: the query's own facts over what is known of who asks.

    Args:
        epsilon: what it may cost, as in ``tq query run``.
        who: fields of a request; those of the query are replaced.
        now: seconds since 1970; used where ``who`` says no time.

    Raises:
        TrustQueryError: ``query-…``.
    """
    try:
        most = Decimal(epsilon)
    except InvalidOperation as error:
        raise TrustQueryError("query-epsilon", limit=100) from error
    catalogue, public = load(dataset), shipped()
    query = compile_query(sql, catalogue, epsilon=most, public=public, unknown_keys=unknown_keys)
    facts = query_facts(query, compile_plan(query, catalogue, public), catalogue)
    found = {"federation": policy.federation, "node": policy.trust, "revocations_age": 0, "now": now, **who}
    found |= {name: sorted(value) if isinstance(value, frozenset) else value for name, value in facts.items()}
    found["released_minimum"] = released_minimum(str(found.get("disclosure_profile", "")))
    return found


def with_fields(document: Any, given: list[str]) -> Any:
    """A request's document with fields that were typed as ``NAME=VALUE``; a value that is JSON is read as JSON."""
    if not given or not isinstance(document, dict):
        return document
    changed = dict(document)
    for item in given:
        name, mark, value = item.partition("=")
        if not mark:
            raise TrustQueryError(
                "usage-invalid", place="--set", problem="write NAME=VALUE, such as purpose=clinical-audit"
            )
        try:
            changed[name] = json.loads(value)
        except ValueError:
            changed[name] = value
    return changed
