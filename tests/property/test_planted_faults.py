"""The laws have teeth: each classic mistake, planted in evaluator, engine or planner, breaks one of them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import Phase, find, settings
from hypothesis import strategies as st

from node_agent.sources import prepare
from tests.factories.catalogues import made_up
from tests.factories.rows import awkward_rows
from tests.lib.prepared import prepared
from tests.property import laws
from tests.property.laws import evaluator, others_are_unchanged, sensitivity_holds
from tests.property.questions import Question, questions
from tests.property.rows import Rows, crowded
from trustquery.errors import TrustQueryError
from trustquery.language import compile_query
from trustquery.planning import compiler
from trustquery.reference import rank, relations

Law = Callable[[Question, Rows], None]
QUICK = settings(phases=[Phase.generate], max_examples=400, database=None, derandomize=True)


def breaks(law: Law) -> bool:
    """Whether some example breaks the law."""

    def broken(case: tuple[Question, Rows]) -> bool:
        try:
            law(*case)
        except AssertionError:
            return True
        return False

    find(st.tuples(questions(), crowded()), broken, settings=QUICK)  # raises NoSuchExample when none does
    return True


def test_bounding_before_the_join(monkeypatch: pytest.MonkeyPatch) -> None:
    """R rows of each table instead of R joined rows: a join multiplies them."""
    ranked, limit = relations.ranked_rows, 1

    def few(*args: Any, **options: Any) -> list[Any]:
        kept, seen = [], dict[str, int]()
        for row in ranked(*args, **options):
            person = row[rank.PERSON]
            seen[person] = seen.get(person, 0) + 1
            if seen[person] <= limit:
                kept.append(row)
        return kept

    def all_of_them(query: Any, place: int, records: Sequence[Any]) -> list[Any]:
        aggregate = query.aggregates[place]
        values = [
            (record, evaluator._cell(query.keys, record), evaluator._integer(aggregate, record)) for record in records
        ]
        return [found for found in values if found[2] is not None]

    def law(question: Question, rows: Rows) -> None:
        nonlocal limit
        limit = question.query.terms[0].bound.rows
        sensitivity_holds(question, rows)

    monkeypatch.setattr(relations, "ranked_rows", few)
    monkeypatch.setattr(evaluator, "bounded_rows", all_of_them)
    assert breaks(law)


def test_choosing_rows_by_their_position_in_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rank that hashes the row's number: it moves when anybody before it goes."""
    numbers = itertools.count()
    own = rank.u_of

    def by_position(key: bytes, version: int, table: str, person: str, h: int) -> int:
        return own(key, version, table, "", next(numbers))

    def law(question: Question, rows: Rows) -> None:
        nonlocal numbers
        original = laws.evaluator.joined_rows

        def restarted(*args: Any, **options: Any) -> Any:
            nonlocal numbers
            numbers = itertools.count()
            return original(*args, **options)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(evaluator, "joined_rows", restarted)
            others_are_unchanged(question, rows)

    monkeypatch.setattr(rank, "u_of", by_position)
    assert breaks(law)


@pytest.mark.parametrize("sql", ["SELECT count(*) FROM event", "SELECT median(size) AS m FROM event"])
def test_the_square_root_of_r_in_the_sensitivity(sql: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """G·R·A² instead of G·(R·A)², of a count and of a histogram. The planner notices; with its check off, the law."""

    def too_small(groups: int, rows: int, largest: int) -> int:
        return groups * rows * largest**2

    query = compile_query(sql, made_up(), epsilon=Decimal(1), max_rows_per_group=3)
    monkeypatch.setattr(compiler, "l2_squared", too_small)
    with pytest.raises(TrustQueryError) as caught:
        compiler.compile_plan(query, made_up())
    assert caught.value.problem.fields == {"incident": "plan-claim"}
    monkeypatch.setattr(compiler, "_recheck", lambda plan, query: None)
    assert breaks(sensitivity_holds)


def test_believing_that_a_table_has_one_row_a_person(monkeypatch: pytest.MonkeyPatch) -> None:
    """No cut and no bounding where the catalogue promises one row: the data do not keep the promise."""
    ranked, bounded = relations.ranked_rows, evaluator.bounded_rows

    def believed(rows: Any, table: Any, **options: Any) -> list[Any]:
        return list(ranked(rows, table.model_copy(update={"one_row_per_person": False, "row_cap": 1000}), **options))

    def skipped(query: Any, place: int, records: Sequence[Any]) -> list[Any]:
        aggregate = query.aggregates[place]
        tables = [made_up().table(name) for name in query.tables()]
        if not all(table is not None and table.one_row_per_person for table in tables):
            return list(bounded(query, place, records))
        values = [
            (record, evaluator._cell(query.keys, record), evaluator._integer(aggregate, record)) for record in records
        ]
        return [found for found in values if found[2] is not None]

    monkeypatch.setattr(relations, "ranked_rows", believed)
    monkeypatch.setattr(evaluator, "bounded_rows", skipped)
    assert breaks(sensitivity_holds)


def test_an_engine_that_numbers_rows_as_they_lie(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """Without a total order, h is a matter of the rows' places in the file: the ranks change when rows are shuffled."""
    own = prepare._position
    monkeypatch.setattr(prepare, "_position", lambda partition, order, name: own(partition, order[-1:], name))
    rows = awkward_rows(1)
    found = []
    for some in (rows, {table: held[::-1] for table, held in rows.items()}):
        with prepared(tmp_path, made_up(), some) as store:
            found.append({table: store.ranks(table) for table in rows})
    assert found[0] != found[1]
