"""Texts that break pages which take them for more than texts, and projects whose every field is one of them."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.factories.projects import team_member
from tests.lib.public_site import ADA, PublicSite
from tests.lib.refusals import code_of
from trustquery.projects.answers import read_answer
from trustquery.projects.register import said

__all__ = ["TEXTS", "XSS", "hostile_projects"]

_NAUGHTY = Path(__file__).parents[1] / "security" / "naughty_strings.toml"
TEXTS = sorted(
    {text for group in tomllib.loads(_NAUGHTY.read_text(encoding="utf-8")).values() for text in group["texts"]}
)
XSS = [
    "<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "'><svg onload=alert(1)>",
    "</title><script>alert(1)</script>", "</textarea><script>alert(1)</script>",
    "<iframe srcdoc='<script>alert(1)</script>'>",
    "javascript:alert(1)", "{{7*7}}", "{% raw %}", "<!--", "]]>", "&lt;script&gt;alert(1)&lt;/script&gt;",
    "<a href=javascript:alert(1)>x</a>", "\" autofocus onfocus=alert(1) x=\"", "<details open ontoggle=alert(1)>",
]  # fmt: skip
_LONG = (
    "lay_summary", "public_benefit", "technical_summary", "common_law", "linkage", "confidential_data",
    "privacy_processing", "code_sharing", "opt_out_basis",
)  # fmt: skip
_SHORT = ("title", "organisation", "organisation_id", "contact", "sponsor", "sublicence")
TOGETHER = 40


def _allowed(question: str, text: str) -> bool:
    """Whether the application's form takes this answer: one that it refuses reaches no page."""
    return not code_of(read_answer, question, text)


def hostile_projects(site: PublicSite) -> Iterator[tuple[str, str, list[str]]]:
    """Approve projects whose fields hold all of the texts; yields the name, the short text, and the long ones."""
    usable = [text for text in [*XSS, *TEXTS] if _allowed("lay_summary", text) and said(text) != "Not stated"]
    lines = [text for text in usable if _allowed("title", text)]
    assert len(lines) > 100
    for place in range(0, len(usable), TOGETHER):
        texts = usable[place : place + TOGETHER]
        words, line = "\n".join(texts)[:3900], lines[place // TOGETHER % len(lines)]
        changed: dict[str, Any] = dict.fromkeys(_LONG, words) | dict.fromkeys(_SHORT, line)
        team = (team_member(ADA.public.hex(), name=line, organisation=line, training_body=line),)
        site.project(
            project=f"p{place}", team=team, funders=(line,), ethics_references=(line,), other_committees=(line,),
            outputs=(line,), **changed,
        )  # fmt: skip
        yield f"p{place}", line, [text for text in texts if text in words]
