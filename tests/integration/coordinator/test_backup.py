"""Backup and restore of a coordinator, on both databases: all of it comes back, and nothing that was used up does."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from coordinator.backup import make_backup, restore_backup
from coordinator.config import Home, Settings, load_settings, sample_text
from coordinator.queries.machine import OPEN
from coordinator.store import AnswerRow, ProjectRow, QueryRow, Store
from tests.lib.postgres import PostgresServer
from tests.lib.site import put_project
from trustquery.errors import TrustQueryError

NOW = 1_790_000_000
KEY = "aa" * 32


def code_of(raised: pytest.ExceptionInfo[TrustQueryError]) -> str:
    return raised.value.code


def make_home(folder: Path, url: str) -> tuple[Home, Settings]:
    folder.mkdir(mode=0o700)
    home = Home(folder)
    text = sample_text()
    if url:
        (folder / "database-url").write_text(url)
        text = text.replace('url = ""', 'url = "file:database-url"')
    home.settings.write_text(text)
    home.key.write_text("a private key")
    return home, load_settings(home)


def fill(store: Store) -> None:
    store.people.add("ada", KEY, NOW)
    store.sessions.open("token", 1, NOW + 9_999, NOW, level=2, auth_time=NOW)
    store.nodes.invite("code", "RX1", "Trust", NOW + 9_999)
    store.local_accounts.invite("ada", "local", "subject", "setup", NOW + 100, NOW)
    put_project(store, ProjectRow(name="p", version=1, permit=b"\x00p", permit_hash=KEY, state="live", added=NOW))
    for number in range(501):  # more than one batch
        store.admissions.note("RX1", NOW, "renewed", f"Note {number}.")
    store.queries.add(QueryRow(
        release_id="ab" * 32, user_id=1, project="p", dataset="d", sql="s", query_hash=KEY, plan_hash=KEY,
        vector_length=1, intent=b"\x00i", permit=b"", model=b"", nodes="RX1", state="offered", created=NOW,
        closes_at=NOW, closed=0,
    ))  # fmt: skip
    store.queries.add_answer(AnswerRow(
        release_id="ab" * 32, node="RX1", envelope=b"signed", vector=b"\x01\x02", status="answer", rho_nano=2**40,
        late=False, received=NOW,
    ), in_time=OPEN)  # fmt: skip


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    """Where the coordinator keeps its database; "" for its home."""
    if request.param == "sqlite":
        return ""
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.database()


def opened(home: Home, url: str) -> Store:
    return Store(url or f"sqlite+pysqlite:///{home.database}")


def test_everything_comes_back_and_nothing_that_was_used_up_does(
    url: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    home, settings = make_home(tmp_path / "home", url)
    store = opened(home, url)
    store.create()
    fill(store)
    rows = make_backup(home, settings, tmp_path / "backup", NOW)
    assert rows > 500
    # What happens after it is not in it.
    store.people.add("bob", "bb" * 32, NOW)
    store.close()

    new = Home(tmp_path / "new")
    target = ""
    if url:
        target = request.getfixturevalue("postgres").database()
        with pytest.raises(TrustQueryError) as raised:
            restore_backup(tmp_path / "backup", new, NOW)
        assert code_of(raised) == "config-backup-not-empty", "the database that is in use"
        assert not new.path.exists()
    found = restore_backup(tmp_path / "backup", new, NOW + 5, database=target)
    assert found.made == NOW
    restored = opened(new, target)
    restored.require_current()
    (answer,) = restored.queries.answers("ab" * 32)
    assert (answer.envelope, answer.vector, answer.rho_nano) == (b"signed", b"\x01\x02", 2**40)
    query = restored.queries.get("ab" * 32)
    assert query is not None
    assert (query.state, query.intent) == ("offered", b"\x00i")
    assert new.key.read_text() == "a private key"
    # Nothing that signs somebody in, or that may have been used since.
    assert restored.sessions.find("token", NOW, 9_999) is None
    assert restored.nodes.invitations(NOW) == []
    assert restored.local_accounts.by_setup("setup", NOW) is None
    assert not restored.local_accounts.use_step(1, NOW // 30)
    # Numbers go on.
    assert restored.people.add("cyd", "cc" * 32, NOW)
    assert restored.people.find("cyd") is not None
    restored.close()


def test_a_coordinator_moves_from_sqlite_to_postgresql_by_its_backup(tmp_path: Path, postgres: PostgresServer) -> None:
    home, settings = make_home(tmp_path / "home", "")
    store = opened(home, "")
    store.create()
    fill(store)
    store.close()
    make_backup(home, settings, tmp_path / "backup", NOW)
    new, target = Home(tmp_path / "new"), postgres.database()
    restore_backup(tmp_path / "backup", new, NOW, database=target)
    assert load_settings(new).database.url == "file:database-url"
    assert (new.path / "database-url").stat().st_mode & 0o077 == 0
    moved = opened(new, target)
    assert [row.envelope for row in moved.queries.answers("ab" * 32)] == [b"signed"]
    assert moved.people.add("cyd", "cc" * 32, NOW), "numbers go on"
    moved.close()


def test_a_backup_is_one_moment_while_others_write(url: str, tmp_path: Path) -> None:
    home, settings = make_home(tmp_path / "home", url)
    store = opened(home, url)
    store.create()
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            store.people.add(f"u{number}", f"{number:064d}", NOW)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(3):
            make_backup(home, settings, tmp_path / f"backup{number}", NOW)
            copy = Store(f"sqlite+pysqlite:///{tmp_path}/backup{number}/store.sqlite")
            # An account and its person are written together: never one without the other.
            assert len(copy.roles.accounts()) == len(copy.people.everyone())
            copy.close()
    finally:
        stop.set()
        writer.join(20)
        store.close()


def test_what_is_there_is_never_overwritten(tmp_path: Path) -> None:
    home, settings = make_home(tmp_path / "home", "")
    store = opened(home, "")
    store.create()
    store.close()
    make_backup(home, settings, tmp_path / "backup", NOW)
    for work in (
        lambda: make_backup(home, settings, tmp_path / "backup", NOW),
        lambda: restore_backup(tmp_path / "backup", home, NOW),
    ):
        with pytest.raises(TrustQueryError) as raised:
            work()
        assert code_of(raised) == "config-exists"


@pytest.mark.parametrize("spoil", ["store.sqlite", "home/coordinator.key.pem", "backup.json", "one too many"])
def test_a_backup_that_was_damaged_is_refused_and_leaves_no_home(spoil: str, tmp_path: Path) -> None:
    home, settings = make_home(tmp_path / "home", "")
    store = opened(home, "")
    store.create()
    store.close()
    folder = tmp_path / "backup"
    make_backup(home, settings, folder, NOW)
    with (folder / spoil).open("ab") as file:
        file.write(b"x")
    with pytest.raises(TrustQueryError) as raised:
        restore_backup(folder, Home(tmp_path / "new"), NOW)
    assert code_of(raised) == "config-backup-unreadable"
    assert not (tmp_path / "new").exists()


def test_nobody_else_reads_a_backup(tmp_path: Path) -> None:
    home, settings = make_home(tmp_path / "home", "")
    store = opened(home, "")
    store.create()
    store.close()
    home.key.chmod(0o600)
    make_backup(home, settings, tmp_path / "backup", NOW)
    assert (tmp_path / "backup").stat().st_mode & 0o077 == 0
    for name in ("store.sqlite", "home/coordinator.key.pem"):
        assert (tmp_path / "backup" / name).stat().st_mode & 0o077 == 0
