"""The trust as a key: each trust's rows fall in its own cells, and no other trust's figures are seen there."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from node_agent.engines.base import Engine
from tests.factories.catalogues import MADE_UP, made_up
from tests.factories.trust import People
from tests.lib.gate_world import World
from tests.lib.prepared import DATA_VERSION, RANK_KEY, prepared
from tests.lib.refusals import codes_of
from tests.lib.text_tables import read_rows
from trustquery.catalogue import parse
from trustquery.language import compile_query
from trustquery.model import Query
from trustquery.model.terms import Bound
from trustquery.model.trusts import at_trust, trusts_of
from trustquery.outputs import KeyCell, own_cells, read
from trustquery.planning import Plan, compile_plan
from trustquery.reference import evaluate

TRUSTS = ("ash", "birch")
ROWS = """
| pid | kind | size |
|-----|------|------|
| 1   | 1    | 2    |
| 1   | 2    | 3    |
| 2   | 1    | 5    |
"""


def asked(sql: str, trusts: tuple[str, ...] = TRUSTS) -> tuple[Query, Plan]:
    query = compile_query(sql, made_up(), epsilon=Decimal(1), trusts=trusts)
    return query, compile_plan(query, made_up())


def tables() -> dict[str, list[dict[str, Any]]]:
    return {"event": read_rows(ROWS, made_up().tables[1]), "person": [], "dose": []}


def exact(query: Query, plan: Plan, trust: str, folder: Path) -> list[int]:
    """The exact vector at one trust, on which both evaluators must agree."""
    here = at_trust(query, trust)
    expected = evaluate(here, made_up(), tables(), rank_key=RANK_KEY, data_version=DATA_VERSION)
    with prepared(folder, made_up(), tables()) as store:
        assert store.vector(here, plan) == expected
        engine: Engine = store.engine()
        assert engine.vector(here, plan) == expected
    return expected


def test_each_trust_counts_in_its_own_cells(tmp_path: Path) -> None:
    query, plan = asked("SELECT trust, count(*) AS n FROM event GROUP BY trust")
    assert plan.axes[0].values == TRUSTS
    # birch alone has its rows in the second cell; a name that is not listed would be in "other", and is refused.
    assert exact(query, plan, "birch", tmp_path) == [0, 3, 0, 0]
    assert exact(query, plan, "ash", tmp_path) == [3, 0, 0, 0]
    assert exact(query, plan, "elm", tmp_path) == [0, 0, 3, 0]


def test_beside_another_key_and_as_an_alias(tmp_path: Path) -> None:
    query, plan = asked("SELECT kind, Trust AS t, sum(size) AS s, count(*) FROM event e GROUP BY 1, t")
    found = exact(query, plan, "birch", tmp_path)
    cells = 5 * 4
    assert found[:cells] == [0, 7, 0, 0, 0, 3, 0, 0, *[0] * 12]
    assert found[cells:] == [0, 2, 0, 0, 0, 1, 0, 0, *[0] * 12]


def test_one_person_touches_no_more_cells_for_it() -> None:
    alone, _ = asked("SELECT count(*) AS n FROM event")
    by_trust, _ = asked("SELECT trust, count(*) AS n FROM event GROUP BY trust")
    assert by_trust.terms == alone.terms
    assert by_trust.terms[0].bound == Bound("rows", 1, 4)


def test_the_model_lists_the_trusts() -> None:
    query, plan = asked("SELECT trust, count(*) AS n FROM event GROUP BY trust")
    assert trusts_of(query) == TRUSTS
    assert Query.from_payload(query.payload()) == query
    assert json.loads(query.payload())["keys"] == [
        {
            "expression": {"literal": None, "type": None},
            "kind": "trust",
            "name": "trust",
            "type": "text",
            "values": ["ash", "birch"],
        }
    ]
    assert plan.document()["axes"][0]["kind"] == "trust"
    assert trusts_of(at_trust(query, "ash")) == ()


def test_a_column_of_that_name_wins() -> None:
    text = MADE_UP.replace('name = "flag"', 'name = "trust"')
    query = compile_query(
        "SELECT trust, count(*) FROM event GROUP BY trust",
        parse(text, name="made-up"),
        epsilon=Decimal(1),
        trusts=TRUSTS,
    )
    assert trusts_of(query) == ()
    assert query.keys[0].values == (True, False)


REFUSED = [
    ("SELECT trust, trust, count(*) FROM event GROUP BY trust, trust", "query-form-unsupported"),
    ("SELECT e.trust, count(*) FROM event e GROUP BY e.trust", "query-unknown-column"),
    ("SELECT count(*) FROM event WHERE trust = 'ash'", "query-unknown-column"),
    ("SELECT count(DISTINCT trust) FROM event", "query-unknown-column"),
]


@pytest.mark.parametrize(("sql", "code"), REFUSED)
def test_refused(sql: str, code: str) -> None:
    assert code in codes_of(lambda: asked(sql))


def test_without_trusts_there_is_no_such_key() -> None:
    sql = "SELECT trust, count(*) FROM event GROUP BY trust"
    assert set(codes_of(lambda: asked(sql, ()))) == {"query-unknown-column"}


# -- reading ----------------------------------------------------------------------------------------------------------


def test_a_table_by_trust_has_one_trusts_noise_and_no_row_for_the_absent() -> None:
    query, plan = asked("SELECT trust, kind, count(*) AS n FROM event GROUP BY trust, kind", ("ash", "birch", "elm"))
    cells = 5 * 5
    vectors = {"ash": [100 + cell for cell in range(cells)], "birch": [200 + cell for cell in range(cells)]}
    own = own_cells(plan, vectors)
    assert own == [*range(100, 105), *range(205, 210), *[0] * 15]
    table = read(query, plan, own, 1, made_up(), answered={"ash", "birch"})
    keys = [tuple(cell.text for cell in row if isinstance(cell, KeyCell)) for row in table.rows]
    assert keys == [(trust, kind) for trust in TRUSTS for kind in ("1", "2", "-3", "other", "missing")]


def test_without_a_trust_key_every_cell_is_shown() -> None:
    query, plan = asked("SELECT kind, count(*) AS n FROM event GROUP BY kind")
    assert own_cells(plan, {"ash": [1] * 5}) == [0] * 5
    assert len(read(query, plan, [1] * 5, 1, made_up(), answered={"ash"}).rows) == 5


def test_figures_by_trust_are_sorted_filtered_and_summed() -> None:
    plain = "SELECT trust, count(*) AS n FROM event GROUP BY trust"
    own = [30, 20, 0, 0]

    def after(sql: str, answered: tuple[str, ...] = TRUSTS) -> list[list[str | float | None]]:
        query, plan = asked(sql)
        rows = read(query, plan, own, 1, made_up(), answered=answered).rows
        return [[cell.text if isinstance(cell, KeyCell) else cell.value for cell in row] for row in rows]

    assert after(f"{plain} ORDER BY n") == [["birch", 20], ["ash", 30]]
    assert after(f"{plain} HAVING trust = 'ash'") == [["ash", 30]]
    assert after(f"{plain} ORDER BY trust DESC LIMIT 1") == [["birch", 20]]
    assert after(f"SELECT count(*) AS trusts, sum(n) AS total FROM ({plain}) AS found") == [[2, 50]]
    assert after(f"SELECT count(*) AS trusts, sum(n) AS total FROM ({plain}) AS found", ("ash",)) == [[1, 30]]


def test_histograms_by_trust_keep_the_bins_of_each_trust() -> None:
    _, plan = asked("SELECT trust, median(size) AS middle FROM event GROUP BY trust")
    [block] = plan.blocks
    assert block.length == 4 * block.width
    vectors = {trust: [place + 1] * block.length for place, trust in enumerate(TRUSTS)}
    own = own_cells(plan, vectors)
    assert own == [1] * block.width + [2] * block.width + [0] * 2 * block.width


# -- at the gate ------------------------------------------------------------------------------------------------------


def world(query: Query) -> World:
    made = World(People(query=query))
    made.engine.result = [1, 2, 3, 4]
    return made


def test_the_gate_runs_it_under_its_own_name() -> None:
    query, _ = asked("SELECT trust, count(*) AS n FROM event GROUP BY trust")
    made = world(query)
    answer = made.ask()
    assert answer is not None
    assert answer.status == "answer"
    [run] = made.engine.queries
    assert run == at_trust(query, "ash")


@pytest.mark.parametrize("trusts", [("ash",), ("ash", "birch", "elm"), ("birch", "elm"), ("birch", "ash")])
def test_the_gate_refuses_another_list_of_trusts(trusts: tuple[str, ...]) -> None:
    query, _ = asked("SELECT trust, count(*) AS n FROM event GROUP BY trust", trusts)
    made = world(query)
    assert made.codes(made.ask()) == ["query-trusts-differ"]
    assert made.engine.runs == 0
