"""Keys found in the data: which cell a row falls in, which rows of a person count, and what is refused.

The counts here are exact, before noise and threshold. A cell is written as its label: ``0`` and the value, ``1`` for
*other*, ``2`` for *missing*.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.factories.catalogues import coded, made_up
from tests.lib.prepared import DATA_VERSION, RANK_KEY, prepared
from tests.lib.refusals import codes_of
from tests.lib.text_tables import read_rows
from trustquery.language import compile_query
from trustquery.model import Query
from trustquery.model.unknown import UNKNOWN_DELTA_ATTO
from trustquery.outputs import Estimate, KeyCell, read_keys
from trustquery.planning import Plan, compile_plan
from trustquery.reference import evaluate_keys

ROWS = """
| pid | code   | total             | day        |
|-----|--------|-------------------|------------|
| 1   | E11    | 7                 | 2020-01-01 |
| 1   | E11    | -7                | 2020-01-02 |
| 1   | E11    | 7                 | 2020-01-03 |
| 2   | I21.0  | 0                 | 2020-01-01 |
| 2   | é      | 9007199254740991  | 2020-01-01 |
| 3   | ''     | 9007199254740992  | 2020-01-01 |
| 3   |        |                   | 2020-01-01 |
| 4   | other  | -9007199254740992 | 2020-01-01 |
| 4   | 1      | 1                 | 2020-01-01 |
|     | E11    | 7                 | 2020-01-01 |
"""
LONG, TOO_LONG = "é" * 32, "é" * 32 + "x"


def asked(sql: str, **bounds: int) -> tuple[Query, Plan]:
    query = compile_query(sql, coded(), epsilon=Decimal(1), unknown_keys=True, **bounds)  # type: ignore[arg-type]
    return query, compile_plan(query, coded())


def both(sql: str, folder: Path, rows: list[dict[str, Any]] | None = None, **bounds: int) -> dict[str, int]:
    """The counts by label, on which both evaluators must agree."""
    query, plan = asked(sql, **bounds)
    event, person, dose = (coded().table(name) for name in ("event", "person", "dose"))
    assert event is not None
    assert person is not None
    assert dose is not None
    drawn = rows if rows is not None else read_rows(ROWS, event)
    tables: dict[str, list[dict[str, Any]]] = {"event": drawn, "person": [], "dose": []}
    expected = evaluate_keys(query, coded(), tables, rank_key=RANK_KEY, data_version=DATA_VERSION)
    with prepared(folder, coded(), tables) as store:
        assert store.counts(query, plan) == expected
        assert store.engine().counts(query, plan) == expected
    return expected


def test_text_keys(tmp_path: Path) -> None:
    found = both("SELECT code, count(*) FROM event GROUP BY code", tmp_path)
    assert found == {"0E11": 2, "0I21.0": 1, "0é": 1, "0": 1, "2": 1, "0other": 1, "01": 1}


def test_integer_keys(tmp_path: Path) -> None:
    found = both("SELECT total, count(*) FROM event GROUP BY total", tmp_path)
    assert found == {"0-7": 1, "07": 2, "00": 1, "09007199254740991": 1, "01": 1, "1": 2, "2": 1}


def test_prefixes_people_filters_and_arguments(tmp_path: Path) -> None:
    people = "SELECT left(code, 2) AS c, count(DISTINCT pid) AS n FROM event GROUP BY c"
    assert both(people, tmp_path) == {"0E1": 1, "0I2": 1, "0é": 1, "0": 1, "0ot": 1, "01": 1, "2": 1}
    later = "SELECT code, count(*) FILTER (WHERE day > DATE '2020-01-01') AS n FROM event GROUP BY 1"
    assert both(later, tmp_path) == {"0E11": 2}
    known = "SELECT code, count(total) FROM event WHERE code <> 'E11' GROUP BY 1"
    assert both(known, tmp_path) == {"0": 1, "01": 1, "0I21.0": 1, "0other": 1, "0é": 1}


def test_what_is_no_code_counts_as_other(tmp_path: Path) -> None:
    event = coded().table("event")
    assert event is not None
    blank = dict.fromkeys(column.name for column in event.columns)
    rows = [blank | {"pid": pid, "code": code} for pid, code in enumerate((LONG, TOO_LONG, "a\0b"))]
    assert both("SELECT code, count(*) FROM event GROUP BY code", tmp_path, rows) == {f"0{LONG}": 1, "1": 2}


def test_a_person_counts_in_few_keys_and_a_wider_bound_keeps_those(tmp_path: Path) -> None:
    event = coded().table("event")
    assert event is not None
    rows = read_rows("| pid | code | day |\n" + "\n".join(f"| 1 | {c} | 2020-01-01 |" for c in "zyxab"), event)
    sql = "SELECT code, count(*) FROM event GROUP BY code"
    one = both(sql, tmp_path, rows, max_groups_per_person=1)
    two = both(sql, tmp_path, rows, max_groups_per_person=2)
    assert (len(one), len(two)) == (1, 2)
    assert set(one) <= set(two)


def test_nobody(tmp_path: Path) -> None:
    assert both("SELECT code, count(*) FROM event GROUP BY code", tmp_path, []) == {}


def test_the_key_may_pass_a_subquery(tmp_path: Path) -> None:
    sql = "SELECT c, count(*) AS n FROM (SELECT code AS c FROM event WHERE total > 0) s GROUP BY c"
    assert both(sql, tmp_path) == {"0E11": 2, "0é": 1, "0": 1, "01": 1}


def test_the_model_says_that_keys_are_unknown_and_what_that_costs() -> None:
    query, plan = asked("SELECT code, count(*) FROM event GROUP BY code")
    [key] = query.keys
    assert (key.kind, key.values, query.delta_atto) == ("unknown", (), UNKNOWN_DELTA_ATTO)
    assert Query.from_payload(query.payload()) == query
    assert (plan.length, plan.delta_atto, plan.draws) == (0, UNKNOWN_DELTA_ATTO, 50_000)
    assert plan.document()["axes"] == [{"kind": "unknown", "name": "code", "type": "text", "values": []}]


def test_a_public_domain_needs_no_threshold() -> None:
    query, plan = asked("SELECT kind, count(*) FROM event GROUP BY kind")
    assert (query.delta_atto, plan.has_unknown_keys, plan.length) == (0, False, 5)


REFUSED = [
    ("SELECT code, sum(size) FROM event GROUP BY code", "query-unknown-keys"),
    ("SELECT code, avg(size) FROM event GROUP BY code", "query-unknown-keys"),
    ("SELECT code, count(*), count(DISTINCT pid) FROM event GROUP BY code", "query-unknown-keys"),
    ("SELECT code, kind, count(*) FROM event GROUP BY code, kind", "query-unknown-keys"),
    ("SELECT code, total, count(*) FROM event GROUP BY code, total", "query-unknown-keys"),
    ("SELECT coalesce(code, 'x') AS c, count(*) FROM event GROUP BY c", "query-key-no-vocabulary"),
    ("SELECT left(coalesce(code, 'x'), 2) AS c, count(*) FROM event GROUP BY c", "query-key-no-vocabulary"),
    ("SELECT size, count(*) FROM event GROUP BY size", "query-key-no-vocabulary"),
    ("SELECT total + 1 AS t, count(*) FROM event GROUP BY t", "query-key-no-domain"),
    ("SELECT day, count(*) FROM event GROUP BY day", "query-key-range-missing"),
    ("SELECT pid, count(*) FROM event GROUP BY pid", "query-identifier-in-output"),
]


@pytest.mark.parametrize(("sql", "code"), REFUSED)
def test_refused(sql: str, code: str) -> None:
    assert codes_of(lambda: asked(sql)) == [code]


def test_only_when_asked_for() -> None:
    sql = "SELECT code, count(*) FROM event GROUP BY code"
    assert codes_of(lambda: compile_query(sql, coded(), epsilon=Decimal(1))) == ["query-key-no-domain"]
    assert codes_of(lambda: compile_query(sql, made_up(), epsilon=Decimal(1), unknown_keys=True)) == [
        "query-key-no-vocabulary"
    ]


# -- after release ----------------------------------------------------------------------------------------------------

FOUND = {"0E11": (300, 3), "0I21": (100, 1), "0é": (200, 2), "1": (400, 4), "2": (50, 1)}


def after(sql: str) -> list[list[str | float | None]]:
    """The table that a query makes of ``FOUND``; every figure has its caveat."""
    query, plan = asked(sql)
    table = read_keys(query, plan, FOUND)
    figures = [column for column in table.columns if column.kind == "estimate"]
    assert all("unknown-keys-thresholded" in column.caveats for column in figures)
    return [[cell.text if isinstance(cell, KeyCell) else cell.value for cell in row] for row in table.rows]


def test_released_keys_are_filtered_and_sorted() -> None:
    plain = "SELECT code, count(*) AS n FROM event GROUP BY code"
    rows: list[list[str | float | None]] = [["E11", 300], ["I21", 100], ["é", 200], ["other", 400], ["missing", 50]]
    assert after(plain) == rows
    assert after(f"{plain} HAVING count(*) > 150 ORDER BY n LIMIT 2") == [["é", 200], ["E11", 300]]
    assert after(f"{plain} ORDER BY code DESC") == [
        ["é", 200],
        ["I21", 100],
        ["E11", 300],
        ["other", 400],
        ["missing", 50],
    ]
    assert after(f"{plain} HAVING code = 'I21'") == [["I21", 100]]


def test_an_outer_select_sums_released_keys_with_the_noise_of_each() -> None:
    sql = "SELECT sum(n) AS total FROM (SELECT code, count(*) AS n FROM event GROUP BY code) AS found WHERE n < 350"
    assert after(sql) == [[650]]
    query, plan = asked(sql)
    [[cell]] = read_keys(query, plan, FOUND).rows
    assert isinstance(cell, Estimate)
    assert cell.low is not None
    assert cell.high is not None
    draws = 3 + 1 + 2 + 1
    assert cell.high - cell.low == pytest.approx(2 * 1.959964 * plan.blocks[0].sigma_float * draws**0.5)


def test_what_follows_release_may_need_no_second_statistic() -> None:
    sql = "SELECT code, count(*) AS n FROM event GROUP BY code HAVING count(DISTINCT pid) > 1"
    assert codes_of(lambda: asked(sql)) == ["query-unknown-keys"]
