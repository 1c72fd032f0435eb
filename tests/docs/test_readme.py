"""The first page: its commands, its picture and its excerpt are those of the code."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from demo.questions import QUESTIONS
from tests.docs.pages import ROOT, fences

README = ROOT / "README.md"
TEXT = README.read_text(encoding="utf-8")


def squeezed(text: str) -> str:
    return re.sub(r"\s+", " ", text)


def test_two_commands_and_the_apt_line_that_the_bootstrap_prints() -> None:
    commands = [fence.text for fence in fences(README) if fence.language == "sh"]
    assert commands[:2] == ["make demo", "make test"]
    bootstrap = (ROOT / "tools" / "bootstrap.sh").read_text(encoding="utf-8")
    packages = commands[2].rpartition("-y ")[2].split()
    assert packages == ["make", "python3", "python3-venv", "git", "ca-certificates"]
    assert "apt_line python3 python3-venv" in bootstrap


def test_the_excerpt_asks_what_the_demonstration_asks() -> None:
    excerpt = squeezed(next(fence.text for fence in fences(README) if fence.language == "text"))
    second = QUESTIONS[1]
    assert f"Question 2 of {len(QUESTIONS)}: {second.title}" in excerpt
    assert squeezed(second.sql) in excerpt
    assert f"epsilon {float(second.epsilon):.4f}" in excerpt


def test_the_excerpt_s_notes_are_those_that_the_client_prints() -> None:
    parts = (ROOT / "trustquery" / name for name in ("question/result.py", "protocol/heads.py"))
    source = "".join(part.read_text(encoding="utf-8") for part in parts)
    for note in ("Intervals are 95 % and cover the noise only.", "Ledgers were cosigned before", "Checked here:"):
        assert note in TEXT
        assert note in source


def test_the_status_table_says_what_is_not_built() -> None:
    table = TEXT[TEXT.index("## Status") : TEXT.index("## Limits")]
    for word in (
        *("witnesses", "opt-out", "secure sum", "OIDC", "web pages", "PostgreSQL", "Spark"),
        *("key store", "profiles", "suppression"),
    ):
        assert word in table
    assert "codelists that a second person has approved" in table


def test_the_picture_can_be_read_by_everybody() -> None:
    picture = ElementTree.parse(ROOT / "docs" / "images" / "overview.svg").getroot()
    space = "{http://www.w3.org/2000/svg}"
    assert picture.get("role") == "img"
    assert (picture.findtext(f"{space}title") or "").strip()
    assert len(picture.findtext(f"{space}desc") or "") > 100
    assert "prefers-color-scheme: dark" in (picture.findtext(f"{space}style") or "")
    assert not list(picture.iter(f"{space}script"))
    assert not [item for item in picture.iter() if any("href" in key for key in item.attrib)]
