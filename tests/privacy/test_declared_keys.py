"""The cells of an answer are fixed by the question: what one trust's data hold adds, removes and names none of them."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.factories.catalogues import made_up
from tests.lib.prepared import prepared
from tests.lib.text_tables import read_rows
from trustquery.language import compile_query
from trustquery.outputs import KeyCell, read
from trustquery.planning import compile_plan
from trustquery.privacy.noise import add_noise

QUERY = (
    "SELECT drug, date_trunc('month', started) AS m, count(*) AS n, sum(units) AS u FROM dose "
    "WHERE started >= DATE '2020-01-01' AND started < DATE '2020-04-01' GROUP BY drug, m"
)
NODES = {
    "the declared values": "| 1 | aspirin | 2020-01-05 | 1 |\n| 2 | other | 2020-02-05 | 2 |",
    "a value of its own": "| 1 | SECRET-CANARY | 2020-01-05 | 1 |\n| 2 | SECRET-CANARY | 2020-03-31 | 7 |",
    "a month of its own": "| 1 | aspirin | 2031-07-07 | 1 |\n| 2 | aspirin | 1999-12-31 | 7 |",
    "nothing": "",
}


@pytest.mark.acceptance("PRV-10")
def test_values_at_one_trust_only_change_no_key(tmp_path: Path) -> None:
    query = compile_query(QUERY.replace("sum(units)", "sum(clamp(units, 0, 10))"), made_up(), epsilon=Decimal(1))
    plan = compile_plan(query, made_up())
    expected = [
        (drug, month)
        for drug in ("aspirin", "other", "", "other", "missing")
        for month in ("2020-01-01", "2020-02-01", "2020-03-01", "other", "missing")
    ]
    merged = [0] * plan.length
    for drawn in NODES.values():
        rows = read_rows(f"| pid | drug | started | units |\n{drawn}", made_up().tables[2])
        tables: dict[str, list[dict[str, Any]]] = {"dose": rows, "event": [], "person": []}
        with prepared(tmp_path, made_up(), tables) as store:
            exact = store.vector(query, plan)
        assert len(exact) == plan.length == 2 * len(expected)
        answer = add_noise(exact, plan)
        merged = [one + other for one, other in zip(merged, answer, strict=True)]
        table = read(query, plan, answer, 1, made_up())
        assert keys(table) == expected
        assert "CANARY" not in json.dumps(table.document())
        assert "CANARY" not in str(table.to_arrow().to_pydict())
    assert keys(read(query, plan, merged, len(NODES), made_up())) == expected


def keys(table: Any) -> list[tuple[str, ...]]:
    """The text of each row's keys."""
    return [tuple(cell.text for cell in row if isinstance(cell, KeyCell)) for row in table.rows]


@pytest.mark.acceptance("PRV-10")
def test_every_cell_is_noised_whether_or_not_anybody_is_in_it() -> None:
    """An empty cell is 0 with a chance of one in fifteen at this sigma: all of 25 never are."""
    query = compile_query(QUERY.replace(", sum(units) AS u", ""), made_up(), epsilon=Decimal("0.5"))
    plan = compile_plan(query, made_up())
    assert plan.blocks[0].sigma_float > 6
    noised = add_noise([0] * plan.length, plan)
    # At most 1 in 15 each: twenty zeros among 25 has a chance below 1e-18.
    assert sum(value == 0 for value in noised) < 20
