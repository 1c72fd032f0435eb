"""Our two arms: a fixed bound of five rows a person, and terms chosen from profiles that the question pays for."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from benchmarks.accuracy.metric import Cells, Error, error, mean_error
from benchmarks.accuracy.questions import Question
from node_agent.engines.duckdb import DuckDBEngine
from trustquery.catalogue import Catalogue
from trustquery.forecast.error import Z95, Forecast
from trustquery.forecast.profiles import Profiles, read_profile
from trustquery.forecast.questions import ProfileQuestion, profile_query, profile_questions
from trustquery.language import compile_query
from trustquery.model import Query
from trustquery.outputs import read
from trustquery.outputs.table import Estimate, KeyCell, Table
from trustquery.planning import Plan, compile_plan
from trustquery.privacy.noise import add_noise

__all__ = ["FIXED", "Arm", "Federation", "foreseen", "lighter", "words"]

FIXED = 5
"""Rows that the fixed bound keeps of each person."""


@dataclass(frozen=True)
class Arm:
    """One way of answering one question.

    Attributes:
        total: error of the noised answers.
        cut_off: error of the same bounded answer without its noise: the same every time.
        noise: distance of the noised answers from the bounded one.
        terms: what they were.
        rho_nano: what the plan charges, profiles left out.
    """

    total: Error
    cut_off: Error
    noise: Error
    terms: str
    rho_nano: int


class Federation:
    """Trusts with prepared data: the shipped engine, the shipped noise, and the reading of the sum."""

    def __init__(self, catalogue: Catalogue, engines: Sequence[DuckDBEngine]) -> None:
        self.catalogue, self.engines = catalogue, engines
        self._exact: dict[str, list[list[int]]] = {}

    def fixed(self, question: Question, epsilon: Decimal) -> Query:
        """The question on a fixed bound: five rows in one cell or one in five cells, ρ split equally."""
        groups, rows = (1, FIXED) if question.one_cell else (FIXED, 1)
        return compile_query(
            question.sql, self.catalogue, epsilon=epsilon, max_groups_per_person=groups, max_rows_per_group=rows
        )

    def profile_charge(self, tables: Sequence[str]) -> int:
        """Nano-ρ of all profile questions about these tables, at each trust."""
        return sum(self._profile(question)[1].rho_nano for question in self._about(tables))

    def profiles(self, tables: Sequence[str]) -> Profiles:
        """All profiles of these tables, released anew."""
        found = {}
        for question in self._about(tables):
            query, plan = self._profile(question)
            merged = _sum([add_noise(vector, plan) for vector in self._vectors(query, plan)])
            found[question] = read_profile(question, self.catalogue, merged, len(self.engines))
        return Profiles(found)

    def answer(self, question: Question, query: Query, truth: Cells, draws: int) -> Arm:
        """Ask one query ``draws`` times, with noise drawn anew each time."""
        plan = compile_plan(query, self.catalogue)
        vectors = self._vectors(query, plan)
        bounded = self._cells(question, query, plan, _sum(vectors))
        noised = [
            self._cells(question, query, plan, _sum([add_noise(vector, plan) for vector in vectors]))
            for _ in range(draws)
        ]
        # A value outside its domain is in the cell "other" here and in a cell of its own there.
        truth = {cell: value for cell, value in truth.items() if cell in bounded}
        kept = {cell: value if math.isfinite(value := bounded[cell]) else 0.0 for cell in truth}
        scale = sum(map(abs, kept.values())) / (sum(map(abs, truth.values())) or 1.0)
        moved = mean_error([error(cells, kept) for cells in noised])
        return Arm(
            mean_error([error(cells, truth) for cells in noised]),
            error(bounded, truth),
            Error(moved.mean * scale, moved.rmse * scale),
            words(query),
            plan.rho_nano,
        )

    def declared(self, question: Question, query: Query) -> frozenset[tuple[str, ...]]:
        """The cells whose keys all have values of their domains."""
        plan = compile_plan(query, self.catalogue)
        return frozenset(self._cells(question, query, plan, [0] * plan.length))

    def _about(self, tables: Sequence[str]) -> list[ProfileQuestion]:
        return [question for table in tables for question in profile_questions(self.catalogue, table)]

    def _profile(self, question: ProfileQuestion) -> tuple[Query, Plan]:
        _, query = profile_query(question, self.catalogue)
        return query, compile_plan(query, self.catalogue)

    def _vectors(self, query: Query, plan: Plan) -> list[list[int]]:
        """Each trust's exact bounded vector; it is the same every time, so it is computed once."""
        if query.sha256 not in self._exact:
            self._exact[query.sha256] = [engine.vector(query, plan) for engine in self.engines]
        return self._exact[query.sha256]

    def _cells(self, question: Question, query: Query, plan: Plan, merged: Sequence[int]) -> Cells:
        table = read(query, plan, merged, len(self.engines), self.catalogue)
        return _values(table, question.keys)


def lighter(query: Query, charge: int) -> Query:
    """The same question for so much less ρ: what its profiles cost is taken from every statistic in proportion."""
    left = query.rho_nano - charge
    if left < len(query.terms):
        raise ValueError("the profiles cost more than the whole question")
    return query.on(tuple(replace(terms, rho_nano=terms.rho_nano * left // query.rho_nano) for terms in query.terms))


def foreseen(told: Forecast) -> float:
    """The mean error that a forecast tells of, as ``metric.error`` measures it: that of a normal off its centre.

    Returns:
        NaN where nothing is told in the figure's own unit: a quantile's error is told in ranks.
    """
    found = []
    for output in told.outputs:
        if output.rank or output.cut_off is None:
            return math.nan
        off, sd = output.cut_off, output.relative / Z95
        folded = sd * math.sqrt(2 / math.pi) * math.exp(-((off / sd) ** 2) / 2) if sd > 0 else 0.0
        found.append(folded + off * (math.erf(off / (sd * math.sqrt(2))) if sd > 0 else 1.0))
    return statistics.fmean(found) if found else math.nan


def words(query: Query) -> str:
    """The terms of each statistic, shortly; equal ones once."""
    found = []
    for aggregate, terms in zip(query.aggregates, query.terms, strict=True):
        bound = terms.bound
        limit = {
            "rows": f"G={bound.groups} R={bound.rows}",
            "total": f"G={bound.groups} C={bound.total / 2**aggregate.fraction_bits:g}",
            "l1": f"L1 C={bound.total / 2 ** (aggregate.fraction_bits + bound.extra_bits):g}",
        }[bound.form]
        tree = f" tree {terms.branching}" if terms.branching else ""
        share = f" {100 * terms.rho_nano / query.rho_nano:.0f} %" if len(query.terms) > 1 else ""
        found.append(f"{aggregate.kind.split('_')[0]} {limit}{tree}{share}")
    return "; ".join(dict.fromkeys(found))


def _sum(vectors: Sequence[Sequence[int]]) -> list[int]:
    return [sum(parts) for parts in zip(*vectors, strict=True)]


def _values(table: Table, keys: int) -> Cells:
    found = {}
    for row in table.rows:
        cells, figure = row[:keys], row[keys]
        if all(isinstance(cell, KeyCell) and cell.kind == "value" for cell in cells) and isinstance(figure, Estimate):
            name = tuple(cell.text for cell in cells if isinstance(cell, KeyCell))
            found[name] = math.nan if figure.value is None else figure.value
    return found
