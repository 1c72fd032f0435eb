"""The file itself: damage is noticed, a second writer is kept out, a failed write is the last."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import apsw
import pytest

from node_agent.budget import SqliteLedger, State
from node_agent.budget.database import check_sqlite, is_in_use
from node_agent.budget.reader import LedgerReader
from node_agent.budget.rows import COLUMNS, TRIGGERS
from node_agent.budget.schema import MIGRATIONS, SCHEMA_VERSION
from tests.factories.reservations import print_of, profile_scopes, reservation, scopes
from tests.lib.ledger_edits import editing
from trustquery.errors import TrustQueryError
from trustquery.log import Leaf

NOW = 1_000_000_000
ENDED = 2_000_000_000 + 30 * 86_400
"""The intents of the factory have ended, and nothing of theirs is repeated any more."""
ONE, TWO, THREE = print_of("one"), print_of("two"), print_of("three")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A closed ledger with a sent release, one withheld, one refunded, a policy and a refusal."""
    path = tmp_path / "ledger" / "ledger.sqlite"
    ledger = SqliteLedger(path)
    ledger.book.put_in_force("policy", "ash", 1, print_of("policy"), 1, NOW)
    for name in ("one", "two", "three"):
        ledger.reserve(reservation(name), NOW)
    for release_id in (ONE, TWO):
        ledger.start(release_id, NOW)
        ledger.commit(release_id, b"bytes", b"vector", NOW)
    ledger.witnessed(ONE, NOW)
    ledger.sent(ONE, NOW)
    ledger.withhold(TWO, NOW)
    ledger.expire(THREE, NOW)
    ledger.note_refusal(print_of("four"), print_of("intent"), "", NOW)
    ledger.note_refresh(1, NOW)
    ledger.note_refresh(1, NOW)
    ledger.close()
    return path


def code(action: Callable[[], object]) -> str:
    with pytest.raises(TrustQueryError) as caught:
        action()
    return caught.value.code


def alter(path: Path, sql: str) -> None:
    with editing(path, clumsily="CAST(x'" in sql) as connection:
        assert connection.execute(sql).rowcount > 0, sql


def test_a_plain_sqlite_shell_adds_up(path: Path) -> None:
    with editing(path) as connection:
        rows = connection.execute("SELECT scope, subject, spent_rho_nano, releases FROM budget").fetchall()
        year = connection.execute("SELECT scope, spent_rho_nano FROM budget_12_months ORDER BY scope").fetchall()
    assert sorted(rows) == [
        ("analyst", "ada", 60, 2),
        ("dataset", "omop-5.4", 60, 2),
        ("node-wide", "", 60, 2),
        ("project", "stays", 60, 2),
    ]
    assert year == [("analyst", 60), ("dataset", 60), ("node-wide", 60), ("project", 60)]


def profiled(folder: Path) -> Path:
    """A closed ledger with one profile, sent by nobody yet."""
    path = folder / "profiled.sqlite"
    ledger = SqliteLedger(path)
    ledger.reserve(reservation("one", scopes=profile_scopes()), NOW)
    ledger.start(ONE, NOW)
    ledger.commit(ONE, b"bytes", b"vector", NOW)
    ledger.close()
    return path


def test_a_shell_adds_up_profiles_over_ninety_days(tmp_path: Path) -> None:
    path = profiled(tmp_path)
    with editing(path) as connection:
        quarter = connection.execute("SELECT scope, subject, spent_rho_nano FROM budget_90_days").fetchall()
        year = connection.execute("SELECT scope, spent_rho_nano FROM budget_12_months ORDER BY scope").fetchall()
    assert quarter == [("profiles", "omop-5.4", 30)]
    assert year == [("dataset", 30), ("node-wide", 30), ("profiles", 30)]


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM charge WHERE scope = 'profiles'",
        "UPDATE charge SET scope = 'project' WHERE scope = 'profiles'",
        "UPDATE charge SET subject = 'nhs-episodes' WHERE scope = 'profiles'",
        "UPDATE charge SET rho_nano = 29 WHERE scope = 'profiles'",
        "DELETE FROM salt WHERE scope = 'profiles'",
        "UPDATE leaf SET payload = CAST(replace(CAST(payload AS TEXT), 'profiles_', 'analyst_') AS BLOB) WHERE seq = 1",
    ],
)
def test_a_ledger_whose_profiles_were_edited_does_not_open(tmp_path: Path, sql: str) -> None:
    path = profiled(tmp_path)
    alter(path, sql)
    assert code(lambda: SqliteLedger(path)) == "ledger-corrupt"


