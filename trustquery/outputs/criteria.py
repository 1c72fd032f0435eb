"""The record of the criteria under which one release was disclosed: what was applied, at whose wish, at which cost.

It is a function of the signed intent, the signed answers and the plan, which follows from the signed model, so that
anybody who holds those computes the same record and the same hash. It holds no figure. (SATRE 3.3.09: criteria for
disclosure are recorded with what is disclosed.)
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, ClassVar, Literal

from pydantic import Field

from trustquery.identity import Answer, Intent
from trustquery.identity.documents import DeltaAtto, Document, Hex32, Name, OptOutTreatment, Part, RhoNano
from trustquery.outputs.wanted import wanted
from trustquery.planning.plan import UNIT, Plan
from trustquery.privacy.budget import DEFAULT_DELTA, epsilon_of

__all__ = ["Criteria", "criteria_of"]


class Rules(Part):
    """The profile in use.

    Attributes:
        asked_by: ``project:PROFILE``, then ``trust:NODE:PROFILE`` of each trust that asked for one.
    """

    profile: str
    minimum_released_count: int = Field(ge=0)
    rounding: int = Field(ge=1)
    asked_by: tuple[str, ...]


class Statistic(Part):
    """One noised statistic: its bound, exact squared sensitivity, sigma in units of 2^-20, and charge.

    Attributes:
        threshold: smallest noised integer that is released, of a thresholded release; else "0".
    """

    id: str
    kind: Name
    bound: dict[str, Any]
    l2_sensitivity_squared: str
    sigma: str
    rho_nano: RhoNano
    threshold: str


class Answered(Part):
    """A trust in the result: the policy it decided by and the hash of the answer that it signed."""

    node: Name
    policy_hash: str
    data_version: int = Field(ge=0)
    rho_nano: int = Field(ge=0)
    answer_sha256: Hex32
    vector_sha256: Hex32


class Criteria(Document):
    """What one release was disclosed under.

    Attributes:
        epsilon: what ``rho_nano`` is for one person at one trust, at ``epsilon_delta``; a decimal.
        reviewed_by: who looked at the release before it left; empty: nobody did.
    """

    KIND: ClassVar[str] = "criteria"
    format: Literal["tq-criteria-1"] = "tq-criteria-1"
    federation: Name
    release_id: Hex32
    project: Name
    permit_hash: Hex32
    intent_sha256: Hex32
    query_hash: Hex32
    plan_hash: Hex32
    plan_format: Name
    catalogue_hash: Hex32
    presentation: Rules
    mechanism: Literal["discrete-gaussian", "discrete-gaussian-with-threshold"]
    accounting: Literal["zcdp"] = "zcdp"
    mode: Literal["local", "secure-sum"]
    unit: Name
    rho_nano: RhoNano
    delta_atto: DeltaAtto
    epsilon: str
    epsilon_delta: str
    statistics: tuple[Statistic, ...]
    opt_out_treatment: OptOutTreatment
    as_of: str
    trusts: tuple[Answered, ...]
    reviewed_by: tuple[str, ...] = ()

    def record(self) -> dict[str, Any]:
        """The record beside its hash, as it is shown."""
        return {"record": self.model_dump(mode="json"), "sha256": self.sha256}


def criteria_of(intent: Intent, answers: Iterable[Answer], plan: Plan, reviewed_by: tuple[str, ...] = ()) -> Criteria:
    """The record of one release.

    Args:
        answers: verified, of the trusts that are in the result.
        reviewed_by: who looked at it before it was shown, by their roles.

    Raises:
        TrustQueryError: ``policy-profile-unknown``.
    """
    signed = sorted(answers, key=lambda answer: answer.node)
    return Criteria(
        federation=intent.federation,
        release_id=intent.release_id,
        project=intent.project,
        permit_hash=intent.permit_hash,
        intent_sha256=intent.sha256,
        query_hash=intent.query_hash,
        plan_hash=intent.plan_hash,
        plan_format=intent.plan_format,
        catalogue_hash=intent.catalogue_hash,
        presentation=Rules.model_validate_json(_json(wanted(intent.disclosure_profile, signed).document())),
        mechanism="discrete-gaussian-with-threshold" if plan.has_unknown_keys else "discrete-gaussian",
        mode=intent.mode,
        unit=UNIT,
        rho_nano=intent.rho_nano,
        delta_atto=intent.delta_atto,
        epsilon=str(epsilon_of(intent.rho_nano)),
        epsilon_delta=str(DEFAULT_DELTA),
        statistics=tuple(
            Statistic(
                id=block.id,
                kind=block.kind,
                bound=block.bound.document(),
                l2_sensitivity_squared=str(block.l2_sensitivity_squared),
                sigma=str(block.sigma),
                rho_nano=block.rho_nano,
                threshold=str(block.threshold),
            )
            for block in plan.blocks
        ),
        opt_out_treatment=intent.opt_out_treatment,
        as_of=intent.as_of,
        trusts=tuple(
            Answered(
                node=answer.node,
                policy_hash=answer.policy_hash,
                data_version=answer.data_version,
                rho_nano=answer.rho_nano,
                answer_sha256=answer.sha256,
                vector_sha256=answer.vector_sha256,
            )
            for answer in signed
        ),
        reviewed_by=reviewed_by,
    )


def _json(document: dict[str, Any]) -> str:
    return json.dumps(document)
