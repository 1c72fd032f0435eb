"""The figures of one cell as a disclosure profile shows them: the only figures that anything after release can read.

Suppression and rounding come first, arithmetic after: HAVING, ORDER BY, rates and outer SELECTs are given what is shown
and nothing else, so that no expression over figures can bring back what was withheld. Rounding comes after suppression.

* A count of people or rows, and each bin of a histogram, is suppressed below the minimum, then rounded. So is a sum of
  flags (CASE with literals, or values of 0 and 1): it counts.
* A sum is suppressed with the count of the very rows that it adds. A query without such a count does not say on how
  many it rests, so its sums are suppressed: fail closed.
* A mean or variance is suppressed with its own count too, and is else computed from that count before rounding: what is
  rounded is the count that people see, and a variance from a rounded count would be none.
* A quantile is suppressed where its histogram's total is.
* Of a survival curve, a bin's number at risk and share are shown where the number at risk may be, and where what
  happened since the bin shown before it may be too: a step that was one small bin's would tell that bin.
* A rate or ratio is made of these, and a figure made of a suppressed one is Suppressed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from typing import Any

from trustquery.model.nodes import (
    Aggregate,
    AggregateRef,
    Call,
    Expression,
    Literal,
    OutputCall,
    conjuncts,
    walk_output,
)
from trustquery.model.query import Query
from trustquery.outputs.figures import Z95, Figure, suppressed
from trustquery.outputs.margins import Tie, secondary
from trustquery.outputs.profiles import Profile
from trustquery.planning.plan import Block, Plan

__all__ = ["Presented", "rests_on"]

_COUNTS = ("count", "count_distinct_person")
_STRICT = frozenset({"add", "sub", "mul", "neg"})
"""Functions whose value is NULL exactly where an argument is."""
MOST_CELLS = 1024
Name = tuple[int, int]
"""A count of one cell: statistic, and bin (0 without)."""


class Presented:
    """What a profile shows of each cell."""

    def __init__(self, query: Query, plan: Plan, profile: Profile, drawn: Callable[[Block, int, int], Figure]) -> None:
        """``drawn`` gives the figure of a block's cell and bin as it was released."""
        self._query, self._plan, self._profile, self._drawn = query, plan, profile, drawn
        self._curves, self._binned = _reads(query, "at_risk", "survival"), _reads(query, "bin_count")
        self._curve_functions = [name for name in ("at_risk", "survival") if _reads(query, name)]
        self._ties = _ties(query, plan, self._binned)
        self._cells: dict[int, dict[Name, Figure]] = {}

    def figure(self, block: Block, cell: int, bin_place: int = 0) -> Figure:
        """A count, a bin or a sum."""
        if block.kind == "sum":
            return self._sum(block, cell)
        return self._counts(cell)[block.statistic, bin_place]

    def curve(
        self,
        name: Any,
        risks: Sequence[Figure],
        shares: Sequence[Figure],
        events: Sequence[Figure],
        censored: Sequence[Figure],
    ) -> tuple[list[Figure], list[Figure]]:
        """Numbers at risk and shares of one survival curve, as they are shown."""
        why = self._steps(risks, events, censored)
        return (
            [
                suppressed(found) if found else self._rounded(risk, (*name, place))
                for place, (found, risk) in enumerate(zip(why, risks, strict=True))
            ],
            [suppressed(found) if found else share for found, share in zip(why, shares, strict=True)],
        )

    def _steps(self, risks: Sequence[Figure], events: Sequence[Figure], censored: Sequence[Figure]) -> list[str]:
        """Why each bin of a survival curve is not shown; "" where it is.

        The share falls by the events since the bin shown before, that bin left out; the number at risk falls by the
        events and the censored from that bin on, this one left out. Where numbers are not rounded, the two together
        would tell the censored apart, so that these may not be few either.
        """
        found: list[str] = []
        shows, both = self._profile.shows, self._profile.rounding == 1 and len(self._curve_functions) == 2
        fell = censored_since = gone = 0.0
        lost = False
        for place, (risk, event, other) in enumerate(zip(risks, events, censored, strict=True)):
            lost = lost or risk.value is None or not shows(risk.value)
            here = (event.value or 0.0), (other.value or 0.0)
            fell, censored_since = fell + here[0], censored_since + here[1]
            whole = shows(fell) and (not place or shows(gone)) and (not both or shows(censored_since))
            gone += sum(here)
            if whole and not lost:
                fell, censored_since, gone = 0.0, 0.0, sum(here)
            found.append("rests-on-small-count" if lost else "" if whole else "margin")
        return found

    def own_count(self, block: Block, cell: int) -> Figure:
        """The count inside a mean or variance: withheld as it is shown, not rounded."""
        shown = self._counts(cell)[block.statistic, 0]
        return shown if shown.value is None else self._drawn(block, cell, 0)

    def _sum(self, block: Block, cell: int) -> Figure:
        figure = self._drawn(block, cell, 0)
        mine = self._query.aggregates[block.statistic]
        flag = _flag(mine)
        if flag and figure.value is not None:
            counted = figure.value / flag
            if not self._profile.shows(counted if mine.lo >= 0 else abs(counted)):
                return suppressed("small-count")
            unit = self._rounded(figure.times_number(1 / flag), (cell, block.statistic, 0))
            return replace(unit, least=0.0).times_number(flag)
        if not self._profile.minimum_released_count:
            return figure
        counts = [other for other in self._plan.blocks if rests_on(self._query, block.statistic, other.statistic)]
        if not counts:
            return suppressed("rests-on-no-count")
        shown = all(self._counts(cell)[other.statistic, 0].value is not None for other in counts)
        return figure if shown else suppressed("rests-on-small-count")

    def _counts(self, cell: int) -> dict[Name, Figure]:
        found = self._cells.get(cell)
        if found is None:
            if len(self._cells) >= MOST_CELLS:
                self._cells.clear()
            found = self._cells[cell] = self._show(cell)
        return found

    def _show(self, cell: int) -> dict[Name, Figure]:
        drawn = {
            (block.statistic, place): self._drawn(block, cell, place)
            for block in self._plan.blocks
            if block.kind in _COUNTS or block.statistic in self._binned
            for place in range(block.width)
        }
        values: dict[Hashable, float] = {
            name: figure.value if figure.value is not None else -math.inf for name, figure in drawn.items()
        }
        margin = secondary(self._ties, values, self._profile.shows)
        both = self._curves & self._binned
        if any(name[0] in both and not self._profile.shows(values[name]) for name in drawn):
            # Beside a curve of the same bins, one that is withheld could be told from the others.
            margin |= {name for name in drawn if name[0] in both}
        found: dict[Name, Figure] = {}
        for name, figure in drawn.items():
            if not self._profile.shows(values[name]):
                found[name] = suppressed("small-count")
            else:
                found[name] = suppressed("margin") if name in margin else self._rounded(figure, (cell, *name))
        return found

    def _rounded(self, figure: Figure, name: Any) -> Figure:
        """To the nearest multiple. What that moves it by becomes a draw of its own, so that intervals have room for it:
        half a multiple more on either side."""
        least = float(self._profile.minimum_released_count)
        base = float(self._profile.rounding)
        if base <= 1 or figure.value is None:
            return replace(figure, least=least)
        value = base * math.floor(figure.value / base + 0.5)
        half = figure.interval[1] - figure.value + base / 2
        extra = math.sqrt(max((half / Z95) ** 2 - figure.sd**2, 0.0))
        terms = dict(figure.terms) | {("rounding", name): extra}
        sample = None if figure.sample is None else tuple(replace(part, top=value) for part in figure.sample)
        return Figure(value, terms, counted=figure.counted, sample=sample, least=least)