def test_an_entry_that_charges_no_profile_has_no_such_field(path: Path, tmp_path: Path) -> None:
    """So entries of an older version keep their bytes and their hash, and an empty field cannot be slipped in."""
    with editing(path) as connection:
        payloads = [bytes(row[0]) for row in connection.execute("SELECT payload FROM leaf")]
    assert not any(b"profiles" in payload for payload in payloads)
    assert code(lambda: Leaf.from_payload(payloads[0].replace(b'"project_', b'"profiles_commitment":"","project_')))
    with editing(profiled(tmp_path)) as connection:
        kinds = [json.loads(row[0]) for row in connection.execute("SELECT payload FROM leaf")]
    assert [bool(leaf.get("profiles_commitment")) for leaf in kinds] == [True, False, False]


CAME = {
    2: "DROP VIEW budget_90_days;",
    3: "DROP TABLE governed; DROP TABLE lodged; DROP TABLE decision; DROP INDEX leaf_mark;",
    4: "DROP TABLE erased;",
    5: "DROP TABLE alarm;",
    6: "DROP TABLE cosigned; DROP TABLE frozen; DROP TABLE witness_head; DROP TABLE witness_fork;"
    "DROP TABLE repaired; DROP TABLE exhausted;",
    7: "".join(f"DROP TRIGGER {name};" for name in TRIGGERS)
    + "".join(f"ALTER TABLE {table} DROP COLUMN row_hash;" for table in COLUMNS),
}
"""What each version of the tables brought, and how to be without it."""


def older(path: Path, version: int = 1) -> None:
    """Make the file what an older version of the ledger's tables left behind."""
    with editing(path) as connection:
        gone = "".join(sql for number, sql in sorted(CAME.items(), reverse=True) if number > version)
        connection.executescript(f"{gone} PRAGMA user_version = {version}")


@pytest.mark.acceptance("AVL-10")
@pytest.mark.parametrize("version", range(1, SCHEMA_VERSION))
def test_a_ledger_of_every_older_version_is_read_as_it_is_and_brought_up_to_date(path: Path, version: int) -> None:
    assert sorted(CAME) == list(range(2, SCHEMA_VERSION + 1)), "a new version has a row here"
    older(path, version)
    reader = LedgerReader(path)
    before = (reader.totals(), reader.size(), reader.head("here", reader.size()))
    reader.close()
    with editing(path) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (version,)
    ledger = SqliteLedger(path)
    assert (ledger.totals(), ledger.size(), ledger.head("here", ledger.size())) == before
    ledger.close()
    with editing(path) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)


def test_a_ledger_of_the_version_before_opens_verifies_and_goes_on(path: Path) -> None:
    older(path)
    reader = LedgerReader(path)
    before = (reader.totals(), reader.size(), reader.head("here", reader.size()))
    reader.close()
    with editing(path) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)
    ledger = SqliteLedger(path)
    assert (ledger.totals(), ledger.size(), ledger.head("here", ledger.size())) == before
    # The policy that was seen last stays in force, under the first list of people.
    pin = ledger.book.in_force("policy", "ash")
    assert pin is not None
    assert (pin.version, pin.sha256, pin.signed_under) == (1, print_of("policy"), 1)
    ledger.reserve(reservation("five", scopes=profile_scopes()), NOW)
    ledger.close()
    again = SqliteLedger(path)
    assert again.spent("profiles", "omop-5.4", NOW).rho_window == 30
    again.close()
    with editing(path) as connection:
        assert connection.execute("SELECT spent_rho_nano FROM budget_90_days").fetchall() == [(30,)]
        assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)


