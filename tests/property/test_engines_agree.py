"""Three evaluators of the model give the same integers: plain Python, the oracle; bounding in SQL; a compiled kernel.

The last two share what computes rows and cells, and nothing of how rows are chosen, cut and added up. Over one table
DuckDB's own reading of the text is one more opinion (test_same_as_sql.py): it shares the database with our engine, but
neither the model nor our SQL.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.factories.catalogues import made_up
from tests.factories.rows import awkward_rows
from tests.lib.prepared import DATA_VERSION, RANK_KEY, Prepared, prepared
from tests.property.budgets import examples
from tests.property.questions import Question
from tests.property.relations import any_questions
from tests.property.rows import Rows, datasets
from trustquery.codelists import shipped
from trustquery.model import multiplicity
from trustquery.model.relations import Join, relations
from trustquery.model.scope import Tables
from trustquery.reference import evaluate

STORES = 4


def expected(question: Question, rows: Rows) -> list[int]:
    return evaluate(question.query, made_up(), rows, rank_key=RANK_KEY, data_version=DATA_VERSION)


def check(store: Prepared, question: Question, rows: Rows) -> None:
    wanted = expected(question, rows)
    assert store.vector(question.query, question.plan) == wanted
    assert store.vector(question.query, question.plan, way="by-row") == wanted
    assert store.vector(question.query, question.plan, way="in-sql") == wanted


class Stores:
    """A few prepared sets of awkward rows, so that most examples cost a query and no refresh."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.rows = [awkward_rows(seed) for seed in range(STORES)]
        self.stores: list[Prepared] = []
        for place, rows in enumerate(self.rows):
            (folder / str(place)).mkdir()
            self.stores.append(stack.enter_context(prepared(folder / str(place), made_up(), rows)))


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stores]:
    """All of them, open."""
    with ExitStack() as stack:
        yield Stores(tmp_path_factory.mktemp("stores"), stack)


@pytest.mark.acceptance("INP-07")
@examples(ci=7, full=1_000)
@given(rows=datasets(), asked=st.lists(any_questions(), min_size=4, max_size=4))
def test_on_any_rows(rows: Rows, asked: list[Question], tmp_path_factory: pytest.TempPathFactory) -> None:
    folder: Path = tmp_path_factory.getbasetemp()
    with prepared(folder, made_up(), rows) as store:
        for question in asked:
            check(store, question, rows)


@pytest.mark.acceptance("INP-07")
@examples(ci=45, full=6_000)
@given(question=any_questions(), place=st.integers(0, STORES - 1))
def test_on_awkward_rows(question: Question, place: int, stores: Stores) -> None:
    check(stores.stores[place], question, stores.rows[place])


@pytest.mark.acceptance("INP-07")
@examples(ci=5, full=100)
@given(question=any_questions(), place=st.integers(0, STORES - 1))
def test_through_the_child_process(question: Question, place: int, stores: Stores) -> None:
    store, rows = stores.stores[place], stores.rows[place]
    assert store.through_child(question.query, question.plan) == expected(question, rows)


@examples(ci=22, full=1_500)
@given(question=any_questions(), place=st.integers(0, STORES - 1), most=st.sampled_from([1, 4, 9, 30]))
def test_where_a_join_keeps_few_rows_of_a_person(question: Question, place: int, most: int, stores: Stores) -> None:
    """The cap on one person's joined rows is so high that no other test meets it."""
    store, rows = stores.stores[place], stores.rows[place]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(multiplicity, "MAX_JOINED", most)
        patch.setattr(multiplicity, "MAX_TIED", 2)
        if any(
            isinstance(node, Join) and multiplicity.public_factor(node, Tables(made_up(), shipped())) > most
            for node in relations(question.query.relation)
        ):
            return
        check(store, question, rows)
