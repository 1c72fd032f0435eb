"""The public tables that a trust holds as files, beside those that ship.

A file here makes nothing public: a table is used only where a signed model pins the hash of its very content
(privacy-rules.md section 2). Files are named after their table, ``my_list@2.json`` or ``my_list.csv``, and are read
when a query first pins one.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from node_agent.policy_store.files import replace_file
from trustquery.codelists import PublicTable, PublicTables, read_table, shipped, split_name
from trustquery.codelists.files import MAX_FILE_BYTES
from trustquery.errors import TrustQueryError
from trustquery.identity import canonical
from trustquery.model import Query

__all__ = ["InputFolder", "file_name"]

SUFFIXES = (".json", ".csv")
MAX_FILES = 10_000
MAX_KEPT = 20


def file_name(table: PublicTable) -> str:
    """Where a table is installed."""
    return f"{table.id}@{table.version}.json"


@dataclass
class InputFolder:
    """The folder ``inputs/`` of a node's home. Safe to use from several threads."""

    path: Path
    _kept: dict[tuple[str, int, int], PublicTable] = field(default_factory=dict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def pinned_by(self, query: Query) -> PublicTables:
        """The tables at hand of the names that a model pins: shipped ones and files, of any version.

        A file that cannot be read is not at hand; whether the very table is, ``PublicTables.pinned`` decides.
        """
        wanted = {pin.id for pin in query.read_inputs}
        found = [table for table in shipped() if table.id in wanted]
        for path in self._files() if wanted else ():
            if _name_of(path) in wanted:
                try:
                    found.append(self.read(path))
                except TrustQueryError:
                    continue
        return PublicTables(found)

    def all(self) -> Iterator[tuple[Path, PublicTable | TrustQueryError]]:
        """Every file and what it holds, or why it cannot be used."""
        for path in self._files():
            try:
                yield path, self.read(path)
            except TrustQueryError as error:
                yield path, error

    def read(self, path: Path) -> PublicTable:
        """One file of the folder; kept in memory until it changes.

        Raises:
            TrustQueryError: ``query-input-invalid``.
        """
        try:
            facts = path.stat()
            key = (str(path), facts.st_mtime_ns, facts.st_size)
            with self._lock:
                if key in self._kept:
                    return self._kept[key]
            with path.open("rb") as file:
                content = file.read(MAX_FILE_BYTES + 1)
        except OSError as error:
            raise TrustQueryError("query-input-invalid", path.name, reason="the file cannot be read") from error
        name, version = split_name(path.stem)
        table = read_table(content, path.name, name=name, version=version)
        with self._lock:
            if len(self._kept) >= MAX_KEPT:
                self._kept.clear()
            self._kept[key] = table
        return table

    def install(self, table: PublicTable) -> Path:
        """Keep a table, in its JSON form, for its owner alone; the same content again changes nothing.

        Raises:
            TrustQueryError: ``query-input-invalid``: that version is there with other content, or ships.
        """
        for path, other in self.all():
            if isinstance(other, PublicTable) and (other.id, other.version) == (table.id, table.version):
                if other.sha256 != table.sha256:
                    raise TrustQueryError(
                        "query-input-invalid", path.name, reason=f"{table.id} version {table.version} is another table"
                    )
                return path
        ships = shipped().get(table.id)
        if ships is not None:
            raise TrustQueryError("query-input-invalid", table.id, reason=f"a table called {table.id} ships")
        path = self.path / file_name(table)
        replace_file(path, canonical.encode(table.document()))
        return path

    def _files(self) -> list[Path]:
        try:
            found = [path for path in self.path.iterdir() if path.suffix in SUFFIXES and not path.name.startswith(".")]
        except OSError:
            return []
        return sorted(found)[:MAX_FILES]


def _name_of(path: Path) -> str:
    return path.stem.partition("@")[0]
