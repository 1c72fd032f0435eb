"""Previews: the same decision without a reservation."""

from __future__ import annotations

from typing import Any

import pytest

from node_agent.gate.case import Peer
from node_agent.gate.preview import answer_preview
from tests.factories.trust import People, key, question
from tests.lib.gate_world import World
from trustquery.errors import TrustQueryError
from trustquery.protocol.messages import Preview, PreviewReply, ScopeShare


def preview(world: World, **changes: Any) -> Preview:
    facts: dict[str, Any] = {
        "preview_id": bytes(32),
        "model": world.people.query.payload(),
        "permit": world.people.the_permit.sign(key("ann"), key("bob")).encode(),
        "key_id": key("ada").key_id,
        "key_kind": "file",
        "opt_out_treatment": "synthetic-data",
        "disclosure_profile": "none",
        "min_trusts": 2,
    }
    return Preview(**(facts | changes))


def ask(world: World, **changes: Any) -> PreviewReply:
    return answer_preview(preview(world, **changes), Peer(True), world.ports)


def codes(reply: PreviewReply) -> list[object]:
    assert not reply.accepted
    return [reason["code"] for reason in reply.reasons]


def test_an_acceptable_query_shows_what_it_would_leave() -> None:
    world = World()
    reply = ask(world)
    assert reply.accepted
    # 0.001 of 0.5, 0.4, 0.3 and 0.2 in 12 months (or of the project's whole life).
    assert reply.shares == (
        ScopeShare("node-wide", 998_000, 2_000),
        ScopeShare("dataset", 997_500, 2_500),
        ScopeShare("project", 996_666, 3_334),
        ScopeShare("analyst", 995_000, 5_000),
    )
    assert world.engine.runs == 0
    assert world.ledger.totals() == {}
    assert world.ledger.decided == []


def test_what_is_left_can_be_kept_private() -> None:
    reply = ask(World(People(policy={"show_budget_left": "false"})))
    assert reply.accepted
    assert reply.shares == ()


def test_a_preview_reserves_nothing_however_often() -> None:
    world = World()
    assert len({ask(world) for _ in range(20)}) == 1
    assert world.ledger.releases == {}


def test_every_exhausted_scope_is_named() -> None:
    world = World(People(query=question(rho_nano=100_000_000)))
    for place in range(2):
        world.ask(world.offer(world.people.the_intent(f"r{place}", reuse="fresh")))
    reply = ask(world)
    assert [reason["fields"] for reason in reply.reasons] == [{"scope": "analyst"}]
    assert reply.shares[3] == ScopeShare("analyst", 0, 500_000)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"key_id": "ab" * 32}, "project-not-a-member"),
        ({"key_kind": "browser"}, "auth-document"),
        ({"permit": b"{}"}, "auth-document"),
        ({"permit": b""}, "node-message-invalid"),
        ({"model": b"{}"}, "query-model-invalid"),
        ({"model": bytes(2**21 + 1)}, "node-message-invalid"),
        ({"opt_out_treatment": "applied"}, "auth-document"),
        ({"disclosure_profile": "standard"}, "auth-document"),
        ({"min_trusts": 1}, "auth-document"),
    ],
)
def test_refusals(changes: dict[str, Any], code: str) -> None:
    assert codes(ask(World(), **changes)) == [code]


def test_the_policy_and_a_stop_refuse_a_preview_too() -> None:
    assert codes(ask(World(People(policy={"max_cells": "1"})))) == ["policy-refused"]
    world = World()
    world.marked = True
    assert codes(ask(world)) == ["policy-stopped"]
    assert codes(answer_preview(preview(world), Peer(False), world.ports)) == ["auth-certificate"]


def test_previews_are_limited_in_rate() -> None:
    world = World()
    world.ports.rates._limits["preview"] = 2
    assert [ask(world).accepted for _ in range(3)] == [True, True, False]
    world.clock.now += 60
    assert ask(world).accepted


def test_a_fault_is_an_incident_and_a_failed_ledger_is_silence() -> None:
    world = World()
    world.engine.tables = None  # type: ignore[assignment]
    assert codes(ask(world)) == ["internal-fault"]
    world = World()
    world.ledger.fail_on = "see"
    with pytest.raises(TrustQueryError) as caught:
        ask(world)
    assert caught.value.code == "ledger-unwritable"


def test_a_preview_says_that_people_look_first_and_for_how_long() -> None:
    reply = ask(World(People(policy={"every_query": "true", "review_minutes": "2880"})))
    assert (reply.accepted, [reason["code"] for reason in reply.reasons]) == (True, ["policy-review-held"])
    assert reply.reasons[0]["fields"] == {"minutes": "2880"}
    # What refuses is said without it, and so is a question that nobody looks at.
    assert codes(ask(World(People(policy={"every_query": "true", "review_minutes": "0"})))) == ["policy-refused"]
    reply = ask(World(People(policy={"every_query": "false", "review_minutes": "2880"})))
    assert (reply.accepted, reply.reasons) == (True, ())
