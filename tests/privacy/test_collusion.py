"""One question repeated, reworded and re-ordered by ten analysts who put their answers together.

They ask through the gate, with a real ledger, engine and noise, each in a project of their own and with more budget of
their own than they need. They want one number: how many women the trust has. They average every different answer that
they can get, each with its best weight. What they get must be paid for once, out of one budget, and their average must
never be sharper than the rho that the ledger holds allows: a variance of at least Δ²/2ρ (Bun and Steinke 2016,
proposition 1.6: Gaussian noise of variance Δ²/2ρ costs rho, and rho adds).
"""

from __future__ import annotations

import datetime
import math
import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from audits.statistics import chi_square_range
from tests.lib.real_gate import RealGate, Reply, compiled, real_gate
from trustquery.planning import Plan
from trustquery.privacy.noise import add_noise

FALSE_ALARM = 1e-6
ANALYSTS = tuple(f"analyst{number}" for number in range(10))
WOMEN, MEN = 240, 160
CAP = "0.5"
QUESTIONS = 40
"""The cap pays for this many different answers."""
RUNS = 200

SAME = (
    "SELECT count(DISTINCT pid) AS n FROM person WHERE sex = 'F'",
    "select  COUNT( distinct pid )  as n\nfrom person where sex='F'",
    "SELECT count(DISTINCT pid) AS n FROM person WHERE sex = 'F' /* again */",
    "SELECT count(DISTINCT pid) AS n FROM person WHERE (sex = 'F')",
)
"""Other text, the same model: the same question."""
REWORDED = (
    "SELECT count(DISTINCT p.pid) AS n FROM person p WHERE p.sex = 'F'",
    "SELECT count(DISTINCT pid) AS women FROM person WHERE sex = 'F'",
    "SELECT count(DISTINCT pid) AS n FROM person WHERE sex IN ('F')",
    "SELECT count(DISTINCT pid) AS n FROM person WHERE NOT sex <> 'F'",
    "SELECT count(DISTINCT pid) FILTER (WHERE sex = 'F') AS n FROM person",
    "SELECT count(DISTINCT pid) AS n FROM person WHERE CASE WHEN sex = 'F' THEN true ELSE false END",
    "SELECT count(*) AS n FROM person WHERE sex = 'F'",
    "SELECT sum(CASE WHEN sex = 'F' THEN 1 ELSE 0 END) AS n FROM person",
    "SELECT count(DISTINCT pid) AS n FROM (SELECT pid FROM person WHERE sex = 'F') f",
    "SELECT count(DISTINCT pid) AS n FROM person WHERE sex = 'F' AND born > 1800",
    "SELECT count(DISTINCT pid) AS n FROM person WHERE born > 1800 AND sex = 'F'",
)
IN_CELLS = (
    "SELECT sex, count(DISTINCT pid) AS n FROM person GROUP BY sex",
    "SELECT alive, sex, count(DISTINCT pid) AS n FROM person GROUP BY alive, sex",
    "SELECT sex, alive, count(DISTINCT pid) AS n FROM person GROUP BY sex, alive",
)
TWICE = (
    "SELECT count(DISTINCT pid) AS a, sum(CASE WHEN sex = 'F' THEN 1 ELSE 0 END) AS b FROM person WHERE sex = 'F'",
    "SELECT sum(CASE WHEN sex = 'F' THEN 1 ELSE 0 END) AS b, count(DISTINCT pid) AS a FROM person WHERE sex = 'F'",
)
WORDINGS = SAME + REWORDED + IN_CELLS + TWICE


def rows() -> list[dict[str, Any]]:
    source = random.Random(4)
    return [
        {
            "pid": pid,
            "sex": "F" if pid < WOMEN else "M",
            "born": source.randrange(1930, 2010),
            "score": 0.0,
            "joined": datetime.date(2020, 1, 1),
            "seen": datetime.datetime(2020, 1, 1),
            "alive": source.random() < 0.5,
            "ward_id": 1,
            "nhs_number": str(pid),
        }
        for pid in range(WOMEN + MEN)
    ]


