"""Which replica a node dials next."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from pydantic import ValidationError

from node_agent.config import LinkConfig
from node_agent.enrolment.startup import Coordinator, Startup
from node_agent.link.places import Places
from node_agent.link.websocket_stream import websocket_address

ALSO = ("b:1", "c:1")


def startup() -> Startup:
    found = Coordinator(
        format="tq-startup-1", node="RX1", ods="RX1", grpc_address="a:1", websocket_address="a:2", api_address=""
    )
    anything = cast(Any, SimpleNamespace())
    return Startup(anything, found, b"", b"", anything, b"")


def test_every_replica_is_tried_before_anybody_waits_longer() -> None:
    places, dialled, rounds = Places(ALSO, (), start=0), [], []
    for _ in range(6):
        dialled.append(places.at(startup()).coordinator.grpc_address)
        rounds.append(places.failed())
    assert dialled == ["a:1", "b:1", "c:1"] * 2
    assert rounds == [False, False, True] * 2


def test_a_session_that_worked_begins_a_new_round() -> None:
    places = Places(ALSO, (), start=2)
    assert [places.failed(), places.failed()] == [False, False]
    places.worked()
    assert [places.failed(), places.failed(), places.failed()] == [False, False, True]


def test_one_address_waits_longer_each_time() -> None:
    places = Places((), ())
    assert places.at(startup()) == startup()
    assert [places.failed(), places.failed()] == [True, True]


def test_a_fleet_spreads_over_the_replicas() -> None:
    first = {Places(ALSO, ()).at(startup()).coordinator.grpc_address for _ in range(200)}
    assert first == {"a:1", "b:1", "c:1"}  # missing one: fewer than 1 in 10^34


def test_each_replica_has_its_own_websocket_or_the_first_ones() -> None:
    config = LinkConfig(also=ALSO, also_websocket=("b:2", "c:2"), websocket="proxy:2")
    found = [websocket_address(Places(ALSO, config.also_websocket, place).at(startup()), config) for place in range(3)]
    assert found == ["proxy:2", "b:2", "c:2"]
    assert websocket_address(Places(ALSO, (), 1).at(startup()), LinkConfig(also=ALSO)) == "a:2"


def test_websockets_come_one_for_each_address_or_not_at_all() -> None:
    with pytest.raises(ValidationError):
        LinkConfig(also=ALSO, also_websocket=("b:2",))
