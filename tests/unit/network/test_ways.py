"""Which transport is dialled next."""

from __future__ import annotations

from typing import Literal

import pytest

from node_agent.link.ways import FAILURES, Ways


def test_grpc_first_and_the_other_after_failures_in_a_row() -> None:
    ways = Ways("auto", True)
    assert (ways.current, ways.fallen_back) == ("grpc", False)
    assert [ways.failed(True) for _ in range(FAILURES)] == [False, False, True]
    assert (ways.current, ways.fallen_back) == ("websocket", True)


def test_a_coordinator_that_is_away_teaches_nothing() -> None:
    ways = Ways("auto", True)
    for opens in (True, True, False, True, True, False) * 5:
        assert not ways.failed(opens)
    assert ways.current == "grpc"


def test_a_greeting_ends_the_count() -> None:
    ways = Ways("auto", True)
    for _ in range(10):
        ways.failed(True)
        ways.failed(True)
        ways.worked()
    assert ways.current == "grpc"


def test_it_stays_with_what_works_and_goes_back_as_it_came() -> None:
    ways = Ways("auto", True)
    for _ in range(FAILURES):
        ways.failed(True)
    ways.worked()
    assert not ways.failed(True)
    assert ways.current == "websocket"
    assert [ways.failed(True), ways.failed(True)] == [False, True]
    assert not ways.fallen_back


def test_grpc_that_was_seen_to_pass_is_used_again() -> None:
    ways = Ways("auto", True)
    for _ in range(FAILURES):
        ways.failed(True)
    ways.prefer_grpc()
    assert (ways.current, ways.fallen_back) == ("grpc", False)


@pytest.mark.parametrize(
    ("setting", "fallback", "stays"),
    [("grpc", True, "grpc"), ("websocket", True, "websocket"), ("auto", False, "grpc")],
)
def test_a_setting_is_obeyed(setting: Literal["auto", "grpc", "websocket"], fallback: bool, stays: str) -> None:
    ways = Ways(setting, fallback)
    for _ in range(10):
        assert not ways.failed(True)
    ways.prefer_grpc()
    assert (ways.current, ways.fallen_back) == (stays, False)
