"""The prepared store: one folder of encrypted columns a data version, switched atomically.

``current.json`` names the version in use. A version is complete before it is named, and the one before it stays
until the next refresh, so a query that has started finishes on the data it started with.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from node_agent.config import Home, NodeConfig
from node_agent.policy_store.files import replace_file
from node_agent.sources.sealed import Seal
from trustquery.errors import TrustQueryError
from trustquery.identity import canonical, new_secret, read_private_file, write_private_file

__all__ = ["RANK_KEY", "SALT", "ListUsed", "Store", "TableReport", "install", "lists_hash", "store_key"]

_CURRENT = "current.json"
RANK_KEY, SALT = "rank.key", "salt"
KEY_BYTES = 32


@dataclass(frozen=True)
class ListUsed:
    """One list of opt-outs that a data version was made with.

    Attributes:
        kind: ``national``, ``type-1`` or ``local``.
        as_of: the moment that the list speaks of, seconds since 1970: its age counts from here.
        keyed_hash: HMAC-SHA256 of its content, hexadecimal; nobody without this node's key can guess who is on it.
    """

    kind: str
    as_of: int
    keyed_hash: str


def lists_hash(lists: Mapping[str, tuple[ListUsed, ...]]) -> str:
    """What stands for a data version's lists, by dataset, in the ledger and in a question's identity; "" for none."""
    if not lists:
        return ""
    facts = {name: [vars(item) for item in found] for name, found in sorted(lists.items())}
    return hashlib.sha256(b"trustquery/opt-outs/v1" + canonical.encode(facts)).hexdigest()


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
        opt_outs: dataset to the lists of opt-outs behind its file ``sealed.ALLOWED``; a dataset without that file is
            not in it.
    """

    data_version: int
    folder: Path
    dataset_tables: dict[str, frozenset[str]]
    encrypted: bool = True
    reports: tuple[TableReport, ...] = ()
    opt_outs: Mapping[str, tuple[ListUsed, ...]] = field(default_factory=dict)

    @property
    def lists_sha256(self) -> str:
        """What stands for the lists of opt-outs; "" where there are none."""
        return lists_hash(self.opt_outs)

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
                {
                    name: tuple(
                        ListUsed(str(item["kind"]), int(item["as_of"]), str(item["keyed_hash"])) for item in lists
                    )
                    for name, lists in data.get("opt_outs", {}).items()
                },
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
    path = home.secret(config.store.key_file)
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
        "opt_outs": {name: [vars(item) for item in lists] for name, lists in store.opt_outs.items()},
    }
    replace_file(folder / _CURRENT, json.dumps(document, indent=1).encode())
    for old in folder.glob("v*"):
        if old.name[1:].isdecimal() and int(old.name[1:]) < store.data_version - 1:
            shutil.rmtree(old, ignore_errors=True)
