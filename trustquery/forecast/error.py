"""Expected error, before anything is spent: noise and cut-off apart, from the plan, declared sizes and profiles."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from trustquery.catalogue.schema import Catalogue
from trustquery.codelists import PublicTables
from trustquery.forecast.kept import kept_share
from trustquery.forecast.needs import Need, needs_of
from trustquery.forecast.people import Crowd, crowd_of
from trustquery.forecast.profiles import NO_PROFILES, Profiles
from trustquery.model.query import Query
from trustquery.model.scope import Tables
from trustquery.model.trusts import trusts_of
from trustquery.planning.checker import pinned_tables
from trustquery.planning.plan import Block, Plan

__all__ = ["Z95", "Forecast", "OutputForecast", "StatisticForecast", "crowds_of", "cut_off", "forecast", "means_of"]

Z95 = 1.959963984540054


@dataclass(frozen=True)
class StatisticForecast:
    """One statistic in one cell of the merged table, in its own unit.

    Attributes:
        block: its id in the plan.
        what: in words.
        bound: of one person's part, in words.
        half_width: half of a 95 % interval, noise only.
        sensitivity: what one person can move the statistic by at one trust, in L2 over all cells.
        rho_nano: its share of the charge.
        expected: value in a typical cell, from profiles or declared sizes; None where neither tells.
        cut_off: share that the bound leaves out, 0 to 1; None where no profile tells.
    """

    block: str
    what: str
    bound: str
    half_width: float
    sensitivity: float
    rho_nano: int
    expected: float | None
    cut_off: float | None


@dataclass(frozen=True)
class OutputForecast:
    """One output in a typical cell.

    Attributes:
        name: of the column.
        rank: the figure is a quantile, and its error is in ranks: a share of the rows.
        expected: value; 1 for ranks.
        half_width: half of a 95 % interval, noise only, in the output's own unit (ranks: a share).
        relative: the same as a share of the expected value.
        cut_off: what bounds take away, as a share of the expected value; None where no profile tells.
    """

    name: str
    rank: bool
    expected: float
    half_width: float
    relative: float
    cut_off: float | None

    @property
    def error(self) -> float:
        """Noise and cut-off together, as a share of the expected value."""
        return math.hypot(self.relative, self.cut_off or 0.0)


@dataclass(frozen=True)
class Forecast:
    """All of a question.

    Attributes:
        profiled: whether sizes come from released profiles, and not from declarations alone.
    """

    statistics: tuple[StatisticForecast, ...]
    outputs: tuple[OutputForecast, ...]
    profiled: bool


def crowds_of(query: Query, tables: Tables, profiles: Profiles) -> tuple[Crowd, ...]:
    """The people of each statistic at one trust."""
    return tuple(crowd_of(query, place, tables, profiles) for place in range(len(query.aggregates)))


def means_of(query: Query, crowds: Sequence[Crowd], trusts: int, expect: float | None = None) -> list[float]:
    """Expected merged value of each statistic in a typical cell.

    Args:
        trusts: asked; where figures are by trust, a cell is one trust's.
        expect: rows (or people) that the analyst expects in a typical cell; everything is scaled to it.
    """
    share = 1 if trusts_of(query) else trusts
    found = [share * crowd.total / max(crowd.cells, 1.0) for crowd in crowds]
    counted = [
        mean for mean, item in zip(found, query.aggregates, strict=True) if item.kind != "sum" and item.filter is None
    ] or [mean for mean, item in zip(found, query.aggregates, strict=True) if item.kind != "sum"]
    if expect is not None and counted and counted[0] > 0:
        return [mean * expect / counted[0] for mean in found]
    return found


def forecast(
    query: Query,
    plan: Plan,
    catalogue: Catalogue,
    profiles: Profiles = NO_PROFILES,
    *,
    trusts: int,
    public: PublicTables | None = None,
    expect: float | None = None,
) -> Forecast:
    """The expected error of a question on its terms. Touches no data.

    Args:
        trusts: that will be asked, ≥ 1.
        public: public tables at hand; those that ship when None.
        expect: as for ``means_of``.
    """
    crowds = crowds_of(query, pinned_tables(query, catalogue, public), profiles)
    means = means_of(query, crowds, trusts, expect)
    merged = 1 if trusts_of(query) else trusts
    kept = [
        kept_share(terms.bound, aggregate, crowd)
        for terms, aggregate, crowd in zip(query.terms, query.aggregates, crowds, strict=True)
    ]
    noise = [_sd(block, merged) for block in plan.blocks]
    statistics = tuple(
        StatisticForecast(
            block.id,
            _what(block),
            bound_words(block),
            Z95 * noise[place],
            math.sqrt(block.l2_sensitivity_squared) / 2**block.fraction_bits,
            block.rho_nano,
            means[place] if math.isfinite(means[place]) else None,
            None if kept[place] is None else 1.0 - (kept[place] or 0.0),
        )
        for place, block in enumerate(plan.blocks)
    )
    outputs = []
    for need in needs_of(query, means):
        if not need.name:
            continue
        half = Z95 * math.sqrt(sum((slope * noise[place]) ** 2 for place, slope in need.slopes.items()))
        outputs.append(OutputForecast(need.name, need.rank, need.value, half, half / need.value, cut_off(need, kept)))
    return Forecast(statistics, tuple(outputs), any(crowd.known for crowd in crowds))


ALIKE_IN_RANK = 0.25
"""People with many rows are not like the others: measured on hospital data, a quantile is off by about a quarter of
what is cut, in ranks."""


def cut_off(need: Need, kept: Sequence[float | None]) -> float | None:
    """What bounds take from an output, as a share of its value, to first order; None where no profile tells.

    A quotient is taken to be off by all that is cut of either part. Equal cuts do not cancel: what is cut of the one is
    not what is cut of the other.
    """
    found, most = 0.0, 0.0
    for place, scale in need.scales.items():
        share = kept[place]
        if share is None:
            return None
        found += scale * (share - 1.0)
        most = max(most, abs(need.value) * (1.0 - share) * (ALIKE_IN_RANK if need.rank else 1.0))
    return max(abs(found), most) / need.value


def _sd(block: Block, trusts: int) -> float:
    return block.sigma_float * math.sqrt(trusts) / 2.0**block.fraction_bits


def _what(block: Block) -> str:
    return {
        "count": "count of rows",
        "count_distinct_person": "count of people",
        "sum": "sum",
        "histogram": f"count of rows in each of {block.width} bins",
    }[block.kind]


def bound_words(block: Block) -> str:
    """What one person can add, in words."""
    bound = block.bound
    cells = "one cell" if bound.groups == 1 else f"each of {bound.groups:,} cells"
    if bound.form == "rows":
        return f"at most {bound.rows:,} row{'s' if bound.rows > 1 else ''} in {cells} a person"
    most = f"{bound.total / 2**block.fraction_bits:,.10g}"
    if bound.form == "total":
        return f"a total of at most {most} in {cells} a person"
    return f"totals of at most {most} over all cells a person"
