"""A coordinator's API over a fresh store, for the tests of access."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from coordinator.store import Store
from tests.lib.access_site import COMMITTEE, KEYS
from tests.lib.site import Site, fresh_store, open_site


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = fresh_store(tmp_path)
    yield made
    made.close()


@pytest.fixture
def site(store: Store, tmp_path: Path) -> Site:
    return open_site(store, tmp_path, {name: KEYS[name] for name in COMMITTEE}, KEYS["node"], burst=10_000)
