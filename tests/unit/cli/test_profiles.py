"""What ``tq profile`` says of a distribution, what it completes, and when it stops asking."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from trustquery.catalogue import load
from trustquery.cli import profiles
from trustquery.client.profiles import ReleasedProfile
from trustquery.errors import Problem, TrustQueryError
from trustquery.forecast.distribution import Distribution
from trustquery.forecast.questions import ProfileQuestion

CATALOGUE = load("omop-5.4")
VISITS = CATALOGUE.table("visit_occurrence")


def told(question: ProfileQuestion, points: tuple[float, ...], people: tuple[float, ...]) -> dict[str, Any]:
    item = ReleasedProfile(question, "ab" * 32, 7, ("RX1", "RX2"), (1, 1), (), Distribution(points, people))
    return profiles._told(item, CATALOGUE)


def test_rows_beyond_the_catalogues_bound_are_a_share_of_people_and_of_rows() -> None:
    assert VISITS is not None
    bound = VISITS.max_rows_per_group
    found = told(ProfileQuestion("visit_occurrence", "rows"), (1.0, bound * 3.0), (90.0, 10.0))
    assert (found["people"], found["median"], found["p99"], found["bound"]) == (100.0, 1.0, bound * 3.0, float(bound))
    assert found["people_beyond"] == pytest.approx(0.1)
    assert found["amount_beyond"] == pytest.approx(20 * bound / (90 + 30 * bound), abs=1e-4)
    readable = profiles._readable(found)
    assert list(readable) == list(profiles.COLUMNS)
    assert (readable["people"], readable["people_beyond"]) == ("100", "10.0%")


def test_a_profile_of_nobody_and_one_without_a_bound_have_no_shares() -> None:
    nobody = told(ProfileQuestion("visit_occurrence", "rows"), (), ())
    assert (nobody["people"], nobody["people_beyond"], nobody["amount_beyond"]) == (0, None, None)
    born = told(ProfileQuestion("person", "value", "year_of_birth"), (1950.0,), (5.0,))
    assert (born["bound"], born["people_beyond"]) == (None, None)
    assert profiles._readable(born)["bound"] == ""


def test_names_are_completed_from_the_catalogues_that_ship() -> None:
    assert profiles._complete_dataset("omop") == ["omop-5.4"]
    context = cast(Any, SimpleNamespace(params={"dataset": "omop-5.4", "table": "visit_occurrence"}))
    assert profiles._complete_table(context, "visit_o") == ["visit_occurrence"]
    assert "visit_start_date" in profiles._complete_column(context, "visit_start")
    strange = cast(Any, SimpleNamespace(params={"dataset": "of somebody's own"}))
    assert profiles._complete_table(strange, "") == profiles._complete_column(strange, "") == []


class Asked:
    """A query that too few trusts would answer, for a reason, or that all do."""

    def __init__(self, problem: Problem | None = None) -> None:
        self.problem = problem
        self.ran = 0

    def preview(self) -> tuple[()]:
        return ()

    def require_enough(self, found: tuple[()]) -> None:
        if self.problem is not None:
            raise TrustQueryError.of([self.problem])

    def run(self, **_: object) -> SimpleNamespace:
        self.ran += 1
        return SimpleNamespace(answered=3, trusts=(1, 2, 3, 4))


def ask(*queries: Asked) -> TrustQueryError | None:
    question = ProfileQuestion("visit_occurrence", "rows")
    try:
        profiles._ask([(question, cast(Any, query)) for query in queries], 5)
    except TrustQueryError as error:
        return error
    return None


def test_a_table_that_too_few_hold_is_passed_over_and_said_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    absent = Asked(Problem("data-table-unavailable", fields={"table": "specimen", "dataset": "omop-5.4"}))
    last = Asked()
    error = ask(absent, last)
    assert error is not None
    assert error.code == "data-table-unavailable"
    assert (absent.ran, last.ran) == (0, 1)
    said = capsys.readouterr().err
    assert "[1 of 2]" in said
    assert "passed over, nothing spent" in said
    assert "[2 of 2] rows of visit_occurrence a person: 3 of 4 trusts answered" in said


def test_an_exhausted_budget_ends_the_asking(capsys: pytest.CaptureFixture[str]) -> None:
    last = Asked()
    error = ask(Asked(Problem("budget-exhausted", fields={"scope": "profiles"})), last)
    assert error is not None
    assert error.code == "budget-exhausted"
    assert last.ran == 0


def test_all_answered_is_no_error() -> None:
    assert ask(Asked(), Asked()) is None
