"""A patient at three trusts loses what three ledgers charge: the figure of one trust alone would promise too much.

The attacker is the coordinator, or anybody else who sees each trust's own noised figures. They know all that the trusts
hold but whether one patient is there, at all three or at none, and guess by the likelihood ratio of all three answers.
"""

from __future__ import annotations

import math
import random
from pathlib import Path
from statistics import NormalDist
from typing import Any

import pytest

from audits.statistics import binomial_range
from tests.factories.catalogues import made_up
from tests.lib.prepared import prepared
from tests.lib.real_gate import compiled
from trustquery.forecast.explain import cost_of
from trustquery.planning import compile_plan
from trustquery.privacy.noise import add_noise
from trustquery.privacy.promise import best_guess

FALSE_ALARM = 1e-6
K, GAMES = 3, 2_000
EACH = 300_000_000
SQL = "SELECT count(DISTINCT pid) AS n FROM event WHERE amount > 3"


def rows(*, with_patient: bool) -> dict[str, list[dict[str, Any]]]:
    """What one trust holds."""
    columns = [column.name for column in made_up().tables[1].columns]
    people = [*range(30), *([99] if with_patient else [])]
    return {"event": [dict.fromkeys(columns) | {"pid": pid, "amount": 5.0} for pid in people]}


@pytest.mark.acceptance("PRV-11")
def test_three_answers_tell_what_three_ledgers_charge(tmp_path: Path) -> None:
    query = compiled(SQL, EACH)
    plan = compile_plan(query, made_up())
    exact = []
    for with_patient in (False, True):
        with prepared(tmp_path, made_up(), rows(with_patient=with_patient)) as store:
            exact.append(store.vector(query, plan))
    ((without,), (with_them,)) = exact
    assert with_them - without == 1
    coins, right = random.Random(3), 0
    for _ in range(GAMES):
        there = coins.random() < 0.5
        seen = sum(add_noise(exact[there], plan)[0] for _ in range(K))
        right += (seen > K * (without + 0.5)) == there
    # The attack is as good as the law of the noise lets it be, with the loss of three trusts and not of one.
    law = NormalDist().cdf(math.sqrt(K * plan.rho_nano / 1e9 / 2))
    low, high = binomial_range(GAMES, law, FALSE_ALARM)
    assert low <= right <= high
    error = math.sqrt(0.25 / GAMES)
    assert right / GAMES <= float(best_guess(plan.rho_nano, trusts=K)) + 3 * error
    # The figure of one trust alone would have been a promise too much: that is why both are printed.
    assert right / GAMES > float(best_guess(plan.rho_nano))
    said = cost_of(plan, made_up())
    assert said.max_trusts == K
    assert said.epsilon_federation > said.epsilon
