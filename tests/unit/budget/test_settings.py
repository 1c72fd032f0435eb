"""LED-12: the ledger starts only where a commit that returned is on the disk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
import pytest

from node_agent.budget import SqliteLedger
from node_agent.budget.database import check_sqlite
from node_agent.budget.filesystem import check_filesystem
from trustquery.errors import TrustQueryError

MOUNTS = """\
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda1 rw
30 22 0:26 / /dev/shm rw,nosuid - tmpfs tmpfs rw
41 22 0:44 / /srv/share rw,relatime - nfs4 files.example:/share rw,vers=4.2
42 22 0:45 / /srv/office rw,relatime - cifs //files.example/office rw
43 22 0:46 / /srv/my\\040files rw - fuse.sshfs me@files.example: rw
44 41 254:1 / /srv/share/inner rw,relatime - xfs /dev/vdb1 rw
"""


def codes(action: Callable[[], object]) -> list[str]:
    with pytest.raises(TrustQueryError) as caught:
        action()
    return [problem.code for problem in caught.value.problems]


@pytest.mark.acceptance("LED-12")
def test_every_commit_is_synced_whatever_the_library_was_built_with(tmp_path: Path) -> None:
    # As if SQLite had been compiled to sync less: what the ledger needs it must say itself.
    def less(connection: apsw.Connection) -> None:
        connection.execute("PRAGMA synchronous = OFF")

    apsw.connection_hooks.append(less)
    try:
        ledger = SqliteLedger(tmp_path / "ledger.sqlite")
        try:
            assert ledger._db.connection.execute("PRAGMA synchronous").fetchone() == (2,)
            assert ledger._db.connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
            assert ledger._db.connection.execute("PRAGMA foreign_keys").fetchone() == (1,)
            assert ledger._db.connection.execute("PRAGMA trusted_schema").fetchone() == (0,)
            assert ledger._db.connection.execute("PRAGMA cell_size_check").fetchone() == (1,)
        finally:
            ledger.close()
    finally:
        apsw.connection_hooks.remove(less)


@pytest.mark.acceptance("LED-12")
@pytest.mark.parametrize("setting", ["synchronous", "journal_mode", "foreign_keys", "trusted_schema"])
def test_a_setting_that_does_not_take_hold_is_refused(
    tmp_path: Path, setting: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Deaf(apsw.Connection):
        def pragma(self, name: str, *value: Any) -> Any:  # type: ignore[override]
            return None if name == setting and value else super().pragma(name, *value)

    def other(connection: apsw.Connection) -> None:
        connection.execute("PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = OFF; PRAGMA trusted_schema = ON")

    monkeypatch.setattr(apsw, "Connection", Deaf)
    monkeypatch.setattr(apsw, "connection_hooks", [other])
    assert codes(lambda: SqliteLedger(tmp_path / "ledger.sqlite")) == ["ledger-unsafe"]


@pytest.mark.acceptance("LED-12")
@pytest.mark.parametrize("version", ["3.40.1", "3.51.2", "3.7.17"])
def test_an_old_sqlite_is_refused(version: str) -> None:
    assert codes(lambda: check_sqlite(version)) == ["config-sqlite-version"]


@pytest.mark.acceptance("LED-12")
@pytest.mark.parametrize("folder", ["/srv/share", "/srv/share/node", "/srv/office/x", "/srv/my files/node"])
def test_a_network_file_system_is_refused(folder: str) -> None:
    assert codes(lambda: check_filesystem(Path(folder), MOUNTS)) == ["ledger-unsafe"]


@pytest.mark.parametrize("folder", ["/", "/var/lib/node", "/dev/shm/x", "/srv/share/inner/node", "/srv/shared"])
def test_a_disk_of_this_machine_is_taken(folder: str) -> None:
    check_filesystem(Path(folder), MOUNTS)


def test_where_nothing_is_known_of_mounts_nothing_is_refused_for_them() -> None:
    check_filesystem(Path("/srv/share"), "")


def test_this_machine_has_mounts_to_read(tmp_path: Path) -> None:
    check_filesystem(tmp_path)