@pytest.mark.parametrize("version", sorted(MIGRATIONS))
def test_a_ledger_of_every_earlier_version_opens_with_what_it_held(path: Path, version: int) -> None:
    older(path)
    with editing(path) as connection:
        for step in range(1, version):
            connection.executescript(MIGRATIONS[step])
        assert connection.execute("PRAGMA user_version").fetchone() == (version,)
    reader = LedgerReader(path)
    before = (reader.totals(), reader.states(), reader.size(), reader.head("here", reader.size()))
    reader.close()
    for _ in range(2):
        ledger = SqliteLedger(path)
        assert (ledger.totals(), ledger.states(), ledger.size(), ledger.head("here", ledger.size())) == before
        assert ledger.outbox(ONE) == b"bytes"
        assert ledger._db.row("PRAGMA user_version") == (SCHEMA_VERSION,)
        ledger.close()


@pytest.mark.acceptance("AVL-10")
def test_a_ledger_of_a_later_version_does_not_open(path: Path) -> None:
    with editing(path) as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    assert code(lambda: SqliteLedger(path)) == "ledger-newer"
    assert code(lambda: LedgerReader(path)) == "ledger-newer"


def erased(path: Path) -> Path:
    """The closed ledger, after what was answered in it was erased."""
    ledger = SqliteLedger(path)
    assert ledger.erase(1, ENDED) == (ONE, TWO)
    ledger.close()
    return path


def test_every_write_is_synced_and_what_is_deleted_is_overwritten(path: Path) -> None:
    ledger = SqliteLedger(path)
    found = {name: ledger._db.row(f"PRAGMA {name}") for name in ("journal_mode", "synchronous", "secure_delete")}
    ledger.close()
    assert found == {"journal_mode": ("wal",), "synchronous": (2,), "secure_delete": (1,)}


def test_a_ledger_that_cannot_overwrite_what_it_deletes_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Deaf(apsw.Connection):
        def pragma(self, name: str, *value: Any) -> Any:  # type: ignore[override]
            return None if name == "secure_delete" and value else super().pragma(name, *value)

    def less(connection: apsw.Connection) -> None:
        connection.execute("PRAGMA secure_delete = OFF")

    monkeypatch.setattr(apsw, "Connection", Deaf)
    monkeypatch.setattr(apsw, "connection_hooks", [less])
    with pytest.raises(TrustQueryError, match="ledger-unsafe"):
        SqliteLedger(path)


def test_what_was_erased_is_in_no_page_and_no_journal_of_the_file(tmp_path: Path) -> None:
    path, mark = tmp_path / "ledger.sqlite", b"noised figures" * 100
    ledger = SqliteLedger(path)
    ledger.reserve(reservation("one", not_after=NOW), NOW)
    ledger.start(ONE, NOW)
    ledger.commit(ONE, b"bytes" + mark, mark, NOW)
    ledger.witnessed(ONE, NOW)
    ledger.sent(ONE, NOW)
    assert any(mark in file.read_bytes() for file in tmp_path.iterdir())
    assert ledger.erase(1, NOW + 30 * 86_400) == (ONE,)
    assert not any(mark[:50] in file.read_bytes() for file in tmp_path.iterdir())
    ledger.close()
    assert not any(mark[:50] in file.read_bytes() for file in tmp_path.iterdir())


def test_an_erased_answer_leaves_charges_states_and_hashes_as_they_were(path: Path) -> None:
    reader = LedgerReader(path)
    totals, states, size = reader.totals(), reader.states(), reader.size()
    head = reader.head("here", size)
    reader.close()
    ledger = SqliteLedger(erased(path))
    assert (ledger.totals(), ledger.states(), ledger.head("here", size)) == (totals, states, head)
    assert ledger.size() == size + 2
    # Again, and after a restart, there is nothing more to do and nothing more is entered.
    assert ledger.erase(1, ENDED + 86_400) == ()
    assert ledger.recover(ENDED) == ()
    assert ledger.size() == size + 2
    ledger.close()


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM erased",
        "UPDATE erased SET question = 'another'",
        "INSERT INTO outbox (release_id, bytes, state) SELECT release_id, x'00', 'ready' FROM erased",
        "INSERT INTO stored_answer (question, release_id, data_version, vector)"  # noqa: ISC004
        " SELECT question, release_id, 1, x'00' FROM erased",
        "DELETE FROM leaf WHERE kind = 'erased' AND seq = (SELECT max(seq) FROM leaf)",
    ],
)
def test_an_erasure_cannot_be_undone_or_denied(path: Path, sql: str) -> None:
    alter(erased(path), sql)
    assert code(lambda: SqliteLedger(path)) == "ledger-corrupt"
    assert code(lambda: LedgerReader(path)) == "ledger-corrupt"


