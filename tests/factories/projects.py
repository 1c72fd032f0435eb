"""A whole application, with any field changed."""

from __future__ import annotations

import datetime
from typing import Any

from tests.factories.documents import NOW
from trustquery.identity import Permit, SigningKey
from trustquery.projects.application import Application, TeamMember
from trustquery.projects.permits import permit_from
from trustquery.projects.terms import terms_sha256

__all__ = ["application", "signed", "team_member", "today"]


def team_member(key: str = "ad" * 32, **changed: Any) -> TeamMember:
    """Ada, who leads; ``key`` is her public key, hexadecimal."""
    fields: dict[str, Any] = {
        "person": "ada",
        "name": "Ada Lovelace",
        "organisation": "University of Example",
        "role": "lead",
        "key": key,
        "key_kind": "file",
        "training_body": "ONS",
        "training_expires": "2028-01-01",
    }
    return TeamMember(**(fields | changed))


def application(**changed: Any) -> Application:
    """A first application with every field, whose project runs at ``NOW``.

    Args:
        changed: fields; and ``key``, the public key of the only person on the team, hexadecimal.
    """
    key = changed.pop("key", "ad" * 32)
    fields: dict[str, Any] = {
        "federation": "test",
        "project": "stays",
        "version": 1,
        "previous": "",
        "submitted": NOW - 1000,
        "organisation": "University of Example",
        "organisation_id": "https://ror.org/00example",
        "organisation_sector": "Academic institute",
        "contact": "Ada Lovelace",
        "contact_email": "ada@example.org",
        "sponsor": "University of Example",
        "team": (team_member(key),),
        "dea_accredited": "yes",
        "title": "Stays",
        "purpose": "health-research",
        "lay_summary": "How long people stay in hospital.",
        "public_benefit": "Hospitals can plan beds better.",
        "technical_summary": "Distributions of length of stay by age band and specialty.",
        "request_category": "Health services and delivery",
        "funders": ("NIHR",),
        "ethics_references": ("25/EX/0001",),
        "other_committees": ("None",),
        "starts": "2026-09-01",
        "ends": "2027-08-31",
        "request_frequency": "Recurring",
        "sublicence": "None",
        "terms": terms_sha256(),
        "datasets": ("omop-5.4",),
        "data_sensitivity": "De-personalised",
        "article_6": "6(1)(e) public task",
        "article_9": "9(2)(j) research",
        "common_law": "Only noised totals leave a trust; inside it, direct care staff run the node.",
        "opt_out_treatment": "synthetic-data",
        "opt_out_basis": "The patients are made up.",
        "linkage": "None",
        "confidential_data": "Dates and types of hospital stays.",
        "rho": "1",
        "delta_atto": 0,
        "disclosure_profile": "none",
        "min_trusts": 2,
        "output_review": "no",
        "privacy_processing": "Noise is added before anything leaves a trust.",
        "code_sharing": "Every released query is published.",
        "outputs": (),
    }
    return Application(**(fields | changed))


def signed(found: Application, lead: SigningKey, *members: SigningKey, begins: int) -> tuple[Permit, bytes, bytes]:
    """The permit of an application, its envelope signed by these members, and the application's own.

    The permit has the application's number: neither was renewed.
    """
    permit = permit_from(found, found.version, begins)
    return permit, permit.sign(*members).encode(), found.sign(lead).encode()


def today(days: int = 0) -> str:
    """A date near now."""
    return str(datetime.datetime.now(datetime.UTC).date() + datetime.timedelta(days))
