"""Which data a policy answers about: datasets, their tables, and what each column may be used for."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from trustquery.identity.documents import Name
from trustquery.policy.budgets import Caps
from trustquery.policy.meaning import Means, Part, Tighter

__all__ = ["BY_CATALOGUE", "USES", "ColumnRoles", "DatasetRule", "TableRule", "Use", "allowed_uses"]

BY_CATALOGUE = "all-by-catalogue-role"
Identifier = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
Columns = tuple[Identifier, ...]
Use = Literal["key", "band", "value", "filter", "join", "count", "other"]
"""What a query does with a column: groups by its own values (key) or by bands of them, computes with it, filters on it,
matches rows of one person by it, counts where it is present, or something that could not be told (other)."""

USES: dict[str, frozenset[str]] = {
    "dimension": frozenset({"key", "band", "value", "filter", "join", "count"}),
    "measure": frozenset({"band", "value", "filter", "count"}),
    "join-only": frozenset({"join", "count"}),
    "person-key": frozenset({"join", "count"}),
    "forbidden": frozenset(),
}
"""What each role may be used for."""


def allowed_uses(role: str, catalogue_role: str) -> frozenset[str]:
    """What a column may be used for that the policy gives ``role``; identifiers stay identifiers whatever it says."""
    uses = USES.get(role, frozenset())
    own = USES.get(catalogue_role, frozenset())
    return uses if catalogue_role in ("dimension", "measure") else uses & own


class ColumnRoles(Part):
    """What columns of one table may be used for. A column that is not listed is forbidden.

    Attributes:
        dimension: may be grouped by, filtered on, counted and computed with.
        measure: the same, but grouped by in bands only (``band``, ``age_band``, ``CASE`` over comparisons).
        join_only: may match rows of the same person, or be counted; never seen.
        forbidden: never used; the same as not listing it, but said aloud.
    """

    dimension: Annotated[Columns, Means("Columns that may be grouped by, filtered on and computed with", Tighter.FEWER)]
    measure: Annotated[Columns, Means("Columns that may be computed with, and grouped by in bands", Tighter.FEWER)]
    join_only: Annotated[Columns, Means("Columns that may only match rows of one person", Tighter.FEWER)]
    forbidden: Annotated[Columns, Means("Columns named as never used", Tighter.LONGER)]

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        listed = [*self.dimension, *self.measure, *self.join_only, *self.forbidden]
        twice = sorted({name for name in listed if listed.count(name) > 1})
        if twice:
            raise ValueError(f"each column has one role; listed twice: {', '.join(twice)}")
        return self

    def role(self, column: str) -> str:
        """The role of a column; ``forbidden`` where it is not listed."""
        for role, columns in (("dimension", self.dimension), ("measure", self.measure), ("join-only", self.join_only)):
            if isinstance(columns, tuple) and column in columns:
                return role
        return "forbidden"


def _written_out(value: Any) -> str:
    """Which of two forms a value has; pydantic reports the faults of that form only."""
    return "word" if isinstance(value, str) else "list"


Word = Annotated[Literal["all-by-catalogue-role"], Tag("word")]


class TableRule(Part):
    """One table that may be read.

    Attributes:
        name: the catalogue's name.
        columns: what each column may be used for; or ``"all-by-catalogue-role"``: every column of the catalogue, for
            what the catalogue's role of it allows.
    """

    name: Annotated[Identifier, Means("Table", Tighter.NEVER)]
    columns: Annotated[
        Word | Annotated[ColumnRoles, Tag("list")],
        Discriminator(_written_out),
        Means("Columns and what they may be used for", Tighter.PARTS),
    ]


class DatasetRule(Part):
    """One dataset that may be asked about.

    Attributes:
        id: the catalogue's id.
        tables: tables that may be read; or ``"all-by-catalogue-role"``: every table and column of the catalogue, for
            what the catalogue's role of it allows.
        budget: caps over all releases that read this dataset.
    """

    id: Annotated[Name, Means("Dataset", Tighter.NEVER)]
    tables: Annotated[
        Word | Annotated[tuple[TableRule, ...], Tag("list")],
        Discriminator(_written_out),
        Means("Tables that may be read", Tighter.ENTRIES),
    ]
    budget: Annotated[Caps, Means("Caps over all answers from this dataset", Tighter.PARTS)]

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        if not isinstance(self.tables, str) and len({rule.name for rule in self.tables}) != len(self.tables):
            raise ValueError("each table may be listed once")
        return self

    def table(self, name: str) -> TableRule | Literal["all-by-catalogue-role"] | None:
        """The rule for a table; the word where all stand open; None where it may not be read."""
        if isinstance(self.tables, str):
            return "all-by-catalogue-role" if self.tables == BY_CATALOGUE else None
        return next((rule for rule in self.tables if rule.name == name), None)

    def uses(self, table: str, column: str, catalogue_role: str) -> frozenset[str]:
        """What a column may be used for here."""
        rule = self.table(table)
        if rule is None:
            return frozenset()
        columns = rule if isinstance(rule, str) else rule.columns
        if isinstance(columns, ColumnRoles):
            # A policy lists no person keys: they only match and count, as everywhere.
            role = catalogue_role if catalogue_role == "person-key" else columns.role(column)
            return allowed_uses(role, catalogue_role)
        return allowed_uses(catalogue_role, catalogue_role) if columns == BY_CATALOGUE else frozenset()
