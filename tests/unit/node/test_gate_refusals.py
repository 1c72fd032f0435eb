"""Every claim of every document, made wrong one at a time: refused before anything is read, nothing spent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.factories.trust import NOW, People, key, question
from tests.lib.gate_world import World
from trustquery.identity import Input
from trustquery.protocol.messages import Offer

DAY = 86_400
H32 = "ab" * 32
Change = Callable[[World], Offer | None]


def people(**changes: Any) -> Change:
    """Another document from the start."""

    def apply(world: World) -> None:
        world.people = People(**changes)

    return apply


def intent(**changes: Any) -> Change:
    """Another intent, validly signed."""
    return lambda world: world.offer(world.people.the_intent(**changes))


def member(**changes: Any) -> Change:
    return people(member=changes)


def committee(*names: str) -> Change:
    return lambda world: world.offer(permit=world.people.the_permit.sign(*map(key, names)).encode())


SEX_IN_BANDS = '[{ name = "person", columns = { dimension = [], measure = ["sex"], join_only = [], forbidden = [] } }]'
MONDAYS = '{ zone = "Europe/London", days = ["monday"], start = "08:00", end = "18:00" }'  # NOW is a Friday
CASES: dict[str, tuple[Change, str]] = {
    "stopped": (lambda world: setattr(world, "marked", True), "policy-stopped"),
    "intent signed by somebody else": (lambda world: world.offer(signer=key("eve")), "auth-document"),
    "intent of a stranger": (
        lambda world: world.offer(world.people.the_intent(key_id=key("eve").key_id), signer=key("eve")),
        "project-not-a-member",
    ),
    "intent in another's name": (
        lambda world: world.offer(world.people.the_intent(key_id=key("ada").key_id), signer=key("eve")),
        "auth-document",
    ),
    "intent for another federation": (intent(federation="other"), "auth-document"),
    "intent for another project": (intent(project="beds"), "auth-document"),
    "intent for another permit": (intent(permit_hash=H32), "auth-document"),
    "intent that does not ask this node": (intent(nodes=("birch", "cedar")), "auth-document"),
    "intent that has ended": (intent(not_after=NOW), "node-deadline"),
    "intent for another query": (intent(query_hash=H32), "auth-document"),
    "intent for another plan": (intent(plan_hash=H32), "query-plan-mismatch"),
    "intent for another plan format": (intent(plan_format="tq-plan-1"), "query-plan-mismatch"),
    "intent for another catalogue": (intent(catalogue_hash=H32), "query-catalogue-mismatch"),
    "intent with an unknown input": (
        intent(inputs=(Input(id="codes", version=1, sha256=H32),)),
        "auth-document",
    ),
    "intent with a smaller charge": (intent(rho_nano=999_999), "budget-charge-mismatch"),
    "intent with a larger charge": (intent(rho_nano=1_000_001), "budget-charge-mismatch"),
    "intent with a delta": (intent(delta_atto=1), "budget-charge-mismatch"),
    "intent in another mode": (intent(mode="secure-sum"), "auth-document"),
    "intent with another date": (intent(as_of="2001-01-01"), "auth-document"),
    "intent with another opt-out treatment": (intent(opt_out_treatment="applied"), "auth-document"),
    "intent with another profile": (intent(disclosure_profile="standard"), "auth-document"),
    "intent with another key kind": (intent(key_kind="browser"), "auth-document"),
    "intent asking fewer trusts": (intent(min_trusts=1), "auth-document"),
    "model that is not JSON": (lambda world: world.offer(model=b"SELECT 1"), "query-model-invalid"),
    "model of another query": (
        lambda world: world.offer(model=question(groups=2).payload()),
        "auth-document",
    ),
    "model in secure-sum mode": (people(query=question(mode="secure-sum"), intent={"mode": "secure-sum"}), ""),
    "permit by one person": (committee("ann"), "auth-document"),
    "permit by strangers": (committee("eve", "mallory"), "auth-document"),
    "permit by one person twice": (committee("ann", "ann"), "auth-document"),
    "permit that is no permit": (lambda world: world.offer(permit=world.offer().intent), "auth-document"),
    "permit not yet valid": (people(permit={"valid_from": NOW + 1}), "project-ended"),
    "permit that has ended": (
        people(permit={"valid_from": NOW - 2 * DAY, "expires": NOW}, acceptance={"expires": NOW + DAY}),
        "project-ended",
    ),
    "permit of another federation": (people(permit={"federation": "other"}), "auth-document"),
    "permit for other data": (people(permit={"datasets": ("other",)}), "project-dataset-not-permitted"),
    "permit that wants opt-outs applied": (
        people(
            permit={"opt_out_treatment": "applied"},
            intent={"opt_out_treatment": "applied"},
            policy={"opt_out_treatments": '["applied"]'},
        ),
        "policy-optout-unavailable",
    ),
    "training that has ended": (member(training_expires=NOW), "project-training-expired"),
    "browser key that the policy does not accept": (
        people(member={"key_kind": "browser"}, intent={"key_kind": "browser"}),
        "policy-refused",
    ),
    "declined": (lambda world: setattr(world, "declined", True), "policy-not-accepted"),
    "acceptance of another permit": (people(acceptance={"permit_hash": H32}), "policy-not-accepted"),
    "acceptance by another node": (people(acceptance={"node": "birch"}), "policy-not-accepted"),
    "acceptance of another federation": (people(acceptance={"federation": "other"}), "policy-not-accepted"),
    "acceptance that has ended": (people(acceptance={"expires": NOW}), "policy-not-accepted"),
    "acceptance from the future": (people(acceptance={"accepted": NOW + 1}), "policy-not-accepted"),
    "roster without this node's key": (
        lambda world: setattr(world.people, "roster", {"nodes": People().the_roster.nodes[1:]}),
        "auth-certificate",
    ),
    "roster of another federation": (people(roster={"federation": "other"}), "auth-certificate"),
    "policy of another trust": (people(policy={"trust": '"birch"'}), "policy-refused"),
    "policy that wants witnesses": (people(policy={"bootstrap": "false"}), "policy-witness-unavailable"),
    "policy with a lower cap a query": (people(policy={"max_rho": "0.000999"}), "policy-refused"),
    "policy with fewer cells": (people(policy={"max_cells": "4"}), "policy-refused"),
    "policy without this dataset": (people(policy={"id": '"other"'}), "policy-refused"),
    "policy without this table": (
        people(policy={"tables": '[{ name = "event", columns = "all-by-catalogue-role" }]'}),
        "policy-refused",
    ),
    "policy in which the key is a measure": (people(policy={"tables": SEX_IN_BANDS}), "policy-refused"),
    "policy of other roles": (people(policy={"roles": '["lead"]'}), "policy-refused"),
    "policy of other organisations": (people(policy={"organisations": '["Ash"]'}), "policy-refused"),
    "policy of other projects": (people(policy={"who__projects": '["other"]'}), "policy-refused"),
    "policy that wants small counts withheld": (people(policy={"min_released_count": "1"}), "policy-refused"),
    "policy that wants a review": (people(policy={"every_query": "true"}), "policy-refused"),
    "policy of other hours": (people(policy={"hours": MONDAYS}), "policy-refused"),
    "policy that denies the person": (people(policy={"people": '["ada"]'}), "policy-refused"),
    "policy without questions an hour": (people(policy={"max_queries_per_hour": "0"}), "policy-refused"),
    "data not prepared": (lambda world: setattr(world.engine, "data_version", 0), "data-not-prepared"),
    "table not held": (
        lambda world: setattr(world.engine, "tables", lambda dataset: frozenset({"event"})),
        "data-table-unavailable",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_refused_before_anything_is_read(name: str) -> None:
    change, code = CASES[name]
    world = World()
    offer = change(world)
    if name.startswith("model in secure-sum"):
        # The plan of such a model cannot even be made, so its intent names any hash.
        world.people.plan = People().plan
        code = "policy-mode-unavailable"
    answer = world.ask(offer or world.offer())
    assert code in world.codes(answer)
    assert answer is not None
    assert (answer.rho_nano, answer.vector_length, answer.vector_sha256) == (0, 0, "")
    assert world.engine.runs == 0
    assert world.ledger.totals() == {}
    assert world.ledger.events[-1] == ("refused", answer.release_id)


def test_an_unauthenticated_stream_is_refused_first() -> None:
    world = World()
    assert world.codes(world.ask(authenticated=False)) == ["auth-certificate"]
    assert world.steps == ["authenticate"]


def test_an_older_permit_is_refused_after_a_newer_one() -> None:
    world = World(People(permit={"version": 2}))
    world.ask()
    world.people = People(permit={"version": 1})
    assert world.codes(world.ask(world.offer(world.people.the_intent("two")))) == ["policy-document-stale"]


def test_the_hourly_rate_of_a_person() -> None:
    world = World(People(policy={"max_queries_per_hour": "2"}))
    codes = []
    for place in range(3):
        answer = world.ask(world.offer(world.people.the_intent(f"r{place}")))
        assert answer is not None
        codes.append(answer.status)
    assert codes == ["answer", "answer", "refused"]
    world.clock.now += 3_600
    world.people.intent["not_after"] = NOW + 10_000
    assert world.ask(world.offer(world.people.the_intent("later"))).status == "answer"  # type: ignore[union-attr]


def test_a_flood_is_refused_and_does_not_fill_the_log() -> None:
    world = World(People(policy={"max_cells": "1"}))
    world.ports.rates._limits.update(offer=80)
    for place in range(90):
        world.ask(world.offer(world.people.the_intent(f"r{place}")))
    refused = [name for event, name in world.ledger.events if event == "refused"]
    assert len(refused) == 60
    assert world.codes(world.read(world.sent[-1])) == ["node-rate"]


def oversized(world: World, part: str, size: int) -> Offer:
    whole = vars(world.offer()) | {part: b"x" * size}
    return Offer(**whole)


@pytest.mark.parametrize(("part", "limit"), [("intent", 65_536), ("permit", 2**20), ("model", 2**21)])
def test_sizes_are_checked_before_anything_else(part: str, limit: int) -> None:
    world = World()
    world.ask(oversized(world, part, limit + 1))
    assert world.steps == ["authenticate", "admit"]
    world.steps.clear()
    world.ask(oversized(world, part, limit))
    assert "decode" in world.steps


def test_all_of_a_policys_reasons_are_given() -> None:
    world = World(People(policy={"max_rho": "0", "max_cells": "1", "purposes": "[]"}))
    answer = world.ask()
    assert answer is not None
    assert [reason["fields"]["rule"] for reason in answer.reasons] == ["purpose", "rho-per-query", "cells"]
