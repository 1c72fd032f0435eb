"""Alarms: one entry for one attack, a bounded number a day, verified both ways, and a failed write fails the ledger."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from node_agent.budget import SqliteLedger
from node_agent.budget.alarms import DAY, MORE, MOST_A_DAY, Alarm
from node_agent.budget.history import history
from node_agent.budget.reader import LedgerReader
from tests.lib.ledger_edits import editing
from tests.lib.refusals import code_of

NOW = 1_800_000_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture
def ledger(path: Path) -> Iterator[SqliteLedger]:
    found = SqliteLedger(path)
    yield found
    found.close()


def listed(path: Path) -> tuple[Alarm, ...]:
    with history(path) as found:
        return found.alarms()


def test_the_same_document_again_is_one_event_and_the_same_frame_is_two(ledger: SqliteLedger, path: Path) -> None:
    for _ in range(3):
        ledger.note_alarm("auth-document", "roster", b"forged", NOW, once=True)
    assert [(alarm.code, alarm.place, alarm.at) for alarm in listed(path)] == [("auth-document", "roster", NOW)]
    ledger.note_alarm("policy-document-stale", "roster", b"forged", NOW, once=True)
    for _ in range(2):
        ledger.note_alarm("node-message-invalid", "frame sequence", b"frame", NOW, once=False)
    assert len(listed(path)) == ledger.size() == 4


def test_a_flood_is_counted_in_one_last_event_of_the_day(ledger: SqliteLedger, path: Path) -> None:
    for number in range(MOST_A_DAY + 50):
        ledger.note_alarm("auth-document", "permit", b"%d" % number, NOW, once=True)
    found = listed(path)
    assert len(found) == ledger.size() == MOST_A_DAY
    assert (found[-1].code, found[-1].more, found[-1].sha256) == (MORE, 51, "")
    ledger.note_alarm("auth-document", "permit", b"the next day", NOW + DAY, once=True)
    assert listed(path)[-1].code == "auth-document"
    LedgerReader(path).close()


@pytest.mark.parametrize(
    "edit",
    [
        "DELETE FROM alarm",
        "UPDATE alarm SET code = 'node-rate'",
        "UPDATE alarm SET place = 'permit'",
        "UPDATE alarm SET at = at + 1",
        "UPDATE alarm SET sha256 = replace(sha256, 'a', 'b')",
        "INSERT INTO alarm (seq, code, place, sha256, at, more) SELECT 2, code, place, sha256, at, more FROM alarm",
        "DELETE FROM salt WHERE scope = 'alarm'",
    ],
)
def test_an_alarm_that_was_edited_taken_away_or_added_does_not_verify(path: Path, edit: str) -> None:
    ledger = SqliteLedger(path)
    ledger.note_alarm("auth-document", "roster", b"forged", NOW, once=True)
    ledger.close()
    SqliteLedger(path).close()
    with editing(path) as connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute(edit)
    assert code_of(SqliteLedger, path) == "ledger-corrupt"


def test_the_log_holds_no_time_and_no_word_of_an_alarm(ledger: SqliteLedger, path: Path) -> None:
    ledger.note_alarm("auth-document", "roster", b"forged", NOW, once=True)
    with editing(path) as connection:
        (payload,) = connection.execute("SELECT payload FROM leaf").fetchone()
    assert not any(word in payload for word in (b"auth-document", b"roster", b"forged", str(NOW).encode()))
