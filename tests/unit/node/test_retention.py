"""Erasing by age, on a schedule: with a clock that is set, on the real ledger."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from node_agent.budget import SqliteLedger, State
from node_agent.budget.history import Kept, history
from node_agent.retention import Retention
from tests.factories.reservations import print_of, reservation
from trustquery.errors import TrustQueryError

DAY = 86_400
NOW = 1_000_000 * DAY // 100


class Site:
    """A ledger, a clock that is set, and what was said."""

    def __init__(self, path: Path) -> None:
        self.path, self.now = path, NOW
        self.ledger = SqliteLedger(path)
        self.logged: list[tuple[str, dict[str, object]]] = []
        self.failures: list[BaseException] = []

    def answer(self, name: str, end: State = State.SENT) -> str:
        item = reservation(name, not_after=self.now + 60)
        self.ledger.reserve(item, self.now)
        self.ledger.start(item.release_id, self.now)
        self.ledger.commit(item.release_id, b"bytes", b"vector", self.now)
        if end is State.WITHHELD:
            self.ledger.withhold(item.release_id, self.now)
        else:
            self.ledger.witnessed(item.release_id, self.now)
            self.ledger.sent(item.release_id, self.now)
        return item.release_id

    def retention(self, days: int = 90) -> Retention:
        return Retention(self.ledger, days, lambda: self.now, self._log, self.failures.append)

    def _log(self, event: str, **facts: object) -> None:
        self.logged.append((event, facts))

    def kept(self) -> Kept:
        with history(self.path) as found:
            return found.kept()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    found = Site(tmp_path / "ledger.sqlite")
    yield found
    found.ledger.close()


def test_answers_go_at_their_age_and_the_log_says_how_many(site: Site) -> None:
    old = [site.answer("sent"), site.answer("withheld", State.WITHHELD)]
    site.now += 30 * DAY
    young = site.answer("young")
    site.now = NOW + 90 * DAY - 1
    assert site.retention().turn() == 0
    site.now += 1
    assert site.retention().turn() == 2
    assert [site.ledger.outbox(name) for name in old] == [None, None]
    assert site.ledger.outbox(young) is not None
    assert site.logged == [("answers erased", {"number": 2, "days": 90})]
    assert site.kept() == Kept(1, 2, site.now // DAY)


def test_twice_is_once_and_a_missed_day_is_made_up_for(site: Site) -> None:
    for number in range(45):  # more than one part of the work
        site.answer(f"r{number}")
    spent = site.ledger.totals()
    site.now += 400 * DAY
    assert site.retention().turn() == 45
    size = site.ledger.size()
    assert site.retention().turn() == 0
    assert (site.ledger.size(), site.ledger.totals()) == (size, spent)
    assert len(site.logged) == 1


def test_a_crash_between_two_parts_leaves_the_rest_for_the_next_start(site: Site) -> None:
    names = [site.answer(f"r{number}") for number in range(25)]
    site.now += 400 * DAY
    site.ledger.erase(90, site.now)
    site.ledger.close()
    site.ledger = SqliteLedger(site.path)  # it verifies, or does not open
    assert site.retention().turn() == 5
    assert not any(site.ledger.outbox(name) for name in names)


def test_a_clock_that_is_set_back_brings_nothing_back_and_erases_nothing_more(site: Site) -> None:
    site.answer("one")
    site.now += 100 * DAY
    assert site.retention().turn() == 1
    site.now = NOW
    late = site.answer("two")
    assert site.retention().turn() == 0
    assert site.ledger.outbox(late) is not None
    assert site.ledger.erased_day(print_of("question one")) == (NOW + 100 * DAY) // DAY


def test_a_ledger_that_cannot_be_written_is_told_and_nothing_is_claimed(site: Site) -> None:
    site.answer("one")
    site.now += 100 * DAY
    site.ledger.close()
    assert site.retention().turn() == 0
    assert [error.code for error in site.failures if isinstance(error, TrustQueryError)] == ["ledger-unwritable"]
    assert site.logged == []
    site.ledger = SqliteLedger(site.path)
    assert site.kept() == Kept(1, 0, 0)


def test_the_schedule_looks_at_once_and_ends_when_told(site: Site) -> None:
    site.answer("one")
    site.now += 100 * DAY
    retention = site.retention()
    retention.start()
    retention.stop()
    # Either the first look had begun, and then it is whole, or it had not; it never goes on behind our back.
    assert site.kept().erased == len(site.logged)
    size = site.ledger.size()
    assert retention.turn() == 0
    assert site.ledger.size() == size
