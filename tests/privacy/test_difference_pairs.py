"""A total over all, a total over all but one, and the difference is the one: 1,000 pairs, until no budget is left.

The attacker knows everybody else exactly, and guesses a bit of the one person by the likelihood ratio of all answers:
nobody can guess better (Neyman and Pearson). Three bounds hold, each tighter than the one before, with the rho that the
node's ledger really charged: (e^ε + δ) / (1 + e^ε), which is the acceptance test's own; what any release of that rho
allows (``best_guess``); and the law of Gaussian noise, Φ(Δ/2σ) for each answer, which is met and not only kept, so that
missing noise would be seen.

The first bound is given three standard errors of a share of one half, as the acceptance test says, and the second five.
All three fail by chance with a probability of at most FALSE_ALARM.
"""

from __future__ import annotations

import datetime
import math
import random
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from statistics import NormalDist
from typing import Any

import pytest

from audits.statistics import binomial_range
from tests.factories.catalogues import made_up
from tests.lib.real_gate import compiled, real_gate
from trustquery.planning import Plan, compile_plan
from trustquery.privacy.budget import DEFAULT_DELTA, epsilon_of
from trustquery.privacy.noise import add_noise
from trustquery.privacy.promise import best_guess

FALSE_ALARM = 1e-6
PEOPLE = 1_000
FIRST = datetime.date(2017, 1, 1)
NORMAL = NormalDist()


def everybody(seed: int) -> list[dict[str, Any]]:
    """People whom a public day tells apart; the secret bit of each is a coin."""
    source = random.Random(seed)
    return [
        {
            "pid": pid,
            "sex": "F",
            "born": 1950,
            "score": 0.0,
            "joined": FIRST + datetime.timedelta(days=pid),
            "seen": datetime.datetime(2020, 1, 1),
            "alive": source.random() < 0.5,
            "ward_id": 1,
            "nhs_number": str(pid),
        }
        for pid in range(PEOPLE)
    ]


def epsilon_bound(rho_nano: int) -> float:
    """The highest chance of a right guess at even odds, by epsilon and delta."""
    epsilon = float(epsilon_of(rho_nano))
    return (math.exp(epsilon) + float(DEFAULT_DELTA)) / (1 + math.exp(epsilon))


@dataclass(frozen=True)
class Pairs:
    """What one attacker got for the whole budget.

    Attributes:
        answers: for each pair the noised totals over all, and over all but the one.
        exact: the same without noise.
        bits: the secrets.
        sigma: of each answer, and ``charged`` what the ledger held in the end, nano-rho; ``each`` for one answer.
    """

    answers: list[tuple[int, int]]
    exact: list[tuple[int, int]]
    bits: list[bool]
    sigma: float
    each: int
    charged: int
    cap: int


def ask_pairs(folder: Path, pairs: int, rho_12_months: str) -> Pairs:
    """Through the gate until it refuses, with a real ledger, engine and noise."""
    rows = everybody(7)
    known = sum(row["alive"] for row in rows)
    answers, exact, bits = [], [], []
    with real_gate(folder, {"person": rows, "event": [], "dose": []}, ["ada"], rho_12_months) as gate:
        each = gate.cap // (2 * pairs)
        whole = compiled("SELECT count(DISTINCT pid) AS n FROM person WHERE alive", each)
        for row in rows[:pairs]:
            rest = compiled(
                f"SELECT count(DISTINCT pid) AS n FROM person WHERE alive AND joined <> DATE '{row['joined']}'", each
            )
            found = [gate.put("ada", query, fresh=True) for query in (whole, rest)]
            assert [reply.answer.status for reply in found] == ["answer", "answer"]
            answers.append((found[0].values[0], found[1].values[0]))
            exact.append((known, known - row["alive"]))
            bits.append(bool(row["alive"]))
        plan = found[0].plan
        one_more = gate.put("ada", whole, fresh=True)
        assert (one_more.codes, one_more.scopes) == (["budget-exhausted"], {"node-wide"})
        return Pairs(answers, exact, bits, plan.blocks[0].sigma_float, plan.rho_nano, gate.spent(), gate.cap)


def check_pairs(found: Pairs) -> None:
    """The ledger's figure, the control, and both attackers on each pair."""
    pairs = len(found.bits)
    error = math.sqrt(0.25 / pairs)
    assert found.charged == 2 * pairs * found.each
    assert 0.999 * found.cap < found.charged <= found.cap
    # Without noise each difference is the secret.
    assert [high - low == 1 for high, low in found.exact] == found.bits
    differing = sum((high - low > 0.5) == bit for (high, low), bit in zip(found.answers, found.bits, strict=True))
    knowing = sum(
        (high > exact - bit + 0.5) == bit
        for (high, _), (exact, _), bit in zip(found.answers, found.exact, found.bits, strict=True)
    )
    for right, spread in ((differing, math.sqrt(2) * found.sigma), (knowing, found.sigma)):
        assert right / pairs <= epsilon_bound(2 * found.each) + 3 * error
        assert right / pairs <= float(best_guess(2 * found.each)) + 5 * error
        low, high = binomial_range(pairs, NORMAL.cdf(0.5 / spread), FALSE_ALARM)
        assert low <= right <= high


