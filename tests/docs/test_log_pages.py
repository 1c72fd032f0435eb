"""The pages around the public log, done command by command; and the script that stands alone stays short."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.pages import DOCS, ROOT, fences
from tests.docs.test_public_pages import RELEASE, Reader
from tests.lib.public_site import PublicSite, serving


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[tuple[PublicSite, Reader]]:
    with serving(tmp_path) as (site, home):
        site.use(site.project(), RELEASE)
        yield site, Reader(tmp_path, home.path)


def test_verify_the_log(desk: tuple[PublicSite, Reader]) -> None:
    online, offline = desk[1].read("verify-the-log.md")
    assert "every entry, tile and signature is good" in online.stdout
    assert "every entry, tile and signature is good" in offline.stdout
    assert "account.add" in offline.stdout


def test_run_a_witness(tmp_path: Path) -> None:
    blocks = [fence.text for fence in fences(DOCS / "how-to" / "run-a-witness.md") if fence.language == "sh"]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    (tmp_path / "witness").mkdir()  # the page's reader has put two documents into it
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "\n".join(blocks)], cwd=tmp_path, env={"PATH": path},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "witnesses 0 logs" in done.stderr


def test_the_script_has_at_most_200_lines_and_imports_nothing_of_ours() -> None:
    text = (ROOT / "coordinator" / "web" / "verify_log.py").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 200
    found = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Import | ast.ImportFrom)]
    names = [node.module or "" if isinstance(node, ast.ImportFrom) else node.names[0].name for node in found]
    modules = {name.partition(".")[0] for name in names}
    assert modules - set(sys.stdlib_module_names) == {"cryptography"}
