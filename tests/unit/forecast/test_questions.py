"""The questions of a profile: ordinary ones, the same everywhere, one value a person."""

from __future__ import annotations

import dataclasses
from decimal import Decimal

import pytest

from tests.factories.catalogues import made_up
from trustquery.catalogue import available, load
from trustquery.forecast.questions import ProfileQuestion, is_profile, profile_query, profile_questions
from trustquery.language import compile_query
from trustquery.model.terms import Bound, Terms
from trustquery.planning import compile_plan


@pytest.mark.parametrize("name", available())
def test_every_question_of_a_shipped_catalogue_is_accepted_and_moves_one_bin_by_one(name: str) -> None:
    catalogue = load(name)
    questions = profile_questions(catalogue)
    assert len(set(questions)) == len(questions) > 20
    for question in questions:
        sql, query = profile_query(question, catalogue)
        [block] = compile_plan(query, catalogue).blocks
        assert block.l2_sensitivity_squared == 1
        assert query.terms[0].bound == Bound("rows", 1, 1)
        # The coordinator compiles the text and puts the signed terms in: it must reach the same model.
        again = compile_query(sql, catalogue, epsilon=Decimal(1))
        assert again.on(query.terms) == query
        assert is_profile(query, catalogue) == question


def test_a_question_that_differs_in_anything_is_no_profile() -> None:
    catalogue = made_up()
    question = ProfileQuestion("event", "rows")
    sql, query = profile_query(question, catalogue)
    assert "FROM (SELECT pid, count(*) AS n FROM event GROUP BY pid)" in sql
    assert is_profile(query, catalogue) == question
    [terms] = query.terms
    for other in (
        query.on((Terms(terms.bound, terms.rho_nano + 1),)),
        query.on((Terms(Bound("rows", 1, 2), terms.rho_nano),)),
        dataclasses.replace(query, as_of="2000-01-02"),
        dataclasses.replace(query, outputs=(dataclasses.replace(query.outputs[0], name="b"), *query.outputs[1:])),
    ):
        assert is_profile(other, catalogue) is None


def test_tables_with_one_row_a_person_are_asked_for_values_only() -> None:
    found = profile_questions(made_up(), "person")
    assert {question.about for question in found} == {"value"}
    assert {question.column for question in found} == {"born", "score"}


def test_identifiers_and_free_text_are_never_asked_about() -> None:
    for name in available():
        catalogue = load(name)
        for question in profile_questions(catalogue):
            table = catalogue.table(question.table)
            assert table is not None
            if question.column:
                column = table.column(question.column)
                assert column is not None
                assert column.role in ("dimension", "measure")
