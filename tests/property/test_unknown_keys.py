"""Keys found in the data: one person touches at most G of them, each by at most R, and changes nobody else's."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.factories.catalogues import coded
from tests.lib.prepared import DATA_VERSION, RANK_KEY, prepared
from tests.property.budgets import examples
from tests.property.rows import Rows, crowded, datasets, people, person_of, without
from trustquery.language import compile_query
from trustquery.model import Query
from trustquery.planning import Plan, compile_plan
from trustquery.reference import evaluate_keys

SOURCES = ("event", "event e JOIN person p ON p.pid = e.pid", "event e LEFT JOIN dose d ON d.pid = e.pid")
WHERE = ("", " WHERE e.size > 0", " WHERE e.kind = 1 OR e.flag")


@st.composite
def unknown(draw: st.DrawFn) -> tuple[Query, Plan]:
    """A question with one key that is found in the data."""
    key = draw(st.sampled_from(["e.code", "e.total", "left(e.code, 1)", "left(e.code, 2)"]))
    count = draw(st.sampled_from(["count(*)", "count(e.amount)", "count(DISTINCT e.pid)"]))
    source = draw(st.sampled_from(SOURCES))
    source = "event e" if source == "event" else source
    sql = f"SELECT {key} AS k, {count} AS n FROM {source}{draw(st.sampled_from(WHERE))} GROUP BY k"
    query = compile_query(
        sql,
        coded(),
        epsilon=Decimal(1),
        max_groups_per_person=draw(st.integers(1, 3)),
        max_rows_per_group=draw(st.integers(1, 3)),
        unknown_keys=True,
    )
    return query, compile_plan(query, coded())


def exact(query: Query, rows: Rows) -> dict[str, int]:
    return evaluate_keys(query, coded(), rows, rank_key=RANK_KEY, data_version=DATA_VERSION)


@examples(ci=120, full=3_000)
@given(rows=crowded() | datasets(), asked=unknown())
def test_one_person_moves_few_keys_by_little(rows: Rows, asked: tuple[Query, Plan]) -> None:
    query, plan = asked
    [block] = plan.blocks
    before = exact(query, rows)
    for person in people(rows):
        after = exact(query, without(rows, person))
        alone = exact(query, _only(rows, person))
        moves = {label: before.get(label, 0) - after.get(label, 0) for label in {*before, *after}}
        changed = {label: move for label, move in moves.items() if move}
        assert len(changed) <= block.bound.groups
        assert all(0 < move <= block.bound.rows for move in changed.values())
        assert sum(move * move for move in changed.values()) <= block.l2_sensitivity_squared
        # What a person adds is what that person alone would give: nobody else's rows were chosen differently.
        assert changed == alone


def _only(rows: Rows, person: str) -> Rows:
    return {name: [row for row in held if person_of(name, row) == person] for name, held in rows.items()}


@pytest.mark.acceptance("PRV-07")
@examples(ci=12, full=500)
@given(rows=datasets() | crowded(), asked=st.lists(unknown(), min_size=4, max_size=4))
def test_the_engine_agrees(
    rows: Rows, asked: list[tuple[Query, Plan]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder: Path = tmp_path_factory.getbasetemp()
    with prepared(folder, coded(), rows) as store:
        for query, plan in asked:
            assert store.counts(query, plan) == exact(query, rows)
            assert store.counts(query, plan, way="by-row") == exact(query, rows)
            assert store.counts(query, plan, way="in-sql") == exact(query, rows)