def test_bytes_that_were_removed_without_an_entry_are_missed(path: Path) -> None:
    alter(path, "DELETE FROM outbox")
    assert code(lambda: SqliteLedger(path)) == "ledger-corrupt"


def test_a_restart_changes_nothing(path: Path) -> None:
    ledger = SqliteLedger(path)
    assert ledger.states() == {"SENT": 1, "WITHHELD": 1, "EXPIRED": 1}
    assert ledger.recover(NOW) == ()
    assert ledger.size() == 12
    assert ledger.outbox(ONE) == b"bytes"
    ledger.close()


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM leaf WHERE seq = 4",
        "UPDATE leaf SET kind = 'started' WHERE seq = 2",
        "UPDATE leaf SET payload = CAST(replace(CAST(payload AS TEXT), '30', '29') AS BLOB) WHERE seq = 2",
        "UPDATE leaf SET hash = prev_hash WHERE seq = 3",
        "UPDATE leaf SET release_id = '' WHERE seq = 3",
        "DELETE FROM charge WHERE scope = 'node-wide'",
        "UPDATE charge SET rho_nano = 1",
        "UPDATE charge SET refunded = 1 WHERE scope = 'project'",
        "UPDATE charge SET refunded = 0",
        "UPDATE charge SET subject = 'bob' WHERE scope = 'analyst'",
        "UPDATE release SET state = 'EXPIRED' WHERE state = 'SENT'",
        "UPDATE release SET state = 'SENT' WHERE state = 'WITHHELD'",
        "UPDATE release SET intent_hash = query_hash WHERE state = 'SENT'",
        "UPDATE release SET policy_hash = plan_hash",
        "UPDATE release SET data_version = 2",
        "UPDATE release SET mode = 'secure-sum'",
        "UPDATE release SET planned_slot = 4",
        "UPDATE release SET rho_nano = 29",
        "UPDATE release SET delta_atto = 1",
        "UPDATE release SET policy_hash = CAST(x'e1ff' AS TEXT)",
        "UPDATE outbox SET bytes = x'00'",
        "UPDATE salt SET salt = x'00'",
    ],
)
def test_an_edited_ledger_does_not_open(path: Path, sql: str) -> None:
    alter(path, sql)
    assert code(lambda: SqliteLedger(path)) == "ledger-corrupt"
    assert code(lambda: LedgerReader(path)) == "ledger-corrupt"


def test_a_damaged_file_does_not_open(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4096:4200] = bytes(104)
    path.write_bytes(content)
    assert code(lambda: SqliteLedger(path)) == "ledger-corrupt"
    path.write_bytes(b"this is no database at all, but it is long enough to be read as one" * 50)
    assert code(lambda: SqliteLedger(path)) == "ledger-corrupt"


def test_one_process_writes_and_others_may_read(path: Path) -> None:
    ledger = SqliteLedger(path)
    assert is_in_use(path)
    assert code(lambda: SqliteLedger(path)) == "ledger-locked"
    reader = LedgerReader(path)
    assert reader.totals() == ledger.totals()
    reader.close()
    ledger.close()
    assert not is_in_use(path)
    SqliteLedger(path).close()
    assert not is_in_use(path.with_name("none.sqlite"))


def test_reading_a_ledger_that_is_not_there(tmp_path: Path) -> None:
    assert code(lambda: LedgerReader(tmp_path / "none.sqlite")) == "config-missing"


@pytest.mark.parametrize("version", ["3.51.3", "3.52.0", "4.0.0"])
def test_a_mended_sqlite_is_used(version: str) -> None:
    check_sqlite(version)


