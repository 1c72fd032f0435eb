"""The terms that make the expected error of a question smallest: bounds, split of the budget, trees.

The client chooses before anything is spent, from public declarations and released profiles alone, and writes what it
chose into the signed model (privacy-rules.md section 5); nodes check and choose nothing. The same inputs give the same
terms.

The error of an output is its noise and what the bounds cut off, both as shares of its expected value in a typical cell,
added in squares; that of the question is the sum over its outputs. For noise sqrt(w)·Δ/sqrt(2ρ) of each statistic the
best split of ρ is in proportion to sqrt(w)·Δ, with w the sum of squared sensitivities of the outputs to it (Lagrange);
what is left of the noise is (Σ sqrt(w)·Δ)²/(2ρ). So bounds can be searched without splitting again at each step.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from trustquery.catalogue.schema import Catalogue
from trustquery.codelists import PublicTables
from trustquery.errors import TrustQueryError
from trustquery.forecast.error import Forecast, crowds_of, cut_off, forecast, means_of
from trustquery.forecast.kept import kept_share
from trustquery.forecast.needs import Need, needs_of, rank_spread
from trustquery.forecast.people import Crowd
from trustquery.forecast.profiles import NO_PROFILES, Profiles
from trustquery.model.facts import unreported
from trustquery.model.nodes import MAX_INTEGER, Aggregate, AggregateRef, OutputCall, walk_output
from trustquery.model.query import Query
from trustquery.model.scope import rows_of
from trustquery.model.terms import L1_BITS, MAX_BOUND, Bound, Terms, tree_levels
from trustquery.model.trusts import trusts_of
from trustquery.planning import compile_plan
from trustquery.planning.checker import MAX_VECTOR, pinned_tables

__all__ = ["Choice", "choose_terms", "with_total"]

SMALLEST_SHARE = 0.01
"""No statistic gets less of the budget than this, whatever the outputs need."""
ROUNDS = 4


@dataclass(frozen=True)
class Choice:
    """A question on chosen terms, and what to expect of it.

    Attributes:
        chosen: whether bounds were chosen from profiles; else they are the catalogue's or the user's.
    """

    query: Query
    forecast: Forecast
    chosen: bool


@dataclass(frozen=True)
class _Candidate:
    bound: Bound
    sensitivity: float
    kept: float


def choose_terms(
    query: Query,
    catalogue: Catalogue,
    profiles: Profiles = NO_PROFILES,
    *,
    trusts: int,
    public: PublicTables | None = None,
    keep_bounds: bool = False,
    expect: float | None = None,
) -> Choice:
    """Choose the terms of a question; its privacy loss stays what it is.

    Args:
        query: on default terms.
        profiles: released ones; without any that fit, bounds stay as they are.
        trusts: that will be asked, ≥ 1.
        public: public tables at hand; those that ship when None.
        keep_bounds: the user has set the bounds; only the split and trees are chosen.
        expect: rows (or people) that the analyst expects in a typical cell.
    """
    tables = pinned_tables(query, catalogue, public)
    if query.has_unknown_keys:
        return _told(query, catalogue, profiles, trusts, public, expect, chosen=False)
    query = query.on(_with_trees(query))
    crowds = crowds_of(query, tables, profiles)
    means = means_of(query, crowds, trusts, expect)
    search = _Search(query, crowds, means, trusts, keep_bounds=keep_bounds)
    best = search.best()
    terms = search.terms(best)
    by_profiles = any(crowd.known for crowd in crowds) and not rows_of(query.relation, tables, unreported).one_row
    chosen = by_profiles and not keep_bounds
    found = query.on(terms)
    try:
        return _told(found, catalogue, profiles, trusts, public, expect, chosen=chosen)
    except TrustQueryError:
        # A budget so small that a share of it is beyond the noise that can be drawn: an equal split may still do.
        return _told(query, catalogue, profiles, trusts, public, expect, chosen=False)


def with_total(query: Query, total: float) -> Query:
    """The question with each sum bounded on a person's total over all cells, in the sum's own unit.

    Raises:
        TrustQueryError: ``query-contribution-bound``, ``usage-invalid``.
    """
    terms = list(query.terms)
    sums = [place for place, aggregate in enumerate(query.aggregates) if aggregate.kind == "sum"]
    if not sums:
        raise TrustQueryError("usage-invalid", "max_total_per_person", problem="the query has no sum to bound")
    for place in sums:
        limit = math.ceil(total * 2 ** query.aggregates[place].fraction_bits) if math.isfinite(total) else 0
        if not 1 <= limit << L1_BITS <= MAX_INTEGER:
            most = MAX_INTEGER >> L1_BITS + query.aggregates[place].fraction_bits
            raise TrustQueryError("query-contribution-bound", name="max_total_per_person", limit=most)
        terms[place] = dataclasses.replace(terms[place], bound=Bound("l1", 0, 0, limit << L1_BITS))
    return query.on(tuple(terms))


def _told(
    query: Query, catalogue: Catalogue, profiles: Profiles, trusts: int, public: PublicTables | None,
    expect: float | None, *, chosen: bool,
) -> Choice:  # fmt: skip
    plan = compile_plan(query, catalogue, public)
    told = forecast(query, plan, catalogue, profiles, trusts=trusts, public=public, expect=expect)
    return Choice(query, told, chosen)


def _with_trees(query: Query) -> tuple[Terms, ...]:
    """Each histogram as bins alone or as the tree with which its quantiles are expected to be closest."""
    cells = math.prod(len(key.values) + 2 for key in query.keys)
    found = list(query.terms)
    for place, aggregate in enumerate(query.aggregates):
        shares = _quantiles_of(query, place)
        if aggregate.bins is None or not shares:
            continue
        bins = aggregate.bins.count
        options = [0, *sorted({math.ceil(bins ** (1 / levels)) for levels in (2, 3, 4, 5)} - {0, 1})]
        options = [
            b
            for b in options
            if b == 0 or (len(tree_levels(bins, b)) > 1 and cells * sum(tree_levels(bins, b)) * 2 < MAX_VECTOR)
        ]

        def error(b: int, bins: int = bins, shares: Sequence[float] = shares) -> float:
            return len(tree_levels(bins, b)) * sum(rank_spread(bins, b, share) ** 2 for share in shares)

        found[place] = dataclasses.replace(found[place], branching=min(options, key=lambda b: (error(b), b)))
    return tuple(found)


def _quantiles_of(query: Query, place: int) -> list[float]:
    """Shares of the quantiles that alone read a histogram; none where its bins are shown."""
    shares: list[float] = []
    expressions = [output.expression for output in query.outputs] + list(query.post.tail.expressions())
    for expression in expressions:
        for node in walk_output(expression):
            if isinstance(node, OutputCall) and AggregateRef(place) in node.arguments:
                if node.function != "quantile":
                    return []
                shares.append(float(str(getattr(node.arguments[1], "value", 0.5))))
    return shares


class _Search:
    """The search for bounds: from a few starts, one statistic at a time."""

    def __init__(
        self, query: Query, crowds: Sequence[Crowd], means: Sequence[float], trusts: int, *, keep_bounds: bool
    ) -> None:
        self.query, self.crowds = query, crowds
        self.trusts = 1 if trusts_of(query) else trusts
        self.needs: tuple[Need, ...] = needs_of(query, means)
        count = len(query.aggregates)
        self.weights = [
            math.sqrt(sum((need.slopes.get(place, 0.0) / need.value) ** 2 for need in self.needs))
            for place in range(count)
        ]
        self.options = [self._options(place, keep_bounds=keep_bounds) for place in range(count)]

    def _options(self, place: int, *, keep_bounds: bool) -> list[_Candidate]:
        aggregate, crowd, terms = self.query.aggregates[place], self.crowds[place], self.query.terms[place]
        now = terms.bound
        if keep_bounds or not crowd.known:
            bounds: list[Bound] = [now]
        else:
            bounds = list(dict.fromkeys(_bounds(aggregate, crowd)))
        levels = len(tree_levels(aggregate.bins.count if aggregate.bins is not None else 1, terms.branching))
        found = []
        for bound in bounds:
            size = _sensitivity(bound, aggregate) * math.sqrt(levels)
            share = kept_share(bound, aggregate, crowd)
            if size * 2**aggregate.fraction_bits <= MAX_INTEGER:
                found.append(_Candidate(bound, size, 1.0 if share is None else share))
        return found or [_Candidate(now, _sensitivity(now, aggregate), 1.0)]

    def error(self, chosen: Sequence[_Candidate]) -> float:
        """Squared error of the question, as a share."""
        noise = sum(weight * item.sensitivity for weight, item in zip(self.weights, chosen, strict=True))
        rho = self.query.rho_nano / 1e9
        found = self.trusts * noise * noise / (2 * rho)
        kept = [item.kept for item in chosen]
        for need in self.needs:
            found += (cut_off(need, kept) or 0.0) ** 2
        return found

    def best(self) -> list[_Candidate]:
        """The best found, and deterministic: ties go to the first."""
        found: list[list[_Candidate]] = [self._descend(start) for start in self._starts()]
        return min(found, key=self.error)

    def _starts(self) -> Iterator[list[_Candidate]]:
        alone = []
        for place, options in enumerate(self.options):
            mean = [need for need in self.needs if place in need.slopes]
            relative = max((need.slopes[place] / need.value for need in mean), default=1.0)
            rho = self.query.rho_nano / 1e9 / len(self.options)

            def error(item: _Candidate, relative: float = relative, rho: float = rho) -> float:
                return self.trusts * (relative * item.sensitivity) ** 2 / (2 * rho) + (1.0 - item.kept) ** 2

            alone.append(min(options, key=error))
        yield alone
        # The same rows for all, as far as each has that bound among its own.
        common = sorted({(item.bound.groups, item.bound.rows) for item in self.options[0] if item.bound.form == "rows"})
        pairs = []
        for groups, rows in common:
            start = [self._nearest(options, groups, rows) for options in self.options]
            pairs.append(start)
        if pairs:
            yield min(pairs, key=self.error)
        totals = [[item for item in options if item.bound.form == "l1"] or options for options in self.options]
        yield [max(options, key=lambda item: (item.kept, -item.sensitivity)) for options in totals]

    def _nearest(self, options: list[_Candidate], groups: int, rows: int) -> _Candidate:
        def distance(item: _Candidate) -> float:
            bound = item.bound
            if bound.form != "rows":
                return math.inf
            return abs(math.log(bound.groups / groups)) + abs(math.log(bound.rows / rows))

        return min(options, key=distance)

    def _descend(self, start: list[_Candidate]) -> list[_Candidate]:
        now, error = list(start), self.error(start)
        for _ in range(ROUNDS):
            before = error
            for place, options in enumerate(self.options):
                for item in options:
                    trial = [*now[:place], item, *now[place + 1 :]]
                    found = self.error(trial)
                    if found < error * (1 - 1e-9):
                        now, error = trial, found
            if error >= before * (1 - 1e-6):
                break
        return now

    def terms(self, chosen: Sequence[_Candidate]) -> tuple[Terms, ...]:
        """The split that goes with bounds: whole nano-rho, together no more than the question's."""
        total = self.query.rho_nano
        parts = [weight * item.sensitivity for weight, item in zip(self.weights, chosen, strict=True)]
        whole = sum(parts)
        shares = [part / whole if whole > 0 else 1 / len(parts) for part in parts]
        least = min(SMALLEST_SHARE, 1 / len(shares))
        shares = [max(share, least) for share in shares]
        whole = sum(shares)
        given = [max(math.floor(total * share / whole), 1) for share in shares]
        if sum(given) > total:
            raise TrustQueryError("query-epsilon-too-small")
        return tuple(
            dataclasses.replace(terms, bound=item.bound, rho_nano=rho)
            for terms, item, rho in zip(self.query.terms, chosen, given, strict=True)
        )


