"""What is kept of witnesses: durable, never backwards, checked at every start; and a mark that only ever adds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from node_agent.budget import Limits, ScopeLimit, SqliteLedger
from node_agent.budget.reader import LedgerReader
from tests.factories.reservations import reservation
from tests.factories.trust import NOW, key
from tests.lib.ledger_edits import editing
from trustquery.errors import TrustQueryError
from trustquery.log import Checkpoint, Conflict

ORIGIN = "test/node/ash"
CAPS = Limits(100, 50, 80, 40)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[SqliteLedger]:
    found = SqliteLedger(tmp_path / "ledger.sqlite")
    yield found
    found.close()


def head(ledger: SqliteLedger, size: int) -> bytes:
    return ledger.head(ORIGIN, size).sign(key("ash"))


def again(ledger: SqliteLedger) -> SqliteLedger:
    """Another process."""
    path = ledger._db.path
    ledger.close()
    return SqliteLedger(path)


def test_two_starts_never_have_one_head(tmp_path: Path) -> None:
    roots = []
    for name in ("one", "two"):
        ledger = SqliteLedger(tmp_path / name / "ledger.sqlite")
        ledger.note_opened(NOW)
        roots.append(ledger.root(1))
        ledger.close()
    assert roots[0] != roots[1]


def test_the_smallest_cosigned_head_over_an_entry_is_found_also_after_a_restart(ledger: SqliteLedger) -> None:
    for _ in range(5):
        ledger.note_opened(NOW)
    for size in (2, 4):
        ledger.keep_cosigned(size, head(ledger, size), NOW)
    ledger = again(ledger)
    assert [ledger.cosigned_over(seq) for seq in (1, 2, 3, 5)] == [
        head(ledger, 2), head(ledger, 2), head(ledger, 4), b"",
    ]  # fmt: skip
    ledger.close()


def test_a_kept_head_goes_forward_only_from_the_one_that_is_there(ledger: SqliteLedger) -> None:
    """AUD-08: compare and swap, in one transaction; and each key of a log has its own."""
    notes = [Checkpoint("test/node/birch", size, bytes([size]) * 32).sign(key("birch")) for size in (1, 2)]
    heads = ledger.kept_heads.of(key("birch").public)
    heads.advance("test/node/birch", None, notes[0])
    with pytest.raises(Conflict) as caught:
        heads.advance("test/node/birch", None, notes[1])
    assert caught.value.kept == notes[0]
    heads.advance("test/node/birch", notes[0], notes[1])
    assert ledger.kept_heads.of(key("cedar").public).head("test/node/birch") is None
    ledger = again(ledger)
    assert ledger.kept_heads.of(key("birch").public).head("test/node/birch") == notes[1]
    ledger.kept_heads.of(key("birch").public).keep_fork("test/node/birch", *notes)
    ledger.kept_heads.of(key("birch").public).keep_fork("test/node/birch", *notes)
    assert ledger.kept_heads.forks() == [(notes[0], notes[1])]
    ledger.close()


def test_frozen_is_for_good_and_one_alarm(ledger: SqliteLedger) -> None:
    theirs = Checkpoint(ORIGIN, 9, bytes(32)).sign(key("ash"))
    assert ledger.frozen() is None
    for _ in range(2):
        ledger.freeze(head(ledger, 0), theirs, NOW)
    ledger = again(ledger)
    assert ledger.frozen() == (head(ledger, 0), theirs)
    ledger.close()
    with editing(ledger._db.path) as connection:
        assert connection.execute("SELECT code FROM alarm").fetchall() == [("ledger-frozen",)]


def scopes() -> tuple[ScopeLimit, ...]:
    return (ScopeLimit("node-wide", "", CAPS), ScopeLimit("dataset", "omop-5.4", CAPS))


def test_a_lost_budget_counts_as_spent_to_the_last_unit_and_is_never_given_back(ledger: SqliteLedger) -> None:
    ledger.reserve(reservation("one", rho_nano=30, scopes=scopes()), NOW)
    theirs = Checkpoint(ORIGIN, 9, bytes(32)).sign(key("ash"))
    ledger.freeze(head(ledger, 1), theirs, NOW)
    ledger.repair(theirs, "a" * 64, scopes(), NOW)
    assert ledger.frozen() is None
    ledger = again(ledger)
    for scope in scopes():
        spent = ledger.spent(scope.scope, scope.subject, NOW)
        assert (spent.rho_lifetime, spent.delta_lifetime) == (100, 50)
        # Of the year as well, so that the next day opens nothing.
        assert spent.rho_window == 100
    with pytest.raises(TrustQueryError) as caught:
        ledger.reserve(reservation("two", rho_nano=1, scopes=scopes()), NOW)
    assert caught.value.code == "budget-exhausted"
    # Another life of the ledger freezes it again.
    ledger.freeze(head(ledger, 1), Checkpoint(ORIGIN, 10, bytes(32)).sign(key("ash")), NOW)
    assert ledger.frozen() is not None
    ledger.close()


EDITS = {
    "a cosigned head": "UPDATE cosigned SET note = CAST(replace(CAST(note AS TEXT), 'ash', 'asg') AS BLOB)",
    "a head that is not the tree's": "UPDATE cosigned SET size = 2",
    "a kept head": "UPDATE witness_head SET note = x'00'",
    "a fork": "UPDATE frozen SET theirs = ours",
    "a mark made smaller": "UPDATE exhausted SET rho_nano = rho_nano - 1 WHERE scope = 'dataset'",
    "a mark taken away": "DELETE FROM exhausted",
    "a repair that nobody ordered": "INSERT INTO repaired (seq, theirs_sha256) VALUES (1, 'x')",
}


@pytest.mark.acceptance("LED-10")
@pytest.mark.parametrize("edit", EDITS)
def test_an_edited_row_is_noticed_at_the_start(ledger: SqliteLedger, edit: str) -> None:
    """LED-10: the tables about witnesses too."""
    ledger.reserve(reservation("one", rho_nano=30, scopes=scopes()), NOW)
    ledger.note_opened(NOW)
    ledger.keep_cosigned(1, head(ledger, 1), NOW)
    note = Checkpoint("test/node/birch", 1, bytes(32)).sign(key("birch"))
    ledger.kept_heads.of(key("birch").public).advance("test/node/birch", None, note)
    theirs = Checkpoint(ORIGIN, 9, bytes(32)).sign(key("ash"))
    ledger.freeze(head(ledger, 1), theirs, NOW)
    ledger.repair(theirs, "a" * 64, scopes(), NOW)
    path = ledger._db.path
    again(ledger).close()
    with editing(path) as connection:
        connection.execute(EDITS[edit])
    with pytest.raises(TrustQueryError) as caught:
        LedgerReader(path)
    assert caught.value.code == "ledger-corrupt"


def test_a_text_that_is_no_text_is_a_corrupt_ledger_and_nothing_else(ledger: SqliteLedger) -> None:
    """Found by the torture: SQLite's own check does not look into texts."""
    ledger.note_opened(NOW)
    ledger.keep_cosigned(1, head(ledger, 1), NOW)
    path = ledger._db.path
    ledger.close()
    with editing(path, clumsily=True) as connection:
        connection.execute("UPDATE cosigned SET sha256 = CAST(x'b5ff' AS TEXT)")
    with pytest.raises(TrustQueryError) as caught:
        LedgerReader(path)
    assert caught.value.code == "ledger-corrupt"