def estimates(plan: Plan, values: list[int]) -> list[tuple[float, float]]:
    """Every estimate of the number of women in one vector, with its variance: a sum of cells for each statistic."""
    women = [
        cell
        for cell in range(plan.cells)
        if all(axis.name != "sex" or _along(plan, place, cell) == axis.values.index("F")
               for place, axis in enumerate(plan.axes))
    ]  # fmt: skip
    scales = [2**block.fraction_bits for block in plan.blocks]
    return [
        (
            sum(values[block.offset + cell] for cell in women) / scale,
            len(women) * (block.sigma_float / scale) ** 2,
        )
        for block, scale in zip(plan.blocks, scales, strict=True)
    ]


def _along(plan: Plan, place: int, cell: int) -> int:
    return cell // math.prod(axis.cells for axis in plan.axes[place + 1 :]) % plan.axes[place].cells


def best_average(found: list[tuple[float, float]]) -> tuple[float, float]:
    """The average of least variance, and that variance."""
    weight = math.fsum(1 / variance for _, variance in found)
    return math.fsum(value / variance for value, variance in found) / weight, 1 / weight


@dataclass(frozen=True)
class Collusion:
    """What ten analysts got together.

    Attributes:
        answered: every answer; ``refused`` every refusal.
        paid: the answers that the node as a whole was charged for, in order.
        growth: what the ledger held after each answer, nano-rho.
    """

    answered: list[Reply]
    refused: list[Reply]
    paid: list[Reply]
    growth: list[int]
    cap: int
    after_the_end: list[Reply]


