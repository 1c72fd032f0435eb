"""Which way each statistic takes, by form and bounds; and that the vector is the oracle's whichever it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

import pytest

from node_agent.engines import costs
from node_agent.engines.routes import Routes, routes
from tests.factories.catalogues import made_up
from tests.factories.rows import awkward_rows
from tests.lib.prepared import DATA_VERSION, RANK_KEY, Prepared, prepared
from trustquery.language import compile_query
from trustquery.model import Query
from trustquery.model.terms import Bound
from trustquery.planning import Plan, compile_plan
from trustquery.planning.checker import pinned_tables
from trustquery.reference import evaluate

ROWS = awkward_rows(5)
FIRST_R = '("_r") <= (2)'
OWN = "FROM event e JOIN person p USING (pid)"
ALIKE = [
    f"SELECT p.sex, count(*) AS n {OWN} GROUP BY p.sex",
    f"SELECT count(*) AS n, sum(p.born) AS s {OWN} WHERE p.alive",
    f"SELECT p.sex, count(*) FILTER (WHERE p.born IS NULL) AS n {OWN} GROUP BY p.sex",
    "SELECT count(*) AS n FROM person p LEFT JOIN event e USING (pid)",
]
NOT_ALIKE = [
    f"SELECT p.sex, count(*) AS n {OWN} WHERE e.flag GROUP BY p.sex",
    f"SELECT p.sex, sum(e.size) AS n {OWN} GROUP BY p.sex",
    f"SELECT p.sex, count(*) FILTER (WHERE e.flag) AS n {OWN} GROUP BY p.sex",
    f"SELECT e.kind, count(*) AS n {OWN} GROUP BY e.kind",
    "SELECT count(*) AS n FROM event e JOIN person p ON e.pid = p.pid AND e.size > p.score",
]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prepared]:
    with prepared(tmp_path_factory.mktemp("store"), made_up(), ROWS) as found:
        yield found


def asked(sql: str, bound: Bound) -> tuple[Query, Plan, Routes]:
    query = compile_query(sql, made_up(), epsilon=Decimal(1))
    query = query.on(tuple(replace(terms, bound=bound) for terms in query.terms))
    plan = compile_plan(query, made_up())
    return query, plan, routes(query, plan, pinned_tables(query, made_up()))


def check(store: Prepared, query: Query, plan: Plan) -> None:
    wanted = evaluate(query, made_up(), ROWS, rank_key=RANK_KEY, data_version=DATA_VERSION)
    assert store.vector(query, plan, way="by-row") == wanted
    assert any(wanted)


@pytest.mark.parametrize("sql", ALIKE)
def test_rows_that_are_alike_are_taken_by_the_stored_rank(sql: str, store: Prepared) -> None:
    query, plan, ways = asked(sql, Bound("rows", 1, 2))
    assert not ways.bounded
    assert all(FIRST_R in statement for statement in ways.plain)
    check(store, query, plan)


@pytest.mark.parametrize("sql", NOT_ALIKE)
def test_rows_that_differ_are_not(sql: str, store: Prepared) -> None:
    query, plan, ways = asked(sql, Bound("rows", 1, 2))
    assert ways.bounded
    assert not any(FIRST_R in statement for statement in ways.plain)
    check(store, query, plan)


@pytest.mark.parametrize(
    ("sql", "bound", "few"),
    [
        # A total of at most so many rows cannot be too large, whatever they are.
        (NOT_ALIKE[0], Bound("total", 1, 0, 3), 3),
        (NOT_ALIKE[0], Bound("l1", 0, 0, 3 * 1024 + 5), 3),
        (NOT_ALIKE[1], Bound("total", 1, 0, 19), 3),
        (NOT_ALIKE[1], Bound("l1", 0, 0, 4 * 5 * 1024), 4),
        # Two rows may be in two groups.
        (NOT_ALIKE[3], Bound("total", 2, 0, 4), 2),
        (NOT_ALIKE[3], Bound("l1", 0, 0, 4 * 1024), 4),
        (NOT_ALIKE[3], Bound("rows", 2, 4), 2),
        # So few that a way of their own is not worth it.
        (NOT_ALIKE[1], Bound("total", 1, 0, 9), 0),
    ],
)
def test_people_with_few_rows_take_the_plain_way(sql: str, bound: Bound, few: int, store: Prepared) -> None:
    query, plan, ways = asked(sql, bound)
    assert [item.few for item in ways.bounded.values()] == [few]
    assert len(ways.plain) == (1 if few else 0)
    check(store, query, plan)


def test_nobody_is_cut_where_a_bound_is_as_wide_as_the_cap_on_rows(store: Prepared) -> None:
    for bound in (Bound("total", 1, 0, 5 * 5), Bound("l1", 0, 0, 5 * 5 * 1024)):
        query, plan, ways = asked(NOT_ALIKE[1], bound)
        assert not ways.bounded
        check(store, query, plan)


def test_what_holds_something_of_each_person_is_computed_on_some_people_after_others(store: Prepared) -> None:
    sql = "SELECT count(*) AS n FROM (SELECT pid, count(*) AS rows FROM event GROUP BY pid) r WHERE rows > 1"
    query, plan, ways = asked(sql, Bound("rows", 1, 1))
    assert ways.apart
    # So is a join of two tables about people, in larger parts; one table alone is not.
    joined = asked(NOT_ALIKE[0], Bound("rows", 1, 1))[2]
    assert joined.apart
    assert joined.part_rows > ways.part_rows
    assert not asked("SELECT kind, count(*) AS n FROM event GROUP BY kind", Bound("rows", 1, 1))[2].apart
    check(store, query, plan)


def test_the_cheaper_way_by_forecast_is_taken() -> None:
    sql = "SELECT kind, count(*) AS n FROM event GROUP BY kind"
    query, plan, ways = asked(sql, Bound("rows", 2, 2))
    tables = pinned_tables(query, made_up())
    assert ways.forecasts is not None
    assert (ways.mapped is not None) == (ways.forecasts[0] <= ways.forecasts[1])
    assert routes(query, plan, tables, "by-value").mapped is not None
    assert routes(query, plan, tables, "by-row").mapped is None


@pytest.mark.parametrize(("few", "share"), [(0, 1.0), (1, 0.96), (5, 0.65536), (50, 0.000157)])
def test_the_share_of_rows_that_heavy_attenders_have_is_that_of_a_geometric_law(few: int, share: float) -> None:
    # 5,000 rows of 1,000 people are declared: one further row with chance 0.8.
    tables = pinned_tables(asked(NOT_ALIKE[0], Bound("rows", 1, 2))[0], made_up())
    assert costs.share_above("event", few, tables) == pytest.approx(share, rel=0.01)
