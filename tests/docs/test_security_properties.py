"""SECURITY-PROPERTIES.md names files and tests that exist, and every promise has both."""

from __future__ import annotations

import re
from typing import get_args

import pytest

from tests.docs.pages import ROOT
from trustquery.errors import CATALOGUE
from trustquery.identity.documents import Purpose

PAGE = ROOT / "SECURITY-PROPERTIES.md"


def rows() -> list[tuple[str, str, str]]:
    """Promise, code and tests of each row of the tables with three columns."""
    found = []
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if line.startswith("| ") and len(cells) == 3 and cells[0] != "Promise":
            found.append((cells[0], cells[1], cells[2]))
    return found


@pytest.mark.parametrize(("promise", "code", "tests"), rows(), ids=lambda text: text[:50])
def test_a_promise_names_code_and_tests_that_exist(promise: str, code: str, tests: str) -> None:
    files = re.findall(r"`([\w/]+/[\w/.]+)`", code)
    for name in files:
        assert (ROOT / name).is_file(), name
    assert files or code == "the whole path"
    for name in re.findall(r"\(`(\w+)`", code):
        assert any(name in (ROOT / file).read_text(encoding="utf-8") for file in files), name
    parts = re.findall(r"`(tests/[\w/]+\.py)`: ((?:`\w+`(?:, )?)+)", tests)
    assert parts, f"{promise}: no test"
    for file, names in parts:
        source = (ROOT / file).read_text(encoding="utf-8")
        for name in re.findall(r"`(\w+)`", names):
            assert re.search(rf"^ *(async )?def {name}\(", source, re.MULTILINE), f"{file} has no {name}"


def test_there_are_promises() -> None:
    assert len(rows()) > 30


def test_codes_it_names_exist() -> None:
    for code in re.findall(r"`((?:policy|query|budget|node|auth)-[a-z-]+)`", PAGE.read_text(encoding="utf-8")):
        assert code in CATALOGUE


def test_forbidden_purposes_cannot_be_written() -> None:
    words = " ".join(get_args(Purpose))
    assert "market" not in words
    assert "insur" not in words
