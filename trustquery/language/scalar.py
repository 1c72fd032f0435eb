"""Tree of one scalar expression to model expression, by allow-list.

Every tree class that is understood has a row below; every attribute of it that is understood is named. Anything
else is refused with its place: nothing is ever dropped silently.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Protocol, TypeVar, cast

from sqlglot import exp

from trustquery.catalogue.schema import ColumnType, Role
from trustquery.errors import Problems, nearest
from trustquery.language.functions import DATE_PARTS, FUNCTIONS
from trustquery.language.parse import Source
from trustquery.language.ranges import DateRange
from trustquery.language.rules import CLOCK, SHIFTS
from trustquery.language.types import BOOLEAN
from trustquery.model.nodes import MAX_DEPTH, MAX_INTEGER, MAX_TEXT, Call, ColumnRef, Expression, Literal, depth_of
from trustquery.model.relations import FOUND, Leaf, Relation
from trustquery.model.scope import Field, Shape, Tables

__all__ = ["Reader", "Refused", "Subqueries"]

_Node = TypeVar("_Node")
NULL_LITERAL = Literal(None, None)
_LEGAL = "see the reference manual for what a SELECT may hold"
_HINTS: dict[type[exp.Expr], tuple[str, str]] = {
    exp.Subquery: (
        "a subquery as a value",
        "use EXISTS, IN (SELECT …), or a subquery in FROM joined on the person key",
    ),
    exp.Select: ("a subquery as a value", "use EXISTS, IN (SELECT …), or a subquery in FROM joined on the person key"),
    exp.Window: ("a window function here", "use it in the SELECT list of a subquery, partitioned by the person key"),
    exp.Star: ("*", "name the columns; raw rows are never answered"),
    exp.ILike: ("ILIKE", "use lower(column) LIKE 'abc%'"),
    exp.Escape: ("ESCAPE", "use contains(column, '%') or starts_with(column, 'a_')"),
    exp.RegexpLike: ("a regular expression", "use LIKE 'abc%', starts_with or contains"),
    exp.RegexpExtract: ("a regular expression", "use left, right or substr"),
    exp.RegexpReplace: ("a regular expression", "use left, right or substr"),
    exp.SimilarTo: ("SIMILAR TO", "use LIKE 'abc%', starts_with or contains"),
    exp.Glob: ("GLOB", "use LIKE 'abc%', starts_with or contains"),
    exp.TimeToStr: ("strftime", "use date_trunc('month', d), year(d) or month(d)"),
    exp.StrToTime: ("strptime", "use CAST(text AS DATE), of texts such as 2018-01-31"),
    exp.DayOfWeek: ("dayofweek", "use isodow(d): Monday is 1 and Sunday is 7"),
    exp.Dayname: ("dayname", "use isodow(d): Monday is 1 and Sunday is 7"),
    exp.Monthname: ("monthname", "use month(d)"),
    exp.Interval: ("INTERVAL here", "write date + INTERVAL 30 DAY"),
    exp.Pad: ("lpad or rpad", "compare lengths with length(column), or join texts with ||"),
    exp.StrPosition: ("the position of a text", "use contains(column, 'text')"),
    exp.Trunc: ("trunc", "use floor(x), ceil(x) or x // 1"),
    exp.SplitPart: ("split_part", "use left, right or substr"),
    exp.Replace: ("replace", "use CASE, left, right or substr"),
    exp.CurrentDate: ("current_date", "write a literal date: an answer must not depend on a clock"),
    exp.CurrentTimestamp: ("now()", "write a literal date: an answer must not depend on a clock"),
    exp.Rand: ("random()", "leave it out: an answer must not depend on chance"),
    exp.Max: ("max", "use avg with clamp, or count rows above a limit"),
    exp.Min: ("min", "use avg with clamp, or count rows below a limit"),
    exp.Rollup: ("ROLLUP", "group by one list of keys and add up the cells"),
    exp.Cube: ("CUBE", "group by one list of keys and add up the cells"),
    exp.GroupingSets: ("GROUPING SETS", "group by one list of keys and add up the cells"),
    exp.Placeholder: ("a placeholder", "write $name and give its value"),
    exp.Parameter: ("a parameter", "write $name and give its value"),
}
_CLOCKS = {"now", "today", "get_current_timestamp", "transaction_timestamp", "current_localtimestamp", "age"}
_NAMED_HINTS: dict[str, str] = {
    "weekday": "use isodow(d): Monday is 1 and Sunday is 7",
    "yearweek": "use date_trunc('week', d)",
    "date_sub": "use age_years(birth_date, on_date) for whole years, or date_diff('month', start, finish)",
    "datesub": "use age_years(birth_date, on_date) for whole years, or date_diff('month', start, finish)",
    "regexp_full_match": "use LIKE 'abc%', starts_with or contains",
    "fmod": "use a % b",
    "fdiv": "use a // b",
    "divide": "use a // b",
    "strip_accents": "use CASE, left, right or substr",
    **dict.fromkeys(
        (
            *("pow", "power", "ln", "log", "log2", "log10", "exp", "cbrt", "gamma", "lgamma", "pi", "sin", "cos"),
            *("tan", "asin", "acos", "atan", "atan2", "sinh", "cosh", "tanh", "cot", "degrees", "radians"),
        ),
        "leave it out, or multiply: libraries differ in the last bit of it, so trusts would differ; sqrt is exact",
    ),
}
_OWN = ("clamp", "band", "age_band", "isodow", "hour_of_week", "age_years", "overlap_days")
"""Functions that the parser knows only as a name."""
_ALIASES = {"prefix": "starts_with", "suffix": "ends_with"}
_CASTS = {
    exp.DType.INT: "to_integer",
    exp.DType.BIGINT: "to_integer",
    exp.DType.DOUBLE: "to_number",
    exp.DType.DATE: "to_date",
    exp.DType.TIMESTAMP: "to_timestamp",
    exp.DType.TIMESTAMPNTZ: "to_timestamp",
    exp.DType.DATETIME: "to_timestamp",
}
_CHOICES = ("case", "coalesce", "greatest", "least")
_GIVES = {
    **dict.fromkeys(("to_date", "date_trunc", "date_add", "last_day"), ColumnType.DATE),
    **dict.fromkeys(("to_timestamp", "timestamp_add"), ColumnType.TIMESTAMP),
}
_BINARY: dict[type[exp.Expr], str] = {
    exp.EQ: "eq",
    exp.NEQ: "ne",
    exp.LT: "lt",
    exp.LTE: "le",
    exp.GT: "gt",
    exp.GTE: "ge",
    exp.Mul: "mul",
    exp.Div: "div",
    exp.IntDiv: "int_div",
    exp.Mod: "mod",
    exp.NullSafeNEQ: "is_distinct",
    exp.StartsWith: "starts_with",
    exp.EndsWith: "ends_with",
    exp.Contains: "contains",
    exp.Left: "left",
    exp.Right: "right",
    exp.DPipe: "concat",
}
_UNARY: dict[type[exp.Expr], str] = {
    exp.Not: "not",
    exp.Neg: "neg",
    exp.Abs: "abs",
    exp.Floor: "floor",
    exp.Ceil: "ceil",
    exp.Sign: "sign",
    exp.Sqrt: "sqrt",
    exp.Year: "year",
    exp.Quarter: "quarter",
    exp.Month: "month",
    exp.Day: "day",
    exp.DayOfWeekIso: "isodow",
    exp.Hour: "hour",
    exp.Minute: "minute",
    exp.Second: "second",
    exp.DayOfYear: "dayofyear",
    exp.Week: "week",
    exp.WeekOfYear: "week",
    exp.LastDay: "last_day",
    exp.Lower: "lower",
    exp.Upper: "upper",
    exp.Trim: "trim",
    exp.Length: "length",
}
_HARMLESS = {"typed", "safe", "big_int", "date_part_boundary", "_type"}
"""Attributes that sqlglot sets by itself and that change no meaning here."""


class Refused(Exception):
    """The expression cannot be read; the problem is noted."""


class Subqueries(Protocol):
    """Reads subqueries; a port, because they are made of the very expressions that are read here."""

    def read(self, tree: exp.Expr, label: str, written: exp.Expr, reader: Reader) -> Leaf:
        """A subquery in FROM."""

    def read_cte(self, name: str, label: str, written: exp.Expr, reader: Reader) -> Leaf:
        """A WITH query where FROM names it."""

    def exists(self, tree: exp.Exists, reader: Reader) -> Expression:
        """EXISTS (SELECT …)."""

    def is_in(self, tree: exp.In, reader: Reader) -> Expression:
        """X IN (SELECT …)."""


@dataclass(frozen=True)
class PendingMark:
    """A mark that an expression needs and that its relation does not have yet."""

    alias: str
    rows: Relation
    condition: Expression | None


@dataclass
class Level:
    """The names that one SELECT may use.

    Attributes:
        scope: alias in the model to columns.
        written: alias in the text to alias in the model.
        marks: asked for by expressions read so far.
        correlated: names not found here may be those of the SELECT around.
    """

    scope: dict[str, Shape] = field(default_factory=dict)
    written: dict[str, str] = field(default_factory=dict)
    marks: list[PendingMark] = field(default_factory=list)
    correlated: bool = False


class Reader:
    """Reads scalar expressions against the aliases in scope, and remembers where each was written.

    Args:
        source: for places.
        problems: collects what is wrong.
        tables: what may be scanned.
        subqueries: reads what stands in brackets after EXISTS, IN and FROM.
    """

    def __init__(self, source: Source, problems: Problems, tables: Tables, subqueries: Subqueries) -> None:
        self.source = source
        self.problems = problems
        self.tables = tables
        self.subqueries = subqueries
        self.ctes: dict[str, exp.Expr] = {}
        """What WITH names, by name."""
        self.ranges: dict[ColumnRef, DateRange] = {}
        self._levels = [Level()]
        self._used: set[str] = set()
        self._places: dict[int, tuple[object, tuple[int, int]]] = {}
        self._around: list[exp.Expr] = []

    # -- names -----------------------------------------------------------------------------------------------------

    @property
    def scope(self) -> dict[str, Shape]:
        """Alias in the model to columns, of the SELECT being read."""
        return self._levels[-1].scope

    def visible(self) -> dict[str, Shape]:
        """The same, with what a correlated subquery sees of the SELECTs around it."""
        found: dict[str, Shape] = {}
        for level in self._in_sight():
            found = {**level.scope, **found}
        return found

    def _in_sight(self) -> list[Level]:
        """The SELECT being read and, for a correlated subquery, the one around it: a mark sees no further."""
        return self._levels[: -3 if self._levels[-1].correlated else -2 : -1]

    @contextmanager
    def level(self, *, correlated: bool = False) -> Iterator[Level]:
        """Read a SELECT of its own inside another."""
        self._levels.append(Level(correlated=correlated))
        try:
            yield self._levels[-1]
        finally:
            self._levels.pop()

    def fresh(self, label: str) -> str:
        """An alias for the model that no other relation of the query has."""
        number, name = 1, label
        while name in self._used:
            number += 1
            name = f"{label[:55]}_{number}"
        self._used.add(name)
        return name

    def add(self, label: str, shape: Shape, tree: exp.Expr, alias: str | None = None) -> str:
        """Bring columns into scope under a written alias; returns the model's.

        Raises:
            Refused: the label is taken.
        """
        level = self._levels[-1]
        if label in level.written:
            raise self.refuse(
                "query-form-unsupported",
                tree,
                form=f"the name {label} twice in FROM",
                instead="give each table an alias of its own",
            )
        alias = alias or self.fresh(label)
        level.written[label] = alias
        level.scope[alias] = shape
        return alias

    def shape(self, alias: str) -> Shape:
        """The columns of an alias that is visible."""
        return self.visible()[alias]

    def text_of(self, alias: str) -> str:
        """The alias as it was written."""
        return next((text for level in self._levels for text, name in level.written.items() if name == alias), alias)

    @property
    def person_key(self) -> str:
        """The name of the person key, for messages."""
        found = next((shape.person_key for shape in self.scope.values() if shape.person_key), None)
        tables = self.tables.catalogue.tables
        return found or next((table.person_key for table in tables if table.person_key), "person_id")

    def computed(self, alias: str, shape: Shape, *, instead: bool = False) -> None:
        """Columns that a step of this SELECT has computed, under the model's alias; ``instead`` of all before."""
        level = self._levels[-1]
        if instead:
            level.scope.clear()
            level.written.clear()
        level.scope[alias], level.written[alias] = shape, alias

    def ask(self, label: str, rows: Relation, condition: Expression | None) -> ColumnRef:
        """A mark for the relation being read; returns the column that says whether a row was found."""
        alias = self.fresh(label)
        self._levels[-1].marks.append(PendingMark(alias, rows, condition))
        shape = Shape(alias, (Field(FOUND, BOOLEAN, Role.DIMENSION),))
        self._levels[-1].scope[alias] = shape
        return ColumnRef(alias, FOUND)

    def take_marks(self) -> list[PendingMark]:
        """The marks asked for since the last call."""
        level = self._levels[-1]
        found, level.marks = level.marks, []
        return found

    def place(self, node: object) -> tuple[int, int]:
        """Line and column where a model node was written, (0, 0) if it was not."""
        found = self._places.get(id(node))
        return found[1] if found else (0, 0)

    def mark(self, node: _Node, tree: exp.Expr) -> _Node:
        """Remember where a model node was written."""
        # The node is kept beside its place, so that its id cannot be given to another.
        self._places[id(node)] = (node, self.source.of(tree))
        return node

    def refuse(self, code: str, tree: exp.Expr, **fields: object) -> Refused:
        """Note a problem at a tree node and return the exception to raise."""
        self.problems.add(code, self.source.of(tree), **fields)
        return Refused()

    def only(self, tree: exp.Expr, *names: str) -> None:
        """Refuse any attribute of a tree node that is set and not named here."""
        for name, value in tree.args.items():
            if value in (None, False, [], ()) or name in names or name in _HARMLESS:
                continue
            form = f"{name.rstrip('_').upper()} in {tree.key.upper()}"
            at = value[0] if isinstance(value, list) else value
            raise self.refuse(
                "query-form-unsupported", at if isinstance(at, exp.Expr) else tree, form=form, instead=_LEGAL
            )

    def read(self, tree: exp.Expr) -> Expression:
        """One scalar expression.

        Raises:
            Refused: with the problem noted.
        """
        if not isinstance(tree, exp.Expr):
            # The parser accepts some operators without their operand, and leaves a hole.
            self.problems.add("query-syntax", self.source.of(self._around[-1]) if self._around else (1, 1))
            raise Refused
        self._around.append(tree)
        try:
            node = self.mark(self._read(tree), tree)
        finally:
            self._around.pop()
        if not self._around and depth_of(node) > MAX_DEPTH:
            raise self.refuse("query-too-deep", tree, limit=MAX_DEPTH)
        return node

    def _read(self, tree: exp.Expr) -> Expression:
        if isinstance(tree, exp.Paren):
            return self.read(tree.this)
        if isinstance(tree, exp.Column):
            return self.column(tree)
        if type(tree) in _BINARY:
            self.only(tree, "this", "expression")
            return self._call(tree, _BINARY[type(tree)], [tree.this, tree.expression])
        if type(tree) in _UNARY:
            self.only(tree, "this")
            if isinstance(tree, exp.Neg) and isinstance(tree.this, exp.Literal) and not tree.this.args.get("is_string"):
                return self._number(tree, "-" + str(tree.this.this))
            return Call(_UNARY[type(tree)], (self.read(tree.this),))
        reader = _READERS.get(type(tree))
        if reader is not None:
            return reader(self, tree)
        raise self._unsupported(tree)

    def is_foreign(self, tree: exp.Expr) -> bool:
        """Whether a tree is of a kind that no scalar expression has, so that ``read`` refuses it with its reason."""
        if isinstance(tree, exp.Anonymous):
            return tree.name.lower() not in FUNCTIONS
        known = type(tree) in _BINARY or type(tree) in _UNARY or type(tree) in _READERS
        return type(tree) in _HINTS or (isinstance(tree, exp.Func) and not known)

    def _unsupported(self, tree: exp.Expr) -> Refused:
        if type(tree) in _HINTS:
            form, instead = _HINTS[type(tree)]
            return self.refuse("query-form-unsupported", tree, form=form, instead=instead)
        if isinstance(tree, exp.AggFunc):
            return self.refuse(
                "query-form-unsupported",
                tree,
                form=f"{tree.key} here",
                instead="aggregates stand in the SELECT list: count, sum, avg, var_samp, median, quantile_cont",
            )
        if isinstance(tree, exp.Anonymous | exp.Func):
            name = str(tree.this) if isinstance(tree, exp.Anonymous) else tree.sql_name()
            if name.lower() in _CLOCKS:
                form, instead = _HINTS[exp.CurrentDate]
                return self.refuse("query-form-unsupported", tree, form=f"{name.lower()}()", instead=instead)
            if name.lower() in _NAMED_HINTS:
                instead = _NAMED_HINTS[name.lower()]
                return self.refuse("query-form-unsupported", tree, form=f"{name.lower()}()", instead=instead)
            close = nearest(name, [*FUNCTIONS, "count", "sum", "avg", "median", "histogram"]) or "clamp"
            return self.refuse("query-unknown-function", tree, function=name.lower()[:63], nearest=close)
        return self.refuse("query-form-unsupported", tree, form=tree.key.upper()[:60], instead=_LEGAL)

    # -- columns -------------------------------------------------------------------------------------------------

    def column(self, tree: exp.Column) -> ColumnRef:
        """A column of a table in scope, by name.

        Raises:
            Refused: with the problem noted.
        """
        self.only(tree, "this", "table")
        if not isinstance(tree.this, exp.Identifier):
            raise self._unsupported(tree.this)
        name = tree.name.lower()
        qualifier = tree.table.lower()
        for level in self._in_sight():
            tables = self._candidates(level, qualifier)
            found = [alias for alias, shape in tables.items() if shape.column(name) is not None]
            if found:
                if len(found) > 1 and not all(self._is_person_key(tables[alias], name) for alias in found):
                    example = f"{self.text_of(found[0])}.{name}"
                    raise self.refuse("query-ambiguous-column", tree, column=name, example=example)
                return ColumnRef(found[0], name)
            if qualifier and tables:
                break
        if qualifier and not tables:
            names = [text for level in self._in_sight() for text in level.written]
            raise self.refuse(
                "query-unknown-table",
                tree,
                table=qualifier,
                catalogue="the query",
                nearest=nearest(qualifier, names) or next(iter(names), "a table"),
            )
        known = [column.name for shape in tables.values() for column in shape.columns]
        raise self.refuse(
            "query-unknown-column",
            tree,
            column=name,
            table=" or ".join(dict.fromkeys(shape.name for shape in tables.values())) or "the query",
            nearest=nearest(name, known) or "one of its columns",
        )

    def _candidates(self, level: Level, qualifier: str) -> dict[str, Shape]:
        if qualifier:
            return (
                {level.written[qualifier]: level.scope[level.written[qualifier]]} if qualifier in level.written else {}
            )
        return {alias: level.scope[alias] for alias in level.written.values()}

    def _is_person_key(self, shape: Shape, name: str) -> bool:
        column = shape.column(name)
        return column is not None and column.role is Role.PERSON_KEY

    # -- literals ------------------------------------------------------------------------------------------------

    def _literal(self, tree: exp.Expr) -> Literal:
        self.only(tree, "this", "is_string")
        text = str(tree.this)
        if not tree.args.get("is_string"):
            return self._number(tree, text)
        if len(text) > MAX_TEXT or not text.isprintable():
            raise self.refuse("query-literal", tree, literal="text", instead=f"at most {MAX_TEXT} printable characters")
        return Literal(ColumnType.TEXT, text)

    def _number(self, tree: exp.Expr, text: str) -> Literal:
        try:
            number = Decimal(text)
        except InvalidOperation:
            number = Decimal("NaN")
        if not number.is_finite() or abs(number) > MAX_INTEGER or len(text) > 30 or number.adjusted() < -20:
            raise self.refuse(
                "query-literal", tree, literal=text[:30], instead="use a number between -(2^53 - 1) and 2^53 - 1"
            )
        if number == number.to_integral_value():
            return Literal(ColumnType.INTEGER, int(number))
        return Literal(ColumnType.NUMBER, str(Decimal(format(number.normalize(), "f"))))

    def _boolean(self, tree: exp.Expr) -> Literal:
        return Literal(ColumnType.BOOLEAN, bool(tree.this))

    def _null(self, tree: exp.Expr) -> Literal:
        return NULL_LITERAL

    def _cast(self, tree: exp.Expr) -> Expression:
        self.only(tree, "this", "to")
        kind = tree.args["to"].this
        value = tree.this
        name = None if tree.args["to"].expressions else _CASTS.get(kind)
        dated = name in ("to_date", "to_timestamp")
        if dated and isinstance(value, exp.Literal) and value.args.get("is_string"):
            try:
                if name == "to_date":
                    return Literal(ColumnType.DATE, datetime.date.fromisoformat(str(value.this)).isoformat())
                if name == "to_timestamp":
                    when = datetime.datetime.fromisoformat(str(value.this))
                    if when.tzinfo is None:
                        return Literal(ColumnType.TIMESTAMP, when.isoformat())
            except ValueError:
                pass
            raise self.refuse("query-literal", tree, literal=str(value.this)[:30], instead="write DATE '2018-01-31'")
        if name is not None:
            return Call(name, (self.read(value),))
        raise self.refuse(
            "query-form-unsupported",
            tree,
            form=f"CAST to {tree.args['to'].sql()[:30]}",
            instead="cast to INTEGER, DOUBLE, DATE or TIMESTAMP; group by bands rather than by text made of numbers",
        )

    # -- functions with a shape of their own -----------------------------------------------------------------------

    def _chain(self, tree: exp.Expr) -> Expression:
        kind = type(tree)
        self.only(tree, "this", "expression")
        parts: list[exp.Expr] = []
        stack: list[exp.Expr] = [tree]
        while stack:
            node = stack.pop()
            if type(node) is kind:
                self.only(node, "this", "expression")
                stack.extend((node.expression, node.this))
            elif isinstance(node, exp.Paren) and type(node.this) is kind:
                stack.append(node.this)
            else:
                parts.append(node)
        return Call("and" if kind is exp.And else "or", tuple(self._each(parts)))

    def _each(self, trees: Iterable[exp.Expr]) -> list[Expression]:
        """Read all, noting the problems of each, then refuse if any failed."""
        found: list[Expression] = []
        failed = False
        for tree in trees:
            try:
                found.append(self.read(tree))
            except Refused:
                failed = True
        if failed:
            raise Refused
        return found

    def _is(self, tree: exp.Expr) -> Expression:
        self.only(tree, "this", "expression")
        value = self.read(tree.this)
        if isinstance(tree.expression, exp.Null):
            return Call("is_null", (value,))
        if isinstance(tree.expression, exp.Boolean):
            wanted = Call("eq", (value, Literal(ColumnType.BOOLEAN, bool(tree.expression.this))))
            return Call("coalesce", (wanted, Literal(ColumnType.BOOLEAN, False)))
        raise self._unsupported(tree)

    def _between(self, tree: exp.Expr) -> Expression:
        self.only(tree, "this", "low", "high")
        value = self.read(tree.this)
        low = Call("ge", (value, self.read(tree.args["low"])))
        return Call("and", (low, Call("le", (value, self.read(tree.args["high"])))))

    def _exists(self, tree: exp.Expr) -> Expression:
        return self.subqueries.exists(cast(exp.Exists, tree), self)

    def _in(self, tree: exp.Expr) -> Expression:
        if tree.args.get("query") is not None:
            return self.subqueries.is_in(cast(exp.In, tree), self)
        self.only(tree, "this", "expressions")
        values = self._each(tree.expressions)
        for value, written in zip(values, tree.expressions, strict=True):
            if not isinstance(value, Literal) or value.type is None:
                raise self.refuse(
                    "query-literal", written, literal=written.sql()[:30], instead="IN takes literals that are not NULL"
                )
        if not values:
            raise self._unsupported(tree)
        return Call("in", (self.read(tree.this), *values))

    def _case(self, tree: exp.Expr) -> Expression:
        self.only(tree, "this", "ifs", "default")
        subject = tree.args.get("this")
        parts: list[Expression] = []
        for branch in tree.args["ifs"]:
            self.only(branch, "this", "true")
            condition = self.read(branch.this)
            if subject is not None:
                condition = self.mark(Call("eq", (self.read(subject), condition)), branch)
            parts += [condition, self.read(branch.args["true"])]
        default = tree.args.get("default")
        parts.append(self.read(default) if default is not None else NULL_LITERAL)
        return Call("case", tuple(parts))

    def _if(self, tree: exp.Expr) -> Expression:
        self.only(tree, "this", "true", "false")
        other = tree.args.get("false")
        return Call(
            "case",
            (self.read(tree.this), self.read(tree.args["true"]), self.read(other) if other else NULL_LITERAL),
        )

    def _coalesce(self, tree: exp.Expr) -> Expression:
        self.only(tree, "this", "expressions")
        return Call("coalesce", tuple(self._each([tree.this, *tree.expressions])))

    def _nullif(self, tree: exp.Expr) -> Expression:
        self.only(tree, "this", "expression")
        value = self.read(tree.this)
        return Call("case", (Call("eq", (value, self.read(tree.expression))), NULL_LITERAL, value))

    def _extract(self, tree: exp.Expr) -> Expression:
        self.only(tree, "this", "expression")
        return self._part(tree, str(tree.this.this).lower(), tree.expression)

    def _part(self, tree: exp.Expr, name: str, value: exp.Expr) -> Expression:
        part = {"doy": "dayofyear"}.get(name, name)
        if part not in DATE_PARTS:
            raise self.refuse(
                "query-arguments",
                tree,
                function="extract",
                expected=f"one of {', '.join(DATE_PARTS)}",
                example="year(d)",
            )
        return Call(part, (self.read(value),))

    def _same(self, tree: exp.Expr) -> Expression:
        self.only(tree, "this", "expression")
        return Call("not", (self.mark(self._call(tree, "is_distinct", [tree.this, tree.expression]), tree),))

    def _like(self, tree: exp.Expr) -> Expression:
        self.only(tree, "this", "expression", "negate")
        found = self.mark(self._call(tree, "like", [tree.this, tree.expression]), tree)
        return Call("not", (found,)) if tree.args.get("negate") else found

    def _round(self, tree: exp.Expr) -> Expression:
        self.only(tree, "this", "decimals")
        return self._call(tree, "round", [tree.this, tree.args.get("decimals") or exp.Literal.number(0)])

    def _substring(self, tree: exp.Expr) -> Expression:
        self.only(tree, "this", "start", "length")
        parts = [tree.this, tree.args.get("start"), tree.args.get("length")]
        return self._call(tree, "substr", [part for part in parts if part is not None])

    def _folded(self, tree: exp.Expr) -> Expression:
        """A call of two arguments over any number of them, from the left."""
        name = "greatest" if isinstance(tree, exp.Greatest) else "least" if isinstance(tree, exp.Least) else "concat"
        if name == "concat" and "safe" not in tree.args:
            # 'a' 'b': two literals side by side, which the parser joins and DuckDB refuses.
            raise self.refuse("query-form-unsupported", tree, form="two texts side by side", instead="write 'a' || 'b'")
        # What the parser notes about missing values here is the dialect's way; ours stands in the table.
        self.only(tree, "this", "expressions", "ignore_nulls", "coalesce")
        parts = [part for part in (tree.this, *tree.expressions) if isinstance(part, exp.Expr)]
        if len(parts) < 2:
            return self._call(tree, name, parts)
        found, *others = self._each(parts)
        for other in others:
            found = self.mark(Call(name, (found, other)), tree)
        return found

    # -- dates and intervals

    def _kind(self, node: Expression) -> ColumnType | None:
        """The type of a date or timestamp, as far as it must be known to read ``d + 1``; None where it need not."""
        if isinstance(node, Literal):
            return node.type
        if isinstance(node, ColumnRef):
            shape = self.visible().get(node.alias)
            column = shape.column(node.column) if shape is not None else None
            return column.info.type if column is not None else None
        if node.function not in _CHOICES:
            return _GIVES.get(node.function)
        results = (*node.arguments[1:-1:2], node.arguments[-1]) if node.function == "case" else node.arguments
        kinds = {self._kind(result) for result in results} - {None}
        if kinds == {ColumnType.DATE, ColumnType.TIMESTAMP}:
            return ColumnType.TIMESTAMP
        return kinds.pop() if len(kinds) == 1 else None

    def _sum(self, tree: exp.Expr) -> Expression:
        """Plus or minus: of numbers, of a date and an interval or a number of days, or between two dates."""
        self.only(tree, "this", "expression")
        minus = isinstance(tree, exp.Sub)
        left, right = tree.this, tree.expression
        if isinstance(left, exp.Interval) and not minus:
            left, right = right, left
        if isinstance(right, exp.Interval):
            return self._later(self.read(left), *self._interval(right), minus=minus)
        one, two = self._each([left, right])
        kind, other = self._kind(one), self._kind(two)
        if kind is ColumnType.DATE and isinstance(two, Literal) and isinstance(two.value, int):
            return self._later(one, "day", two.value, minus=minus)
        if minus and kind is other is ColumnType.DATE:
            return Call("date_diff", (Literal(ColumnType.TEXT, "day"), two, one))
        return Call("sub" if minus else "add", (one, two))

    def _date_add(self, tree: exp.Expr) -> Expression:
        self.only(tree, "this", "expression")
        if not isinstance(tree.expression, exp.Interval):
            instead = "write d + INTERVAL 30 DAY"
            raise self.refuse("query-form-unsupported", tree, form="date_add without INTERVAL", instead=instead)
        return self._later(self.read(tree.this), *self._interval(tree.expression), minus=False)

    def _later(self, value: Expression, unit: str, count: int, *, minus: bool) -> Expression:
        by_date = self._kind(value) is ColumnType.DATE and unit not in CLOCK
        amount = Literal(ColumnType.INTEGER, -count if minus else count)
        return Call("date_add" if by_date else "timestamp_add", (Literal(ColumnType.TEXT, unit), amount, value))

    def _interval(self, tree: exp.Interval) -> tuple[str, int]:
        """Unit and count of an interval of one literal whole number."""
        self.only(tree, "this", "unit")
        count = tree.this.unnest() if isinstance(tree.this, exp.Expr) else tree
        text = f"-{count.this.this}" if isinstance(count, exp.Neg) else str(count.this)
        unit = str(getattr(tree.args.get("unit"), "this", "")).lower()
        unit = unit if unit in SHIFTS else unit.removesuffix("s")
        if unit not in SHIFTS or not re.fullmatch("[+-]?[0-9]{1,12}", text):
            raise self.refuse(
                "query-arguments",
                tree,
                function="INTERVAL",
                expected=f"a literal whole number and one of {', '.join(SHIFTS)}",
                example="d + INTERVAL 30 DAY",
            )
        return unit, int(text)

    def _unit(self, tree: exp.Expr) -> Literal:
        unit = tree.args.get("unit")
        return Literal(ColumnType.TEXT, str(getattr(unit, "this", "?")).lower()[:20] if unit else "?")

    def _date_trunc(self, tree: exp.Expr) -> Expression:
        self.only(tree, "this", "unit")
        return Call("date_trunc", (self._unit(tree), self.read(tree.this)))

    def _date_diff(self, tree: exp.Expr) -> Expression:
        self.only(tree, "this", "expression", "unit")
        # sqlglot stores date_diff(unit, start, finish) as finish minus start.
        return Call("date_diff", (self._unit(tree), self.read(tree.expression), self.read(tree.this)))

    def _anonymous(self, tree: exp.Expr) -> Expression:
        self.only(tree, "this", "expressions")
        name = str(tree.this).lower()
        if name in ("date_part", "datepart") and len(tree.expressions) == 2:
            return self._part(tree, str(tree.expressions[0].this).lower(), tree.expressions[1])
        name = _ALIASES.get(name, name)
        if name not in _OWN and name not in _ALIASES.values():
            raise self._unsupported(tree)
        return self._call(tree, name, tree.expressions)

    def _call(self, tree: exp.Expr, name: str, parts: list[exp.Expr]) -> Expression:
        row = FUNCTIONS[name]
        fewest, most = row.arity
        arguments = self._each(parts)
        wrong = len(arguments) < fewest or (most is not None and len(arguments) > most)
        places = range(1, len(arguments)) if row.literals == "rest" else row.literals
        if wrong or any(not isinstance(arguments[int(place)], Literal) for place in places):
            count = f"{fewest} arguments" if fewest == most else f"at least {fewest} arguments"
            raise self.refuse(
                "query-arguments",
                tree,
                function=name,
                expected=count + (", literals after the first" if row.literals else ""),
                example=row.example,
            )
        return Call(name, tuple(arguments))


