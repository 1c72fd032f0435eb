"""Random mixed releases for the ledger: drawn from a seed, planned by the shipped planner. No data, no noise."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Literal

from trustquery.catalogue import load
from trustquery.language import compile_query
from trustquery.model import Query
from trustquery.model.terms import L1_BITS, Bound, Terms, tree_levels
from trustquery.planning import Plan, compile_plan
from trustquery.privacy.budget import rho_nano_of

__all__ = ["DAY", "START", "Release", "random_groups", "random_releases"]

START = 1_800_000_000
DAY = 86_400
Ending = Literal["committed", "dead", "expired"]
COMMITTED: Ending = "committed"
ENDINGS: tuple[Ending, ...] = (*[COMMITTED] * 18, "dead", "expired")

QUESTIONS: tuple[tuple[str, str, bool], ...] = (
    ("nhs-episodes", "SELECT count(*) AS n FROM admission", False),
    ("nhs-episodes", "SELECT sex, imd_decile, count(DISTINCT person_id) AS n FROM person GROUP BY 1, 2", False),
    ("nhs-episodes", "SELECT sum(clamp(value, 0, 20)) AS s FROM lab_result WHERE test_code = 'potassium'", False),
    ("nhs-episodes", "SELECT sum(clamp(5 - length_of_stay, -30, 5)) AS s FROM admission", False),
    ("nhs-episodes", "SELECT sum(clamp(length_of_stay, 0, 0)) AS s FROM admission", False),
    ("nhs-episodes", "SELECT imd_decile, avg(year_of_birth) AS a FROM person GROUP BY imd_decile", False),
    ("nhs-episodes", "SELECT histogram(age_on_admission, [18, 40, 65, 80]) AS h FROM admission", False),
    (
        "nhs-episodes",
        """SELECT patient_classification, median(clamp(length_of_stay, 0, 30)) AS m, count(*) AS n,
           count(DISTINCT person_id) AS p FROM admission GROUP BY patient_classification""",
        False,
    ),
    ("nhs-episodes", "SELECT icd10_3, count(*) AS n FROM diagnosis GROUP BY icd10_3", True),
    ("nhs-episodes", "SELECT left(icd10, 3) AS c, count(DISTINCT person_id) AS n FROM diagnosis GROUP BY 1", True),
    ("omop-5.4", "SELECT count(*) AS n FROM visit_occurrence", False),
    (
        "omop-5.4",
        """SELECT visit_concept_id, count(*) AS n,
           avg(clamp(date_diff('day', visit_start_date, visit_end_date), 0, 60)) AS days
           FROM visit_occurrence GROUP BY visit_concept_id""",
        False,
    ),
)
"""Dataset, SQL, and whether its key is found in the data."""


@dataclass(frozen=True)
class Release:
    """One release as the gate would hand it to the ledger.

    Attributes:
        question: what makes two questions identical.
        time: of the reservation, seconds since 1970; never earlier than the release before.
        ending: expired releases are refunded, dead ones are not.
    """

    name: str
    question: str
    plan: Plan
    dataset: str
    project: str
    analyst: str
    time: int
    ending: Ending


@cache
def _model(dataset: str, sql: str, unknown: bool) -> Query:
    return compile_query(sql, load(dataset), epsilon=Decimal(1), unknown_keys=unknown)


def _plan(draw: random.Random) -> tuple[str, Plan]:
    dataset, sql, unknown = draw.choice(QUESTIONS)
    query = _model(dataset, sql, unknown)
    rho = rho_nano_of(Decimal(f"{10 ** draw.uniform(-1.7, 0.9):.6f}"))
    groups, rows = draw.choice([1, 1, 2, 5, 20, 1_000]), draw.choice([1, 1, 2, 7, 100])
    terms = tuple(
        _terms(draw, query, place, groups, rows, rho // len(query.terms)) for place in range(len(query.terms))
    )
    return dataset, compile_plan(query.on(terms), load(dataset))


def _terms(draw: random.Random, query: Query, place: int, groups: int, rows: int, rho: int) -> Terms:
    """Terms of any form that the statistic allows, on its share of the budget or less."""
    aggregate = query.aggregates[place]
    rows = 1 if aggregate.kind == "count_distinct_person" else rows
    bound = Bound("rows", groups, rows)
    if aggregate.kind in ("count", "sum") and not query.has_unknown_keys:
        total = draw.choice([1, 40, 3_000, 10**6])
        bound = draw.choice([bound, bound, Bound("total", groups, 0, total), Bound("l1", 0, 0, total << L1_BITS)])
    branching = draw.choice([0, 2, 5]) if aggregate.bins is not None else 0
    if branching and len(tree_levels(aggregate.bins.count if aggregate.bins is not None else 1, branching)) < 2:
        branching = 0
    return Terms(bound, max(rho * draw.choice([1, 2, 4]) // 4, 1), branching)


def random_releases(seed: int, number: int) -> Iterator[Release]:
    """Releases over about three years by four projects and nine people; one in five repeats an earlier question."""
    draw = random.Random(seed)
    asked: list[tuple[str, str, Plan]] = []
    time = START
    for place in range(number):
        time += draw.randint(0, 2 * 3 * 365 * DAY // number)
        if asked and draw.random() < 0.2:
            question, dataset, plan = draw.choice(asked)
        else:
            dataset, plan = _plan(draw)
            question = f"question {place}"
            asked.append((question, dataset, plan))
        yield Release(
            name=f"release {place}",
            question=question,
            plan=plan,
            dataset=dataset,
            project=f"project {draw.randint(1, 4)}",
            analyst=f"analyst {draw.randint(1, 9)}",
            time=time,
            ending=draw.choice(ENDINGS),
        )


def random_groups(releases: Sequence[Release], number: int, seed: int) -> Iterator[list[Release]]:
    """Groups of one to six releases, to be composed."""
    draw = random.Random(seed)
    for _ in range(number):
        yield draw.sample(releases, draw.randint(1, 6))
