"""What is kept of each decision, and the past under another policy."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from node_agent.budget import Charged, Decided, DecisionReader, SqliteLedger
from node_agent.replay import Exhausted, check, replay, replay_budget, request_of
from tests.factories.trust import NOW, People, policy_text
from tests.lib.gate_world import World
from trustquery.errors import TrustQueryError
from trustquery.identity import canonical
from trustquery.policy import Policy, evaluate

DAY = 86_400
TODAY = NOW // DAY


def taken() -> Decided:
    """What the gate records of the standard question."""
    world = World()
    world.ask()
    (found,) = world.ledger.decided
    return found


def policy(**changes: str) -> Policy:
    return Policy.from_toml(policy_text(**changes))


def like(decided: Decided, **changes: Any) -> Decided:
    """The same decision about a request with other fields, decided by the standard policy."""
    data = json.loads(decided.input) | changes
    again = dataclasses.replace(decided, input=canonical.encode(data))
    decision = evaluate(policy(), request_of(again))
    return dataclasses.replace(again, allowed=decision.allowed, rules=decision.rules)


# -- what the gate records --------------------------------------------------------------------------------------------


def test_the_input_is_recorded_before_anything_is_reserved_or_said() -> None:
    world = World()
    world.ask()
    steps = [event for event, _ in world.ledger.events]
    assert steps.index("record") < steps.index("reserve")
    (found,) = world.ledger.decided
    assert (found.allowed, found.rules, found.policy_version) == (True, (), 1)
    assert found.policy_hash == world.people.the_policy.sha256
    assert found.release_id == world.people.the_intent().release_id
    assert request_of(found).project == "stays"


def test_a_refusal_by_policy_is_recorded_with_its_rules() -> None:
    world = World(People(policy={"max_cells": "1"}))
    assert world.codes(world.ask()) == ["policy-refused"]
    (found,) = world.ledger.decided
    assert (found.allowed, found.rules) == (False, ("cells",))
    assert [event for event, _ in world.ledger.events][-2:] == ["record", "refused"]


@pytest.mark.parametrize("cells", ["100", "1"])
def test_where_it_cannot_be_recorded_nothing_is_said(cells: str) -> None:
    world = World(People(policy={"max_cells": cells}))
    world.ledger.fail_on = "record"
    with pytest.raises(TrustQueryError) as caught:
        world.ask()
    assert (caught.value.code, world.sent) == ("ledger-unwritable", [])


def test_what_is_recorded_survives_a_restart_with_the_day_of_the_budget_clock(tmp_path: Path) -> None:
    found = taken()
    path = tmp_path / "ledger.sqlite"
    ledger = SqliteLedger(path)
    ledger.record(found, NOW)
    ledger.record(dataclasses.replace(found, allowed=False, rules=("cells", "purpose")), NOW + DAY)
    # Set back, the clock counts no day twice.
    ledger.record(found, NOW - 10 * DAY)
    ledger.close()
    again = SqliteLedger(path)
    rows = list(DecisionReader(again._db).since())
    assert [row.day for row in rows] == [TODAY, TODAY + 1, TODAY + 1]
    assert rows[0] == dataclasses.replace(found, day=TODAY)
    assert rows[1].rules == ("cells", "purpose")
    assert len(list(DecisionReader(again._db).since(TODAY + 1))) == 2
    again.close()


# -- decisions again --------------------------------------------------------------------------------------------------


def test_a_policy_is_replayed_over_the_past() -> None:
    base = taken()
    wide, beds = like(base, cells=60), like(base, project="beds", cells=60)
    costly = like(base, rho_nano=200_000_000)  # refused then: above max_rho = 0.1
    past = [base, wide, beds, costly]
    found = replay(policy(max_cells="50", max_rho="0.5"), past)
    assert (found.total, found.allowed, found.now_refused) == (4, 3, 2)
    assert (dict(found.by_rule), dict(found.by_project)) == ({"cells": 2}, {"stays": 1, "beds": 1})
    assert dict(found.now_allowed) == {"stays": 1}
    assert replay(policy(), past).document()["now_refused"] == 0


def test_a_record_that_cannot_be_read_counts_as_refused() -> None:
    base = taken()
    for content in (b"", b"{}", base.input.replace(b'"cells"', b'"sells"'), b"[1]"):
        found = replay(policy(), [dataclasses.replace(base, input=content)])
        assert (found.unreadable, found.refused_ids) == (1, {base.release_id})


def test_decisions_are_those_of_their_time_or_named() -> None:
    base = taken()
    other = dataclasses.replace(base, release_id="ab" * 32, allowed=False, rules=("cells",))
    lost = dataclasses.replace(base, policy_hash="cd" * 32)
    kept = {policy().sha256: policy()}
    found = check([base, base, other, lost], kept.get)
    assert (found.total, found.equal, found.different, found.without_policy) == (4, 2, ("ab" * 32,), 1)


# -- budgets again ----------------------------------------------------------------------------------------------------


def charged(name: str, rho: str, day: int, *, project: str = "stays", analyst: str = "ada") -> list[Charged]:
    nano = int(float(rho) * 10**9)
    scopes = (("node-wide", ""), ("dataset", "made-up"), ("project", project), ("analyst", analyst))
    return [Charged(name, scope, subject, nano, 0, day) for scope, subject in scopes]


def test_a_lower_cap_would_have_run_out_on_a_day() -> None:
    past = [
        item
        for place, rho in enumerate(("0.05", "0.05", "0.05", "0.01"))
        for item in charged(f"{place}", rho, 100 + place)
    ]
    lowered = "[budget.project]\nrho_12_months = 0.11\nrho_lifetime = 0.11"
    text = policy_text().replace("[budget.project]\nrho_12_months = 0.3\nrho_lifetime = 0.3", lowered)
    assert lowered in text
    new = Policy.from_toml(text)
    # The third cannot be paid for; then there is room for the last.
    assert replay_budget(new, past) == (Exhausted("project", "stays", 102, 1),)
    assert replay_budget(policy(), past) == ()


def test_what_the_rules_would_refuse_charges_nothing() -> None:
    past = charged("a", "0.2", 100) + charged("b", "0.2", 101)
    assert [item.scope for item in replay_budget(policy(), past)] == ["project", "analyst"]
    assert replay_budget(policy(), past, ["a"]) == ()


def test_a_window_forgets() -> None:
    # 0.2 a person in 12 months: 366 days later it is free again, a day earlier it is not.
    for gap, ended in ((366, ()), (365, (Exhausted("analyst", "ada", 465, 1),))):
        past = charged("a", "0.15", 100, project="one") + charged("b", "0.15", 100 + gap, project="two")
        assert replay_budget(policy(), past) == ended


def test_a_scope_without_a_cap_pays_for_nothing() -> None:
    past = [Charged("a", "profiles", "made-up", 1, 0, 100), Charged("b", "dataset", "other", 1, 0, 100)]
    assert [item.scope for item in replay_budget(policy(), past)] == ["profiles", "dataset"]
