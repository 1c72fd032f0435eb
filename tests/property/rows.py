"""Hypothesis strategies for rows of the made-up dataset: few people, few distinct values, every awkward one."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.factories.catalogues import made_up
from tests.factories.rows import AWKWARD, INTEGER_KEYS, TEXT_KEYS, awkward_rows
from trustquery.catalogue import ColumnType, Role, Table

__all__ = ["Rows", "crowded", "datasets", "people", "person_of", "without"]

Rows = dict[str, list[dict[str, Any]]]
ANY: dict[ColumnType, st.SearchStrategy[Any]] = {
    ColumnType.INTEGER: st.integers(-(2**63), 2**63 - 1),
    ColumnType.NUMBER: st.floats(),
    ColumnType.TEXT: st.text(st.characters(exclude_categories=["Cs"]), max_size=6),
    ColumnType.DATE: st.dates(),
    ColumnType.TIMESTAMP: st.datetimes(),
    ColumnType.BOOLEAN: st.booleans(),
}


def _values(type: ColumnType, domain: list[Any]) -> st.SearchStrategy[Any]:
    common = st.sampled_from([*domain, *AWKWARD[type]])
    return st.one_of(common, common, common, st.none(), ANY[type])


def _row(table: Table) -> st.SearchStrategy[dict[str, Any]]:
    cells: dict[str, st.SearchStrategy[Any]] = {}
    for column in table.columns:
        if column.role is Role.PERSON_KEY:
            keys = INTEGER_KEYS if column.type is ColumnType.INTEGER else TEXT_KEYS
            cells[column.name] = st.sampled_from([*keys[:3], *keys, None])
        else:
            cells[column.name] = _values(column.type, [item.value for item in column.domain or ()])
    return st.fixed_dictionaries(cells)


@st.composite
def _rows(draw: st.DrawFn, table: Table) -> list[dict[str, Any]]:
    """Rows, and whole copies of some of them."""
    rows = draw(st.lists(_row(table), max_size=8))
    if not rows:
        return rows
    copies = draw(st.lists(st.integers(0, len(rows) - 1), max_size=4))
    return rows + [dict(rows[place]) for place in copies]


def datasets() -> st.SearchStrategy[Rows]:
    """Rows of all three tables about people; any of them may be empty."""
    return st.fixed_dictionaries({table.name: _rows(table) for table in made_up().tables if table.kind == "person"})


def crowded() -> st.SearchStrategy[Rows]:
    """Tables in which most people exceed every cap and bound."""
    return st.integers(0, 2**32).map(awkward_rows)


def person_of(table: str, row: dict[str, Any]) -> str | None:
    """The row's person key as text."""
    found = made_up().table(table)
    assert found is not None
    key = row[str(found.person_key)]
    return None if key is None else str(key)


def people(rows: Rows) -> list[str]:
    """Everybody in the rows, sorted."""
    found = {person_of(table, row) for table, held in rows.items() for row in held}
    return sorted(person for person in found if person is not None)


def without(rows: Rows, person: str) -> Rows:
    """All rows but one person's."""
    return {table: [row for row in held if person_of(table, row) != person] for table, held in rows.items()}
