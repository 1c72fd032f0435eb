"""A byte of a closed ledger that changes is noticed at the start and by `verify`, or changes nothing that is read."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from node_agent.budget import SqliteLedger
from node_agent.budget.decisions import Decided
from node_agent.budget.reader import LedgerReader
from node_agent.budget.rows import COLUMNS
from tests.factories.reservations import print_of, reservation, scopes
from tests.lib.ledger_edits import editing
from trustquery.errors import TrustQueryError
from trustquery.identity import SigningKey
from trustquery.log.checkpoint import Checkpoint

pytestmark = pytest.mark.acceptance("LED-10")
NOW = 1_000_000_000
EXHAUSTED = ("node-wide", "dataset")
REFUSED = {"ledger-corrupt", "ledger-unwritable", "ledger-newer", "ledger-unsafe"}


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed ledger of more than 200 rows, with something in every table."""
    path = tmp_path_factory.mktemp("full") / "ledger.sqlite"
    ledger = SqliteLedger(path)
    ledger.book.put_in_force("policy", "ash", 1, print_of("policy"), 1, NOW)
    ledger.book.lodge("policy", 2, print_of("next policy"), NOW)
    ledger.note_refresh(1, NOW)
    ledger.see("roster", "test", 1, print_of("roster"), NOW)
    for number in range(20):
        name = f"release {number}"
        ledger.reserve(reservation(name, rho_nano=1, scopes=scopes()), NOW)
        ledger.start(print_of(name), NOW)
        ledger.commit(print_of(name), b"bytes" * 9, name.encode(), NOW)
        ledger.witnessed(print_of(name), NOW)
        ledger.sent(print_of(name), NOW)
    ledger.reserve(reservation("dead", rho_nano=1, scopes=scopes()), NOW)
    ledger.start(print_of("dead"), NOW)
    ledger.die(print_of("dead"), NOW)
    ledger.put_outbox(print_of("dead"), b"no answer", NOW)
    ledger.erase(1, 2_000_000_000 + 30 * 86_400, most=1)
    ledger.note_alarm("auth-document", "roster", b"forged", NOW, once=True)
    key = SigningKey.generate()
    ledger.keep_cosigned(1, ledger.head("test/node/ash", 1).sign(key), NOW)
    other = Checkpoint("test/node/birch", 1, bytes(32)).sign(key)
    heads = ledger.kept_heads.of(key.public)
    heads.advance("test/node/birch", None, other)
    heads.keep_fork("test/node/birch", other, Checkpoint("test/node/birch", 1, b"x" * 32).sign(key))
    ledger.record(Decided(print_of("dead"), b"{}", True, ("rule",), 1, print_of("policy")), NOW)
    theirs = Checkpoint("test/node/ash", 999, bytes(32)).sign(key)
    ledger.freeze(ledger.head("test/node/ash", 1).sign(key), theirs, NOW)
    ledger.repair(theirs, print_of("order"), [item for item in scopes() if item.scope in EXHAUSTED], NOW)
    ledger.close()
    assert verdict(path) == ""
    return path