def _sensitivity(bound: Bound, aggregate: Aggregate) -> float:
    """Δ in the statistic's own unit, for a tree of one level."""
    scale = math.ldexp(1.0, aggregate.fraction_bits)
    if bound.form == "l1":
        return bound.total / (scale * (1 << L1_BITS))
    if bound.form == "total":
        return math.sqrt(bound.groups) * bound.total / scale
    largest = max(abs(aggregate.lo), abs(aggregate.hi), 1) / scale if aggregate.kind == "sum" else 1.0
    return math.sqrt(bound.groups) * bound.rows * largest


def _bounds(aggregate: Aggregate, crowd: Crowd) -> Iterator[Bound]:
    """Bounds worth a thought: from one row of one cell to all that anybody can have."""
    rows = _steps(max((group.rows for group in crowd.groups), default=1.0))
    cells = [1] if crowd.one_cell else _steps(max((group.cells for group in crowd.groups), default=1.0))
    cells = list(dict.fromkeys(min(number, max(int(crowd.cells), 1)) for number in cells))
    in_a_cell = [1] if aggregate.kind == "count_distinct_person" else rows
    for groups, number in itertools.product(cells, in_a_cell):
        yield Bound("rows", groups, number)
    if aggregate.kind not in ("count", "sum"):
        return
    scale = 2**aggregate.fraction_bits
    smallest = min((group.size / group.cells for group in crowd.groups if group.size > 0), default=1.0)
    largest = max((group.size for group in crowd.groups), default=1.0)
    for step in range(81):
        most = max(smallest, 1 / scale) * 2 ** (step / 2)
        total = math.ceil(most * scale)
        if total << L1_BITS > MAX_INTEGER:
            break
        yield Bound("l1", 0, 0, total << L1_BITS)
        if aggregate.kind == "sum" or len(cells) > 1:
            for groups in cells[::2]:
                yield Bound("total", groups, 0, total)
        if most > largest:
            break


def _steps(last: float, growth: float = 1.3) -> list[int]:
    """1, 2, 3, 4, 6, 8, 11, 15, 20 … up to the first at or above ``last``."""
    found, step = [], 1
    while True:
        found.append(min(step, MAX_BOUND))
        if step >= last or step >= MAX_BOUND:
            return found
        step = max(step + 1, math.ceil(step * growth))
