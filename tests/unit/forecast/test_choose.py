"""The terms that a client chooses: within the budget, the same each time, and better than the catalogue's."""

from __future__ import annotations

import math
from decimal import Decimal

import pytest

from trustquery.catalogue import load
from trustquery.errors import TrustQueryError
from trustquery.forecast.accuracy import error_of, read_accuracy, solve, with_budget
from trustquery.forecast.choose import Choice, choose_terms, with_total
from trustquery.forecast.distribution import Distribution
from trustquery.forecast.error import forecast
from trustquery.forecast.profiles import NO_PROFILES, Profiles
from trustquery.forecast.questions import ProfileQuestion
from trustquery.language import compile_query
from trustquery.model import Query
from trustquery.model.terms import Bound
from trustquery.planning import compile_plan
from trustquery.privacy.budget import delta_for, rho_nano_of

CATALOGUE = load("nhs-episodes")
MONTHS = (
    "SELECT date_trunc('month', admission_date) AS month, {} AS n FROM admission "
    "WHERE admission_date BETWEEN DATE '2020-01-01' AND DATE '2024-12-31' GROUP BY 1"
)


def skewed(scale: float, people: float = 200_000) -> Distribution:
    """Most people at ``scale``, few at a hundred times as much."""
    points = [scale * factor for factor in (1, 2, 4, 8, 16, 32, 64, 128)]
    return Distribution(tuple(points), tuple(people * 0.6 * 0.4**place for place in range(len(points))))


PROFILES = Profiles(
    {
        ProfileQuestion("admission", "rows"): skewed(2),
        ProfileQuestion("admission", "distinct", "admission_date"): skewed(1.8),
        ProfileQuestion("admission", "total", "length_of_stay"): skewed(6),
        ProfileQuestion("admission", "value", "length_of_stay"): skewed(1.5),
    }
)


def asked(sql: str, epsilon: str = "1") -> Query:
    return compile_query(sql, CATALOGUE, epsilon=Decimal(epsilon))


def chosen(sql: str, epsilon: str = "1", profiles: Profiles = PROFILES, **options: object) -> Choice:
    return choose_terms(asked(sql, epsilon), CATALOGUE, profiles, trusts=4, **options)  # type: ignore[arg-type]


QUESTIONS = [
    "SELECT count(*) AS n FROM admission",
    MONTHS.format("count(*)"),
    MONTHS.format("sum(length_of_stay)"),
    MONTHS.format("count(DISTINCT person_id)"),
    "SELECT p.sex, avg(a.length_of_stay) AS mean FROM admission a JOIN person p USING (person_id) GROUP BY 1",
    "SELECT admission_method, median(length_of_stay) AS m, stddev(length_of_stay) AS s FROM admission GROUP BY 1",
    "SELECT count(*) FILTER (WHERE admission_method = '21') / count(*) AS share FROM admission",
    "SELECT histogram(length_of_stay, [1, 2, 7, 28]) AS stays FROM admission",
]


@pytest.mark.parametrize("sql", QUESTIONS)
@pytest.mark.parametrize("epsilon", ["0.05", "1", "5"])
def test_terms_are_deterministic_within_the_budget_and_leave_the_question_as_it_is(sql: str, epsilon: str) -> None:
    one, other = chosen(sql, epsilon), chosen(sql, epsilon)
    assert one == other
    assert one.chosen
    before = asked(sql, epsilon)
    assert one.query.on(before.terms) == before
    assert sum(terms.rho_nano for terms in one.query.terms) <= before.rho_nano
    plan = compile_plan(one.query, CATALOGUE)
    assert 0.97 * before.rho_nano <= plan.rho_nano <= before.rho_nano


@pytest.mark.parametrize("sql", QUESTIONS)
def test_the_expected_error_is_no_larger_than_with_the_bounds_of_the_catalogue(sql: str) -> None:
    before = asked(sql)
    plain = forecast(before, compile_plan(before, CATALOGUE), CATALOGUE, PROFILES, trusts=4)
    found = chosen(sql)
    worst = [sum(item.error**2 for item in told.outputs) for told in (plain, found.forecast)]
    assert worst[1] <= worst[0] * 1.05


def test_a_heavy_tailed_sum_is_bounded_on_the_persons_total() -> None:
    [terms] = chosen(MONTHS.format("sum(length_of_stay)")).query.terms
    assert terms.bound.form in ("l1", "total")


def test_more_budget_cuts_less_off() -> None:
    cut = [chosen(MONTHS.format("count(*)"), epsilon).forecast.outputs[0].cut_off for epsilon in ("0.05", "1", "10")]
    assert cut[0] is not None
    assert cut[1] is not None
    assert cut[2] is not None
    assert cut[0] > cut[1] > cut[2]


