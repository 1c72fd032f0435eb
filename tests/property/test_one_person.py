"""One person's rows change nobody else's, and the vector by no more than the plan says.

The rows hold the values of tests/factories/rows.py: 2^63 and its neighbours, NaN, infinities, -0.0, 1e308, copies.
"""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.factories.catalogues import made_up
from tests.lib.prepared import prepared
from tests.property.budgets import examples
from tests.property.laws import exact, others_are_unchanged, ranks_are_unchanged, sensitivity_holds, within
from tests.property.questions import Question
from tests.property.relations import any_questions
from tests.property.rows import Rows, crowded, datasets, people, person_of, without


@examples(ci=40, full=1_500)
@given(rows=datasets() | crowded())
def test_taking_a_person_away_changes_no_other_rank(rows: Rows) -> None:
    ranks_are_unchanged(rows)


@examples(ci=40, full=1_500)
@given(rows=datasets() | crowded(), question=any_questions())
def test_taking_a_person_away_changes_no_other_bounded_row(rows: Rows, question: Question) -> None:
    others_are_unchanged(question, rows)


@pytest.mark.acceptance("PRV-07")
@examples(ci=70, full=3_000)
@given(rows=crowded() | datasets(), question=any_questions())
def test_the_vector_changes_by_no_more_than_the_plan_says(rows: Rows, question: Question) -> None:
    sensitivity_holds(question, rows)


@pytest.mark.acceptance("PRV-07")
@examples(ci=30, full=500)
@given(rows=datasets() | crowded(), question=any_questions(), seed=st.integers(0, 2**32))
def test_the_order_of_rows_means_nothing(rows: Rows, question: Question, seed: int) -> None:
    source = random.Random(seed)
    shuffled = {table: source.sample(held, len(held)) for table, held in rows.items()}
    assert exact(question, shuffled) == exact(question, rows)


@pytest.mark.acceptance("PRV-07")
@examples(ci=5, full=250)
@given(rows=crowded() | datasets(), asked=st.lists(any_questions(), min_size=3, max_size=3), seed=st.integers(0, 2**32))
def test_the_same_holds_in_the_engine(
    rows: Rows, asked: list[Question], seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.getbasetemp()
    source = random.Random(seed)
    gone = source.choice(people(rows) or ["nobody"])
    alone = {table: [row for row in held if person_of(table, row) == gone] for table, held in rows.items()}
    shuffled = {table: source.sample(held, len(held)) for table, held in without(rows, gone).items()}
    parts = []
    for some in (rows, shuffled, alone):
        with prepared(folder, made_up(), some) as store:
            vectors = [store.vector(question.query, question.plan) for question in asked]
            parts.append((vectors, {table: store.ranks(table) for table in rows}))
    (whole, ranks), (rest, ranks_of_rest), (own, own_ranks) = parts
    for question, before, after, change in zip(asked, whole, rest, own, strict=True):
        within(question.plan, before, after)
        # What a person adds is what that person alone would give: nobody else's rows were chosen differently.
        assert [one - other for one, other in zip(before, after, strict=True)] == change
    for table in rows:
        assert sorted([*ranks_of_rest[table], *own_ranks[table]], key=repr) == ranks[table]