def rests_on(query: Query, statistic: int, count: int) -> bool:
    """Whether a count is of the very rows that a sum adds."""
    mine, theirs = query.aggregates[statistic], query.aggregates[count]
    same = theirs.filter == mine.filter and _rests(theirs.argument) == _rests(mine.argument)
    return mine.kind == "sum" and theirs.kind == "count" and same


def _flag(aggregate: Aggregate) -> float:
    """What one row adds to a sum of flags; 0 for any other sum."""
    if aggregate.kind != "sum":
        return 0.0
    largest = max(abs(aggregate.lo), abs(aggregate.hi)) / 2**aggregate.fraction_bits
    found = aggregate.argument
    results: tuple[Expression, ...] = ()
    if isinstance(found, Call) and found.function == "case":
        results = (*found.arguments[1:-1:2], found.arguments[-1])
    literal = bool(results) and all(isinstance(result, Literal) for result in results)
    return largest if literal or (aggregate.fraction_bits == 0 and largest <= 1) else 0.0


def _reads(query: Query, *functions: str) -> frozenset[int]:
    """The statistics that these functions read anywhere in the release's own SELECT."""
    nodes = [output.expression for output in query.outputs] + list(query.post.tail.expressions())
    return frozenset(
        part.aggregate
        for node in nodes
        for call in walk_output(node)
        if isinstance(call, OutputCall) and call.function in functions
        for part in call.arguments
        if isinstance(part, AggregateRef)
    )


