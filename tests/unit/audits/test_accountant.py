"""The independent accountant, on figures worked by hand."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from audits.accountant import Accountant, charge_of, squared_sensitivity
from audits.releases import START, Ending, Release
from trustquery.catalogue import load
from trustquery.language import compile_query
from trustquery.planning import Plan, compile_plan

SIGMA_10 = 10 * 2**20


def block(**changed: Any) -> dict[str, Any]:
    """A count with G = 2, R = 3 and sigma 10: Δ² = 18, rho = 18/200."""
    bound = {"form": "rows", "G": 2, "R": 3, "C": 0}
    return {"bound": bound, "lo": 1, "hi": 1, "sigma": SIGMA_10, "bins": None, "branching": 0} | changed


def test_sensitivities_by_hand() -> None:
    assert squared_sensitivity(block()) == 18
    assert squared_sensitivity(block(lo=-7, hi=2)) == 18 * 49
    assert squared_sensitivity(block(lo=0, hi=0)) == 18
    assert squared_sensitivity(block(lo="-9007199254740993", hi=0)) == 18 * 9007199254740993**2
    assert squared_sensitivity(block(bound={"form": "total", "G": 2, "R": 3, "C": 5})) == 50
    assert squared_sensitivity(block(bound={"form": "l1", "G": 2, "R": 3, "C": 5})) == 25
    ten = {"cuts": [str(cut) for cut in range(1, 10)]}
    assert squared_sensitivity(block(bins=ten)) == 18
    # 10 bins, then 4 nodes of three, then 2.
    assert squared_sensitivity(block(bins=ten, branching=3)) == 3 * 18
    with pytest.raises(ValueError, match="no rule for a bound of form tree"):
        squared_sensitivity(block(bound={"form": "tree", "G": 1, "R": 1, "C": 1}))


def test_charges_are_rounded_up_block_by_block() -> None:
    assert charge_of({"blocks": [block()]}) == (90_000_000, 0)
    just_above = block(sigma=SIGMA_10 - 1)
    assert charge_of({"blocks": [just_above, just_above]}) == (2 * 90_000_018, 0)
    assert charge_of({"blocks": [block(delta_atto=10**9), block()]}) == (180_000_000, 10**9)


def count_plan() -> Plan:
    catalogue = load("nhs-episodes")
    return compile_plan(compile_query("SELECT count(*) FROM admission", catalogue, epsilon=Decimal(1)), catalogue)


def release(number: int, question: str, person: str, *, ending: Ending = "committed", day: int = 0) -> Release:
    return Release(f"r{number}", question, count_plan(), "nhs-episodes", "stays", person, START + day * 86_400, ending)


def test_repeats_refunds_and_dead_releases() -> None:
    rho = count_plan().rho_nano
    books = Accountant()
    books.add(release(1, "a", "ada", ending="dead"))
    books.add(release(2, "a", "ada"))
    books.add(release(3, "a", "ada"))  # stored: nobody pays
    books.add(release(4, "a", "bob"))  # stored: bob sees it for the first time
    books.add(release(5, "b", "bob", ending="expired"))
    books.add(release(6, "b", "bob", day=400))
    assert books.totals() == {
        ("node-wide", ""): (3 * rho, 0, 3),
        ("dataset", "nhs-episodes"): (3 * rho, 0, 3),
        ("project", "stays"): (3 * rho, 0, 3),
        ("analyst", "ada"): (2 * rho, 0, 2),
        ("analyst", "bob"): (2 * rho, 0, 2),
    }
    now = START + 400 * 86_400
    assert books.last_12_months(("node-wide", ""), now) == (rho, 0)
    assert books.last_12_months(("analyst", "ada"), now) == (0, 0)
    # 366 days count, the last one included.
    assert books.last_12_months(("analyst", "ada"), START + 365 * 86_400) == (2 * rho, 0)
    assert books.last_12_months(("analyst", "ada"), START + 366 * 86_400) == (0, 0)
