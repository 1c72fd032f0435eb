"""The questions of a profile: what a trust may tell about a table so that bounds need not be guessed.

Each is an ordinary question in SQL with one value a person, so that one person moves one bin by one; it goes through
the gate like any other (privacy-rules.md section 5, "Profiles"). The edges of bins are a public grid, and the privacy
loss is fixed, so that everybody asks the very same question: a trust charges it once for each data version.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from trustquery.catalogue.schema import Catalogue, Column, ColumnType, Role, Table
from trustquery.language import compile_query
from trustquery.model.nodes import Bins
from trustquery.model.query import Query
from trustquery.model.terms import Bound, Terms
from trustquery.privacy.budget import delta_for, rho_nano_of

__all__ = ["PROFILE_EPSILON", "About", "ProfileQuestion", "is_profile", "profile_query", "profile_questions"]

PROFILE_EPSILON = Decimal("0.1")
"""Privacy loss of one question, at the catalogue's display delta."""
MAX_EDGE = 2**40

About = Literal["rows", "distinct", "total", "value"]
"""Of one person: number of rows, of distinct values of a column (months of a date), total of a column, one value of it
chosen by rank."""


@dataclass(frozen=True, order=True)
class ProfileQuestion:
    """One question about one table; ``column`` is "" for rows."""

    table: str
    about: About
    column: str = ""

    @property
    def words(self) -> str:
        """What is asked, for people."""
        return {
            "rows": f"rows of {self.table} a person",
            "distinct": f"distinct values of {self.table}.{self.column} a person (of dates: months)",
            "total": f"total of {self.table}.{self.column} a person",
            "value": f"one value of {self.table}.{self.column} a person",
        }[self.about]


def profile_questions(catalogue: Catalogue, table: str | None = None) -> tuple[ProfileQuestion, ...]:
    """The questions about one table, or about all; a table with one row a person needs values only."""
    tables = [item for item in catalogue.tables if item.kind == "person" and table in (None, item.name)]
    return tuple(question for item in tables for question in _about(item))


def _about(table: Table) -> Iterator[ProfileQuestion]:
    if not table.one_row_per_person:
        yield ProfileQuestion(table.name, "rows")
    for column in table.columns:
        measured = column.role in (Role.MEASURE, Role.DIMENSION) and column.bounds is not None
        if column.type in (ColumnType.INTEGER, ColumnType.NUMBER) and measured:
            yield ProfileQuestion(table.name, "value", column.name)
            if not table.one_row_per_person:
                yield ProfileQuestion(table.name, "total", column.name)
        elif column.role is Role.DIMENSION and not table.one_row_per_person and _few_values(column):
            yield ProfileQuestion(table.name, "distinct", column.name)


def _few_values(column: Column) -> bool:
    return column.domain is not None or column.type in (ColumnType.DATE, ColumnType.TIMESTAMP)


def _grid(largest: int) -> list[int]:
    """1, 2, 3, 4, 6, 8, 12, 16, 24 … up to ``largest``: half an octave apart, where whole numbers allow it."""
    found, edge = [1, 2, 3], 4
    while edge <= min(largest, MAX_EDGE):
        found += [edge, edge * 3 // 2]
        edge *= 2
    return [edge for edge in found if edge <= largest]


def _edges(question: ProfileQuestion, table: Table) -> list[int]:
    """Where the bins of a question are cut. The lowest and the highest are open; see ``forecast.distribution``."""
    if question.about in ("rows", "distinct"):
        return [edge for edge in _grid(table.row_cap) if edge > 1]
    column = table.column(question.column)
    lo, hi = column.bounds if column is not None and column.bounds is not None else (0, 1)
    factor = table.row_cap if question.about == "total" else 1
    rising = _grid(max(hi, 0) * factor)
    falling = [-edge for edge in reversed(_grid(max(-lo, 0) * factor))]
    # Zero has a bin of its own, [0, 1) or (-1, 0] of whole numbers.
    return [*falling, *([0] if falling else []), *rising] or [1]


def _sql(question: ProfileQuestion, table: Table) -> str:
    column, edges = question.column, ", ".join(map(str, _edges(question, table)))
    if question.about == "value":
        return " ".join(("SELECT", f"histogram({column}, [{edges}]) AS people", "FROM", table.name))
    found = table.column(column)
    dated = found is not None and found.type in (ColumnType.DATE, ColumnType.TIMESTAMP)
    each = {
        "rows": "count(*)",
        "distinct": f"count(DISTINCT date_trunc('month', {column}))" if dated else f"count(DISTINCT {column})",
        "total": f"sum({column})",
    }[question.about]
    key = str(table.person_key)
    inner = " ".join(("SELECT", f"{key}, {each} AS n", "FROM", table.name, "GROUP BY", key))
    return " ".join(("SELECT", f"histogram(n, [{edges}]) AS people", "FROM", f"({inner})"))


_COMPILED: dict[tuple[str, ProfileQuestion], tuple[str, Query]] = {}
"""By the catalogue's hash: a node looks at every query."""


def profile_query(question: ProfileQuestion, catalogue: Catalogue) -> tuple[str, Query]:
    """The text of a question and its model, the same on every machine.

    Raises:
        KeyError: the catalogue has no such table.
        TrustQueryError: ``query-…``: a question that ``profile_questions`` does not list.
    """
    known = _COMPILED.get((catalogue.sha256, question))
    if known is not None:
        return known
    table = catalogue.table(question.table)
    if table is None:
        raise KeyError(question.table)
    sql = _sql(question, table)
    query = compile_query(sql, catalogue, epsilon=PROFILE_EPSILON)
    rho = rho_nano_of(PROFILE_EPSILON, delta_for(catalogue.unit.declared_people))
    found = sql, query.on((Terms(Bound("rows", 1, 1), rho),))
    _COMPILED[catalogue.sha256, question] = found
    return found


def is_profile(query: Query, catalogue: Catalogue) -> ProfileQuestion | None:
    """The profile question that a model is, to the last bit; None for any other."""
    read = query.tables()
    bins = query.aggregates[0].bins if len(query.aggregates) == 1 else None
    if len(read) != 1 or not isinstance(bins, Bins) or query.keys:
        return None
    [table] = read
    for question in profile_questions(catalogue, table):
        if profile_query(question, catalogue)[1] == query:
            return question
    return None
