"""The page of the torture is that of a full run that found nothing, and saw what was planted."""

from __future__ import annotations

import pytest

from tests.docs.pages import DOCS
from tests.torture.controls import CONTROLS

PAGE = DOCS / "reference" / "durability-report.md"


def rows() -> dict[str, list[str]]:
    """First cell to the other cells, of every table."""
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return {first: others for first, *others in cells}


def number(text: str) -> int:
    return int(text.replace(",", ""))


def test_the_torture_was_of_full_size_and_found_nothing() -> None:
    found = rows()
    for blow, least in (("power cuts", 100_000), ("kills", 2_000)):
        _, blows, violations = found[blow]
        assert number(blows) >= least
        assert number(violations) == 0
    faults = [others for name, others in found.items() if name.startswith("disk faults")]
    assert faults
    assert all(number(violations) == 0 and number(blows) > 500 for _, blows, violations in faults)


@pytest.mark.parametrize("fault", sorted(CONTROLS))
def test_the_torture_saw_what_was_planted(fault: str) -> None:
    _, violations = rows()[fault]
    assert number(violations) > 0
