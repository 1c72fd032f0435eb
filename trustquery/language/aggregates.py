"""Aggregates across persons: from the tree of one to the statistics that are released, and how they are read.

Everything that depends on bounds is chosen here, from public declarations, and written into the model: fixed-point
precision, the centre of a variance, the bins of a histogram.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from sqlglot import exp

from trustquery.catalogue.schema import ColumnType, Role
from trustquery.language.measures import MAX_SUM_BOUND, bounded, fixed_point, fraction_bits, numeric, short
from trustquery.language.scalar import Reader, Refused
from trustquery.model.facts import infer
from trustquery.model.nodes import (
    MAX_BINS,
    MAX_FRACTION_BITS,
    Aggregate,
    AggregateRef,
    Bins,
    Call,
    Expression,
    Literal,
    OutputCall,
    OutputExpression,
)

__all__ = ["AggregateReader", "Tidy", "choose_bins", "default_name", "has_aggregate"]

MAX_VALUE_BINS = 512
"""Whole numbers over a range up to this have one bin a value."""
WIDE_BINS = 128
"""Bins of equal width otherwise: a quantile is then known to 1/128 of the range, before noise."""
SKEW = 8
"""The centre of a variance lies a part of so many between the bounds."""
TIDY = ("histogram", "survival")
_NAMES: dict[type[exp.Expr], str] = {
    exp.Variance: "var_samp",
    exp.Stddev: "stddev",
    exp.StddevSamp: "stddev_samp",
    exp.Median: "median",
    exp.PercentileCont: "quantile_cont",
    exp.Count: "count",
    exp.Sum: "sum",
    exp.Avg: "avg",
    exp.Min: "min",
    exp.Max: "max",
}
_INSTEAD: dict[type[exp.Expr], tuple[str, str]] = {
    exp.VariancePop: ("var_pop", "use var_samp(x)"),
    exp.StddevPop: ("stddev_pop", "use stddev_samp(x)"),
    exp.Quantile: ("quantile", "use quantile_cont(x, 0.5)"),
    exp.PercentileDisc: ("quantile_disc", "use quantile_cont(x, 0.5)"),
}


@dataclass(frozen=True)
class Tidy:
    """An aggregate that gives a row for each bin: suffixes of its columns, and what they read."""

    columns: tuple[tuple[str, OutputExpression], ...]


def has_aggregate(tree: exp.Expr) -> bool:
    """Whether an aggregate across rows stands in the tree, windows and subqueries left out."""
    inner = (exp.Window, exp.Subquery, exp.Select, exp.SetOperation)
    for node in tree.walk(prune=lambda node: isinstance(node, inner)):
        if isinstance(node, inner):
            continue
        if isinstance(node, exp.AggFunc) or _tidy_name(node):
            return True
    return False


def _tidy_name(tree: exp.Expr) -> str:
    """``histogram`` or ``survival``, where the tree is a call of one."""
    call = tree.this if isinstance(tree, exp.Filter) else tree
    name = call.name.lower() if isinstance(call, exp.Anonymous) else ""
    return name if name in TIDY else ""


def default_name(tree: exp.Expr) -> str:
    """The name of an aggregate's column where the query gives none; empty where there is none."""
    while isinstance(tree, exp.Filter | exp.WithinGroup):
        tree = tree.this
    return _NAMES.get(type(tree), "") or _tidy_name(tree)


def decimal_text(number: Fraction) -> str:
    """A number as the decimal text of the nearest double."""
    return str(number.numerator) if number.denominator == 1 else str(Decimal(repr(float(number))))