_READERS: dict[type[exp.Expr], Callable[[Reader, exp.Expr], Expression]] = {
    exp.Literal: Reader._literal,
    exp.Boolean: Reader._boolean,
    exp.Null: Reader._null,
    exp.Cast: Reader._cast,
    exp.TryCast: Reader._cast,
    exp.Add: Reader._sum,
    exp.Sub: Reader._sum,
    exp.DateAdd: Reader._date_add,
    exp.NullSafeEQ: Reader._same,
    exp.Like: Reader._like,
    exp.Round: Reader._round,
    exp.Substring: Reader._substring,
    exp.Greatest: Reader._folded,
    exp.Least: Reader._folded,
    exp.Concat: Reader._folded,
    exp.And: Reader._chain,
    exp.Or: Reader._chain,
    exp.Is: Reader._is,
    exp.Between: Reader._between,
    exp.In: Reader._in,
    exp.Exists: Reader._exists,
    exp.Case: Reader._case,
    exp.If: Reader._if,
    exp.Coalesce: Reader._coalesce,
    exp.Nullif: Reader._nullif,
    exp.Extract: Reader._extract,
    exp.DateTrunc: Reader._date_trunc,
    exp.TimestampTrunc: Reader._date_trunc,
    exp.DateDiff: Reader._date_diff,
    exp.Anonymous: Reader._anonymous,
}
