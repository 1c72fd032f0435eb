"""The database's schema and its version: what is found is adopted, brought up to date or refused, never guessed at.

Until the first release there is one migration, the baseline, which is made again whenever a table changes
(``make migration``). A database at the baseline may therefore lack a table that a later checkout added: it is made.
"""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING, Any

from sqlalchemy import Column, Connection, MetaData, PrimaryKeyConstraint, String, Table, inspect, select

from coordinator.store.models import Base
from trustquery.errors import TrustQueryError

if TYPE_CHECKING:
    from alembic.config import Config

__all__ = [
    "BASELINE",
    "HEAD",
    "METADATA",
    "config_on",
    "differences",
    "found_version",
    "migrate",
    "require_current",
    "upgrade",
]

BASELINE = "0001"
HEAD = "0001"
"""The newest migration; a test keeps it equal to what the folder holds."""
METADATA = Base.metadata
"""Every table: whoever imports ``coordinator.store`` has imported the modules that declare them."""
_VERSIONS = "alembic_version"
# As Alembic makes it.
_VERSION_TABLE = Table(
    _VERSIONS,
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)


def found_version(connection: Connection) -> str | None:
    """The version that a database says it has; None where it says nothing."""
    if not inspect(connection).has_table(_VERSIONS):
        return None
    return connection.scalar(select(_VERSION_TABLE.c.version_num))


def require_current(connection: Connection) -> None:
    """Refuse a database that is not at this version's schema.

    Raises:
        TrustQueryError: ``config-store-older``, ``config-store-newer``.
    """
    found = found_version(connection)
    if found == HEAD and not _missing(connection):
        return
    if found is None or found in _known():
        raise TrustQueryError("config-store-older", found=found or "none", needed=HEAD)
    raise TrustQueryError("config-store-newer", found=found, needed=HEAD)


def upgrade(connection: Connection) -> str:
    """Bring a database to this version's schema, in the transaction in hand; returns the version that it had.

    A database from before there were versions is adopted: what it lacks is made, and it must then be exactly the
    baseline.

    Raises:
        TrustQueryError: ``config-store-newer``; ``config-store-unknown``: it holds tables of something else.
    """
    found = found_version(connection)
    if found is not None and found not in _known():
        raise TrustQueryError("config-store-newer", found=found, needed=HEAD)
    tables = set(inspect(connection).get_table_names()) - {_VERSIONS}
    if found is None and not tables:
        # What every migration in turn would make, as a test shows, and in a twentieth of the time.
        METADATA.create_all(connection)
        _stamp(connection, HEAD)
        return "empty"
    if found is None:
        if "users" not in tables:
            raise TrustQueryError("config-store-unknown", problem="it holds tables that are not this program's")
        _complete(connection)
        wrong = differences(connection)
        if wrong:
            raise TrustQueryError("config-store-unknown", problem=f"{len(wrong)} of its tables and columns differ")
        _stamp(connection, BASELINE)
    elif found == HEAD == BASELINE:
        _complete(connection)
    if found != HEAD != BASELINE:
        migrate(connection)
    return found or "unversioned"


def migrate(connection: Connection) -> None:
    """Take every step that a database has not taken yet."""
    from alembic import command

    command.upgrade(config_on(connection), HEAD)


def differences(connection: Connection) -> list[Any]:
    """How a database differs from the models, as Alembic lists it; empty for not at all."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    options = {"compare_type": True, "compare_server_default": True}
    return list(compare_metadata(MigrationContext.configure(connection, opts=options), METADATA))


def _missing(connection: Connection) -> bool:
    return bool(METADATA.tables.keys() - set(inspect(connection).get_table_names()))


def _complete(connection: Connection) -> None:
    """Make the tables that are missing, and the indexes that a later version added to one."""
    found = inspect(connection)
    there = set(found.get_table_names())
    for table in METADATA.sorted_tables:
        if table.name not in there:
            table.create(connection)
            continue
        known = {index["name"] for index in found.get_indexes(table.name)}
        for index in table.indexes:
            if index.name not in known:
                index.create(connection)


def _known() -> frozenset[str]:
    """Every version that this program knows how to take further."""
    folder = resources.files("coordinator.store.migrations") / "versions"
    names = (item.name for item in folder.iterdir() if item.name[0].isdigit())
    return frozenset(name.partition("_")[0] for name in names)


def _stamp(connection: Connection, revision: str) -> None:
    _VERSION_TABLE.create(connection, checkfirst=True)
    connection.execute(_VERSION_TABLE.insert().values(version_num=revision))


def config_on(connection: Connection) -> Config:
    """Alembic's configuration for a connection: no file of its own."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(resources.files("coordinator.store") / "migrations"))
    config.attributes["connection"] = connection
    return config
