"""The page of the privacy audit describes what is audited now, and its figures are those of a full run that passed."""

from __future__ import annotations

import re

from audits.mechanisms import MECHANISMS
from audits.report import FIGURES, facts
from audits.work import Sizes, pieces
from tests.docs.pages import DOCS

PAGE = DOCS / "reference" / "privacy-audit.md"


def test_what_it_says_of_the_code_is_in_date() -> None:
    before, _, _ = PAGE.read_text(encoding="utf-8").partition(FIGURES)
    assert before.strip() == facts().strip(), "run `make audit-privacy ARGS=--full`"


def test_its_figures_are_of_a_full_run_that_passed() -> None:
    _, _, figures = PAGE.read_text(encoding="utf-8").partition(FIGURES)
    assert f"{Sizes.full().runs:,} releases of each mechanism" in figures
    for mechanism in MECHANISMS:
        assert re.search(rf"^\| {re.escape(mechanism.name)} \|.*\| holds \|$", figures, re.MULTILINE), mechanism.name
    controls = len(pieces(("controls",), Sizes(), 1))
    assert figures.count("| caught |") == controls
    assert "NOT CAUGHT" not in figures
    assert " 0 unequal." in figures
    assert " 0 shown below " in figures