@pytest.fixture(scope="module")
def collusion(tmp_path_factory: pytest.TempPathFactory) -> Collusion:
    """Rounds of everything in everybody's own order, now and then as a fresh draw, with a refresh in between."""
    source = random.Random(9)
    answered: list[Reply] = []
    refused: list[Reply] = []
    paid: list[Reply] = []
    growth: list[int] = []
    tables: dict[str, list[dict[str, Any]]] = {"person": rows(), "event": [], "dose": []}
    with real_gate(tmp_path_factory.mktemp("collusion"), tables, ANALYSTS, CAP) as gate:
        for asked in _rounds(source):
            before = gate.spent()
            if asked is None:
                gate.data.data_version += 1
                continue
            analyst, sql, fresh = asked
            reply = gate.put(analyst, compiled(sql, gate.cap // QUESTIONS), fresh=fresh)
            (refused if reply.codes else answered).append(reply)
            growth.append(gate.spent())
            if gate.spent() > before:
                paid.append(reply)
        return Collusion(answered, refused, paid, growth, gate.cap, _after_the_end(gate))


def _rounds(source: random.Random) -> Iterator[tuple[str, str, bool] | None]:
    """Who asks what; None where the trust refreshes its data."""
    for turn in range(2):
        everything = [(analyst, sql) for analyst in ANALYSTS for sql in WORDINGS]
        source.shuffle(everything)
        for analyst, sql in everything:
            yield analyst, sql, source.random() < 0.1 * turn
        yield None


def _after_the_end(gate: RealGate) -> list[Reply]:
    """The budget is gone and the data version has moved on: everybody tries everything once more."""
    return [
        gate.put(analyst, compiled(sql, gate.cap // QUESTIONS), fresh=fresh)
        for analyst in ANALYSTS[:3]
        for sql in WORDINGS
        for fresh in (False, True)
    ]


@pytest.mark.acceptance("PRV-04")
def test_the_wordings_are_what_they_claim(collusion: Collusion) -> None:
    """One model in other words, or another model of the same number."""
    assert len({compiled(sql, 10**7).sha256 for sql in SAME}) == 1
    assert len({compiled(sql, 10**7).sha256 for sql in WORDINGS}) == len(WORDINGS) - len(SAME) + 1
    assert {reply.person for reply in collusion.answered} == set(ANALYSTS)


@pytest.mark.acceptance("PRV-04")
def test_an_answer_is_byte_identical_or_charged(collusion: Collusion) -> None:
    """All that a question brings in one data version is its first vector, or a fresh draw that was paid for."""
    by_question: defaultdict[tuple[str, int], set[bytes]] = defaultdict(set)
    for reply in collusion.answered:
        by_question[reply.query.sha256, reply.answer.data_version].add(reply.vector)
    paid: defaultdict[tuple[str, int], set[bytes]] = defaultdict(set)
    for reply in collusion.paid:
        paid[reply.query.sha256, reply.answer.data_version].add(reply.vector)
    assert by_question == paid
    # Repeats were many, and cost nothing.
    assert len(collusion.answered) > 4 * len(collusion.paid)


@pytest.mark.acceptance("PRV-04")
def test_there_is_one_budget_and_it_ends(collusion: Collusion) -> None:
    assert collusion.growth == sorted(collusion.growth)
    assert collusion.growth[-1] == sum(reply.plan.rho_nano for reply in collusion.paid) <= collusion.cap
    assert collusion.growth[-1] > 0.95 * collusion.cap
    assert collusion.refused
    for reply in collusion.refused + collusion.after_the_end:
        assert (reply.codes, reply.scopes, reply.vector) == (["budget-exhausted"], {"node-wide"}, b"")


@pytest.mark.acceptance("PRV-04")
def test_the_average_of_all_that_they_got_is_no_sharper_than_the_ledger_says(collusion: Collusion) -> None:
    """On paper from the plans, then measured: on what they got, and on many such collusions."""
    rho = collusion.growth[-1] / 1e9
    least = 1 / (2 * rho)
    plans = [reply.plan for reply in collusion.paid]
    found = [item for reply in collusion.paid for item in estimates(reply.plan, reply.values)]
    _, variance = best_average(found)
    assert variance >= least
    # What they hold is noised as their plans say.
    low, high = chi_square_range(len(found), FALSE_ALARM)
    assert low < sum((value - WOMEN) ** 2 / spread for value, spread in found) < high
    # And again, 200 times: the average's error has the law of its variance, and keeps above the bound.
    exact = {plan.sha256: _exact(plan) for plan in plans}
    errors = []
    for _ in range(RUNS):
        drawn = [item for plan in plans for item in estimates(plan, add_noise(exact[plan.sha256], plan))]
        errors.append(best_average(drawn)[0] - WOMEN)
    low, high = chi_square_range(RUNS, FALSE_ALARM)
    assert low < math.fsum(error**2 for error in errors) / variance < high
    assert math.fsum(error**2 for error in errors) > least * low


def _exact(plan: Plan) -> list[int]:
    """A vector with all women in one cell of each statistic: enough for an average."""
    values = [0] * plan.length
    for block in plan.blocks:
        women = 0
        for place, axis in enumerate(plan.axes):
            inner = math.prod(other.cells for other in plan.axes[place + 1 :])
            women += inner * (axis.values.index("F") if axis.name == "sex" else 0)
        values[block.offset + women] = WOMEN << block.fraction_bits
    return values


def test_without_stored_answers_and_one_budget_they_would_be_sharper(collusion: Collusion) -> None:
    """The control: had each of their answers been a draw of its own, the check above would fail."""
    least = 1 / (2 * collusion.growth[-1] / 1e9)
    plans, runs = [reply.plan for reply in collusion.answered], 12
    errors = []
    for _ in range(runs):
        drawn = [item for plan in plans for item in estimates(plan, add_noise(_exact(plan), plan))]
        average, variance = best_average(drawn)
        errors.append(average - WOMEN)
    low, high = chi_square_range(runs, FALSE_ALARM)
    assert low < math.fsum(error**2 for error in errors) / variance < high
    assert variance < least
    # The sum of squares that 200 such averages have, and the least that the check above accepts.
    low, _ = chi_square_range(RUNS, FALSE_ALARM)
    assert 2 * RUNS * variance < least * low
