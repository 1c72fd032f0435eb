"""Two hundred unseeded releases on seeded data: the noise has the planned spread, and intervals cover what they say.

Truth comes from DuckDB on the generator's own files, in SQL that shares nothing with our engine. Each check's chance
of a false alarm is at most 1e-6, by the bound of Chernoff and Hoeffding on a binomial tail:
P(|k/n - p| > e) <= 2 exp(-n D), D the smaller divergence of p - e and p + e from p (Hoeffding 1963, theorem 1).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from statistics import NormalDist

import duckdb
import pytest

from node_agent.config import EngineConfig
from node_agent.engines.duckdb import DuckDBEngine
from tests.lib.prepared import KEY, built, processes
from trustquery.catalogue import load
from trustquery.language import compile_query
from trustquery.outputs import Estimate, Table, read
from trustquery.planning import compile_plan
from trustquery.privacy.noise import add_noise
from trustquery.synthetic import generate

RELEASES = 200
TRUSTS = ("RX1", "RX2", "RX3", "RX4")
CATALOGUE = load("nhs-episodes")
FALSE_ALARM = 1e-6


@dataclass(frozen=True)
class Question:
    """A query, its bounds, and the bounded truth by independent SQL: rows (key, figure…) over one trust's files."""

    sql: str
    truth: str
    rows: int | None = None
    epsilon: str = "0.5"


QUESTIONS = {
    "people": Question(
        "SELECT sex, imd_decile, count(DISTINCT person_id) AS n FROM person GROUP BY 1, 2",
        """SELECT sex || '/' || imd_decile, count(DISTINCT person_id) FROM {person}
           WHERE sex IN ('1', '2') AND imd_decile BETWEEN 1 AND 10 GROUP BY 1""",
    ),
    # Five admissions a person are kept: which five does not matter for their number.
    "bounded count": Question(
        "SELECT p.imd_decile, count(*) AS n FROM admission a JOIN person p USING (person_id) GROUP BY 1",
        """SELECT imd_decile::VARCHAR, sum(least(n, 5)) FROM
             (SELECT person_id, count(*) AS n FROM {admission} GROUP BY 1) JOIN {person} USING (person_id)
           WHERE imd_decile BETWEEN 1 AND 10 GROUP BY 1""",
        rows=5,
    ),
    # A bound that nobody reaches, so that only clamping changes the sum.
    "clamped sum": Question(
        """SELECT p.imd_decile, sum(clamp(a.length_of_stay, 0, 10)) AS n
           FROM admission a JOIN person p USING (person_id) GROUP BY 1""",
        """SELECT imd_decile::VARCHAR, sum(least(greatest(length_of_stay, 0), 10)) FROM {admission}
           JOIN {person} USING (person_id) WHERE imd_decile BETWEEN 1 AND 10 GROUP BY 1""",
        rows=1000,
    ),
    "mean": Question(
        """SELECT p.imd_decile, avg(clamp(a.length_of_stay, 0, 10)) AS n
           FROM admission a JOIN person p USING (person_id) GROUP BY 1""",
        """SELECT imd_decile::VARCHAR, sum(least(greatest(length_of_stay, 0), 10)), count(length_of_stay)
           FROM {admission} JOIN {person} USING (person_id) WHERE imd_decile BETWEEN 1 AND 10 GROUP BY 1""",
        rows=1000,
        # Enough that the denominators stand clear of the noise; else a ratio has no interval, and says so.
        epsilon="60",
    ),
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, DuckDBEngine]]:
    folder = tmp_path_factory.mktemp("releases")
    generate(folder / "data", seed=20261121, episodes=40_000, trusts=TRUSTS)
    engines = {}
    for place, trust in enumerate(TRUSTS):
        tables = [table for table in CATALOGUE.tables if table.name in ("person", "admission")]
        jobs = [(CATALOGUE.id, table, folder / "data" / trust / f"{table.name}.parquet") for table in tables]
        store = built(folder / f"{trust}-store", jobs, rank_key=bytes([place]) * 32)
        engines[trust] = DuckDBEngine(store, EngineConfig(), CATALOGUE, processes(), KEY, everybody=True)
    return folder / "data", engines


