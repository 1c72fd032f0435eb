"""The how-to pages around the public record, done command by command, as their readers would."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.pages import DOCS, fences
from tests.lib.public_site import PublicSite, serving

RELEASE = "3f2a9c01" * 8


class Reader:
    """Somebody who types what a page says."""

    def __init__(self, folder: Path, home: Path) -> None:
        self._folder = folder / "desk"
        self._folder.mkdir()
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        self._environment = {"PATH": path, "HOME": str(self._folder), "LC_ALL": "C.UTF-8", "TQ_HOME": str(home)}

    def read(self, page: str) -> list[subprocess.CompletedProcess[str]]:
        """Every block of a page, in turn."""
        done = []
        for fence in fences(DOCS / "how-to" / page):
            if fence.language == "sh":
                found = subprocess.run(
                    ["bash", "-euo", "pipefail", "-c", fence.text], cwd=self._folder, env=self._environment,
                    capture_output=True, text=True, check=False, timeout=60,
                )  # fmt: skip
                assert found.returncode == 0, f"{page}:{fence.line}\n{fence.text}\n{found.stdout}\n{found.stderr}"
                done.append(found)
        return done


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[tuple[PublicSite, Reader]]:
    with serving(tmp_path) as (site, home):
        site.use(site.project(), RELEASE)
        yield site, Reader(tmp_path, home.path)


def test_read_the_register(desk: tuple[PublicSite, Reader]) -> None:
    *_, checked = desk[1].read("read-the-register.md")
    assert "0 wrong" in checked.stderr


def test_rerun_or_fork_a_query(desk: tuple[PublicSite, Reader]) -> None:
    shown, again, forked = desk[1].read("rerun-or-fork-a-query.md")
    assert "SELECT" in shown.stdout
    assert "The same question as" in again.stderr
    assert "can be asked" in forked.stderr


def test_publish_or_withdraw_a_release(desk: tuple[PublicSite, Reader]) -> None:
    published, withdrawn = desk[1].read("publish-or-withdraw-a-release.md")
    assert "read by everybody" in published.stderr
    assert "Withdrawn" in withdrawn.stderr
    page = desk[0].get(f"/public/queries/{RELEASE}").text
    assert "The codelist missed a code." in page