class _FailingFile(apsw.VFSFile):
    def xSync(self, flags: int) -> None:
        if _FailingDisk.failing:
            _FailingDisk.syncs += 1
            raise apsw.IOError
        super().xSync(flags)


class _FailingDisk(apsw.VFS):
    """The usual disk, whose fsync fails when told so."""

    failing = False
    syncs = 0

    def __init__(self) -> None:
        super().__init__("failing", base="unix", makedefault=True)

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:
        return _FailingFile("unix", name, flags)


@pytest.fixture
def disk() -> Iterator[type[_FailingDisk]]:
    vfs = _FailingDisk()
    _FailingDisk.failing, _FailingDisk.syncs = False, 0
    yield _FailingDisk
    _FailingDisk.failing = False
    vfs.unregister()


def test_after_a_failed_fsync_nothing_is_tried_again(tmp_path: Path, disk: type[_FailingDisk]) -> None:
    path = tmp_path / "ledger.sqlite"
    ledger = SqliteLedger(path)
    ledger.reserve(reservation("one"), NOW)
    disk.failing = True
    assert code(lambda: ledger.start(ONE, NOW)) == "ledger-unwritable"
    tried = disk.syncs
    assert tried == 1
    assert ledger.failed
    disk.failing = False
    for action in (
        lambda: ledger.reserve(reservation("two"), NOW),
        lambda: ledger.find(ONE),
        lambda: ledger.spent("node-wide", "", NOW),
        lambda: ledger.note_refusal("", "", "", NOW),
    ):
        assert code(action) == "ledger-unwritable"
    disk.failing = True
    ledger.close()
    assert disk.syncs == tried
    disk.failing = False
    again = SqliteLedger(path)
    assert again.find(ONE) is not None
    again.recover(NOW)
    assert again.states() in ({"EXPIRED": 1}, {"DEAD": 1})
    again.close()


def test_a_full_disk_fails_closed(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path / "ledger.sqlite")
    ledger.reserve(reservation("one"), NOW)
    ledger.start(ONE, NOW)
    ledger._db.connection.execute("PRAGMA max_page_count = 1")
    assert code(lambda: ledger.commit(ONE, bytes(10**6), b"", NOW)) == "ledger-unwritable"
    ledger.close()
    again = SqliteLedger(tmp_path / "ledger.sqlite")
    assert [release.state for release in again.recover(NOW)] == [State.DEAD]
    assert again.spent("node-wide", "", NOW).rho_lifetime == 30
    again.close()


def test_commitments_hide_names_and_still_add_up(path: Path) -> None:
    ledger = SqliteLedger(path)
    names = ("omop-5.4", "stays", "zora")
    for place in range(2):
        ledger.reserve(reservation(f"z{place}", analyst="zora", scopes=scopes(names=names)), NOW)
    ledger.close()
    with editing(path) as connection:
        payloads = [row[0] for row in connection.execute("SELECT payload FROM leaf")]
    assert not any(word in payload for payload in payloads for word in (b"zora", b"stays", b"omop"))
    leaves = [json.loads(payload) for payload in payloads]
    reserved = [leaf for leaf in leaves if leaf["kind"] == "reserved"]
    people = [leaf["analyst_commitment"] for leaf in reserved]
    assert [people.count(person) for person in dict.fromkeys(people)] == [3, 2]
    assert len({leaf["project_commitment"] for leaf in reserved}) == 1
    back = sum(leaf["rho_local_nano"] for leaf in leaves if leaf["kind"] == "expired")
    assert sum(leaf["rho_local_nano"] for leaf in reserved) - back == 120


def test_a_data_version_keeps_the_lists_of_opt_outs_that_it_came_with(path: Path) -> None:
    """Nor does an older version come back with its lists."""
    ledger = SqliteLedger(path)
    entries = ledger.size()
    ledger.see("optouts", "lists", 2, print_of("lists"), NOW)
    ledger.see("optouts", "lists", 2, print_of("lists"), NOW)
    assert ledger.size() == entries + 1
    for version, lists in ((2, "other lists"), (1, "lists")):
        see = partial(ledger.see, "optouts", "lists", version, print_of(lists), NOW)
        assert code(see) == "policy-document-stale"
    ledger.close()