def test_pairs_to_the_end_of_a_budget(tmp_path: Path) -> None:
    check_pairs(ask_pairs(tmp_path, 60, "0.5"))


@pytest.mark.slow
@pytest.mark.acceptance("PRV-03")
@pytest.mark.timeout(600)
def test_a_thousand_pairs_to_the_end_of_a_budget(tmp_path: Path) -> None:
    check_pairs(ask_pairs(tmp_path, 1_000, "0.5"))


# -- the whole budget on one person ------------------------------------------------------------------------------------

PAIRS = 1_000
GAMES = 400
"""A share's standard error is 2.5 points; half the noise would move it by 15."""


def played(rho_nano: int, games: int, *, both: bool) -> tuple[float, float, int]:
    """Games in which a coin decides whether one person counts, and 1,000 pairs of answers are about nobody else.

    Args:
        rho_nano: the whole budget, over all 2,000 answers.
        both: whether the second of each pair is about the one person as well, and not about all but them.

    Returns:
        The share of right guesses, the share that the law of the noise gives, and what was charged, nano-rho.
    """
    each = rho_nano // (2 * PAIRS)
    # A question with 1,000 cells draws noise of the same sigma 1,000 times over: one person is in one cell.
    last = FIRST + datetime.timedelta(days=PAIRS)
    wide = _plan(
        f"SELECT joined, count(DISTINCT pid) AS n FROM person WHERE joined >= DATE '{FIRST}' "
        f"AND joined < DATE '{last}' GROUP BY joined",
        each,
    )
    single = _plan("SELECT count(DISTINCT pid) AS n FROM person WHERE alive", each)
    assert wide.blocks[0].sigma == single.blocks[0].sigma
    assert wide.rho_nano == single.rho_nano
    coins, right = random.Random(11), 0
    informative = 2 * PAIRS if both else PAIRS
    for _ in range(games):
        bit = coins.random() < 0.5
        answers: list[int] = []
        for half in range(2):
            shift = int(bit and (both or half == 0))
            answers += add_noise([shift] * wide.length, wide)[:PAIRS]
        # With Gaussian noise the likelihood ratio depends on the sum of the answers that the bit is in.
        right += (sum(answers[:informative]) > informative / 2) == bit
    sigma = single.blocks[0].sigma_float
    return right / games, NORMAL.cdf(math.sqrt(informative) / 2 / sigma), 2 * PAIRS * single.rho_nano


def _plan(sql: str, rho_nano: int) -> Plan:
    return compile_plan(compiled(sql, rho_nano), made_up())


@pytest.mark.acceptance("PRV-03")
@pytest.mark.parametrize(
    ("rho", "both"),
    [
        pytest.param("0.5", True, id="the one twice"),
        pytest.param("0.5", False, marks=pytest.mark.slow, id="all and all but one"),
        *(pytest.param(rho, both, marks=pytest.mark.slow) for rho in ("0.05", "2") for both in (False, True)),
    ],
)
def test_a_whole_budget_tells_no_more_of_one_person_than_the_ledger_says(rho: str, both: bool) -> None:
    cap = int(Decimal(rho).scaleb(9))
    share, law, charged = played(cap, GAMES, both=both)
    error = math.sqrt(0.25 / GAMES)
    assert 0.999 * cap < charged <= cap
    assert share <= epsilon_bound(charged) + 3 * error
    assert share <= float(best_guess(charged)) + 5 * error
    low, high = binomial_range(GAMES, law, FALSE_ALARM)
    assert low <= share * GAMES <= high
    if both:
        # Every answer is about the one person: what is charged is exactly what can be learnt.
        assert law == pytest.approx(NORMAL.cdf(math.sqrt(charged / 1e9 / 2)), rel=1e-3)


def test_the_checks_would_see_half_the_noise_and_a_charge_that_is_too_small() -> None:
    charged = 0.5
    law = NORMAL.cdf(math.sqrt(charged / 2))
    _, high = binomial_range(GAMES, law, FALSE_ALARM)
    # Half the noise: out of range, by two standard errors of its own share.
    halved = NORMAL.cdf(2 * math.sqrt(charged / 2))
    assert halved - 2 * math.sqrt(halved * (1 - halved) / GAMES) > high / GAMES
    # A ledger that charged half of what the noise costs.
    assert law != pytest.approx(NORMAL.cdf(math.sqrt(charged / 4)), rel=1e-3)
