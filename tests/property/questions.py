"""Hypothesis strategy for questions of the accepted language about the made-up dataset.

Every text drawn here must be accepted: a refusal is a failure of the test that drew it. Two are let pass, because the
text alone does not show them: a sensitivity that is too large, and date conditions that happen to exclude each other.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from hypothesis import assume
from hypothesis import strategies as st

from tests.factories.catalogues import made_up
from tests.property.terms import with_any_terms
from trustquery.catalogue import ColumnType, Role
from trustquery.errors import TrustQueryError
from trustquery.language import compile_query
from trustquery.language.rules import CLOCK_PARTS, DATE_PARTS
from trustquery.model import Query
from trustquery.planning import Plan, compile_plan

__all__ = ["Question", "Writer", "accepted", "questions"]

W, N, X, D, S, B = ColumnType  # integer (whole), number, text, date, timestamp, boolean
LITERALS = {
    N: ["0", "1", "-1", "2.5", "0.1", "1e-7", "0.30000000000000004", "-123456.789", "9007199254740991", "NULL"],
    W: ["0", "1", "2", "-3", "1950", "9007199254740991", "-9007199254740991", "NULL"],
    X: [
        "''",
        "'F'",
        "'é'",
        "'nan'",
        "'E11'",
        "' 12 '",
        "'-7'",
        "'2.50'",
        "'2020-02-29'",
        "'2020-02-30 10:00'",
        "'other'",
        "'it''s'",
        "'a\\b\"c'",
        "NULL",
    ],
    D: [
        "DATE '2020-01-01'",
        "DATE '2020-02-29'",
        "DATE '1969-12-31'",
        "DATE '0001-01-01'",
        "DATE '9999-12-31'",
        "NULL",
    ],
    S: [
        *("TIMESTAMP '2020-01-01'", "TIMESTAMP '1969-12-31 23:59:59.999999'", "TIMESTAMP '2020-12-31 12:30:00'"),
        *("TIMESTAMP '0001-01-01'", "NULL"),
    ],
    B: ["true", "false", "NULL"],
}
DEPTH = 3


@dataclass(frozen=True)
class Question:
    """A text, what it was compiled to, and its plan."""

    sql: str
    query: Query = field(repr=False)
    plan: Plan = field(repr=False)


class Writer:
    """Writes one SELECT, drawing each choice."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.scope: dict[str, Any] = {}
        self.ranges: list[str] = []

    def one(self, *options: str) -> str:
        return self.draw(st.sampled_from(options))

    def chance(self, share: int) -> bool:
        """True in about one of ``share`` draws; False is the simple choice."""
        return self.draw(st.integers(0, share - 1)) == share - 1

    # -- expressions

    def columns(self, *types: ColumnType, bounded: bool = False) -> list[str]:
        return [
            f"{alias}.{column.name}"
            for alias, table in self.scope.items()
            for column in table.columns
            if column.type in types and column.role in (Role.DIMENSION, Role.MEASURE)
            if not bounded or (column.bounds and column.bounds[1] < 10_000)
        ]

    def leaf(self, *types: ColumnType) -> str:
        columns = self.columns(*types)
        if columns and not self.chance(4):
            return self.one(*columns)
        return self.one(*LITERALS[self.draw(st.sampled_from(types))])

    def write(self, type: ColumnType, depth: int = DEPTH) -> str:
        if type in (N, W):
            return self.number(depth)
        return {X: self.text, D: self.date, S: self.timestamp, B: self.condition}[type](depth)

    def branches(self, type: ColumnType, depth: int) -> str:
        """A value that is one of several of a type."""
        first, second = self.write(type, depth), self.write(type, depth)
        if first == "NULL":  # a CASE without any value is refused
            first = LITERALS[type][0]
        form = self.one("coalesce", "case", "if", "nullif", "switch")
        if form == "coalesce":
            return f"coalesce({first}, {second})"
        if form == "nullif":
            return f"nullif({first}, {second})"
        if form == "if":
            return f"if({self.condition(depth)}, {first}, {second})"
        if form == "switch":
            kind = self.draw(st.sampled_from([N, X, D, B]))
            return f"CASE {self.write(kind, depth)} WHEN {self.write(kind, 0)} THEN {first} ELSE {second} END"
        other = f" ELSE {second}" if self.chance(2) else ""
        return f"CASE WHEN {self.condition(depth)} THEN {first} WHEN {self.condition(0)} THEN {second}{other} END"

    def number(self, depth: int) -> str:
        if depth <= 0:
            return self.leaf(N, W)
        depth -= 1
        form = self.one(
            *(
                "leaf",
                "leaf",
                "+",
                "-",
                "*",
                "/",
                "//",
                "%",
                "neg",
                "step",
                "step",
                "round",
                "extreme",
                "clamp",
                "branch",
            ),
            *("diff", "part", "cast", "length", "years", "overlap", "days"),
        )
        if form in ("+", "-", "*", "/", "//", "%"):
            return f"({self.number(depth)} {form} {self.number(depth)})"
        if form == "neg":
            return f"(- {self.number(depth)})"  # two dashes would begin a comment
        if form == "step":
            return f"{self.one('abs', 'floor', 'ceil', 'sign', 'sqrt', 'round')}({self.number(depth)})"
        if form == "round":
            return f"round({self.number(depth)}, {self.one('0', '1', '2', '6')})"
        if form == "extreme":
            return self.extreme(N, depth)
        if form == "cast":
            kind = self.draw(st.sampled_from([N, X, B]))
            return f"{self.one('CAST', 'TRY_CAST')}({self.write(kind, depth)} AS {self.one('INTEGER', 'DOUBLE')})"
        if form == "length":
            return f"length({self.text(depth)})"
        if form == "years":
            return f"age_years({self.moment(depth)}, {self.moment(depth)})"
        if form == "overlap":
            second = self.one("DATE '2020-01-01', DATE '2020-03-01'", f"{self.moment(0)}, {self.moment(0)}")
            return f"overlap_days({self.moment(depth)}, {self.moment(depth)}, {second})"
        if form == "days":
            return f"(last_day({self.moment(depth)}) - last_day({self.moment(depth)}))"
        if form == "clamp":
            lo, hi = self.one("-2, 3", "0, 0", "-0.5, 100", "0.1, 0.2").split(", ")
            return f"clamp({self.number(depth)}, {lo}, {hi})"
        if form == "branch":
            return self.branches(N, depth)
        if form == "diff":
            unit = self.one("year", "quarter", "month", "week", "day", "hour", "minute")
            kinds = (S,) if unit in ("hour", "minute") else (D, S)
            ends = [self.write(self.draw(st.sampled_from(kinds)), depth) for _ in range(2)]
            return f"date_diff('{unit}', {', '.join(ends)})"
        if form == "part":
            part = self.one(*DATE_PARTS)
            return f"{part}({self.timestamp(depth) if part in CLOCK_PARTS else self.moment(depth)})"
        return self.leaf(N, W)

    def moment(self, depth: int) -> str:
        return self.write(self.draw(st.sampled_from([D, S])), depth)

    def extreme(self, type: ColumnType, depth: int) -> str:
        first = self.write(type, depth)
        if first == "NULL":  # two of them would have no type
            first = LITERALS[type][0]
        return f"{self.one('greatest', 'least')}({first}, {self.write(type, depth)})"

    def text(self, depth: int) -> str:
        if depth <= 0:
            return self.leaf(X)
        depth -= 1
        form = self.one("leaf", "leaf", "cut", "substr", "change", "join", "extreme", "band", "age", "branch")
        if form == "cut":
            return f"{self.one('left', 'right')}({self.text(depth)}, {self.one('1', '2', '3')})"
        if form == "substr":
            return f"substr({self.text(depth)}, {self.one('1', '2', '5')}, {self.one('0', '1', '3')})"
        if form == "change":
            return f"{self.one('lower', 'upper', 'trim')}({self.text(depth)})"
        if form == "join":
            return f"({self.text(depth)} || {self.text(depth)})"
        if form == "extreme":
            return self.extreme(X, depth)
        if form == "band":
            return f"band({self.number(depth)}, {self.one('0', '-1, 0, 1', '18, 65', '1900, 1950, 2000')})"
        if form == "age":
            return f"age_band({self.number(depth)})"
        return self.branches(X, depth) if form == "branch" else self.leaf(X)

    def date(self, depth: int) -> str:
        if depth <= 0:
            return self.leaf(D)
        depth -= 1
        form = self.one("leaf", "leaf", "trunc", "cast", "read", "last", "later", "extreme", "branch")
        if form == "read":
            return f"CAST(trim({self.text(depth)}) AS DATE)"  # a bare literal must be a date
        if form == "last":
            return f"last_day({self.moment(depth)})"
        if form == "later":
            unit = self.one("DAY", "WEEK", "MONTH", "QUARTER", "YEAR")
            return f"(last_day({self.date(depth)}) {self.shift(unit)})"
        if form == "extreme":
            return self.extreme(D, depth)
        if form == "trunc":
            unit = self.one("year", "quarter", "month", "week", "day")
            return f"date_trunc('{unit}', {self.write(self.draw(st.sampled_from([D, S])), depth)})"
        if form == "cast":
            return f"CAST({self.timestamp(depth)} AS DATE)"
        return self.branches(D, depth) if form == "branch" else self.leaf(D)

    def timestamp(self, depth: int) -> str:
        if depth > 0 and self.chance(4):
            return self.branches(S, depth - 1)
        if depth > 0 and self.chance(4):
            kind = self.draw(st.sampled_from([D, S, X]))
            value = self.write(kind, depth - 1)
            return f"CAST({f'trim({value})' if kind is X else value} AS TIMESTAMP)"
        if depth > 0 and self.chance(4):
            unit = self.one("MINUTE", "HOUR", "DAY", "WEEK", "MONTH", "QUARTER", "YEAR")
            return f"({self.timestamp(depth - 1)} {self.shift(unit)})"
        return self.leaf(S)

    def shift(self, unit: str) -> str:
        return f"{self.one('+', '-')} INTERVAL {self.one('0', '1', '30', '9999')} {unit}"

    def condition(self, depth: int = DEPTH) -> str:
        if depth <= 0:
            return self.comparison(0)
        depth -= 1
        form = self.one(
            *("compare", "compare", "and", "or", "not", "null", "in", "between", "starts", "like", "leaf", "branch"),
            *("is", "distinct"),
        )
        if form in ("and", "or"):
            return f"({self.condition(depth)} {form} {self.condition(depth)})"
        if form == "not":
            return f"(NOT {self.condition(depth)})"
        if form == "null":
            kind = self.draw(st.sampled_from([N, X, D, S, B]))
            return f"({self.write(kind, depth)} IS {self.one('', 'NOT ')}NULL)"
        if form == "is":
            return f"({self.condition(depth)} IS {self.one('TRUE', 'FALSE', 'NOT TRUE')})"
        if form == "in":
            kind = self.draw(st.sampled_from([N, X, D, S]))
            values = self.draw(st.lists(st.sampled_from(LITERALS[kind][:-1]), min_size=1, max_size=4))
            return f"({self.write(kind, depth)} {self.one('', 'NOT ')}IN ({', '.join(values)}))"
        if form == "between":
            kind = self.draw(st.sampled_from([N, X, D, S]))
            value, low, high = (self.write(kind, depth) for _ in range(3))
            return f"({value} BETWEEN {low} AND {high})"
        if form == "starts":
            prefix = self.one("''", "'E1'", "'e'", "'é'")
            return f"{self.one('starts_with', 'ends_with', 'contains')}({self.text(depth)}, {prefix})"
        if form == "like":
            pattern = self.one("E1%", "%1", "%1%", "e%1", "_", "%_1%", "E__", "%", "", "%é%")
            return f"({self.text(depth)} {self.one('', 'NOT ')}LIKE '{pattern}')"
        if form == "distinct":
            kind = self.draw(st.sampled_from([N, X, D, S, B]))
            return f"({self.write(kind, depth)} IS {self.one('', 'NOT ')}DISTINCT FROM {self.write(kind, depth)})"
        if form == "branch":
            return self.branches(B, depth)
        return self.leaf(B) if form == "leaf" else self.comparison(depth)

    def comparison(self, depth: int) -> str:
        kinds = self.draw(st.sampled_from([(N, N), (N, N), (X, X), (D, D), (S, S), (D, S), (S, D), (B, B)]))
        operator = self.one("=", "<>", "<", "<=", ">", ">=")
        return f"({self.write(kinds[0], depth)} {operator} {self.write(kinds[1], depth)})"

    # -- clauses

    def source(self) -> str:
        names = ["event", "person", "dose"]
        found = ""
        always: list[str] = []
        for place in range(self.draw(st.integers(1, 3))):
            table = made_up().table(self.one(*names))
            assert table is not None
            alias = f"t{place}"
            self.scope[alias] = table
            if place == 0:
                found = f"{table.name} {alias}"
                always.append(alias)
                continue
            kind = self.one("JOIN", "LEFT JOIN")
            extra = f" AND {self.join_condition(alias)}" if self.chance(2) else ""
            on = f"ON {self.one(*always)}.pid = {alias}.pid{extra}"
            if not extra and place == 1 and self.chance(2):
                on = "USING (pid)"
            found += f" {kind} {table.name} {alias} {on}"
            if kind == "JOIN":
                always.append(alias)
        return found

    def join_condition(self, alias: str) -> str:
        shared = [
            f"{other}.event_id = {alias}.event_id"
            for other, table in self.scope.items()
            if other != alias and table.name != "person" and self.scope[alias].name != "person"
        ]
        if shared and self.chance(2):
            return self.one(*shared)
        kind = self.draw(st.sampled_from([N, X, D, S, B]))
        if self.chance(3):
            return f"{self.leaf(kind)} IS NOT NULL"
        return f"({self.leaf(kind)} {self.one('=', '<', '<>')} {self.leaf(kind)})"

    def key(self) -> str:
        """A key with a public domain."""
        domains = [
            f"{alias}.{column.name}"
            for alias, table in self.scope.items()
            for column in table.columns
            if column.domain or column.type is B
        ]
        forms = ["band", "age", "condition", "case", "month"]
        forms += ["domain", "domain"] if domains else []
        forms += ["range"] if self.columns(D, S) else []
        form = self.one(*forms)
        if form == "domain":
            return self.one(*domains)
        if form == "band":
            return f"band({self.number(1)}, {self.one('0', '1950, 2000', '-1, 0, 1, 2')})"
        if form == "age":
            return f"age_band({self.number(1)})"
        if form == "condition":
            return self.comparison(1)
        if form == "month":
            part = self.one("month", "quarter", "isodow", "day", "week", "dayofyear", "minute", "hour_of_week")
            return f"{part}({self.timestamp(1) if part in CLOCK_PARTS else self.moment(1)})"
        if form == "case":
            results = self.one(
                "'a' 'b'", "1 2", "true false", "'other' ''", "DATE '2020-01-01' DATE '2020-02-29'"
            ).split(" ")
            if len(results) > 2:
                results = [" ".join(results[:2]), " ".join(results[2:])]
            other = f" ELSE {results[1]}" if self.chance(2) else ""
            return f"CASE WHEN {self.condition(1)} THEN {results[0]}{other} END"
        column = self.one(*self.columns(D, S))
        first, last = self.one("2019-12-29 2021-01-10", "2020-02-28 2020-03-02", "1969-12-30 1970-01-02").split(" ")
        literal = self.one("DATE", "TIMESTAMP")
        self.ranges.append(
            self.one(
                f"{column} BETWEEN {literal} '{first}' AND {literal} '{last}'",
                f"{column} >= {literal} '{first}' AND {column} < {literal} '{last}'",
                f"{literal} '{first}' <= {column} AND {column} <= {literal} '{last}'",
            )
        )
        unit = self.one("week", "month", "quarter", "year", "day")
        return self.one(f"date_trunc('{unit}', {column})", f"year({column})", f"CAST({column} AS DATE)")

    def total(self) -> str:
        bounded = self.columns(N, W, bounded=True)
        value = f"clamp({self.number(2)}, {self.one('0, 10', '-3.5, 2.25', '-100, -1', '0, 0', '0.001, 1000000')})"
        if bounded and not self.chance(3):
            one, two = self.one(*bounded), self.one(*bounded)
            value = self.one(
                *(one, f"-{one}", f"{one} + {two}", f"{one} * {two}", f"abs({one} - {two})", f"floor({one} * 0.5)"),
                *(f"CASE WHEN {self.condition(1)} THEN {one} ELSE 2.5 END", f"coalesce({one}, 1)"),
            )
        name = self.one("sum", "avg", "sum", "stddev", "var_samp", "median", "quantile_cont")
        return f"{name}({value}{', 0.25' if name == 'quantile_cont' else ''})"

    def tidy(self) -> str:
        """The one aggregate of a query that gives a row for each bin."""
        edges = self.one("[0]", "[-1, 0, 0.5, 100]", "[-3, 1e6]")
        form = self.one("histogram", "survival")
        event = f", {self.comparison(1)}" if form == "survival" else ""
        found = f"{form}(clamp({self.number(2)}, -100, 100){event}, {edges})"
        return f"{found} FILTER (WHERE {self.condition(1)})" if self.chance(4) else found

    def aggregate(self) -> str:
        form = self.one("count(*)", "people", "count", "sum", "sum")
        if form == "people":
            form = f"count(DISTINCT {self.one(*self.scope)}.pid)"
        elif form == "count":
            form = f"count({self.write(self.draw(st.sampled_from([N, X, D, S, B])), 2)})"
        elif form == "sum":
            form = self.total()
        return f"{form} FILTER (WHERE {self.condition(2)})" if self.chance(4) else form

    def select(self) -> str:
        source = self.source()
        keys = list(dict.fromkeys(self.key() for _ in range(self.draw(st.integers(0, 2)))))
        aggregates = [self.aggregate() for _ in range(self.draw(st.integers(1, 3)))]
        if self.chance(4):
            aggregates.append(self.tidy())
        tests = [*self.ranges, *([self.condition(2)] if self.chance(2) else [])]
        where = f" WHERE {' AND '.join(tests)}" if tests else ""
        items = [f"{key} AS k{place}" for place, key in enumerate(keys)]
        items += [f"{aggregate} AS a{place}" for place, aggregate in enumerate(aggregates)]
        written = {"ordinal": [str(place + 1) for place in range(len(keys))], "text": keys}[self.one("ordinal", "text")]
        group = f" GROUP BY {', '.join(written)}" if keys else ""
        return f"SELECT {', '.join(items)} FROM {source}{where}{group}"


LET_PASS = (
    "query-sensitivity-too-large",
    "query-bounds-invalid",
    "query-key-range-missing",
    "query-too-many-cells",
    "query-too-deep",
)
"""Refusals that the text alone does not show."""


def accepted(draw: st.DrawFn, sql: str) -> Question:
    """The question of a text that must be accepted, on the default terms or on others."""
    groups, rows = draw(st.sampled_from([(None, None), (None, None), (1, 1), (1, 3), (3, 1), (2, 2), (100, 100)]))
    try:
        query = compile_query(sql, made_up(), epsilon=Decimal(1), max_groups_per_person=groups, max_rows_per_group=rows)
        if draw(st.booleans()):
            query = draw(with_any_terms(query))
        plan = compile_plan(query, made_up())
    except TrustQueryError as error:
        assume(error.code not in LET_PASS)
        raise AssertionError(f"refused: {sql}\n{error}\n{error.problem.fix}") from error
    return Question(sql, query, plan)


@st.composite
def questions(draw: st.DrawFn) -> Question:
    """One accepted question with its plan."""
    return accepted(draw, Writer(draw).select())
