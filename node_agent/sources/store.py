"""The prepared store: one folder of encrypted columns a data version, switched atomically.

``current.json`` names the version in use. A version is complete before it is named, and the one before it stays
until the next refresh, so a query that has started finishes on the data it started with.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from node_agent.config import Home, NodeConfig
from node_agent.policy_store.files import replace_file
from node_agent.sources.sealed import Seal
from trustquery.errors import TrustQueryError
from trustquery.identity import new_secret, read_private_file, write_private_file

__all__ = ["RANK_KEY", "SALT", "Store", "TableReport", "install", "store_key"]

_CURRENT = "current.json"
RANK_KEY, SALT = "rank.key", "salt"
KEY_BYTES = 32


@dataclass(frozen=True)
class TableReport:
    """What preparing found in one table: for the trust's own IT, never sent anywhere.

    Attributes:
        rows_in: rows of the source.
        rows: rows prepared.
        without_person: rows left out because their person key is missing.
        unreadable: column to number of values that do not have the catalogue's type and became missing.
    """

    dataset: str
    table: str
    rows_in: int
    rows: int
    without_person: int
    unreadable: dict[str, int]


@dataclass(frozen=True)
class Store:
    """One version of the prepared data.

    Attributes:
        data_version: counter, ≥ 1; advances at each refresh whether the data changed or not.
        folder: of the version: a folder a dataset, a file a table (``sealed``).
        dataset_tables: dataset to the catalogue tables that this trust holds.
        encrypted: whether the files are.
    """

    data_version: int
    folder: Path
    dataset_tables: dict[str, frozenset[str]]
    encrypted: bool = True
    reports: tuple[TableReport, ...] = ()

    @property
    def rank_key(self) -> bytes:
        """The version's own 32 random bytes, kept while it lives: for engines that rank in the query.

        Raises:
            TrustQueryError: ``config-missing``, ``config-key-file``.
        """
        return read_private_file(self.folder / RANK_KEY)

    def seal(self, key: bytes | None) -> Seal:
        """How the files are read.

        Args:
            key: the store's 32 bytes; not asked for where the files are plain.

        Raises:
            TrustQueryError: ``config-missing``, ``config-key-file``.
        """
        return Seal(key if self.encrypted else None, read_private_file(self.folder / SALT), self.data_version)

    @classmethod
    def open(cls, folder: Path) -> Store:
        """The version in use.

        Raises:
            TrustQueryError: ``data-not-prepared``.
        """
        try:
            data: dict[str, Any] = json.loads((folder / _CURRENT).read_text())
            store = cls(
                int(data["data_version"]),
                folder / str(data["folder"]),
                {name: frozenset(tables) for name, tables in data["tables"].items()},
                bool(data["encrypted"]),
                tuple(TableReport(**report) for report in data["reports"]),
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise TrustQueryError("data-not-prepared") from error
        if not store.folder.is_dir():
            raise TrustQueryError("data-not-prepared")
        return store


def store_key(home: Home, config: NodeConfig, *, make: bool = False) -> bytes | None:
    """The 32 bytes that the store's files are encrypted with; None where ``node.toml`` says that they are plain.

    Args:
        make: make the key file if there is none.

    Raises:
        TrustQueryError: ``config-missing``, ``config-key-file``.
    """
    if not config.store.encrypt:
        return None
    path = home.resolve(config.store.key_file)
    if make and not path.exists():
        write_private_file(path, new_secret(KEY_BYTES))
    key = read_private_file(path)
    if len(key) != KEY_BYTES:
        raise TrustQueryError("config-key-file", path=path, problem=f"it does not hold {KEY_BYTES} bytes")
    return key


def install(folder: Path, store: Store) -> None:
    """Name a complete version as the one in use, durably, and drop versions older than the one before it."""
    document = {
        "data_version": store.data_version,
        "folder": str(store.folder.relative_to(folder)),
        "encrypted": store.encrypted,
        "tables": {name: sorted(tables) for name, tables in store.dataset_tables.items()},
        "reports": [vars(report) for report in store.reports],
    }
    replace_file(folder / _CURRENT, json.dumps(document, indent=1).encode())
    for old in folder.glob("v*"):
        if old.name[1:].isdecimal() and int(old.name[1:]) < store.data_version - 1:
            shutil.rmtree(old, ignore_errors=True)
