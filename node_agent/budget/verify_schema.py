"""The file's tables, views, indexes and triggers are the ones that this program makes."""

from __future__ import annotations

import functools

import apsw

from node_agent.budget.database import Database
from node_agent.budget.rows import FIRST_WITH_ROW_HASHES, TRIGGERS, register
from node_agent.budget.schema import DDL, MIGRATIONS
from trustquery.errors import TrustQueryError

__all__ = ["check_schema"]

_SCHEMA = "SELECT type, name, tbl_name, sql FROM sqlite_master"


@functools.cache
def _wanted(version: int) -> frozenset[tuple[str, str, str, str | None]]:
    connection = apsw.Connection(":memory:")
    try:
        register(connection)
        for sql in (DDL, *(MIGRATIONS[step] for step in range(1, version))):
            connection.execute(sql)
        return frozenset(connection.execute(_SCHEMA))
    finally:
        connection.close()


def check_schema(db: Database) -> None:
    """Compare the schema's text with what making a ledger writes: a view that reads wrongly would add up wrongly.

    SQLite keeps the text as it was given, and as ALTER TABLE extends it (sqlite.org/schematab.html).

    Raises:
        TrustQueryError: ``ledger-corrupt``.
    """
    found = frozenset(db.rows(_SCHEMA))
    if db.version >= FIRST_WITH_ROW_HASHES:
        right = found == _wanted(db.version)
    else:
        # A file of an older version has no such triggers: where it has, it is the version that is wrong.
        right = not any(name in TRIGGERS for _, name, _, _ in found)
    if not right:
        raise TrustQueryError("ledger-corrupt", seq=0)