def _rests(argument: Expression | None) -> frozenset[Expression]:
    """What must not be NULL for an argument to be counted or added; of ``count(*)`` nothing."""
    found: set[Expression] = set()
    stack = [argument]
    while stack:
        node = stack.pop()
        if isinstance(node, Call) and node.function in _STRICT:
            stack.extend(node.arguments)
        elif node is not None and not isinstance(node, Literal):
            found.add(node)
    return frozenset(found)


def _ties(query: Query, plan: Plan, binned: frozenset[int]) -> list[Tie]:
    """The relations between the counts of a cell, in the order of the query."""
    aggregates = [query.aggregates[block.statistic] for block in plan.blocks]
    counts = [place for place, found in enumerate(aggregates) if found.kind in _COUNTS]
    found: list[Tie] = []
    for whole in counts:
        one = aggregates[whole]
        for place in counts:
            if place == whole or not _same_rows(one, aggregates[place]):
                continue
            outside = _beyond(one, aggregates[place])
            if not outside:
                continue
            name = plan.blocks[place].statistic, 0
            top = plan.blocks[whole].statistic, 0
            found.append(Tie(top, (name,), complete=False))
            for other in counts:
                beyond = _beyond(one, aggregates[other]) if _same_rows(one, aggregates[other]) else []
                if other > place and one.kind == "count" and _opposite(outside, beyond):
                    found.append(Tie(top, (name, (plan.blocks[other].statistic, 0)), complete=True))
    for block in plan.blocks:
        if block.statistic in binned:
            mine = query.aggregates[block.statistic]
            bins = tuple((block.statistic, place) for place in range(block.width))
            for whole in counts:
                one = aggregates[whole]
                if one.kind == "count" and one.filter == mine.filter and _rests(one.argument) == _rests(mine.argument):
                    found.append(Tie((plan.blocks[whole].statistic, 0), bins, complete=True))
    return found


def _same_rows(one: Aggregate, other: Aggregate) -> bool:
    return one.kind == other.kind and one.argument == other.argument


def _beyond(whole: Aggregate, part: Aggregate) -> list[Expression]:
    """The conditions that a filtered count has and the wider one has not; none where it is not narrower."""
    wide, narrow = conjuncts(whole.filter), conjuncts(part.filter)
    return [one for one in narrow if one not in wide] if set(wide) <= set(narrow) else []


def _opposite(one: list[Expression], other: list[Expression]) -> bool:
    """Whether each of two conditions is the other's negation. A row for which both are NULL is in neither."""
    if len(one) != 1 or len(other) != 1:
        return False
    return Call("not", (one[0],)) == other[0] or Call("not", (other[0],)) == one[0]
