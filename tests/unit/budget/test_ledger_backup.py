"""A copy of the ledger, and when it may take a ledger's place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from node_agent.budget import SqliteLedger
from node_agent.budget.backup import back_up, restore
from node_agent.budget.reader import LedgerReader
from tests.factories.reservations import reservation
from trustquery.errors import TrustQueryError

NOW = 1_790_000_000


def code(work: Callable[[], object]) -> str:
    with pytest.raises(TrustQueryError) as raised:
        work()
    return raised.value.code


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "ledger" / "ledger.sqlite"
    found.parent.mkdir()
    ledger = SqliteLedger(found)
    ledger.reserve(reservation("one"), NOW)
    ledger.close()
    return found


def size(path: Path) -> int:
    reader = LedgerReader(path)
    try:
        return reader.size()
    finally:
        reader.close()


def test_a_copy_is_made_beside_a_running_node_and_verifies(path: Path, tmp_path: Path) -> None:
    ledger = SqliteLedger(path)
    try:
        ledger.reserve(reservation("two"), NOW)
        assert back_up(path, tmp_path / "copy.sqlite") == ledger.size()
        ledger.reserve(reservation("three"), NOW)
        assert size(tmp_path / "copy.sqlite") < ledger.size()
    finally:
        ledger.close()
    assert (tmp_path / "copy.sqlite").stat().st_mode & 0o077 == 0
    assert [item.name for item in tmp_path.glob("copy.sqlite*")] == ["copy.sqlite"]
    assert code(lambda: back_up(path, tmp_path / "copy.sqlite")) == "config-exists"


def test_a_ledger_that_verifies_is_never_replaced_by_an_older_copy(path: Path, tmp_path: Path) -> None:
    back_up(path, tmp_path / "copy.sqlite")
    ledger = SqliteLedger(path)
    ledger.reserve(reservation("two"), NOW)
    assert code(lambda: restore(tmp_path / "copy.sqlite", path, 1)) == "ledger-locked"
    spent = ledger.size()
    ledger.close()
    assert code(lambda: restore(tmp_path / "copy.sqlite", path, 1)) == "config-exists"
    assert size(path) == spent


def test_a_damaged_ledger_is_kept_beside_the_copy_that_takes_its_place(path: Path, tmp_path: Path) -> None:
    back_up(path, tmp_path / "copy.sqlite")
    path.write_bytes(b"no ledger" * 1000)
    number, aside = restore(tmp_path / "copy.sqlite", path, 77)
    assert aside is not None
    assert (aside / path.name).read_bytes().startswith(b"no ledger")
    assert size(path) == number
    ledger = SqliteLedger(path)
    ledger.reserve(reservation("two"), NOW)
    ledger.close()


def test_a_lost_ledger_comes_back_and_a_damaged_copy_does_not(path: Path, tmp_path: Path) -> None:
    number = back_up(path, tmp_path / "copy.sqlite")
    for item in path.parent.glob("ledger*"):
        item.unlink()
    spoilt = tmp_path / "spoilt.sqlite"
    whole = (tmp_path / "copy.sqlite").read_bytes()
    spoilt.write_bytes(whole[: len(whole) // 2])
    assert code(lambda: restore(spoilt, path, 1)) in ("ledger-corrupt", "ledger-unwritable")
    assert not path.exists()
    assert restore(tmp_path / "copy.sqlite", path, 1) == (number, None)
    assert size(path) == number
