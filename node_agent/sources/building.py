"""A version of the store while it is being made: what is done already, so that an interrupted refresh goes on.

``building.json`` holds the data version, the files that it is made from, and a report of each finished table. A source
that has changed since starts it afresh: all tables of a version are of one moment.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from node_agent.policy_store.files import replace_file
from node_agent.sources.sealed import SALT_BYTES, Seal, path_of
from node_agent.sources.store import RANK_KEY, SALT, Store, TableReport
from trustquery.catalogue import Table
from trustquery.errors import TrustQueryError
from trustquery.identity import new_secret, read_private_file, write_private_file

__all__ = ["Building", "Job"]

Job = tuple[str, Table, Path]
"""Dataset, table and source file."""
_STATE = "building.json"


@dataclass(frozen=True)
class Building:
    """A folder ``v<version>.building``."""

    folder: Path
    data_version: int
    encrypted: bool

    @classmethod
    def begin(cls, store: Path, jobs: Sequence[Job], *, encrypted: bool) -> Building:
        """Take up the version that was being made, or start the next."""
        version = 1 + max((int(old.name[1:]) for old in store.glob("v*") if old.name[1:].isdecimal()), default=0)
        found = cls(store / f"v{version}.building", version, encrypted)
        state = found._state()
        if state is None or state["sources"] != _prints(jobs) or state["encrypted"] != encrypted:
            shutil.rmtree(found.folder, ignore_errors=True)
            found.folder.mkdir(mode=0o700)
            write_private_file(found.folder / RANK_KEY, new_secret(32))
            write_private_file(found.folder / SALT, new_secret(SALT_BYTES))
            found.start(jobs)
        return found

    def start(self, jobs: Sequence[Job]) -> None:
        """Note what the version is made from; no table is finished."""
        self._write({"sources": _prints(jobs), "encrypted": self.encrypted, "reports": []})

    @property
    def rank_key(self) -> bytes:
        """The version's own 32 random bytes."""
        return read_private_file(self.folder / RANK_KEY)

    def seal(self, key: bytes | None) -> Seal:
        """How the version's files are encrypted."""
        return Seal(key, read_private_file(self.folder / SALT), self.data_version)

    def reports(self) -> dict[tuple[str, str], TableReport]:
        """The tables that are finished."""
        reports = [TableReport(**report) for report in self._state_of("reports")]
        return {
            (report.dataset, report.table): report
            for report in reports
            if path_of(self.folder, report.dataset, report.table).is_file()
        }

    def note(self, report: TableReport) -> None:
        """A table is finished."""
        state = self._state() or {}
        self._write(state | {"reports": [*state["reports"], vars(report)]})

    def check_sources(self, jobs: Sequence[Job]) -> None:
        """See that no source has changed meanwhile.

        Raises:
            TrustQueryError: ``data-prepare-failed``.
        """
        if _prints(jobs) != self._state_of("sources"):
            raise TrustQueryError("data-prepare-failed", table="a table whose file changed meanwhile")

    def finish(self, reports: Sequence[TableReport]) -> Store:
        """Give the folder its name: the version is complete."""
        (self.folder / _STATE).unlink()
        complete = self.folder.with_suffix("")
        self.folder.rename(complete)
        tables: dict[str, set[str]] = {}
        for report in reports:
            tables.setdefault(report.dataset, set()).add(report.table)
        held = {name: frozenset(names) for name, names in tables.items()}
        return Store(self.data_version, complete, held, self.encrypted, tuple(reports))

    def _state(self) -> dict[str, Any] | None:
        try:
            state = json.loads((self.folder / _STATE).read_text())
            return state if isinstance(state, dict) and {"sources", "encrypted", "reports"} <= set(state) else None
        except (OSError, ValueError):
            return None

    def _state_of(self, name: str) -> Any:
        return (self._state() or {}).get(name)

    def _write(self, state: dict[str, Any]) -> None:
        replace_file(self.folder / _STATE, json.dumps(state).encode())


def _prints(jobs: Sequence[Job]) -> list[list[Any]]:
    """What tells whether a source file is still the same."""
    found: list[list[Any]] = []
    for dataset, table, path in jobs:
        status = path.stat()
        found.append([dataset, table.name, str(path), status.st_size, status.st_mtime_ns, status.st_ino])
    return found
