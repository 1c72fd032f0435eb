"""Profiles at the gate: whose budget they are charged to, and what is not one."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from decimal import Decimal

import pytest

from node_agent.gate.case import Peer
from node_agent.gate.preview import answer_preview
from tests.factories.catalogues import made_up
from tests.factories.trust import People, key
from tests.lib.gate_world import World
from trustquery.forecast.questions import PROFILE_EPSILON, ProfileQuestion, profile_query
from trustquery.language import compile_query
from trustquery.model import Query
from trustquery.model.terms import Bound, Terms
from trustquery.planning import compile_plan
from trustquery.protocol.messages import Preview, PreviewReply, ScopeShare

ROWS = ProfileQuestion("event", "rows")
SQL, PROFILE = profile_query(ROWS, made_up())
RHO = compile_plan(PROFILE, made_up()).rho_nano
BINS = compile_plan(PROFILE, made_up()).length
EVERYBODYS = (("node-wide", ""), ("dataset", "made-up"), ("profiles", "made-up"))
ONES_OWN = (("node-wide", ""), ("dataset", "made-up"), ("project", "stays"), ("analyst", "ada"))
CAPS = "0.1 0.5"


def world(query: Query = PROFILE, *, caps: str = CAPS, **policy: str) -> World:
    found = World(People(query=query, policy={"profiles": caps, **policy}))
    found.engine.result = [1] * compile_plan(query, made_up()).length
    return found


def charged(found: World) -> set[tuple[str, str]]:
    return set(found.ledger.totals())


def test_a_profile_is_charged_to_everybodys_cap_and_to_no_project_and_no_person() -> None:
    found = world()
    answer = found.ask()
    assert answer is not None
    assert (answer.status, answer.vector_length, answer.rho_nano) == ("answer", BINS, RHO)
    assert found.ledger.totals() == dict.fromkeys(EVERYBODYS, (RHO, 0, 1))


def test_without_the_section_a_profile_is_a_query_like_any_other() -> None:
    found = world(caps="")
    assert found.ask() is not None
    assert charged(found) == set(ONES_OWN)


def with_terms(bound: Bound, rho_nano: int) -> Query:
    return PROFILE.on((Terms(bound, rho_nano),))


def with_text(old: str, new: str) -> Query:
    assert old in SQL
    found = compile_query(SQL.replace(old, new), made_up(), epsilon=PROFILE_EPSILON)
    return found.on(PROFILE.terms)


NEARLY: dict[str, Callable[[], Query]] = {
    "one nano-rho more": lambda: with_terms(Bound("rows", 1, 1), PROFILE.terms[0].rho_nano + 1),
    "one nano-rho less": lambda: with_terms(Bound("rows", 1, 1), PROFILE.terms[0].rho_nano - 1),
    "two rows": lambda: with_terms(Bound("rows", 1, 2), PROFILE.terms[0].rho_nano),
    "another edge": lambda: with_text("[2, 3, 4]", "[2, 3, 5]"),
    "another name": lambda: with_text("AS people", "AS persons"),
    "a condition": lambda: with_text("FROM event", "FROM event WHERE kind = 1"),
    "another day": lambda: dataclasses.replace(PROFILE, as_of="2000-01-02"),
}


@pytest.mark.parametrize("name", NEARLY)
def test_what_differs_in_one_bit_is_a_query_like_any_other(name: str) -> None:
    query = NEARLY[name]()
    assert query != PROFILE
    found = world(query)
    found.people.intent["as_of"] = query.as_of
    answer = found.ask()
    assert answer is not None
    assert answer.status == "answer"
    assert charged(found) == set(ONES_OWN)


def test_a_fresh_draw_is_paid_for_by_the_one_who_wants_it() -> None:
    found = world()
    found.ask()
    before = found.ledger.totals()["profiles", "made-up"]
    found.ask(found.offer(found.people.the_intent("two", reuse="fresh")))
    assert found.engine.runs == 2
    assert found.ledger.totals()["profiles", "made-up"] == before
    assert found.ledger.totals()["analyst", "ada"] == (RHO, 0, 1)


def test_the_same_profile_asked_again_costs_nobody_anything() -> None:
    found = world()
    found.ask()
    before = found.ledger.totals()
    answer = found.ask(found.offer(found.people.the_intent("two")))
    assert answer is not None
    assert answer.status == "answer"
    assert found.engine.runs == 1
    assert found.sent[0].vector == found.sent[1].vector
    assert found.ledger.totals() == before


def test_new_data_are_charged_again_to_everybodys_cap() -> None:
    found = world()
    found.ask()
    found.engine.data_version = 2
    found.ask(found.offer(found.people.the_intent("two")))
    assert found.ledger.totals() == dict.fromkeys(EVERYBODYS, (2 * RHO, 0, 2))


@pytest.mark.parametrize("caps", ["0.0001 0.5", "0.0001 0.0001", "0 0"])
def test_an_exhausted_cap_refuses_names_its_scope_and_says_what_helps(caps: str) -> None:
    found = world(caps=caps)
    answer = found.ask()
    assert found.codes(answer) == ["budget-exhausted"]
    assert answer is not None
    assert answer.reasons[0]["fields"] == {"scope": "profiles"}
    assert "90 days for profiles" in answer.reasons[0]["fix"]
    assert "raise the profiles cap" in answer.reasons[0]["fix"]
    assert found.ledger.totals() == {}
    assert found.engine.runs == 0


def test_the_caps_for_patients_hold_for_profiles_too() -> None:
    for name, scope in (("node_wide", "node-wide"), ("dataset", "dataset")):
        found = world()
        caps = {"rho_12_months": Decimal("0.0001")}
        policy = found.people.the_policy
        if name == "node_wide":
            budget = policy.budget.model_copy(update={name: policy.budget.node_wide.model_copy(update=caps)})
            found.people.the_policy = policy.model_copy(update={"budget": budget})
        else:
            rule = policy.dataset[0]
            narrow = rule.model_copy(update={"budget": rule.budget.model_copy(update=caps)})
            found.people.the_policy = policy.model_copy(update={"dataset": (narrow,)})
        answer = found.ask()
        assert answer is not None
        assert answer.reasons[0]["fields"] == {"scope": scope}


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"max_rho": "0.00001"}, "rho-per-query"),
        ({"aggregates": '["count"]'}, "aggregate"),
        ({"tables": '[{ name = "person", columns = "all-by-catalogue-role" }]'}, "table"),
        ({"deny__projects": '["stays"]'}, "denied"),
        ({"purposes": '["clinical-audit"]'}, "purpose"),
        ({"max_cells": "0"}, "cells"),
    ],
)
def test_every_other_rule_holds_for_a_profile(change: dict[str, str], rule: str) -> None:
    found = World(People(query=PROFILE, policy={"profiles": CAPS} | change))
    answer = found.ask()
    assert found.codes(answer) == ["policy-refused"]
    assert answer is not None
    assert answer.reasons[0]["fields"]["rule"] == rule
    assert found.ledger.totals() == {}


def test_datasets_of_one_source_share_one_cap() -> None:
    found = world()
    found.ports = dataclasses.replace(found.ports, budget_subject=lambda dataset: "made-up+other")
    found.ask()
    assert charged(found) == {("node-wide", ""), ("dataset", "made-up+other"), ("profiles", "made-up+other")}


@pytest.mark.parametrize("step", ["start", "engine"])
def test_a_profile_that_fails_is_given_back_only_if_nothing_was_read(step: str) -> None:
    def boom() -> None:
        raise RuntimeError

    found = world()
    found.trouble[step] = boom
    found.ask()
    assert found.ledger.totals() == ({} if step == "start" else dict.fromkeys(EVERYBODYS, (RHO, 0, 1)))


def preview(found: World) -> PreviewReply:
    message = Preview(
        preview_id=bytes(32),
        model=found.people.query.payload(),
        permit=found.people.the_permit.sign(key("ann"), key("bob")).encode(),
        key_id=key("ada").key_id,
        key_kind="file",
        opt_out_treatment="synthetic-data",
        disclosure_profile="none",
        min_trusts=2,
    )
    return answer_preview(message, Peer(True), found.ports)


def test_a_preview_shows_the_shares_of_the_scopes_that_would_pay() -> None:
    reply = preview(world())
    assert reply.accepted
    assert [share.scope for share in reply.shares] == ["node-wide", "dataset", "profiles"]
    share = -(-RHO * 1_000_000 // 10**8)
    assert reply.shares[2] == ScopeShare("profiles", (10**8 - RHO) * 1_000_000 // 10**8, share)
    plain = preview(world(caps=""))
    assert [share.scope for share in plain.shares] == ["node-wide", "dataset", "project", "analyst"]


def test_a_preview_names_the_exhausted_cap() -> None:
    reply = preview(world(caps="0.0001 0.1"))
    assert [(reason["code"], reason["fields"]) for reason in reply.reasons] == [
        ("budget-exhausted", {"scope": "profiles"})
    ]