def content_of(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """Everything that a program can read out of the file."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        found = {table: sorted(map(tuple, connection.execute(f'SELECT * FROM "{table}"'))) for table in tables}
        found["schema"] = sorted(connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master"))
        found["version"] = list(connection.execute("PRAGMA user_version"))
    return found


def verdict(path: Path) -> str:
    """The code of the refusal, "" where the file is read."""
    try:
        LedgerReader(path).close()
    except TrustQueryError as error:
        return error.code
    return ""


CELLS = [(table, column) for table, columns in COLUMNS.items() for column in columns]


@pytest.mark.parametrize(("table", "column"), CELLS)
def test_a_cell_that_changed_is_noticed(full: Path, tmp_path: Path, table: str, column: str) -> None:
    """Every column of every table: one unit more, or another last letter."""
    path = tmp_path / "ledger.sqlite"
    path.write_bytes(full.read_bytes())
    with editing(path, clumsily=True) as connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        # Integers go one up; texts and blobs keep their type and length and get another end.
        changed = f"""
            UPDATE {table} SET {column} = CASE typeof({column})
              WHEN 'integer' THEN {column} + 1
              WHEN 'text' THEN substr({column}, 1, length({column}) - 1) || char(unicode(substr({column}, -1)) + 1)
              ELSE CAST(substr({column}, 1, length({column}) - 1) || x'00' AS BLOB) END
            WHERE rowid = (SELECT max(rowid) FROM {table} WHERE length({column}) > 0)"""
        assert connection.execute(changed).rowcount == 1
    assert verdict(path) == "ledger-corrupt"


def damaged(full: Path, path: Path, positions: list[int]) -> tuple[int, list[int]]:
    """How many flipped bytes were noticed, and which were not though what is read changed."""
    content, as_it_was = full.read_bytes(), content_of(full)
    noticed, missed = 0, []
    for position in positions:
        changed = bytearray(content)
        changed[position] ^= 1 << position % 8
        path.write_bytes(changed)
        for left in path.parent.glob(f"{path.name}-*"):
            left.unlink()
        found = verdict(path)
        if found:
            assert found in REFUSED, (position, found)
            noticed += 1
            continue
        try:
            same = content_of(path) == as_it_was
        except sqlite3.Error:
            same = False
        if not same:
            missed.append(position)
    return noticed, missed


def test_a_byte_that_changed_anywhere_is_noticed_or_is_not_read(full: Path, tmp_path: Path) -> None:
    """At 200 places; every byte by `--full-size`."""
    content = full.read_bytes()
    rows = sum(len(found) for table, found in content_of(full).items() if table not in ("schema", "version"))
    assert rows >= 200
    # The header of the file, and anywhere.
    positions = [*range(100), *random.Random(7).sample(range(100, len(content)), 100)]
    noticed, missed = damaged(full, tmp_path / "ledger.sqlite", positions)
    assert not missed
    assert noticed > 60


@pytest.mark.full_size
@pytest.mark.timeout(4 * 3_600)
def test_every_byte_that_changed_is_noticed_or_is_not_read(full: Path, tmp_path: Path) -> None:
    size = len(full.read_bytes())
    noticed, missed = damaged(full, tmp_path / "ledger.sqlite", list(range(size)))
    print(f"{size} bytes, {noticed} noticed, {size - noticed - len(missed)} not read by anybody, {len(missed)} missed")
    assert not missed


def test_without_the_hashes_of_rows_some_would_be_missed(full: Path, tmp_path: Path) -> None:
    """The control: who knows the file makes the hash of the row anew; of what no entry says, nothing shows that."""
    path = tmp_path / "ledger.sqlite"
    path.write_bytes(full.read_bytes())
    with editing(path) as connection:
        assert connection.execute("UPDATE decision SET day = day + 1").rowcount == 1
    assert verdict(path) == ""


@pytest.mark.parametrize(
    "edit",
    [
        "UPDATE release SET day = day - 400",
        "UPDATE charge SET day = day - 400",
        "UPDATE release SET query_hash = plan_hash",
        "UPDATE release SET question = 'another'",
        "UPDATE release SET project_ends = project_ends + 86400",
        "UPDATE release SET not_after = not_after + 1",
        "UPDATE release SET project = 'another'",
        "UPDATE stored_answer SET vector = x'00'",
        "UPDATE stored_answer SET data_version = data_version + 1",
        "UPDATE stored_answer SET question = 'another' WHERE rowid = (SELECT max(rowid) FROM stored_answer)",
        "UPDATE exhausted SET day = day - 400",
        "DELETE FROM salt WHERE scope = 'release'",
    ],
)
def test_what_an_entry_is_sealed_over_cannot_be_edited_by_anybody(full: Path, tmp_path: Path, edit: str) -> None:
    path = tmp_path / "ledger.sqlite"
    path.write_bytes(full.read_bytes())
    with editing(path) as connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        assert connection.execute(edit).rowcount > 0
    assert verdict(path) == "ledger-corrupt"
