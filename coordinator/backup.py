"""A backup of a coordinator: its home folder and a consistent copy of its database, in one folder with their hashes.

It holds private keys. Whoever has it can be the coordinator: a postman, who can read noised results and metadata, and
make no trust answer.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coordinator.config import Home, Settings, database_url, load_settings
from coordinator.store import Store
from trustquery import __version__
from trustquery.errors import TrustQueryError
from trustquery.identity import write_private_file

__all__ = ["Restored", "make_backup", "restore_backup"]

FORMAT = "tq-coordinator-backup-1"
_MANIFEST, _HOME, _STORE = "backup.json", "home", "store.sqlite"


@dataclass(frozen=True)
class Restored:
    """What came back.

    Attributes:
        made: when the backup was made, seconds since 1970 UTC.
        rows: of the database.
    """

    made: int
    rows: int


def make_backup(home: Home, settings: Settings, folder: Path, now: int) -> int:
    """Back a coordinator up, also while it runs; returns the number of rows.

    Args:
        folder: a new one.

    Raises:
        TrustQueryError: ``config-exists``, ``config-store-…``.
    """
    if folder.exists():
        raise TrustQueryError("config-exists", path=folder)
    folder.mkdir(mode=0o700, parents=True)
    store = Store(database_url(home, settings))
    try:
        rows = store.copy_out(folder / _STORE)
        schema = store.version()
    finally:
        store.close()
    for path in _files(home):
        copy = folder / _HOME / path.relative_to(home.path)
        copy.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.copy2(path, copy)
    told = {
        "format": FORMAT, "made": now, "version": __version__, "schema": schema, "federation": settings.federation,
        "rows": sum(rows.values()), "files": {name: _sha256(folder / name) for name in _names(folder)},
    }  # fmt: skip
    # Last of all: a backup that was cut short has none, and is no backup.
    (folder / _MANIFEST).write_text(json.dumps(told, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return sum(rows.values())


def restore_backup(folder: Path, home: Home, now: int, *, database: str = "") -> Restored:
    """Make a home folder and its database of a backup.

    Args:
        home: a new one. Where the backup's settings name a PostgreSQL database, that must be empty.
        database: the URL of another one, which a file in the home then holds; "" for the one that the settings name.

    Raises:
        TrustQueryError: ``config-exists``, ``config-invalid``, ``config-backup-unreadable``,
            ``config-backup-not-empty``, ``config-store-…``.
    """
    told = _verified(folder)
    if home.path.exists() and any(home.path.iterdir()):
        raise TrustQueryError("config-exists", path=home.path)
    home.path.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        shutil.copytree(folder / _HOME, home.path, dirs_exist_ok=True)
        settings = load_settings(home)
        if database:
            settings = _point_at(home, settings, database)
        store = Store(database_url(home, settings))
        try:
            # A copy of the copy: to bring an older one up to date changes it.
            work = home.path / "restoring.sqlite"
            shutil.copy2(folder / _STORE, work)
            rows = store.copy_into(work, now)
        finally:
            store.close()
            for path in home.path.glob("restoring.sqlite*"):
                path.unlink()
    except BaseException:
        # Half a home would be taken for a whole one.
        shutil.rmtree(home.path)
        raise
    return Restored(int(told["made"]), sum(rows.values()))


def _point_at(home: Home, settings: Settings, database: str) -> Settings:
    """Have the restored home use another database: a file names it, also where there was a SQLite file before."""
    kind, _, name = settings.database.url.partition(":")
    if kind == "env":
        raise TrustQueryError("config-invalid", place="--database", problem="database.url names a variable: set that")
    if not kind:
        name = "database-url"
        text = home.settings.read_text(encoding="utf-8")
        home.settings.write_text(text.replace('url = ""', f'url = "file:{name}"', 1), encoding="utf-8")
    (home.path / name).unlink(missing_ok=True)
    write_private_file(home.path / name, database.encode())
    return load_settings(home)


def _verified(folder: Path) -> dict[str, Any]:
    try:
        told: dict[str, Any] = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
        kind, files = told["format"], dict(told["files"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrustQueryError("config-backup-unreadable", problem=f"it has no {_MANIFEST} that can be read") from error
    if kind != FORMAT:
        raise TrustQueryError("config-backup-unreadable", problem="it is of another kind or a newer version")
    if set(files) != set(_names(folder)):
        raise TrustQueryError("config-backup-unreadable", problem="a file is missing, or one too many")
    changed = sorted(name for name, sha256 in files.items() if _sha256(folder / name) != sha256)
    if changed:
        raise TrustQueryError("config-backup-unreadable", problem=f"{changed[0]} is not as it was written")
    return told


def _files(home: Home) -> list[Path]:
    """Everything in the home but the database itself, of which the copy is taken."""
    database = home.database.name
    found = (path for path in home.path.rglob("*") if path.is_file() and not path.is_symlink())
    return sorted(path for path in found if not path.name.startswith(database))


def _names(folder: Path) -> list[str]:
    found = (str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    return sorted(name for name in found if name != _MANIFEST)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
