"""What caps promise: the periods, k trusts, and the two ways to say epsilon to people."""

from __future__ import annotations

import math
from decimal import Decimal
from pathlib import Path

import pytest

from tests.factories.trust import policy_text
from tests.lib.text_tables import read_table
from trustquery.policy import Policy
from trustquery.policy.promised import document, in_words, most_trusts, promised
from trustquery.privacy.promise import best_guess, chance_after, promises

ROOT = Path(__file__).resolve().parents[3]
NANO = 10**9


def test_each_period_at_one_trust_and_at_three() -> None:
    one = promises(rho_12_months=500_000_000, rho_lifetime=2 * NANO)
    three = promises(rho_12_months=500_000_000, rho_lifetime=2 * NANO, trusts=3)
    assert [promise.period for promise in one] == ["12 months", "10 years", "lifetime"]
    assert [promise.rho_nano for promise in one + three] == [500_000_000, 2 * NANO, 2 * NANO] * 2
    # rho + 2 sqrt(rho ln 1e8) by hand: ln 1e8 = 18.420680744.
    assert [promise.epsilon for promise in one] == [Decimal("6.5698"), Decimal("14.1395"), Decimal("14.1395")]
    assert [promise.epsilon for promise in three] == [Decimal("12.0131"), Decimal("27.0261"), Decimal("27.0261")]


@pytest.mark.parametrize(
    ("year", "life", "ten_years"),
    [(1, 9, 9), (1, 10, 10), (1, 11, 10), (3, 29, 29), (3, 30, 30), (3, 31, 30), (0, 5, 0), (7, 7, 7)],
)
def test_ten_years_are_ten_windows_or_the_lifetime(year: int, life: int, ten_years: int) -> None:
    found = promises(rho_12_months=year, rho_lifetime=life, delta_12_months=year, delta_lifetime=life)
    assert [(promise.rho_nano, promise.delta_atto) for promise in found] == [
        (year, year),
        (ten_years, ten_years),
        (life, life),
    ]


def test_the_ledgers_windows_cover_ten_calendar_years() -> None:
    from node_agent.budget import WINDOW_DAYS

    assert 10 * WINDOW_DAYS["node-wide"] >= 10 * 365 + 3


def test_delta_that_is_spent_adds_to_the_delta_shown() -> None:
    (year, *_) = promises(
        rho_12_months=1, rho_lifetime=1, delta_12_months=10**12, delta_lifetime=10**12, trusts=3, delta=Decimal("1e-8")
    )
    assert year.delta == Decimal("3.01e-6")


def test_no_cap_no_loss() -> None:
    for promise in promises(rho_12_months=0, rho_lifetime=0, trusts=3):
        assert (promise.epsilon, promise.guess) == (Decimal(0), Decimal("0.5"))


@pytest.mark.parametrize("trusts", [1, 2, 3, 209])
@pytest.mark.parametrize("rho_nano", [1, 3_300_000, 13_000_000, 300_000_000, NANO, 10 * NANO, 10**15])
def test_printed_figures_are_never_below_the_exact_ones(rho_nano: int, trusts: int) -> None:
    """Against plain doubles, whose error is a thousandth of the last digit shown."""
    (promise, *_) = promises(rho_12_months=rho_nano, rho_lifetime=rho_nano, trusts=trusts)
    rho = rho_nano * trusts / NANO
    exact = rho + 2 * math.sqrt(rho * math.log(1e8))
    assert -1e-9 * exact <= float(promise.epsilon) - exact <= 1e-4 + 1e-9 * exact
    distance = min(math.sqrt(rho / 2), math.sqrt(-math.expm1(-rho)))
    assert -1e-12 <= float(promise.guess) - (1 + distance) / 2 <= 1e-4 + 1e-12


TABLE = """
| before | epsilon | after  |
|--------|---------|--------|
| 0.5    | 0       | 0.5000 |
| 0.5    | 0.5     | 0.6225 |
| 0.5    | 1       | 0.7311 |
| 0.5    | 5       | 0.9934 |
| 0.01   | 1       | 0.0268 |
| 0.01   | 100     | 1      |
| 0.3    | 0       | 0.3000 |
"""


@pytest.mark.parametrize("row", read_table(TABLE), ids=str)
def test_what_somebody_may_believe_afterwards(row: dict[str, str]) -> None:
    before, epsilon = Decimal(row["before"]), Decimal(row["epsilon"])
    assert chance_after(before, epsilon) == Decimal(row["after"])


def test_the_best_guess_is_that_of_two_inequalities() -> None:
    # 1/2 + sqrt(rho/2)/2 while rho is small, 1/2 + sqrt(1 - e^-rho)/2 when it is large.
    assert best_guess(3_300_000) == Decimal("0.5204")
    assert best_guess(500_000_000) == Decimal("0.7500")
    assert best_guess(2 * NANO) == Decimal("0.9650")
    assert best_guess(10**6 * NANO) == 1
    assert best_guess(NANO, trusts=3) == best_guess(3 * NANO)
    assert best_guess(0, delta_atto=10**15) == Decimal("0.5005")


def test_it_is_never_below_what_gaussian_noise_allows() -> None:
    """The exact figure for Gaussian noise, Φ(sqrt(rho/2)), must lie below the bound that holds for any release."""
    for rho_nano in (10**5, 10**7, 10**8, 5 * 10**8, NANO, 4 * NANO):
        exact = 0.5 * (1 + math.erf(math.sqrt(rho_nano / NANO / 2) / math.sqrt(2)))
        assert exact <= best_guess(rho_nano)


def test_a_policys_own_promise() -> None:
    text = policy_text().replace('id = "made-up"', 'id = "nhs-episodes"')
    policy = Policy.from_toml(text)
    assert most_trusts(policy) == 3
    found = promised(policy)
    assert [(promise.trusts, promise.period) for promise in found] == [
        (trusts, period) for trusts in (1, 3) for period in ("12 months", "10 years", "lifetime")
    ]
    assert [promise.rho_nano for promise in found[:3]] == [500_000_000, 2 * NANO, 2 * NANO]
    words = in_words(policy)
    assert words[0] == (
        "promise to a patient of this trust alone, in any 12 months: at most epsilon 6.5698 (delta 1e-8); "
        "a guess at even odds that they are in the data is right at most 75 % of the time"
    )
    assert "of 3 trusts with these same caps, for life: at most epsilon 27.0261" in words[-1]
    assert document(policy)[0] == {
        "period": "12 months",
        "trusts": 1,
        "rho_nano": 500_000_000,
        "delta_atto": 0,
        "epsilon": "6.5698",
        "delta": "1e-8",
        "guess": "0.7500",
    }


def test_a_dataset_that_is_not_shipped_counts_for_one_trust() -> None:
    assert most_trusts(Policy.from_toml(policy_text())) == 1
    assert len(promised(Policy.from_toml(policy_text()))) == 3
