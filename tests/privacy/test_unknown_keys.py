"""Keys found in the data: a key that a trust has few of never leaves it, whatever the figure of the others.

Nothing here is seeded. A key that one person alone has appears with a chance of at most 1e-9 a release, by the plan's
own promise; each test says how often it asks.
"""

from __future__ import annotations

import dataclasses
import json
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.factories.catalogues import coded
from tests.factories.trust import POLICY, People
from tests.lib.gate_world import World
from tests.lib.prepared import Prepared, prepared
from tests.lib.refusals import codes_of
from trustquery.identity import Answer
from trustquery.language import compile_query
from trustquery.model import Query
from trustquery.outputs import read_keys
from trustquery.planning import Plan, compile_plan
from trustquery.policy import Policy
from trustquery.privacy.budget import ATTO, gaussian_tail, threshold_for
from trustquery.privacy.noise import add_noise, release_keys
from trustquery.protocol.pairs import add_pairs, read_pairs, write_pairs

UNKNOWN = "SELECT code, count(*) AS n FROM event GROUP BY code"
DECLARED = "SELECT kind, count(*) AS n FROM event WHERE code = 'RARE' GROUP BY kind"


def compiled(sql: str = UNKNOWN, epsilon: str = "1", groups: int = 2, rows: int = 2) -> tuple[Query, Plan]:
    query = compile_query(
        sql,
        coded(),
        epsilon=Decimal(epsilon),
        max_groups_per_person=groups,
        max_rows_per_group=rows,
        unknown_keys=True,
    )
    return query, compile_plan(query, coded())


def events(*held: tuple[str, int]) -> dict[str, list[dict[str, Any]]]:
    """Rows of so many people each with one event of a code."""
    table = coded().table("event")
    assert table is not None
    blank = dict.fromkeys(column.name for column in table.columns)
    codes = [code for code, people in held for _ in range(people)]
    rows = [blank | {"pid": pid, "kind": 1, "code": code} for pid, code in enumerate(codes)]
    return {"event": rows, "person": [], "dose": []}


@pytest.mark.parametrize("epsilon", ["0.01", "1", "20"])
@pytest.mark.parametrize(("groups", "rows"), [(1, 1), (3, 2), (50, 1), (50_000, 100)])
def test_the_library_agrees_that_rho_and_delta_are_paid(epsilon: str, groups: int, rows: int) -> None:
    _, plan = compiled(epsilon=epsilon, groups=groups, rows=rows)
    [block] = plan.blocks
    assert release_keys({}, plan) == {}  # raises when OpenDP's map is above the charge
    assert block.bound.groups * gaussian_tail(block.threshold - rows, block.sigma) <= block.delta_atto == 10**9
    assert block.bound.groups * gaussian_tail(block.threshold - rows - 1, block.sigma) > block.delta_atto


def test_the_threshold_in_figures() -> None:
    """Sigma 10, one key of one row, delta 1e-9: 6.44 sigma. With sigma 10 OpenDP's exact tail needs 60 to 61."""
    assert threshold_for(1, 1, 10 * 2**20, 10**9) == 1 + 65
    assert threshold_for(1, 7, 10 * 2**20, 10**9) == 7 + 65
    assert threshold_for(1, 1, 10 * 2**20, ATTO) == 1 + 1


@pytest.mark.parametrize("less", [{"threshold": 40}, {"sigma": 2**20}, {"delta_atto": 1}, {"rho_nano": 1}])
def test_a_plan_that_claims_too_little_is_not_released(less: dict[str, int]) -> None:
    _, plan = compiled()
    [block] = plan.blocks
    wrong = dataclasses.replace(plan, blocks=(dataclasses.replace(block, **less),))  # type: ignore[arg-type]
    assert codes_of(lambda: release_keys({"0E11": 1000}, wrong)) == ["internal-fault"]


def test_counts_that_fit_no_plan_are_not_released() -> None:
    _, plan = compiled()
    public = compile_plan(compile_query(DECLARED, coded(), epsilon=Decimal(1)), coded())
    assert codes_of(lambda: release_keys({"0E11": 1}, public)) == ["internal-fault"]
    assert codes_of(lambda: add_noise([], plan)) == ["internal-fault"]
    for counts in ({"0E11": 0}, {"0E11": -1}, {"0E11": 2**62 + 1}):
        assert codes_of(partial(release_keys, counts, plan)) == ["internal-fault"]
    assert codes_of(lambda: release_keys(dict.fromkeys(map(str, range(50_001)), 1), plan)) == ["internal-fault"]


def test_keys_of_one_person_never_leave_and_common_ones_do() -> None:
    """2,000 keys that one person each could have added: all together appear with a chance below 2e-6."""
    _, plan = compiled()
    [block] = plan.blocks
    common = 2 * block.threshold
    found = release_keys({f"0{number}": block.bound.rows for number in range(2_000)} | {"0E11": common}, plan)
    assert list(found) == ["0E11"]
    assert found["0E11"] >= block.threshold
    # At the threshold itself a key leaves half of the time: 200 keys, all or none with a chance below 1e-59.
    edge = release_keys({f"0{number}": block.threshold for number in range(200)}, plan)
    assert 0 < len(edge) < 200
    assert min(edge.values()) >= block.threshold


