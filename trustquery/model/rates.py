"""Which figures are rates, so that they have an interval for sampling too: facts known before release.

A rate is a count over a count, or over a number of a public table (a population); times, plus or over plain numbers; or
a weighted sum of such over the rows of an outer SELECT (a directly standardised rate). A count times a number is none.
How each kind is computed is in ``trustquery.outputs.sampling``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal as OneOf

from trustquery.model.nodes import Aggregate, Call, Expression, Literal, OutputExpression, conjuncts

__all__ = ["PLAIN", "Count", "Sampled", "count_of", "method_of", "of_aggregate", "of_call", "of_public"]

Method = OneOf["proportion", "rate", "ratio"]
"""``proportion``: the rows (or people) above are among those below. ``rate``: rows of people, over those people, or
over a public number; what is below is taken as given. ``ratio``: any other two counts."""

_STRICT = ("eq", "ne", "lt", "le", "gt", "ge", "in")
"""Comparisons: true only where their arguments are known."""


@dataclass(frozen=True)
class Count:
    """What a released count counts, times any number.

    Attributes:
        people: people once, not rows.
        conditions: what must hold of each row counted: FILTER's conjuncts, and that the argument is known.
        limits: which rows of the released table it is summed over: (number of sums before, condition).
        sums: how many sums of outer SELECTs it went through.
    """

    people: bool
    conditions: frozenset[Expression]
    limits: frozenset[tuple[int, OutputExpression]] = frozenset()
    sums: int = 0

    def limited(self, condition: OutputExpression) -> Count:
        """The same count over fewer rows of the released table."""
        return replace(self, limits=self.limits | {(self.sums, condition)})

    def summed(self, condition: OutputExpression | None) -> Count:
        """Its sum over rows of the released table."""
        found = self if condition is None else self.limited(condition)
        return replace(found, sums=self.sums + 1)


@dataclass(frozen=True)
class Sampled:
    """What is known of sampling in an expression over figures.

    Attributes:
        count: it is this count, times a number.
        rate: it is a rate, made by these methods; with ``sum`` where several are added up, and ``rows`` where a count
            of rows, several of which may be one person's, is in it.
        public: a number of a public table is in it, above a line; only of what has no noise.
        per: the same, below a line.
    """

    count: Count | None = None
    rate: frozenset[str] = frozenset()
    public: bool = False
    per: bool = False


PLAIN = Sampled()


def of_public() -> Sampled:
    """A number of a public table that is joined after release."""
    return Sampled(public=True)


def count_of(aggregate: Aggregate) -> Count | None:
    """What an aggregate across persons counts; None where it does something else."""
    if aggregate.kind not in ("count", "count_distinct_person"):
        return None
    conditions = set(conjuncts(aggregate.filter))
    if aggregate.argument is not None and not isinstance(aggregate.argument, Literal):
        conditions.add(Call("not", (Call("is_null", (aggregate.argument,)),)))
    return Count(aggregate.kind == "count_distinct_person", frozenset(conditions))


def _implied(wanted: Expression, known: frozenset[Expression]) -> bool:
    """Whether a condition follows from one of those known: the same, or a comparison with fewer literals.

    Deliberately little: what is not seen is taken for two counts that know nothing of one another, whose interval is
    the wider one.
    """
    if wanted in known:
        return True
    if not isinstance(wanted, Call):
        return False
    if wanted.function in ("eq", "in"):
        subject, allowed = wanted.arguments[0], set(wanted.arguments[1:])
        return all(isinstance(value, Literal) for value in allowed) and any(
            isinstance(one, Call)
            and one.function in ("eq", "in")
            and one.arguments[0] == subject
            and set(one.arguments[1:]) <= allowed
            for one in known
        )
    inner = wanted.arguments[0]
    if wanted.function == "not" and isinstance(inner, Call) and inner.function == "is_null":
        value = inner.arguments[0]
        return any(isinstance(one, Call) and one.function in _STRICT and value in one.arguments for one in known)
    return False


def method_of(top: Count, bottom: Count, *, covered: bool | None = None) -> Method:
    """How a count over a count is to be read.

    Args:
        covered: whether the released rows summed above are all among those summed below; by ``limits`` when None.
    """
    if covered is None:
        covered = top.limits >= bottom.limits
    inside = covered and all(_implied(wanted, top.conditions) for wanted in bottom.conditions)
    if inside and top.people == bottom.people:
        return "proportion"
    return "rate" if inside and bottom.people else "ratio"


def _rate(method: Method, *counts: Count) -> Sampled:
    rows = () if all(count.people for count in counts) else ("rows",)
    return Sampled(rate=frozenset((method, *rows)))


def _chosen(node: OutputExpression, function: str, parts: Sequence[tuple[bool, Sampled]]) -> Sampled:
    results = [*parts[1:-1:2], parts[-1]] if function == "case" else parts[:1] if function == "nullif" else parts
    found = [facts for noised, facts in results if noised]
    if found and all(facts.rate for facts in found):
        return Sampled(rate=frozenset().union(*(facts.rate for facts in found)))
    counts = {facts.count for facts in found}
    count = counts.pop() if len(counts) == 1 else None
    if count is None:
        return PLAIN
    return Sampled(count if function == "coalesce" else count.limited(node))


def of_call(node: OutputExpression, function: str, parts: Sequence[tuple[bool, Sampled]]) -> Sampled:
    """Facts about a function of figures.

    Args:
        parts: of each argument, whether it is noised, and its facts.
    """
    if not any(noised for noised, _ in parts):
        divides = function == "div"
        below = [facts for _, facts in parts[1:]] if divides else []
        above = [facts for _, facts in (parts[:1] if divides else parts)]
        return Sampled(
            public=any(facts.public for facts in above) or any(facts.per for facts in below),
            per=any(facts.per for facts in above) or any(facts.public for facts in below),
        )
    if function in ("case", "coalesce", "nullif"):
        return _chosen(node, function, parts)
    both = [facts for noised, facts in parts if noised]
    found = both[0]
    if function == "div" and len(both) == 2:
        top, bottom = both[0].count, both[1].count
        return _rate(method_of(top, bottom), top, bottom) if top is not None and bottom is not None else PLAIN
    if len(both) > 1 or (function in ("div", "round", "clamp") and not parts[0][0]):
        return PLAIN
    if function == "neg":
        return found
    if function in ("mul", "div"):
        number = next(facts for noised, facts in parts if not noised)
        over_public = number.per if function == "mul" else number.public
        return _rate("rate", found.count) if found.count is not None and over_public else found
    if function in ("add", "sub", "round", "clamp", "greatest", "least"):
        return Sampled(rate=found.rate)
    return PLAIN


def of_aggregate(function: str, condition: OutputExpression | None, noised: bool, found: Sampled) -> Sampled:
    """Facts about an aggregate of an outer SELECT over what has ``found``."""
    if function == "count":
        return PLAIN
    if not noised:
        return found
    if function not in ("sum", "avg"):
        return PLAIN
    if found.count is not None:
        return Sampled(found.count.summed(condition))
    return Sampled(rate=found.rate | {"sum"}) if found.rate else PLAIN
