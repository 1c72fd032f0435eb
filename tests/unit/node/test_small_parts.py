"""Slots, seats, rates, back-off, transitions."""

from __future__ import annotations

import threading
import time
from decimal import Decimal
from itertools import islice

import pytest

from node_agent.budget import VALID_TRANSITIONS, State
from node_agent.clock import SystemClock
from node_agent.gate.noise import little_endian
from node_agent.gate.ports import Settings, ShuttingDownError
from node_agent.gate.rates import Rates, Seats
from node_agent.gate.slots import needed_ms, planned_slot
from node_agent.link.backoff import delays
from tests.factories.catalogues import made_up
from tests.factories.trust import question
from trustquery.codelists import PublicTables, read_table
from trustquery.errors import TrustQueryError
from trustquery.language import compile_query
from trustquery.planning import compile_plan


def test_the_time_needed_is_allowance_draws_and_declared_rows() -> None:
    query = question()
    plan = compile_plan(query, made_up())
    settings = Settings(allowance_ms=2_000, rows_per_second=2_000, draws_per_second=1_000)
    # 5 draws at 1,000 a second, 1,000 declared rows at 2,000 a second.
    assert needed_ms(query, made_up(), PublicTables(), plan, settings) == 2_000 + max(5, 500)


def test_each_scan_of_a_table_takes_time_and_a_public_table_has_its_own_rows() -> None:
    public = PublicTables([read_table(b"code\nA\nB\nC\n", "mine.csv")])
    sql = (
        "SELECT count(*) FROM event JOIN person ON person.pid = event.pid WHERE code IN (SELECT code FROM mine) "
        "AND event.pid IN (SELECT pid FROM event WHERE code IN (SELECT code FROM mine))"
    )
    query = compile_query(sql, made_up(), epsilon=Decimal("1"), public=public)
    assert sorted(scan.table for scan in query.scans) == ["event", "event", "mine", "mine", "person"]
    settings = Settings(allowance_ms=0, rows_per_second=1_000, draws_per_second=10**9)
    plan = compile_plan(query, made_up(), public)
    assert needed_ms(query, made_up(), public, plan, settings) == 5_000 + 5_000 + 1_000 + 3 + 3


@pytest.mark.parametrize(
    ("waited", "needed", "slot"), [(0, 0, 1), (0, 1, 1), (0, 1_000, 1), (0, 1_001, 2), (999, 1, 1), (1_000, 1, 2)]
)
def test_the_planned_slot_is_the_first_that_is_not_too_early(waited: int, needed: int, slot: int) -> None:
    assert planned_slot(waited, needed, Settings(slot_ms=1_000)) == slot


def test_a_vector_is_little_endian_int64() -> None:
    assert little_endian([1, -2, 2**63 - 1]).hex() == "0100000000000000feffffffffffffffffffffffffffff7f"
    with pytest.raises(OverflowError):
        little_endian([2**63])


def test_rates_slide() -> None:
    rates = Rates(offers_per_minute=2)
    assert [rates.allows("offer", at) for at in (0.0, 30.0, 59.9, 60.0, 60.1)] == [True, True, False, True, False]
    assert [rates.allows_person("ada", 1, at) for at in (0.0, 3_599.0, 3_600.0)] == [True, False, True]
    assert rates.allows_person("bob", 1, 0.0)
    assert not rates.allows_person("eve", 0, 0.0)


def test_seats_are_counted_and_waited_for() -> None:
    seats = Seats(1)
    seats.take(0)
    with pytest.raises(TrustQueryError):
        seats.take(0)
    threading.Timer(0.02, seats.give_back, [7.0]).start()
    assert seats.take(5) == 7.0
    seats.give_back(3.0)
    assert seats.take(0) == 3.0


def test_delays_double_with_jitter_up_to_a_ceiling() -> None:
    found = list(islice(delays(100, 800), 6))
    for delay, step in zip(found, [0.1, 0.2, 0.4, 0.8, 0.8, 0.8], strict=True):
        assert step / 2 <= delay <= step
    assert len(set(islice(delays(100, 100), 20))) > 1


def test_every_state_has_a_row_and_a_way_in() -> None:
    assert set(VALID_TRANSITIONS) == set(State)
    reached = {state for targets in VALID_TRANSITIONS.values() for state in targets}
    assert set(State) - reached == {State.RESERVED}
    assert {state for state, targets in VALID_TRANSITIONS.items() if not targets} == {
        State.SENT,
        State.EXPIRED,
        State.DEAD,
        State.WITHHELD,
    }
    assert all(State.EXPIRED not in VALID_TRANSITIONS[state] for state in State if state is not State.RESERVED)


def test_the_clock_waits_and_is_woken_by_a_shutdown() -> None:
    clock = SystemClock()
    begin = clock.monotonic()
    clock.wait_until(begin + 0.02)
    assert clock.monotonic() >= begin + 0.02
    assert abs(clock.wall() - time.time()) < 5
    assert abs(clock.wall_ms() / 1_000 - time.time()) < 5
    clock.stop()
    with pytest.raises(ShuttingDownError):
        clock.wait_until(clock.monotonic() + 100)