@pytest.mark.acceptance("PRV-10")
def test_values_below_the_threshold_at_one_trust_never_appear(tmp_path: Path) -> None:
    query, plan = compiled(epsilon="20")
    threshold = plan.blocks[0].threshold
    trusts = {
        "nothing of its own": events(("E11", 3 * threshold)),
        "a code of its own": events(("E11", 3 * threshold), ("SECRET-CANARY", 1)),
        "another": events(("I21", 3 * threshold), ("E11", 1), ("RARE-CANARY", 2)),
        "nobody": events(),
    }
    vectors = []
    for tables in trusts.values():
        with prepared(tmp_path, coded(), tables) as store:
            exact = store.counts(query, plan)
        vectors.append(write_pairs(release_keys(exact, plan)))
    assert not any(b"CANARY" in vector for vector in vectors)
    merged = add_pairs(vectors)
    assert {label: trusts for label, (_, trusts) in merged.items()} == {"0E11": 2, "0I21": 1}
    table = read_keys(query, plan, merged)
    assert "CANARY" not in json.dumps(table.document())
    assert "unknown-keys-thresholded" in table.columns[1].caveats


LITTLE = "max_delta = 0"

# -- the threshold oracle: what a reply looks like must not tell how many there are -----------------------------------

WITH_DELTA = POLICY.replace("unknown_keys = false", "unknown_keys = true")
for line in ("delta_12_months = 0", "delta_lifetime = 0", "max_delta = 0"):
    WITH_DELTA = WITH_DELTA.replace(line, f"{line}.000001")


def world(query: Query, store: Prepared, policy: str = WITH_DELTA) -> World:
    """A gate over real rows, with the real noise."""
    people = People(query=query, catalogue=coded(), permit={"delta_atto": 10**12}, policy={})
    people.__dict__["the_policy"] = Policy.from_toml(policy)
    made = World(people)
    made.engine.result = lambda: (store.counts if query.has_unknown_keys else store.vector)(query, people.plan)
    made.noise, made.release_keys = add_noise, release_keys
    return made


def shape(made: World, answer: Answer | None) -> tuple[Any, ...]:
    """Everything that can be seen of a reply but the noised figures and what is computed from them."""
    assert answer is not None
    document = answer.model_dump() | {"vector_sha256": ""}
    [message] = made.sent
    return document, len(message.envelope), len(message.vector), made.clock.waited, made.logged, made.steps


@pytest.mark.acceptance("INP-09")
@pytest.mark.parametrize("sql", [DECLARED, UNKNOWN])
def test_a_reply_does_not_tell_few_from_none(sql: str, tmp_path: Path) -> None:
    query, plan = compiled(sql)
    seen = []
    few = (1, 2, 5, plan.blocks[0].threshold // 10)
    for people in (0, *few):
        with prepared(tmp_path, coded(), events(("RARE", people))) as store:
            made = world(query, store)
            seen.append(shape(made, made.ask()))
    assert all(other == seen[0] for other in seen[1:])
    assert seen[0][0]["status"] == "answer"


def test_the_release_is_charged_in_delta_to_every_scope(tmp_path: Path) -> None:
    query, plan = compiled()
    with prepared(tmp_path, coded(), events(("E11", 3 * plan.blocks[0].threshold))) as store:
        made = world(query, store)
        answer = made.ask()
    assert answer is not None
    assert (answer.status, answer.vector_length) == ("answer", 1)
    assert list(read_pairs(made.sent[0].vector)) == ["0E11"]
    scopes = (("node-wide", ""), ("dataset", "made-up"), ("project", "stays"), ("analyst", "ada"))
    assert made.ledger.totals() == dict.fromkeys(scopes, (plan.rho_nano, 10**9, 1))


def test_an_identical_question_gets_the_stored_keys_at_no_further_cost(tmp_path: Path) -> None:
    query, plan = compiled()
    for people in (0, 3 * plan.blocks[0].threshold):
        with prepared(tmp_path, coded(), events(("E11", people))) as store:
            made = world(query, store)
            made.ask()
            again = made.ask(made.offer(made.people.the_intent("two")))
        assert again is not None
        assert again.status == "answer"
        assert made.sent[0].vector == made.sent[1].vector
        assert made.engine.runs == 1
        assert made.ledger.totals()["node-wide", ""][:2] == (plan.rho_nano, 10**9)


def test_policy_and_delta_caps_refuse_before_data_are_read(tmp_path: Path) -> None:
    query, _ = compiled()
    with prepared(tmp_path, coded(), events(("E11", 5))) as store:
        shut = world(query, store, POLICY)
        assert set(shut.codes(shut.ask())) == {"policy-refused", "budget-exhausted"}
        poor = world(
            query, store, POLICY.replace("unknown_keys = false", "unknown_keys = true").replace(LITTLE, f"{LITTLE}.1")
        )
        assert poor.codes(poor.ask()) == ["budget-exhausted"]
        assert shut.engine.runs == poor.engine.runs == 0
        assert poor.ledger.totals() == {}
