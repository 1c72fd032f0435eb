"""JSON Schemas of the signed documents, generated from their models; a test keeps the files in date."""

from __future__ import annotations

import json
from typing import Any

from trustquery.identity.admission import Admission
from trustquery.identity.documents import Acceptance, Answer, Document, Intent, Permit
from trustquery.identity.federation import Revocations, Root, Roster
from trustquery.identity.governance import GovernanceList, Order
from trustquery.outputs.criteria import Criteria
from trustquery.policy.schema import Policy
from trustquery.projects.application import Application
from trustquery.projects.decisions import CloseDown, Decision, Stance
from trustquery.projects.inputs import InputDecision
from trustquery.reviews import Review

__all__ = ["schemas"]

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_IDENTITY = (Root, Roster, Revocations, Permit, Acceptance, Intent, Answer, GovernanceList, Order)
_DOCUMENTS: dict[str, type[Document]] = {
    "policies/schema/policy.schema.json": Policy,
    "trustquery/outputs/schema/criteria.schema.json": Criteria,
    **{
        f"trustquery/projects/schema/{model.KIND}.schema.json": model
        for model in (Application, Decision, CloseDown, Stance, InputDecision)
    },
    **{f"trustquery/identity/schema/{model.KIND}.schema.json": model for model in (*_IDENTITY, Admission, Review)},
}


def schemas() -> dict[str, str]:
    """Path below the repository to the text of each JSON Schema."""
    return {path: _render(model) for path, model in _DOCUMENTS.items()}


def _render(model: type[Document]) -> str:
    found: dict[str, Any] = {"$schema": _DIALECT, **model.model_json_schema(mode="validation")}
    return json.dumps(found, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
