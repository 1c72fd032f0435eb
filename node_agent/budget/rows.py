"""Every row that is no entry carries a hash of itself, so that a byte that changed on the disk is noticed.

The hash chain covers the entries; these hashes cover the rest. Triggers make them, whatever statement writes a row.
They are under no key: who edits a ledger on purpose can make them anew, and meets the chain, its seals, the witnesses.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import apsw

from trustquery.errors import TrustQueryError

__all__ = [
    "COLUMNS",
    "FIRST_WITH_ROW_HASHES",
    "FIXED",
    "FUNCTION",
    "SEALING",
    "TRIGGERS",
    "check_rows",
    "hash_of_row",
    "register",
]

FIRST_WITH_ROW_HASHES = 7
"""The first version of the tables whose rows carry their hash."""
FUNCTION = "hash_of_row"
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "meta": ("name", "value"),
    "release": (
        "release_id", "intent_hash", "query_hash", "plan_hash", "question", "state", "project", "analyst",
        "data_version", "mode", "rho_nano", "delta_atto", "policy_hash", "planned_slot", "not_after", "project_ends",
        "due_ms", "stored", "day", "reserved_seq",
    ),
    "charge": ("release_id", "scope", "subject", "rho_nano", "delta_atto", "day", "refunded"),
    "outbox": ("release_id", "bytes", "state"),
    "salt": ("scope", "subject", "salt"),
    "stored_answer": ("question", "release_id", "data_version", "vector"),
    "seen_version": ("kind", "name", "version", "sha256"),
    "governed": ("kind", "name", "version", "sha256", "signed_under", "seq"),
    "lodged": ("sha256", "kind", "version", "lodged", "state", "seq"),
    "decision": ("seq", "release_id", "input", "allowed", "rules", "policy_version", "policy_hash", "day"),
    "erased": ("release_id", "question", "day", "seq"),
    "alarm": ("seq", "code", "place", "sha256", "at", "more"),
    "cosigned": ("size", "note", "sha256"),
    "frozen": ("sha256", "ours", "theirs", "at"),
    "repaired": ("seq", "theirs_sha256"),
    "exhausted": ("seq", "scope", "subject", "rho_nano", "delta_atto", "day"),
    "witness_head": ("origin", "log_key", "note", "sha256"),
    "witness_fork": ("sha256", "ours", "theirs", "at"),
}  # fmt: skip
"""Every table but ``leaf``, whose rows are hashed as entries, and all its columns but ``row_hash``."""

FIXED = tuple(name for name in COLUMNS["release"] if name not in ("release_id", "state", "reserved_seq"))
"""What never changes of a release; its first entry is sealed over it."""


def _call(table: str, prefix: str = "") -> str:
    return f"{FUNCTION}('{table}', {', '.join(prefix + name for name in COLUMNS[table])})"


def _set(table: str, prefix: str = "") -> str:
    # Names of tables and columns are this module's own.
    return " ".join(("UPDATE", table, "SET row_hash =", _call(table, prefix)))


def _triggers(table: str) -> dict[str, str]:
    body = f"BEGIN {_set(table, 'NEW.')} WHERE rowid = NEW.rowid; END"
    changed = ", ".join(COLUMNS[table])
    after = {f"{table}_made": "INSERT", f"{table}_changed": f"UPDATE OF {changed}"}
    return {name: " ".join(("CREATE TRIGGER", name, "AFTER", what, "ON", table, body)) for name, what in after.items()}


TRIGGERS: Mapping[str, str] = {name: sql for table in COLUMNS for name, sql in _triggers(table).items()}
"""By name: what makes the hashes."""
SEALING = "".join(
    " ".join(("ALTER TABLE", table, "ADD COLUMN row_hash TEXT NOT NULL DEFAULT '';\n", _set(table), ";\n"))
    for table in COLUMNS
) + "".join(f"{sql};\n" for sql in TRIGGERS.values())
"""What brings the hashes into a file that has none."""


def hash_of_row(*values: str | bytes | int | float | None) -> str:
    """SHA-256 over a table's name and a row's values, each with its type and length, hexadecimal."""
    found = hashlib.sha256()
    for value in values:
        content = value if isinstance(value, bytes) else str(value).encode()
        found.update(f"{type(value).__name__}:{len(content)}:".encode())
        found.update(content)
    return found.hexdigest()


def register(connection: apsw.Connection) -> None:
    """Let a connection make the hashes."""
    connection.create_scalar_function(FUNCTION, hash_of_row, -1, deterministic=True, flags=apsw.SQLITE_INNOCUOUS)


def check_rows(rows: Callable[[str], list[tuple[Any, ...]]], version: int) -> None:
    """Compare every row with its hash.

    Args:
        rows: runs a query on the ledger.
        version: of its tables.

    Raises:
        TrustQueryError: ``ledger-corrupt``.
    """
    for table in COLUMNS if version >= FIRST_WITH_ROW_HASHES else ():
        if rows(" ".join(("SELECT 1 FROM", table, "WHERE row_hash <>", _call(table), "LIMIT 1"))):
            raise TrustQueryError("ledger-corrupt", seq=0)
