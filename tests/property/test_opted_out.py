"""Leaving people out at the scan is the same as never having had their rows, whatever is asked."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.factories.catalogues import made_up
from tests.lib.prepared import prepared
from tests.property.budgets import examples
from tests.property.questions import Question
from tests.property.relations import any_questions
from tests.property.rows import Rows, crowded, datasets, people, without


@examples(ci=6, full=500)
@given(
    rows=crowded() | datasets(),
    asked=st.lists(any_questions(), min_size=3, max_size=3),
    seed=st.integers(0, 2**32),
    way=st.sampled_from(["by-value", "by-row", "in-sql"]),
)
def test_an_excluded_person_is_in_no_part_of_any_answer(
    rows: Rows, asked: list[Question], seed: int, way: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder, source = tmp_path_factory.getbasetemp(), random.Random(seed)
    known = people(rows)
    gone = [person for person in known if source.random() < source.choice((0.2, 0.8, 1))]
    rest = rows
    for person in gone:
        rest = without(rest, person)
    with prepared(folder, made_up(), rows) as store:
        masked = store.without(*gone)
        excluded = [masked.vector(question.query, question.plan, way=way) for question in asked]  # type: ignore[arg-type]
        whole = [store.vector(question.query, question.plan, way=way) for question in asked]  # type: ignore[arg-type]
    with prepared(folder, made_up(), rest) as store:
        never = [store.vector(question.query, question.plan, way=way) for question in asked]  # type: ignore[arg-type]
    assert excluded == never
    assert gone or excluded == whole