def choose_bins(lo: Fraction, hi: Fraction, integral: bool) -> Bins:
    """Public bins for values from ``lo`` to ``hi``.

    Whole numbers over a range of at most 512 get one bin a value; wider ranges at most 128 bins of one whole width;
    other numbers 128 bins of equal width. What lies outside the bounds counts in the first or last bin.
    """
    if integral:
        first, last = math.ceil(lo), math.floor(hi)
        first, last = min(first, last), max(first, last)
        step = 1 if last - first <= MAX_VALUE_BINS else -(-(last - first + 1) // WIDE_BINS)
        return Bins(tuple(str(cut) for cut in range(first + step, last + 1, step)), (str(first), str(last)), True)
    cuts = [decimal_text(lo + (hi - lo) * place / WIDE_BINS) for place in range(1, WIDE_BINS)]
    low, high = decimal_text(lo), decimal_text(hi)
    # Bounds that are all but equal leave no room for so many doubles between them.
    rising = [cut for cut in dict.fromkeys(cuts) if float(low) < float(cut) < float(high)]
    return Bins(tuple(rising), (low, high))


class AggregateReader:
    """Reads aggregates against the columns in scope.

    Args:
        add: gives an aggregate its place in the query; equal ones are released once.
        report: notes problems of types.
    """

    def __init__(self, reader: Reader, add: Callable[[Aggregate], AggregateRef], report: Callable[..., None]) -> None:
        self.reader, self.add, self.report = reader, add, report

    def read(self, written: exp.Expr) -> OutputExpression | None:
        """What an aggregate is read from, or None where the tree is no aggregate.

        Raises:
            Refused: with the problem noted.
        """
        if _tidy_name(written):
            raise self.reader.refuse(
                "query-form-unsupported",
                written,
                form=f"{_tidy_name(written)} inside an expression",
                instead=f"write {_tidy_name(written)}(…) AS name as a column, and compute in an outer SELECT",
            )
        call, where = self._filtered(written)
        share: exp.Expr | None = None
        if isinstance(call, exp.WithinGroup):
            call, share = self._within_group(call)
        elif isinstance(call, exp.PercentileCont):
            self.reader.only(call, "this", "expression")
            share = call.expression
        if type(call) in _INSTEAD:
            form, instead = _INSTEAD[type(call)]
            raise self.reader.refuse("query-form-unsupported", written, form=form, instead=instead)
        if isinstance(call, exp.Count):
            return self.add(self._count(call, where))
        if isinstance(call, exp.Sum | exp.Avg):
            self._plain(call)
            argument = self.reader.read(call.this)
            whole = self.add(self._sum(call, argument, where))
            if isinstance(call, exp.Sum):
                return whole
            return OutputCall("div", (whole, self.add(Aggregate("count", argument, where))))
        if isinstance(call, exp.Variance | exp.Stddev | exp.StddevSamp):
            self._plain(call)
            found = self._variance(call, self.reader.read(call.this), where)
            return found if isinstance(call, exp.Variance) else OutputCall("sqrt", (found,))
        if isinstance(call, exp.Median | exp.PercentileCont):
            return self._quantile(call, share, where)
        return None

    def tidy(self, written: exp.Expr) -> Tidy | None:
        """The columns of ``histogram`` or ``survival``, or None where the tree is neither.

        Raises:
            Refused: with the problem noted.
        """
        name = _tidy_name(written)
        if not name:
            return None
        call, where = self._filtered(written)
        self.reader.only(call, "this", "expressions")
        parts = call.expressions
        fewest = 1 if name == "histogram" else 2
        if not fewest <= len(parts) <= fewest + 1:
            expected, example = {
                "histogram": ("a number and, if you like, edges", "histogram(x, [0, 10, 20])"),
                "survival": ("a time, whether the event happened and, if you like, edges", "survival(days, died)"),
            }[name]
            raise self.reader.refuse("query-arguments", call, function=name, expected=expected, example=example)
        argument = self.reader.read(parts[0])
        edges = parts[fewest] if len(parts) > fewest else None
        bins = self._bins(call, parts[0], argument, edges)
        if name == "histogram":
            found = self.add(Aggregate("histogram", argument, where, bins=bins))
            return Tidy((("_bin", OutputCall("bin", (found,))), ("", OutputCall("bin_count", (found,)))))
        event = self._event(parts[1])
        happened = self.add(Aggregate("histogram", argument, _both(where, event), bins=bins))
        censored = self.add(Aggregate("histogram", argument, _both(where, Call("not", (event,))), bins=bins))
        return Tidy(
            (
                ("_bin", OutputCall("bin", (happened,))),
                ("_at_risk", OutputCall("at_risk", (happened, censored))),
                ("_events", OutputCall("bin_count", (happened,))),
                ("_survival", OutputCall("survival", (happened, censored))),
            )
        )

    # -- parts -----------------------------------------------------------------------------------------------------

    def _filtered(self, written: exp.Expr) -> tuple[exp.Expr, Expression | None]:
        if not isinstance(written, exp.Filter):
            return written, None
        self.reader.only(written, "this", "expression")
        return written.this, self.reader.read(written.expression.this)

    def _within_group(self, tree: exp.WithinGroup) -> tuple[exp.Expr, exp.Expr | None]:
        """``PERCENTILE_CONT(q) WITHIN GROUP (ORDER BY x)`` as ``quantile_cont(x, q)``."""
        self.reader.only(tree, "this", "expression")
        order = tree.expression.expressions if isinstance(tree.expression, exp.Order) else []
        if not isinstance(tree.this, exp.PercentileCont) or len(order) != 1 or order[0].args.get("desc"):
            raise self.reader.refuse(
                "query-form-unsupported", tree, form="this WITHIN GROUP", instead="use quantile_cont(x, 0.5)"
            )
        self.reader.only(tree.this, "this")
        by = order[0].this if isinstance(order[0], exp.Ordered) else order[0]
        return exp.PercentileCont(this=by), tree.this.this

    def _plain(self, call: exp.Expr) -> None:
        self.reader.only(call, "this")
        if isinstance(call.this, exp.Distinct):
            name = _NAMES[type(call)]
            raise self.reader.refuse(
                "query-form-unsupported", call, form=f"{name}(DISTINCT …)", instead=f"use {name}(…)"
            )

    def _count(self, call: exp.Count, where: Expression | None) -> Aggregate:
        self.reader.only(call, "this")
        if call.this is None:
            raise self.reader.refuse(
                "query-arguments",
                call,
                function="count",
                expected="*, DISTINCT person key or a column",
                example="count(*)",
            )
        if isinstance(call.this, exp.Star):
            self.reader.only(call.this)
            return Aggregate("count", None, where)
        if isinstance(call.this, exp.Distinct):
            columns = call.this.expressions
            self.reader.only(call.this, "expressions")
            if len(columns) == 1 and isinstance(columns[0], exp.Column):
                reference = self.reader.column(columns[0])
                column = self.reader.shape(reference.alias).column(reference.column)
                if column is not None and column.role is Role.PERSON_KEY:
                    return Aggregate("count_distinct_person", None, where)
            key = self.reader.person_key
            raise self.reader.refuse(
                "query-form-unsupported",
                call,
                form="count(DISTINCT …) of anything but people",
                instead=f"use count(DISTINCT {key}) or count(*)",
            )
        return Aggregate("count", self.reader.read(call.this), where)

    def _sum(self, call: exp.Expr, argument: Expression, where: Expression | None) -> Aggregate:
        return Aggregate("sum", argument, where, *fixed_point(self.reader, call, _called(call), argument))

    def _variance(self, call: exp.Expr, argument: Expression, where: Expression | None) -> OutputExpression:
        """(Σd² - (Σd)²/n) / (n - 1), with d the distance from a point an eighth of the way up between the bounds.

        A variance does not change when all values shift, and the nearer the point is to most values, the smaller are
        people's totals, which bounds and noise go by. Hospital measures lie near their lower bound. (Chan, Golub and
        LeVeque 1983, "Algorithms for Computing the Sample Variance", section 3, for the shifted formula.)
        """
        low, high, info = bounded(self.reader, call, _called(call), call.this, argument)
        middle = low + (high - low) / SKEW
        # The very double that the model's literal stands for, so that bounds and values agree.
        centre = Fraction(math.floor(middle)) if info.integral else Fraction(float(decimal_text(middle)))
        reach = max(high - centre, centre - low)
        bits = 0 if info.integral else fraction_bits(self.reader, argument)
        if reach * 2**bits > MAX_SUM_BOUND or reach * reach > MAX_SUM_BOUND:
            raise self.reader.refuse("query-bounds-invalid", call.this, lo=short(low), hi=short(high))
        finer = min(2 * bits, MAX_FRACTION_BITS)
        while reach * reach * 2**finer > MAX_SUM_BOUND:
            finer -= 1
        distance: Expression = argument
        if centre:
            kind = ColumnType.INTEGER if centre.denominator == 1 else ColumnType.NUMBER
            value = centre.numerator if centre.denominator == 1 else decimal_text(centre)
            distance = Call("sub", (argument, Literal(kind, value)))
        edge = math.floor(reach * 2**bits + Fraction(1, 2))
        square = math.floor(reach * reach * 2**finer + Fraction(1, 2))
        number = self.add(Aggregate("count", argument, where))
        shifts = self.add(Aggregate("sum", distance, where, bits, -edge, edge))
        squares = self.add(Aggregate("sum", Call("mul", (distance, distance)), where, finer, 0, square))
        mean_square = OutputCall("div", (OutputCall("mul", (shifts, shifts)), number))
        fewer = OutputCall("sub", (number, Literal(ColumnType.INTEGER, 1)))
        return OutputCall("div", (OutputCall("sub", (squares, mean_square)), fewer))

    def _quantile(self, call: exp.Expr, share: exp.Expr | None, where: Expression | None) -> OutputExpression:
        if not isinstance(call, exp.PercentileCont):
            self._plain(call)
        quantile = Literal(ColumnType.NUMBER, "0.5")
        if share is not None or isinstance(call, exp.PercentileCont):
            found = self.reader.read(share) if isinstance(share, exp.Literal) else None
            number = Fraction(str(found.value)) if isinstance(found, Literal) and _is_number(found) else None
            if not isinstance(found, Literal) or number is None or not 0 <= number <= 1:
                raise self.reader.refuse(
                    "query-arguments", call if share is None else share, function="quantile_cont",
                    expected="a number and one share from 0 to 1", example="quantile_cont(x, 0.25)",
                )  # fmt: skip
            quantile = found
        argument = self.reader.read(call.this)
        bins = self._bins(call, call.this, argument, None)
        histogram = self.add(Aggregate("histogram", argument, where, bins=bins))
        return OutputCall("quantile", (histogram, quantile))

    def _bins(self, call: exp.Expr, written: exp.Expr, argument: Expression, edges: exp.Expr | None) -> Bins:
        if edges is None:
            low, high, info = bounded(self.reader, call, _called(call), written, argument)
            if max(abs(low), abs(high)) > MAX_SUM_BOUND:
                raise self.reader.refuse("query-bounds-invalid", written, lo=short(low), hi=short(high))
            return choose_bins(low, high, info.integral)
        info = numeric(self.reader, call, _called(call), argument)
        items = edges.expressions if isinstance(edges, exp.Array) else []
        found = [self.reader.read(item) for item in items]
        numbers = [Fraction(str(item.value)) for item in found if isinstance(item, Literal) and _is_number(item)]
        cuts = [decimal_text(number) for number in numbers]
        rising = all(float(one) < float(other) for one, other in itertools.pairwise(cuts))
        if not numbers or len(numbers) < len(items) or len(numbers) >= MAX_BINS or not rising:
            raise self.reader.refuse(
                "query-arguments", edges, function=_called(call),
                expected=f"edges as literal numbers that rise, at most {MAX_BINS - 1}",
                example=f"{_called(call)}(…, [0, 10, 20])",
            )  # fmt: skip
        return Bins(tuple(cuts), None, info.integral)

    def _event(self, written: exp.Expr) -> Expression:
        event = self.reader.read(written)
        before = bool(self.reader.problems)
        info = infer(event, self.reader.scope, self.report)
        if info.type is not ColumnType.BOOLEAN:
            if not before and not self.reader.problems:
                self.reader.refuse(
                    "query-type", written, what="whether the event happened", found=info.type or "NULL",
                    needed="boolean", instead="write a comparison such as death_date IS NOT NULL",
                )  # fmt: skip
            raise Refused
        return event


def _called(call: exp.Expr) -> str:
    return default_name(call) or str(call.key).lower()


def _is_number(literal: Literal) -> bool:
    return literal.type in (ColumnType.INTEGER, ColumnType.NUMBER) and literal.value is not None


def _both(where: Expression | None, event: Expression) -> Expression:
    return event if where is None else Call("and", (where, event))
