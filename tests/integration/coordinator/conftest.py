"""A fresh store for each test: SQLite, or where a test says so PostgreSQL as well."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from coordinator.store import Store
from tests.lib.postgres import PostgresServer


@pytest.fixture(scope="module")
def postgres_url(postgres: PostgresServer) -> str:
    """A database with every table, for one module."""
    url = postgres.database()
    made = Store(url)
    made.create()
    made.close()
    return url


@pytest.fixture
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A fresh store; ``@pytest.mark.parametrize("store", ["sqlite", "postgresql"], indirect=True)`` for both."""
    if getattr(request, "param", "sqlite") == "sqlite":
        url = f"sqlite+pysqlite:///{tmp_path}/store.sqlite"
    else:
        url = request.getfixturevalue("postgres_url")
        request.getfixturevalue("postgres").empty(url)
    made = Store(url)
    made.create()
    yield made
    made.close()
