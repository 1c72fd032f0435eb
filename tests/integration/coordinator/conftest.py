"""A fresh store for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from coordinator.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(f"sqlite+pysqlite:///{tmp_path}/store.sqlite")
    made.create()
    yield made
    made.close()