def test_a_mean_gives_its_sum_most_of_the_budget() -> None:
    """Without profiles too: by declared sizes, a stay of up to 1,000 days needs more than a count."""
    query = choose_terms(asked("SELECT avg(length_of_stay) AS mean FROM admission"), CATALOGUE, trusts=4).query
    total, count = query.terms
    assert total.bound == count.bound
    assert total.rho_nano > 3 * count.rho_nano


def test_no_statistic_is_starved() -> None:
    for sql in QUESTIONS:
        query = chosen(sql).query
        assert all(terms.rho_nano >= 0.005 * query.rho_nano for terms in query.terms)


def test_bounds_of_the_users_own_are_kept_and_their_price_is_told() -> None:
    query = compile_query(QUESTIONS[0], CATALOGUE, epsilon=Decimal(1), max_rows_per_group=1)
    found = choose_terms(query, CATALOGUE, PROFILES, trusts=4, keep_bounds=True)
    assert [terms.bound for terms in found.query.terms] == [terms.bound for terms in query.terms]
    assert not found.chosen
    assert (found.forecast.outputs[0].cut_off or 0) > 0.3


def test_a_total_of_the_users_own() -> None:
    query = with_total(asked("SELECT avg(length_of_stay) AS mean FROM admission"), 300)
    assert query.terms[0].bound == Bound("l1", 0, 0, 300 * 1024)
    with pytest.raises(TrustQueryError) as refused:
        with_total(asked(QUESTIONS[0]), 300)
    assert refused.value.code == "usage-invalid"
    for total in (0.0, -1.0, math.nan, math.inf, 1e300):
        with pytest.raises(TrustQueryError) as refused:
            with_total(asked("SELECT sum(length_of_stay) AS days FROM admission"), total)
        assert refused.value.code == "query-contribution-bound"


def test_without_profiles_bounds_stay_and_the_cut_off_is_not_made_up() -> None:
    query = asked(MONTHS.format("count(*)"))
    found = choose_terms(query, CATALOGUE, NO_PROFILES, trusts=4)
    assert [terms.bound for terms in found.query.terms] == [terms.bound for terms in query.terms]
    assert found.forecast.outputs[0].cut_off is None
    assert not found.forecast.profiled


def test_a_table_with_one_row_a_person_loses_nothing() -> None:
    found = choose_terms(asked("SELECT sex, count(*) AS n FROM person GROUP BY 1"), CATALOGUE, NO_PROFILES, trusts=4)
    assert found.query.terms[0].bound == Bound("rows", 1, 1)
    assert found.forecast.outputs[0].cut_off == 0


def test_quantiles_of_many_bins_are_released_as_trees_and_shown_bins_are_not() -> None:
    found = chosen("SELECT median(length_of_stay) AS m FROM admission")
    assert found.query.terms[0].branching > 1
    shown = chosen("SELECT histogram(length_of_stay, [1, 2, 7, 28]) AS stays FROM admission")
    assert shown.query.terms[0].branching == 0


# -- accuracy ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "share"), [("±2%", 0.02), ("2%", 0.02), ("+/-0.5 %", 0.005), (" ± 100% ", 1.0)])
def test_an_accuracy_as_people_write_it(text: str, share: float) -> None:
    assert math.isclose(read_accuracy(text), share)


@pytest.mark.parametrize("text", ["", "2", "±%", "0%", "101%", "-2%", "1e2%", "two", "2%%", "nan%"])
def test_an_accuracy_that_is_none(text: str) -> None:
    with pytest.raises(TrustQueryError) as refused:
        read_accuracy(text)
    assert refused.value.code == "query-accuracy"


@pytest.mark.parametrize("wanted", [0.2, 0.05, 0.02])
@pytest.mark.parametrize("sql", [QUESTIONS[0], QUESTIONS[1], QUESTIONS[4]])
def test_an_accuracy_is_met_and_hardly_less_would_not_do(sql: str, wanted: float) -> None:
    delta = delta_for(CATALOGUE.unit.declared_people)

    def choose(query: Query) -> Choice:
        return choose_terms(query, CATALOGUE, PROFILES, trusts=4)

    epsilon, choice = solve(asked(sql), wanted, delta, choose)
    assert error_of(choice) <= wanted
    if epsilon > Decimal("0.002"):
        less = choose(with_budget(asked(sql), rho_nano_of(epsilon * Decimal("0.8"), delta)))
        assert error_of(less) > wanted * 0.98


def test_an_accuracy_out_of_reach_says_what_can_be_reached() -> None:
    by_lots = (
        "SELECT treatment_function, primary_diagnosis_chapter, avg(length_of_stay) AS m FROM admission GROUP BY 1, 2"
    )
    with pytest.raises(TrustQueryError) as refused:
        solve(asked(by_lots), 0.00001, Decimal("1e-8"), lambda query: choose_terms(query, CATALOGUE, trusts=1))
    assert refused.value.code == "query-accuracy-unreachable"
    assert "%" in str(refused.value.problem.fields["reached"])
