"""Somebody opts out: they are in no figure from the next data version on, and nothing drawn before is sent again.

Through the real gate, ledger, engine and noise; the exact vectors are looked at in this process.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from node_agent.sources.store import ListUsed
from tests.factories.catalogues import made_up
from tests.factories.rows import awkward_rows
from tests.factories.trust import NOW
from tests.lib.prepared import prepared
from tests.lib.real_gate import compiled, real_gate
from trustquery.planning import compile_plan

ROWS = awkward_rows(5)
SQL = "SELECT count(*) AS n, count(DISTINCT pid) AS people FROM event"


def test_an_opted_out_person_leaves_the_exact_vector_inner_sides_included(tmp_path: Path) -> None:
    inside = "SELECT count(DISTINCT pid) AS n FROM person WHERE pid IN (SELECT pid FROM event) GROUP BY sex"
    for sql in (SQL, inside):
        query = compiled(sql, 1_000_000)
        plan = compile_plan(query, made_up())
        with prepared(tmp_path, made_up(), ROWS) as store:
            everybody = sorted({str(row["_p"]) for row in store.rows("event")})
            whole, without = store.vector(query, plan), store.without(everybody[0]).vector(query, plan)
            nobody = store.without(*everybody, *{str(row["_p"]) for row in store.rows("person")})
            assert sum(without) < sum(whole)
            assert set(nobody.vector(query, plan)) == {0}
            # A process of its own reads the same.
            assert store.without(everybody[0]).through_child(query, plan) == without
            assert store.through_child(query, plan) == whole


def test_a_new_list_is_a_new_draw_and_the_older_answer_is_never_sent_again(tmp_path: Path) -> None:
    with real_gate(tmp_path, ROWS, ["ada"], "1", treatment="applied") as gate:
        query = compiled(SQL, 1_000_000)
        gate.data.opt_outs = (ListUsed("national", NOW, "a" * 64),)
        first, again = gate.put("ada", query), gate.put("ada", query)
        assert first.vector == again.vector
        spent = gate.spent()
        # Somebody opts out: another list, another data version; and even the same version number would not do.
        gate.data.store = gate.store.without(str(gate.store.rows("event")[0]["_p"]))
        gate.data.opt_outs = (ListUsed("national", NOW + 1, "b" * 64),)
        gate.clock.now += 2
        newer = gate.put("ada", query)
        assert newer.answer.status == "answer"
        assert newer.vector != first.vector
        assert gate.spent() == spent + query.rho_nano


@pytest.mark.parametrize(
    ("lists", "code"),
    [((), "policy-optout-unavailable"), ((ListUsed("national", NOW - 40 * 86_400, "a" * 64),), "policy-optout-stale")],
)
def test_without_a_fresh_list_nothing_is_read_and_nothing_charged(
    tmp_path: Path, lists: tuple[ListUsed, ...], code: str
) -> None:
    with real_gate(tmp_path, ROWS, ["ada"], "1", treatment="applied") as gate:
        gate.data.opt_outs = lists
        reply = gate.put("ada", compiled(SQL, 1_000_000))
        assert reply.codes == [code]
        assert gate.spent() == 0
