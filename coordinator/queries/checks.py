"""What the coordinator checks of a query before it bothers a node. Each node checks everything again."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from coordinator.projects import check_use
from coordinator.projects.inputs import require_approved
from coordinator.store import ProjectRow, User
from trustquery.catalogue import Catalogue
from trustquery.codelists import Pin, PublicTable, PublicTables, shipped
from trustquery.errors import TrustQueryError
from trustquery.identity import Intent, Permit, Roster, key_id
from trustquery.language import compile_query
from trustquery.language.parameters import read_parameters
from trustquery.model import Query
from trustquery.model.trusts import trusts_of
from trustquery.outputs import profile_named
from trustquery.planning import PLAN_FORMAT, Plan, compile_plan
from trustquery.privacy.budget import delta_for, rho_nano_of

__all__ = ["Checked", "Submission", "Surroundings", "check_model", "check_submission"]


@dataclass(frozen=True)
class Submission:
    """A query as its analyst's client sent it: the signed intent, and what the intent's hashes stand for.

    ``epsilon`` and ``parameters`` are the choices made beside the text; with them, the tables that the model pins and
    the model's own terms, the text must compile to the very model that was signed, so that the history shows what was
    really asked. Tables do not come with it: those that do not ship were uploaded and approved before.
    """

    project: str
    sql: str
    model: bytes
    intent: bytes
    epsilon: Decimal
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Surroundings:
    """What a submission is judged against.

    Attributes:
        approved: those of some pinned tables that are approved now.
    """

    federation: str
    roster: Roster
    catalogues: Mapping[str, Catalogue]
    longest_wait: int
    now: int
    approved: Callable[[Sequence[Pin]], Sequence[PublicTable]]


@dataclass(frozen=True)
class Checked:
    """A submission that may be offered."""

    project: ProjectRow
    intent: Intent
    query: Query
    plan: Plan
    inputs: tuple[PublicTable, ...] = ()


def check_model(model: bytes, permit: Permit, catalogues: Mapping[str, Catalogue]) -> tuple[Query, Catalogue]:
    """Read a model and find the very catalogue that it was written for.

    Raises:
        TrustQueryError: ``query-model-invalid``, ``project-dataset-not-permitted``, ``query-catalogue-mismatch``.
    """
    query = Query.from_payload(model)
    if query.catalogue_id not in permit.datasets:
        raise TrustQueryError("project-dataset-not-permitted", project=permit.project, dataset=query.catalogue_id)
    catalogue = catalogues.get(query.catalogue_id)
    if catalogue is None or catalogue.sha256 != query.catalogue_sha256:
        raise TrustQueryError("query-catalogue-mismatch", catalogue=query.catalogue_id)
    return query, catalogue


def check_submission(given: Submission, user: User, project: ProjectRow | None, around: Surroundings) -> Checked:
    """Check everything that can be checked without a node.

    Raises:
        TrustQueryError: with the code of the first thing that is wrong.
    """
    row, permit, member = check_use(project, given.project, user, around.now)
    key = bytes.fromhex(user.public_key)
    intent, _, _ = Intent.verify(given.intent, {key_id(key): key}, 1)
    if intent.key_id != key_id(key) or intent.key_kind != member.key_kind:
        raise TrustQueryError("project-not-a-member", project=given.project)
    query, catalogue = check_model(given.model, permit, around.catalogues)
    tables = require_approved(query.inputs, around.approved(query.inputs))
    public = shipped().with_more(tables)
    _check_text(given, query, catalogue, public)
    plan = compile_plan(query, catalogue, public)
    _check_intent(intent, permit, query, plan, around)
    return Checked(row, intent, query, plan, tables)


def _check_text(given: Submission, query: Query, catalogue: Catalogue, public: PublicTables) -> None:
    compiled = compile_query(
        given.sql,
        catalogue,
        epsilon=given.epsilon,
        as_of=datetime.date.fromisoformat(query.as_of),
        unknown_keys=query.has_unknown_keys,
        trusts=trusts_of(query),
        public=public,
        parameters=read_parameters(given.parameters),
    )
    # Bounds and the split of the budget are the client's choice; the budget itself is not more than was asked for.
    most = rho_nano_of(given.epsilon, delta_for(catalogue.unit.declared_people))
    if len(compiled.terms) != len(query.terms) or query.rho_nano > most:
        raise TrustQueryError("query-plan-mismatch", place="terms")
    if compiled.on(query.terms).sha256 != query.sha256:
        raise TrustQueryError("query-plan-mismatch", place="sql")


def _check_intent(intent: Intent, permit: Permit, query: Query, plan: Plan, around: Surroundings) -> None:
    if intent.plan_hash != plan.sha256 or intent.plan_format != PLAN_FORMAT:
        raise TrustQueryError("query-plan-mismatch", place="plan_hash")
    if intent.rho_nano != plan.rho_nano or intent.delta_atto != query.delta_atto:
        raise TrustQueryError("budget-charge-mismatch", place="rho_nano")
    signed: list[tuple[str, object, object]] = [
        ("federation", intent.federation, around.federation),
        ("project", intent.project, permit.project),
        ("permit_hash", intent.permit_hash, permit.sha256),
        ("query_hash", intent.query_hash, query.sha256),
        ("catalogue_hash", intent.catalogue_hash, query.catalogue_sha256),
        ("inputs", [item.model_dump() for item in intent.inputs], [pin.document() for pin in query.inputs]),
        ("mode", intent.mode, query.mode),
        ("opt_out_treatment", intent.opt_out_treatment, permit.opt_out_treatment),
        ("disclosure_profile", intent.disclosure_profile, permit.disclosure_profile),
        ("as_of", intent.as_of, query.as_of),
        ("min_trusts", intent.min_trusts >= permit.min_trusts, True),
        ("not_after", intent.not_after <= around.now + around.longest_wait, True),
    ]
    for name, found, wanted in signed:
        if found != wanted:
            raise TrustQueryError(
                "auth-document", place=name, document="intent", problem=f"its {name} is not what it should be"
            )
    profile_named(intent.disclosure_profile)
    if trusts_of(query) not in ((), intent.nodes):
        raise TrustQueryError("query-trusts-differ", place="nodes")
    if intent.mode != "local":
        raise TrustQueryError("policy-mode-unavailable", mode=intent.mode)
    if intent.not_after <= around.now:
        raise TrustQueryError("node-deadline")
    if around.roster.expires <= around.now:
        raise TrustQueryError("policy-document-stale", document="roster")
    for node in intent.nodes:
        if around.roster.node(node) is None:
            raise TrustQueryError("node-unknown", place="nodes", node=node)
