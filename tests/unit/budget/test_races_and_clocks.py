"""Races for the last unit, one id used often, clocks that jump, amounts that are none: at the ledger that ships."""

from __future__ import annotations

import multiprocessing
import random
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from node_agent.budget import Limits, SqliteLedger
from tests.factories.reservations import WIDE, print_of, reservation, scopes
from trustquery.errors import TrustQueryError

NOW = 1_000_000_000
DAY = 86_400
TEN_YEARS = 3_653 * DAY
LAST_UNIT = scopes(node=Limits(30, 10**18, 30, 10**18))
"""Caps that one release of 30 nano-rho uses up."""


def outcome(action: Callable[[], Any]) -> str:
    try:
        action()
    except TrustQueryError as error:
        return error.code
    return "done"


def race(action: Callable[[int], Any], runners: int = 64) -> Counter[str]:
    """Outcomes of as many threads that begin at once."""
    gate, found = threading.Barrier(runners), Counter[str]()

    def run(place: int) -> None:
        gate.wait()
        said = outcome(lambda: action(place))
        found[said] += 1

    threads = [threading.Thread(target=run, args=(place,)) for place in range(runners)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def rounds_of_the_race(folder: Path, rounds: int) -> None:
    ledger = SqliteLedger(folder / "ledger.sqlite")
    try:
        for number in range(rounds):
            names = ("omop-5.4", f"p{number}", f"a{number}")
            caps = scopes(project=LAST_UNIT[0].limits, names=names)

            def ask(place: int, number: int = number, caps: Any = caps) -> None:
                ledger.reserve(reservation(f"{number}/{place}", scopes=caps), NOW)

            assert race(ask) == {"done": 1, "budget-exhausted": 63}
            assert ledger.spent("project", names[1], NOW).rho_lifetime == 30
    finally:
        ledger.close()


@pytest.mark.acceptance("LED-04")
def test_of_64_threads_one_gets_the_last_unit(tmp_path: Path) -> None:
    """A sample of the 10,000 rounds, which `test_of_64_threads_one_gets_the_last_unit_10_000_times` plays."""
    rounds_of_the_race(tmp_path, 10)


@pytest.mark.full_size
def test_of_64_threads_one_gets_the_last_unit_10_000_times(tmp_path: Path) -> None:
    rounds_of_the_race(tmp_path, 10_000)


def _process(path: Path, place: int, gate: Any, said: Any) -> None:
    gate.wait()

    def ask() -> None:
        ledger = SqliteLedger(path)
        try:
            ledger.reserve(reservation(f"process {place}", scopes=LAST_UNIT), NOW)
        finally:
            ledger.close()

    while (found := outcome(ask)) == "ledger-locked":
        pass
    said.put(found)


@pytest.mark.acceptance("LED-04")
def test_of_8_processes_one_gets_the_last_unit(tmp_path: Path) -> None:
    """Processes are kept apart by the writer's lock; each tries until it had its turn."""
    path, spawn = tmp_path / "ledger.sqlite", multiprocessing.get_context("fork")
    gate, said = spawn.Barrier(8), spawn.Queue()
    runners = [spawn.Process(target=_process, args=(path, place, gate, said)) for place in range(8)]
    for runner in runners:
        runner.start()
    found = Counter(said.get(timeout=30) for _ in runners)
    for runner in runners:
        runner.join(30)
    assert found == {"done": 1, "budget-exhausted": 7}


@pytest.mark.acceptance("LED-05")
def test_one_id_a_hundred_times_at_once_and_after_a_restart_is_charged_once(tmp_path: Path) -> None:
    path, item = tmp_path / "ledger.sqlite", reservation("one")
    ledger = SqliteLedger(path)
    made = []
    found = race(lambda _: made.append(ledger.reserve(item, NOW)[1]), 100)
    assert found == {"done": 100}
    assert sorted(made) == [False] * 99 + [True]
    ledger.start(item.release_id, NOW)
    ledger.commit(item.release_id, b"the answer", b"vector", NOW)
    # Whoever draws again meets the state; what was kept is what every later call gets.
    assert race(lambda _: ledger.commit(item.release_id, b"another", b"x", NOW), 20) == {"ledger-state": 20}
    for _ in range(3):
        ledger.close()
        ledger = SqliteLedger(path)
        ledger.recover(NOW)
        assert not any(ledger.reserve(item, NOW)[1] for _ in range(33))
        assert ledger.outbox(item.release_id) == b"the answer"
    assert ledger.spent("node-wide", "", NOW).rho_lifetime == 30
    assert ledger.size() == 3
    ledger.close()


@pytest.mark.acceptance("LED-06")
@pytest.mark.parametrize("field", ["query_hash", "plan_hash", "question", "intent_hash"])
def test_one_id_for_another_query_is_refused_in_every_state(tmp_path: Path, field: str) -> None:
    path, item = tmp_path / "ledger.sqlite", reservation("one")
    # A query, its plan and its question are inside the intent that a person signs.
    other = reservation("one", **{"intent_hash": print_of("other"), field: print_of("other")})
    ledger = SqliteLedger(path)
    ledger.reserve(item, NOW)
    steps: list[Callable[[], Any]] = [
        lambda: None,
        lambda: ledger.start(item.release_id, NOW),
        lambda: ledger.commit(item.release_id, b"the answer", b"vector", NOW),
        lambda: ledger.witnessed(item.release_id, NOW),
        lambda: ledger.sent(item.release_id, NOW),
    ]
    for step in steps:
        step()
        assert outcome(lambda: ledger.reserve(other, NOW)) == "node-release-conflict"
    ledger.close()
    ledger = SqliteLedger(path)
    assert outcome(lambda: ledger.reserve(other, NOW)) == "node-release-conflict"
    assert ledger.outbox(item.release_id) == b"the answer"
    assert ledger.spent("node-wide", "", NOW).rho_lifetime == 30
    ledger.close()


@pytest.mark.parametrize("jump", [TEN_YEARS, 366 * DAY, 1, 0, -1, -DAY, -TEN_YEARS, -NOW])
def test_a_clock_that_jumped_and_was_put_right_gives_nothing_back(tmp_path: Path, jump: int) -> None:
    """Ten years forward, a leap second, back to 1970: an entry was written meanwhile, and the node restarted."""
    path = tmp_path / "ledger.sqlite"
    ledger = SqliteLedger(path)
    ledger.reserve(reservation("one"), NOW)
    ledger.start(print_of("one"), NOW)
    ledger.note_refusal(print_of("four"), print_of("intent"), "", NOW + jump)
    ledger.close()
    ledger = SqliteLedger(path)
    ledger.recover(NOW)
    for scope, subject in (("node-wide", ""), ("dataset", "omop-5.4"), ("project", "stays"), ("analyst", "ada")):
        spent = ledger.spent(scope, subject, NOW)  # type: ignore[arg-type]
        assert (spent.rho_window, spent.rho_lifetime) == (30, 30)
    window = scopes(node=Limits(10**12, 10**18, 30, 10**18))
    assert outcome(lambda: ledger.reserve(reservation("two", scopes=window), NOW)) == "budget-exhausted"
    # The clock never runs backwards in the log, and what is charged now counts for a whole window from now.
    ledger.reserve(reservation("three"), NOW)
    assert ledger.spent("node-wide", "", NOW + 300 * DAY).rho_window == 60
    ledger.close()


def test_no_walk_of_the_clock_counts_less_than_true_time_does(tmp_path: Path) -> None:
    """Whatever the wall said in between, at a true wall nothing spent in the last 12 months is forgotten."""
    chance = random.Random(9)
    ledger = SqliteLedger(tmp_path / "ledger.sqlite")
    spent: list[int] = []
    for place in range(60):
        true = NOW + place * 20 * DAY
        if chance.random() < 0.5:
            ledger.note_refusal(print_of(f"r{place}"), "", "", max(0, true + chance.randrange(-TEN_YEARS, TEN_YEARS)))
        ledger.reserve(reservation(f"w{place}"), true)
        ledger.start(print_of(f"w{place}"), true)
        spent.append(true)
        owed = 30 * sum(day > true - 365 * DAY for day in spent)
        assert ledger.spent("node-wide", "", true).rho_window >= owed
    ledger.close()


BAD_AMOUNTS: list[Any] = [-1, -(2**63), 2**63, 10**30, float("nan"), float("inf"), 30.0, 0.5, True, "30", None]


@pytest.mark.acceptance("LED-13")
@pytest.mark.parametrize("amount", BAD_AMOUNTS, ids=repr)
@pytest.mark.parametrize("field", ["rho_nano", "delta_atto"])
@pytest.mark.parametrize("stored", [False, True])
def test_an_amount_that_is_none_is_refused_and_writes_nothing(
    tmp_path: Path, field: str, amount: Any, stored: bool
) -> None:
    ledger = SqliteLedger(tmp_path / "ledger.sqlite")
    caps = scopes(node=Limits(WIDE.rho_lifetime, 10**12, WIDE.rho_window, 10**12))
    item = reservation("one", scopes=caps, stored=stored, **{field: amount})
    assert outcome(lambda: ledger.reserve(item, NOW)) in ("budget-exhausted", "budget-charge-mismatch")
    assert (ledger.size(), ledger.totals(), ledger.failed) == (0, [], False)
    ledger.close()


@pytest.mark.acceptance("LED-13")
def test_one_unit_over_any_cap_is_refused_and_the_cap_itself_is_not(tmp_path: Path) -> None:
    """Charges are whole nano-rho, so that one unit is the least that can be over."""
    ledger = SqliteLedger(tmp_path / "ledger.sqlite")
    chance = random.Random(13)
    for place in range(60):
        names = (f"d{place}", f"p{place}", f"a{place}")
        cap = chance.randrange(1, 10**9)
        tight = {chance.choice(["dataset", "project", "analyst"]): Limits(cap, 10**18, cap, 10**18)}
        caps = scopes(**tight, names=names)
        over = reservation(f"over {place}", rho_nano=cap + 1, scopes=caps)
        assert outcome(lambda over=over: ledger.reserve(over, NOW)) == "budget-exhausted"  # type: ignore[misc]
        ledger.reserve(reservation(f"at {place}", rho_nano=cap, scopes=caps), NOW)
    ledger.close()
