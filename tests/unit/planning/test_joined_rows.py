"""How many rows of one person a join keeps: known before data are read, said before anything is spent."""

from __future__ import annotations

from decimal import Decimal

import pytest

from trustquery.catalogue import load
from trustquery.codelists import shipped
from trustquery.errors import TrustQueryError
from trustquery.forecast.error import forecast
from trustquery.forecast.explain import cost_of, explain
from trustquery.language import compile_query
from trustquery.model.multiplicity import MAX_JOINED, join_caps, most_rows
from trustquery.model.query import Query
from trustquery.model.relations import Join
from trustquery.model.scope import Tables
from trustquery.planning import compile_plan

CATALOGUE = load("nhs-episodes")
TABLES = Tables(CATALOGUE, shipped())


def asked(sources: str) -> Query:
    return compile_query(f"SELECT count(*) AS n FROM {sources}", CATALOGUE, epsilon=Decimal(1))


def caps(sources: str) -> dict[str, object]:
    relation = asked(sources).relation
    assert isinstance(relation, Join)
    return {
        alias: cap.rows if cap.by is None else (cap.rows, cap.by) for alias, cap in join_caps(relation, TABLES).items()
    }


CAPS: dict[str, dict[str, object]] = {
    # The diagnoses of one spell are few; so the spells need not be.
    "admission a JOIN diagnosis d ON d.person_id = a.person_id AND d.spell_id = a.spell_id "
    "JOIN procedure o ON o.person_id = a.person_id AND o.spell_id = a.spell_id": {
        "a": 1040,
        "d": (31, "spell_id"),
        "o": (31, "spell_id"),
    },
    "person p JOIN admission a USING (person_id)": {"p": 1, "a": 5000},
    "admission a JOIN diagnosis d USING (person_id)": {"a": 1000, "d": 1000},
    "admission a JOIN diagnosis d USING (person_id) JOIN procedure o USING (person_id)": {"a": 100, "d": 100, "o": 100},
    "admission a JOIN (SELECT person_id, count(*) AS n FROM diagnosis GROUP BY person_id) d USING (person_id)": {
        "a": 5000,
        "d": 1,
    },
    # One row meets 252 months; and one code of a list without repeats.
    "admission a JOIN calendar_month m ON a.admission_date < m.next_month": {"a": 3968},
    "admission a JOIN calendar_day d ON a.admission_date <= d.day": {"a": 130},
    "admission a JOIN icd10_category c ON c.code = a.primary_diagnosis": {"a": 5000},
    "icd10_category c JOIN admission a ON c.code = a.primary_diagnosis": {"a": 5000},
}


@pytest.mark.parametrize("sources", CAPS)
def test_the_share_of_each_table(sources: str) -> None:
    assert caps(sources) == CAPS[sources]
    assert most_rows(asked(sources).relation, TABLES) <= MAX_JOINED


def told(query: Query) -> tuple[str, ...]:
    plan = compile_plan(query, CATALOGUE)
    return explain(query, plan, CATALOGUE, forecast(query, plan, CATALOGUE, trusts=4)).words


def test_what_is_left_out_is_said_before_anything_is_spent() -> None:
    query = asked("admission a JOIN diagnosis d USING (person_id)")
    words = told(query)
    assert "Joins at most 1000 rows of one person from a, chosen by rank." in words
    small = asked("person p JOIN admission a USING (person_id)")
    assert not any("at most" in line for line in told(small))


def test_the_cost_can_be_told_without_public_rows() -> None:
    query = asked("admission a JOIN calendar_day d ON a.admission_date <= d.day")
    plan = compile_plan(query, CATALOGUE)
    assert any("at most 130 rows" in line for line in told(query))
    assert cost_of(plan, CATALOGUE).rho_nano == plan.rho_nano


def test_public_tables_that_multiply_without_end_are_refused() -> None:
    with pytest.raises(TrustQueryError) as refused:
        asked("person p JOIN calendar_day a ON true JOIN calendar_day b ON a.day < b.day")
    assert refused.value.problem.code == "query-form-unsupported"
    assert "public rows" in str(refused.value.problem.fields["form"])
