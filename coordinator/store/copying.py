"""A consistent copy of the whole database in one SQLite file, and back from it: the same for SQLite and PostgreSQL.

What signs people in, what is under way for seconds and what only running processes need does not come back: a session
that was closed, a code that was used since the copy was made, must not become good again.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, Engine, Table, func, insert, select, text, update
from sqlalchemy.exc import DBAPIError

from coordinator.store import schema
from coordinator.store.engine import SNAPSHOT, open_engine
from coordinator.store.fleet_models import MailRow, NodeLinkRow, RateRow, ReplicaRow
from coordinator.store.identity_models import AttemptRow, FlowRow, LocalAccountRow, SessionFactsRow
from coordinator.store.models import Challenge, Invitation, LoginSession
from trustquery.errors import TrustQueryError

__all__ = ["copy_into", "copy_out"]

_NEVER_BACK = frozenset(
    row.__tablename__
    for row in (
        *(LoginSession, SessionFactsRow, Challenge, FlowRow, AttemptRow),
        *(ReplicaRow, NodeLinkRow, MailRow, RateRow),
    )
)
_BATCH = 500
STEP_SECONDS = 30


def copy_out(source: Engine, path: Path) -> dict[str, int]:
    """Write a copy, as one moment saw the database; writers go on meanwhile.

    Returns:
        How many rows of each table it has.

    Raises:
        TrustQueryError: ``config-store-…``: not this version's schema, or not to be read.
    """
    target = open_engine(f"sqlite+pysqlite:///{path}")
    try:
        with target.begin() as there:
            schema.upgrade(there)
            path.chmod(0o600)
            with _snapshot(source) as here:
                schema.require_current(here)
                return {table.name: _copy(table, here, there) for table in schema.METADATA.sorted_tables}
    except DBAPIError as error:
        raise TrustQueryError("config-store-unreachable") from error
    finally:
        target.dispose()


def copy_into(path: Path, target: Engine, now: int) -> dict[str, int]:
    """Fill an empty database from a copy, in one transaction; an older copy is brought up to date first.

    Returns:
        How many rows of each table came back.

    Raises:
        TrustQueryError: ``config-store-…``; ``config-backup-not-empty``: the database holds something.
    """
    source = open_engine(f"sqlite+pysqlite:///{path}")
    try:
        with source.begin() as here:
            schema.upgrade(here)
        with source.begin() as here, target.begin() as there:
            schema.upgrade(there)
            for table in schema.METADATA.sorted_tables:
                if there.scalar(select(func.count()).select_from(table)):
                    raise TrustQueryError("config-backup-not-empty", table=table.name)
            kept = [table for table in schema.METADATA.sorted_tables if table.name not in _NEVER_BACK]
            found = {table.name: _copy(table, here, there) for table in kept}
            _use_up(there, now)
            if there.dialect.name == "postgresql":
                for table in kept:
                    _count_on(table, there)
            return found
    except DBAPIError as error:
        raise TrustQueryError("config-store-unreachable") from error
    finally:
        source.dispose()


def _snapshot(source: Engine) -> Connection:
    """A connection that sees one moment and takes no writer's place."""
    if source.dialect.name == "postgresql":
        connection = source.connect().execution_options(isolation_level="AUTOCOMMIT")
        connection.execute(text("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"))
        connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
        return connection
    return source.connect().execution_options(**{SNAPSHOT: True})


def _copy(table: Table, here: Connection, there: Connection) -> int:
    number = 0
    order = [*table.primary_key.columns]
    rows = here.execution_options(yield_per=_BATCH).execute(select(table).order_by(*order)).mappings()
    for part in rows.partitions():
        there.execute(insert(table), [dict(row) for row in part])
        number += len(part)
    return number


def _use_up(there: Connection, now: int) -> None:
    """What may have been used since the copy was made is used now."""
    there.execute(update(Invitation).where(Invitation.used == 0).values(expires=0))
    closed = {"setup_hash": "", "setup_expires": 0, "new_password": "", "new_secret": ""}
    there.execute(update(LocalAccountRow).values(step=now // STEP_SECONDS + 1, **closed))


def _count_on(table: Table, there: Connection) -> None:
    """Numbers that the database gives go on after the last one."""
    column = table.autoincrement_column
    if column is None:
        return
    named = {"table": table.name, "column": column.name}
    name = there.scalar(text("SELECT pg_get_serial_sequence(:table, :column)"), named)
    last = there.scalar(select(func.max(column)))
    if name is not None and last is not None:
        there.execute(text("SELECT setval(:name, :last)"), {"name": name, "last": last})
