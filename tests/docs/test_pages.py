"""Front matter, links, words: what every page must have, and what none may say."""

from __future__ import annotations

import datetime
import re
from pathlib import Path

import pytest

from tests.docs.pages import DOCS, ROOT, anchors, links, manual, name, prose, unfenced, written

FOLDERS = {"tutorials", "how-to", "explanation", "reference", "adr"}
# Words that the glossary gives to something else, American spellings, and words that promise ease. Whole words only.
BANNED = {
    "glossary": ("deduct", "deducts", "deducted", "superuser", "inferred range", "smallest cell", "min cell", "QA"),
    "spelling": ("authorize", "authorized", "behavior", "color", "organization", "anonymize", "anonymized", "analyze"),
    "tone": ("simply", "obviously", "easily", "please", "seamless", "powerful", "cutting-edge", "robust"),
}
HOSTS = re.compile(r"https?://(?!www\.w3\.org/|keepachangelog\.com/|semver\.org/)", re.IGNORECASE)


@pytest.mark.parametrize("page", manual(), ids=name)
def test_page_says_who_owns_it_who_reads_it_and_when_it_is_reviewed(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    match = re.match(r"---\n(.*?)\n---\n", text, re.DOTALL)
    assert match, "no front matter"
    facts = dict(line.split(": ", 1) for line in match[1].splitlines())
    assert list(facts) == ["title", "owner", "audience", "review"]
    assert all(value.startswith('"') and value.endswith('"') and len(value) > 2 for value in facts.values())
    datetime.date.fromisoformat(facts["review"].strip('"'))
    assert len(re.findall(r"^# ", unfenced(text), re.MULTILINE)) == 1


@pytest.mark.parametrize("page", [*manual(), *(page for page in written() if page.parent == ROOT)], ids=name)
def test_every_internal_link_leads_somewhere(page: Path) -> None:
    for target in links(page):
        if target.startswith(("http://", "https://", "mailto:")):
            continue
        path, _, anchor = target.partition("#")
        found = (page.parent / path).resolve() if path else page
        assert found.exists(), f"{target}: there is no such file"
        assert found.is_relative_to(ROOT), f"{target}: leads out of the repository"
        if anchor and found.suffix == ".md":
            assert anchor in anchors(found), f"{target}: there is no such heading"


# The glossary lists the words not to use.
@pytest.mark.parametrize("page", [page for page in written() if page.name != "glossary.md"], ids=name)
def test_words_are_the_glossary_s_and_the_house_s(page: Path) -> None:
    text = prose(page)
    for family, words in BANNED.items():
        for word in words:
            pattern = re.compile(rf"(?<![\w-]){re.escape(word)}(?![\w-])", 0 if word.isupper() else re.IGNORECASE)
            assert not pattern.search(text), f"{family}: {word}"


@pytest.mark.parametrize("page", written(), ids=name)
def test_no_page_names_this_machine_or_another_host(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert not re.search(r"/(work|home|root|Users)/", text)
    assert not HOSTS.search(text)


def test_every_page_is_of_one_kind_and_is_listed() -> None:
    index = (DOCS / "README.md").read_text(encoding="utf-8")
    for page in manual():
        if page == DOCS / "README.md":
            continue
        kind = page.relative_to(DOCS).parts[0]
        assert kind in FOLDERS, name(page)
        if kind == "adr":
            assert page.name == "README.md" or page.name in (DOCS / "adr" / "README.md").read_text(encoding="utf-8")
        else:
            assert page.relative_to(DOCS).as_posix() in index, f"{name(page)} is not in docs/README.md"


def test_decision_records_have_the_same_parts() -> None:
    for record in sorted((DOCS / "adr").glob("0*.md")):
        text = record.read_text(encoding="utf-8")
        parts = re.findall(r"^## (.+)$", text, re.MULTILINE)
        assert parts == ["Status", "Context", "Decision", "Alternatives", "Consequences"], record.name
        assert not re.search(rf"^# \W*(ADR|{record.name[:4]}|\d)", text, re.MULTILINE), (
            f"{record.name}: no number in its title"
        )


def test_a_dead_link_and_a_missing_heading_would_be_noticed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Top\n\n## A heading, with `code`\n\n[x](nowhere.md) ![y](z.svg#there)\n\n```\n[no](link)\n```\n")
    assert list(links(page)) == ["nowhere.md", "z.svg#there"]
    assert anchors(page) == {"top", "a-heading-with-code"}
