"""A public site over a fresh store."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from coordinator.store import Store
from tests.lib.public_site import PublicSite


@pytest.fixture
def site(tmp_path: Path) -> Iterator[PublicSite]:
    store = Store(f"sqlite+pysqlite:///{tmp_path}/store.sqlite")
    store.create()
    yield PublicSite(store, tmp_path)
    store.close()
