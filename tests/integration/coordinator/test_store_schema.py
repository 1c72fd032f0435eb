"""The database's schema: migrations make what the models say, older databases are adopted, newer ones refused."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from coordinator.store import Store, schema
from coordinator.store.models import Base
from tests.lib.postgres import PostgresServer
from tests.lib.processes import ROOT
from tools import generate_migration
from trustquery.errors import TrustQueryError

BOTH = pytest.mark.parametrize("store", ["sqlite", "postgresql"], indirect=True)


@pytest.fixture
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database with nothing in it."""
    if request.param == "sqlite":
        return f"sqlite+pysqlite:///{tmp_path}/empty.sqlite"
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.database()


EMPTY = pytest.mark.parametrize("empty_url", ["sqlite", "postgresql"], indirect=True)


def code_of(work: object) -> str:
    assert callable(work)
    with pytest.raises(TrustQueryError) as raised:
        work()
    return raised.value.code


def shape(url: str, server: PostgresServer | None) -> str:
    """Every word of a database's schema."""
    if server is not None:
        return server.dump(url)
    engine = create_engine(url)
    with engine.connect() as connection:
        found = connection.execute(text("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name")).scalars()
        # Constraints may stand in another order; a clause in brackets of its own is cut into pieces all the same.
        told = [sorted(piece.strip(" )") for piece in re.sub(r"\s+", " ", sql).split(", ")) for sql in found]
    engine.dispose()
    return "\n".join(", ".join(pieces) for pieces in told)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_migrations_from_nothing_make_exactly_what_the_models_say(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    server: PostgresServer | None = request.getfixturevalue("postgres") if kind == "postgresql" else None
    shapes = []
    for way in ("models", "migrations"):
        url = server.database() if server is not None else f"sqlite+pysqlite:///{tmp_path}/{way}.sqlite"
        made = Store(url)
        with made.transaction() as session:
            if way == "models":
                schema.upgrade(session.connection())
            else:
                schema.migrate(session.connection())
            assert schema.differences(session.connection()) == []
            assert schema.found_version(session.connection()) == schema.HEAD
        made.close()
        shapes.append(shape(url, server))
    assert shapes[0] == shapes[1]
    assert "queries_by_state" in shapes[0]


def test_the_baseline_is_what_make_migration_makes() -> None:
    assert generate_migration.PATH.read_text(encoding="utf-8") == generate_migration.text()


def test_the_newest_step_of_the_folder_is_the_head() -> None:
    from alembic.script import ScriptDirectory

    engine = create_engine("sqlite://")
    with engine.connect() as connection:
        folder = ScriptDirectory.from_config(schema.config_on(connection))
    assert folder.get_current_head() == schema.HEAD
    assert folder.get_bases() == [schema.BASELINE]


@EMPTY
def test_a_database_of_before_there_were_versions_is_adopted_with_what_it_holds(empty_url: str) -> None:
    made = Store(empty_url)
    with made.transaction() as session:
        Base.metadata.create_all(session.connection())
    made.people.add("ada", "aa" * 32, 1)
    with made.transaction() as session:  # as an older checkout left it
        for table in ("rates", "node_links"):
            session.execute(text(f"DROP TABLE {table}"))
        session.execute(text("DROP INDEX queries_by_hash"))
    assert code_of(made.require_current) == "config-store-older"
    assert made.create() == "unversioned"
    made.require_current()
    with made.transaction() as session:
        assert schema.differences(session.connection()) == []
    assert made.people.find("ada") is not None
    assert made.create() == schema.HEAD
    made.close()


@EMPTY
def test_tables_that_are_not_as_they_should_be_are_not_adopted_and_not_changed(empty_url: str) -> None:
    made = Store(empty_url)
    with made.transaction() as session:
        Base.metadata.create_all(session.connection())
        session.execute(text("ALTER TABLE users ADD COLUMN extra INTEGER"))
        session.execute(text("DROP TABLE rates"))
    assert code_of(made.create) == "config-store-unknown"
    with made.transaction() as session:
        connection = session.connection()
        assert not connection.dialect.has_table(connection, "rates"), "a refusal changes nothing"
        assert schema.found_version(connection) is None
    made.close()


@EMPTY
def test_another_programs_database_is_refused(empty_url: str) -> None:
    made = Store(empty_url)
    with made.transaction() as session:
        session.execute(text("CREATE TABLE orders (id INTEGER)"))
    assert code_of(made.create) == "config-store-unknown"
    made.close()


@BOTH
@pytest.mark.acceptance("AVL-10")
def test_a_newer_schema_than_the_codes_is_refused_with_the_fix(store: Store) -> None:
    with store.transaction() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    try:
        with pytest.raises(TrustQueryError) as raised:
            store.create()
        assert raised.value.code == "config-store-newer"
        assert "9999" in raised.value.problem.reason
        assert "restore" in raised.value.problem.fix
        assert code_of(store.require_current) == "config-store-newer"
    finally:
        with store.transaction() as session:
            session.execute(text("UPDATE alembic_version SET version_num = :head"), {"head": schema.HEAD})


def test_no_migration_goes_back() -> None:
    from alembic import command

    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        schema.migrate(connection)
        with pytest.raises(NotImplementedError):
            command.downgrade(schema.config_on(connection), "base")


def test_a_database_that_is_away_is_a_typed_refusal(postgres: PostgresServer) -> None:
    away = Store(f"postgresql://nobody@/nothing?host={postgres.folder}")
    with pytest.raises(TrustQueryError) as raised:
        away.require_current()
    assert raised.value.code == "config-store-unreachable"
    assert "nothing" not in str(raised.value.problem.reason)
    away.close()


@pytest.mark.parametrize("url", ["mysql://x/y", "no url at all", "postgresql+psycopg2://x/y"])
def test_only_sqlite_and_postgresql_are_databases_here(url: str) -> None:
    assert code_of(lambda: Store(url)) == "config-invalid"


def test_the_wheel_carries_the_migrations(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        capture_output=True, text=True, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    folder = "coordinator/store/migrations/"
    assert {f"{folder}env.py", f"{folder}script.py.mako", f"{folder}versions/0001_baseline.py"} <= names


def test_an_index_that_a_later_version_added_is_made_in_an_older_database(store: Store) -> None:
    named = "SELECT count(*) FROM sqlite_master WHERE name = 'queries_by_hash'"
    with store.transaction() as session:
        session.execute(text("DROP INDEX queries_by_hash"))
    store.create()
    store.create()
    with store.transaction() as session:
        assert session.scalar(text(named)) == 1
        plan = session.execute(
            text(
                "EXPLAIN QUERY PLAN SELECT release_id FROM queries WHERE query_hash IN ('a', 'b') AND state = 'closed'"
            )
        )
        assert "queries_by_hash" in str(plan.all())


def test_foreign_keys_hold_and_the_journal_is_safe(store: Store, tmp_path: Path) -> None:
    with store.transaction() as session:
        assert session.scalar(text("PRAGMA foreign_keys")) == 1
        assert session.scalar(text("PRAGMA synchronous")) == 2
        version = tuple(int(part) for part in str(session.scalar(text("SELECT sqlite_version()"))).split("."))
        journal = session.scalar(text("PRAGMA journal_mode"))
    assert journal == ("wal" if version >= (3, 51, 3) else "truncate")
