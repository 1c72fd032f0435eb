"""Permits are drawn from applications: nothing in one is anybody's free choice but the day on which it begins."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from tests.factories.projects import application, team_member
from tests.lib.refusals import code_of
from trustquery.identity import Permit
from trustquery.projects.application import start_of_day
from trustquery.projects.permits import check_drawn_from, permit_from

DAY = 86_400
FIRST = start_of_day("2026-09-01")
"""The first day of the factory's application; its last is 31 August 2027."""
CHANGED: dict[str, Any] = {
    "federation": "other",
    "project": "other",
    "application": "0c" * 32,
    "title": "Other",
    "lay_summary": "Other",
    "purpose": "clinical-audit",
    "lawful_basis": {"article_6": "6(1)(e)", "article_9": "9(2)(h)", "common_law": "Other"},
    "members": (),
    "datasets": ("nhs-episodes",),
    "rho_nano": 10**9 + 1,
    "delta_atto": 1,
    "opt_out_treatment": "applied",
    "disclosure_profile": "nhs-hes",
    "min_trusts": 1,
    "expires": FIRST + 89 * DAY,
}


def test_a_day_begins_at_midnight_utc() -> None:
    assert datetime.datetime(2026, 9, 1, tzinfo=datetime.UTC).timestamp() == FIRST


@pytest.mark.parametrize(
    ("begins", "expires"),
    [
        (FIRST, FIRST + 90 * DAY),
        (start_of_day("2027-06-02"), start_of_day("2027-08-31")),
        (start_of_day("2027-06-03"), start_of_day("2027-09-01")),
        (start_of_day("2027-06-04"), start_of_day("2027-09-01")),
        (start_of_day("2027-09-01") - 1, start_of_day("2027-09-01")),
    ],
)
def test_a_permit_ends_after_90_days_or_with_the_project(begins: int, expires: int) -> None:
    assert permit_from(application(), 1, begins).expires == expires


@pytest.mark.parametrize("begins", [FIRST - 1, start_of_day("2027-09-01")])
def test_a_permit_lies_within_the_project(begins: int) -> None:
    assert code_of(permit_from, application(), 1, begins) == "project-dates"


def test_every_member_comes_along() -> None:
    team = (team_member("aa" * 32), team_member("bb" * 32, person="eve", role="analyst", training_expires="2027-03-31"))
    ada, eve = permit_from(application(team=team), 3, FIRST).members
    assert (ada.person, ada.role, eve.key, eve.role) == ("ada", "lead", "bb" * 32, "analyst")
    assert eve.training_expires == start_of_day("2027-03-31")


@pytest.mark.parametrize("field", sorted(set(Permit.model_fields) - {"version", "valid_from"}))
def test_a_permit_that_differs_in_any_field_is_not_the_applications(field: str) -> None:
    found = application()
    made = permit_from(found, 1, FIRST)
    check_drawn_from(made, found)
    assert field in CHANGED, "a new field needs a changed value here"
    other = made.model_copy(update={field: CHANGED[field]})
    assert code_of(check_drawn_from, other, found) == "auth-document"


def test_rho_is_exact() -> None:
    for rho, nano in (("0.5", 5 * 10**8), ("0.000000001", 1), ("4", 4 * 10**9), ("0.1", 10**8)):
        assert permit_from(application(rho=rho), 1, FIRST).rho_nano == nano
