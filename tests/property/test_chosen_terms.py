"""Whatever profiles say, true or not, the terms that a client chooses keep the privacy claim and the budget."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.factories.catalogues import made_up
from tests.property.budgets import examples
from tests.property.laws import sensitivity_holds
from tests.property.questions import Question
from tests.property.relations import any_questions
from tests.property.rows import Rows, crowded, datasets
from trustquery.forecast.choose import choose_terms
from trustquery.forecast.distribution import Distribution
from trustquery.forecast.profiles import Profiles
from trustquery.forecast.questions import profile_questions
from trustquery.planning import compile_plan


@st.composite
def profiles(draw: st.DrawFn) -> Profiles:
    """Any answers to some of the questions, absurd ones too."""
    found = {}
    for question in profile_questions(made_up()):
        if draw(st.booleans()):
            points = sorted(
                set(draw(st.lists(st.sampled_from([-50.0, 0.0, 1.0, 2.0, 3.5, 8.0, 1e3, 1e9]), min_size=1)))
            )
            people = draw(st.lists(st.floats(0, 1e9), min_size=len(points), max_size=len(points)))
            found[question] = Distribution(tuple(points), tuple(people))
    return Profiles(found)


@examples(ci=40, full=1_000)
@given(question=any_questions(), known=profiles(), trusts=st.integers(1, 200), rows=crowded() | datasets())
def test_chosen_terms_keep_the_claim(question: Question, known: Profiles, trusts: int, rows: Rows) -> None:
    found = choose_terms(question.query, made_up(), known, trusts=trusts)
    assert found.query.on(question.query.terms) == question.query
    plan = compile_plan(found.query, made_up())
    assert plan.rho_nano <= question.query.rho_nano
    sensitivity_holds(Question(question.sql, found.query, plan), rows)
