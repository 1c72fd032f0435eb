"""Hypothesis strategy for questions over subqueries: windows, per-person figures, EXISTS, UNION ALL, public tables.

The expressions are those of ``questions``; what stands in FROM, and what a condition may ask, is wider.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from tests.factories.catalogues import made_up
from tests.property.questions import Question, Writer, accepted, questions
from trustquery.catalogue import ColumnType, Role, Table

__all__ = ["any_questions", "relational_questions"]

W, N, X, D, S, B = ColumnType
NAMES = ("event", "person", "dose")


@dataclass(frozen=True)
class Drawn:
    """A column of a subquery or of a public table."""

    name: str
    type: ColumnType
    role: Role = Role.DIMENSION
    bounds: tuple[int, int] | None = None
    domain: Any = None


@dataclass(frozen=True)
class Shown:
    """The columns under an alias."""

    name: str
    columns: tuple[Any, ...]


PUBLIC = {
    "esp2013": Shown("esp2013", (Drawn("age_band", X), Drawn("weight", W, bounds=(1000, 7000)))),
    "calendar_month": Shown(
        "calendar_month", (Drawn("month", D), Drawn("next_month", D), Drawn("days", W, bounds=(28, 31)))
    ),
}


class _Relations(Writer):
    def __init__(self, draw: st.DrawFn) -> None:
        super().__init__(draw)
        self.marks = False
        self.count = 0

    def fresh(self, label: str) -> str:
        self.count += 1
        return f"{label}{self.count}"

    def table(self) -> Table:
        found = made_up().table(self.one(*NAMES))
        assert found is not None
        return found

    # -- conditions

    def condition(self, depth: int = 3) -> str:
        if self.marks and depth > 0 and self.chance(4):
            return self.exists()
        return super().condition(depth)

    def exists(self) -> str:
        outside = [alias for alias, shown in self.scope.items() if shown.name not in PUBLIC]
        alias, table = self.fresh("x"), self.table()
        was, marks = dict(self.scope), self.marks
        self.marks = False
        if self.chance(3):
            self.scope = {alias: table}
            where = f" WHERE {super().condition(2)}" if self.chance(2) else ""
            text = f"{self.one(*outside)}.pid IN (SELECT pid FROM {table.name} {alias}{where})"
        else:
            self.scope = {**was, alias: table}
            extra = f" AND {super().comparison(1)}" if not self.chance(3) else ""
            text = f"EXISTS (SELECT 1 FROM {table.name} {alias} WHERE {alias}.pid = {self.one(*outside)}.pid{extra})"
        self.scope, self.marks = was, marks
        return f"({self.one('', 'NOT ')}{text})"

    # -- subqueries

    def leaf_relation(self, alias: str) -> tuple[str, Any]:
        form = self.one("table", "select", "windows", "windows", "grouped", "grouped", "distinct", "union")
        if form == "table":
            table = self.table()
            return f"{table.name} {alias}", table
        was, marks = self.scope, self.marks
        text, columns = {
            "select": self.plain,
            "windows": self.windows,
            "grouped": self.grouped,
            "distinct": self.distinct,
            "union": self.union,
        }[form]()
        self.scope, self.marks = was, marks
        pid = Drawn("pid", W, Role.PERSON_KEY)
        return f"({text}) {alias}", Shown(alias, (pid, *columns))

    def inner(self) -> tuple[str, str]:
        """A table in scope under a new alias, and a WHERE clause."""
        alias, table = self.fresh("s"), self.table()
        self.scope = {alias: table}
        self.marks = True
        where = f" WHERE {self.condition(2)}" if self.chance(3) else ""
        self.marks = False
        return alias, f"{table.name} {alias}{where}"

    def values(self, most: int = 3) -> list[tuple[str, Drawn]]:
        """Expressions with the columns they become."""
        found = []
        for place in range(self.draw(st.integers(1, most))):
            kind = self.draw(st.sampled_from([N, W, X, D, S, B]))
            own = [
                (alias, column)
                for alias, table in self.scope.items()
                for column in table.columns
                if column.type is kind and column.role in (Role.DIMENSION, Role.MEASURE)
            ]
            if own and not self.chance(3):
                alias, column = self.draw(st.sampled_from(own))
                found.append(
                    (f"{alias}.{column.name}", Drawn(f"c{place}", kind, Role.DIMENSION, column.bounds, column.domain))
                )
            elif kind is not W:
                text = self.write(kind, 1)
                found.append(("false" if text == "NULL" else text, Drawn(f"c{place}", B if text == "NULL" else kind)))
        return found

    def listed(self, values: list[tuple[str, Drawn]]) -> str:
        return "".join(f", {text} AS {column.name}" for text, column in values)

    def plain(self) -> tuple[str, list[Drawn]]:
        alias, source = self.inner()
        values = self.values()
        return f"SELECT {alias}.pid{self.listed(values)} FROM {source}", [column for _, column in values]

    def distinct(self) -> tuple[str, list[Drawn]]:
        text, columns = self.plain()
        return text.replace("SELECT", "SELECT DISTINCT", 1), columns

    def union(self) -> tuple[str, list[Drawn]]:
        types = [self.draw(st.sampled_from([X, D, B])) for _ in range(self.draw(st.integers(1, 2)))]
        branches = []
        for _ in range(self.draw(st.integers(2, 3))):
            alias, source = self.inner()
            items = []
            for place, kind in enumerate(types):
                text = self.write(kind, 1)
                items.append(f"coalesce({text}, {self.write(kind, 0)})" if text == "NULL" else text)
                if "NULL" in items[-1]:
                    items[-1] = {X: "'F'", D: "DATE '2020-02-29'", B: "true"}[kind]
                items[-1] += f" AS c{place}"
            branches.append(f"SELECT {', '.join([f'{alias}.pid', *items])} FROM {source}")
        return " UNION ALL ".join(branches), [Drawn(f"c{place}", kind) for place, kind in enumerate(types)]

    def grouped(self) -> tuple[str, list[Drawn]]:
        alias, source = self.inner()
        keys = self.values(2) if self.chance(2) else []
        columns = [column for _, column in keys]
        items = []
        for place in range(self.draw(st.integers(1, 3))):
            text, kind = self.figure()
            where = f" FILTER (WHERE {self.condition(1)})" if self.chance(4) else ""
            items.append(f"{text}{where} AS v{place}")
            columns.append(Drawn(f"v{place}", kind))
        group = "".join(f", {text}" for text, _ in keys)
        having = f" HAVING count(*) {self.one('>', '=', '<=')} {self.one('1', '2', '4')}" if self.chance(3) else ""
        listed = ", ".join([f"{alias}.pid{self.listed(keys)}", *items])
        return f"SELECT {listed} FROM {source} GROUP BY {alias}.pid{group}{having}", columns

    def figure(self) -> tuple[str, ColumnType]:
        form = self.one("count(*)", "count", "distinct", "sum", "avg", "min", "max", "bool_or", "bool_and")
        if form == "count(*)":
            return form, W
        if form in ("count", "distinct"):
            kind = self.draw(st.sampled_from([N, X, D, S, B]))
            return f"count({'DISTINCT ' if form == 'distinct' else ''}{self.write(kind, 1)})", W
        if form in ("sum", "avg"):
            clamped = f"clamp({self.number(1)}, {self.one('0, 10', '-3.5, 2.25', '0.001, 1000000')})"
            return f"{form}({clamped})", N
        if form in ("bool_or", "bool_and"):
            return f"{form}({self.comparison(1)})", B
        kind = self.draw(st.sampled_from([N, X, D, S]))
        text = self.write(kind, 1)
        return (f"{form}(1.5)", N) if text == "NULL" else (f"{form}({text})", kind)

    def windows(self) -> tuple[str, list[Drawn]]:
        alias, source = self.inner()
        values = self.values(2)
        columns = [column for _, column in values]
        items = []
        for place in range(self.draw(st.integers(1, 3))):
            text, kind = self.window(alias)
            items.append(f"{text} AS w{place}")
            columns.append(Drawn(f"w{place}", kind))
        listed = ", ".join([f"{alias}.pid{self.listed(values)}", *items])
        last = f" QUALIFY row_number() OVER (PARTITION BY {alias}.pid ORDER BY {self.ordered()}) <= 2"
        return f"SELECT {listed} FROM {source}{last if self.chance(3) else ''}", columns

    def ordered(self) -> str:
        items = []
        for _ in range(self.draw(st.integers(1, 2))):
            kind = self.draw(st.sampled_from([N, X, D, S, B]))
            items.append(f"{self.write(kind, 1)}{self.one('', ' DESC')}{self.one('', ' NULLS FIRST', ' NULLS LAST')}")
        return ", ".join(items)

    def window(self, alias: str) -> tuple[str, ColumnType]:
        further = f", {self.comparison(0)}" if self.chance(4) else ""
        partition = f"PARTITION BY {alias}.pid{further}"
        form = self.one(
            "row_number", "rank", "dense_rank", "ntile", "lag", "lead", "first_value", "last_value", "nth_value",
            "count", "sum", "avg", "min", "max",
        )  # fmt: skip
        order = f"ORDER BY {self.ordered()}"
        if form in ("row_number", "rank", "dense_rank"):
            return f"{form}() OVER ({partition} {order})", W
        if form == "ntile":
            return f"ntile({self.one('1', '2', '3')}) OVER ({partition} {order})", W
        kind = self.draw(st.sampled_from([X, D, S, B]))
        value = self.write(kind, 1)
        if value == "NULL":
            kind, value = B, "true"
        if form in ("lag", "lead"):
            return f"{form}({value}, {self.one('0', '1', '2')}) OVER ({partition} {order})", kind
        if form in ("first_value", "last_value", "nth_value"):
            nth = ", 2" if form == "nth_value" else ""
            return f"{form}({value}{nth}) OVER ({partition} {order}{self.rows()})", kind
        if form == "count":
            value, kind = self.one("*", value), W
        elif form in ("sum", "avg"):
            value, kind = f"clamp({self.number(1)}, {self.one('0, 10', '-3.5, 2.25')})", N
        if self.chance(2):
            dates = self.columns(D, W)
            if dates:
                ends = self.one(
                    "30 PRECEDING AND CURRENT ROW", "1 PRECEDING AND 400 FOLLOWING", "CURRENT ROW AND 2 FOLLOWING"
                )
                nulls = self.one("", " NULLS FIRST")
                return (
                    f"{form}({value}) OVER ({partition} ORDER BY {self.one(*dates)}{nulls} RANGE BETWEEN {ends})",
                    kind,
                )
        return f"{form}({value}) OVER ({partition} {self.one('', order + self.rows())})", kind

    def rows(self) -> str:
        return self.one(
            "", " ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING", " ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW",
            " ROWS BETWEEN 2 PRECEDING AND 1 PRECEDING", " ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING",
            " RANGE BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING",
        )  # fmt: skip

    # -- FROM

    def source(self) -> str:
        found, always = "", list[str]()
        for place in range(self.draw(st.integers(1, 2))):
            alias = f"t{place}"
            text, shown = self.leaf_relation(alias)
            self.scope[alias] = shown
            if place == 0:
                found, always = text, [alias]
                continue
            kind = self.one("JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN")
            extra = f" AND {self.join_condition(alias)}" if self.chance(2) else ""
            found += f" {kind} {text} ON {self.one(*always)}.pid = {alias}.pid{extra}"
        if self.chance(4):
            name = self.one(*PUBLIC)
            self.scope["open"] = PUBLIC[name]
            kind = self.one("JOIN", "LEFT JOIN")
            found += f" {kind} {name} open ON {self.open_condition(name)}"
        self.marks = True
        return found

    def open_condition(self, name: str) -> str:
        if name == "esp2013":
            return f"{self.text(1)} = open.age_band AND {self.comparison(0)}"
        day = self.leaf(D)
        return f"{day} >= open.month AND {day} < open.next_month"

    def join_condition(self, alias: str) -> str:
        kind = self.draw(st.sampled_from([N, X, D, S, B]))
        if self.chance(3):
            return f"({self.leaf(kind)} IS NOT NULL)"
        return f"({self.leaf(kind)} {self.one('=', '<', '<>')} {self.leaf(kind)})"

    def aggregate(self) -> str:
        if self.chance(5):
            person = next(alias for alias, shown in self.scope.items() if shown.name not in PUBLIC)
            return f"count(DISTINCT {person}.pid)"
        form = super().aggregate()
        return "count(*)" if "DISTINCT" in form else form


@st.composite
def relational_questions(draw: st.DrawFn) -> Question:
    """One accepted question over subqueries, with its plan."""
    return accepted(draw, _Relations(draw).select())


def any_questions() -> st.SearchStrategy[Question]:
    """Questions with and without subqueries."""
    return st.one_of(questions(), relational_questions())
