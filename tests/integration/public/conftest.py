"""A public site over a fresh store, and the same on a real port with an analyst's home folder beside it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lib.public_site import PublicSite, serving
from tests.lib.site import fresh_store


@pytest.fixture
def site(tmp_path: Path) -> Iterator[PublicSite]:
    store = fresh_store(tmp_path)
    yield PublicSite(store, tmp_path)
    store.close()


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PublicSite]:
    with serving(tmp_path) as (made, home):
        monkeypatch.setenv("TQ_HOME", str(home.path))
        yield made