def bounded_truth(folder: Path, question: Question) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    with duckdb.connect() as connection:
        for trust in TRUSTS:
            text = question.truth
            for table in ("person", "admission"):
                text = text.replace("{" + table + "}", f"read_parquet('{folder / trust / table}.parquet')")
            for key, *figures in connection.execute(text).fetchall():
                before = found.setdefault(key, [0.0] * len(figures))
                found[key] = [old + float(new) for old, new in zip(before, figures, strict=True)]
    return found


def cells(table: Table) -> dict[str, Estimate]:
    """Key values joined by "/" to the estimate, for cells of real values."""
    found = {}
    for row in table.rows:
        *keys, estimate = row
        assert isinstance(estimate, Estimate)
        if all(getattr(key, "kind", "") == "value" for key in keys):
            found["/".join(str(getattr(key, "text", "")) for key in keys)] = estimate
    return found


def tolerance(n: int, p: float) -> float:
    """Smallest e with 2 exp(-n D) <= FALSE_ALARM."""

    def divergence(x: float) -> float:
        if not 0 < x < 1:
            return math.inf
        return x * math.log(x / p) + (1 - x) * math.log((1 - x) / (1 - p))

    e = 0.0
    while n * min(divergence(p - e), divergence(p + e)) < math.log(2 / FALSE_ALARM):
        e += 1e-4
    return e


@pytest.mark.parametrize("name", QUESTIONS)
def test_spread_and_coverage(data: tuple[Path, dict[str, DuckDBEngine]], name: str) -> None:
    folder, engines = data
    question = QUESTIONS[name]
    query = compile_query(
        question.sql,
        CATALOGUE,
        epsilon=Decimal(question.epsilon),
        max_rows_per_group=question.rows,
    )
    plan = compile_plan(query, CATALOGUE)
    exact = {trust: engine.vector(query, plan) for trust, engine in engines.items()}
    truth = bounded_truth(folder, question)
    assert truth
    noiseless = cells(read(query, plan, [sum(values) for values in zip(*exact.values(), strict=True)], 4, CATALOGUE))
    for key, figures in truth.items():
        expected = figures[0] if len(figures) == 1 else figures[0] / figures[1]
        assert noiseless[key].value == pytest.approx(expected, rel=1e-12)

    residuals: list[float] = []
    covered: list[bool] = []
    for _ in range(RELEASES):
        noised = [add_noise(vector, plan) for vector in exact.values()]
        found = cells(read(query, plan, [sum(values) for values in zip(*noised, strict=True)], 4, CATALOGUE))
        for key, figures in truth.items():
            estimate = found[key]
            assert estimate.value is not None
            assert estimate.low is not None
            assert estimate.high is not None
            expected = figures[0] if len(figures) == 1 else figures[0] / figures[1]
            covered.append(estimate.low <= expected <= estimate.high)
            residuals.append(estimate.value - expected)

    share = sum(covered) / len(covered)
    assert abs(share - 0.95) <= tolerance(len(covered), 0.95), share
    if name != "mean":
        block = plan.blocks[0]
        planned = block.sigma_float * math.sqrt(len(TRUSTS)) / 2**block.fraction_bits
        spread = math.sqrt(sum(item * item for item in residuals) / len(residuals))
        # With at least 2,000 residuals the spread of Gaussians is within 10 % but for a chance below 1e-9.
        assert len(residuals) >= 2_000
        assert abs(spread / planned - 1) <= 0.1, (spread, planned)


def test_the_check_would_see_half_the_noise() -> None:
    """The tolerance is tight enough to tell 95 % from what half the planned noise, or double, would give."""
    normal = NormalDist()
    for factor in (0.5, 2.0):
        share = 2 * normal.cdf(1.959963984540054 / factor) - 1
        assert abs(share - 0.95) > tolerance(2_000, 0.95)
