"""The catalogue: what may be asked about, declared in public before any data is read.

Everything here is signed policy input or literal text; nothing is inferred from data.
A catalogue fact (bounds, domain, one row per person) is enforced by the generated plan,
never believed (privacy-rules.md section 1).
"""

from __future__ import annotations

import enum
import hashlib
from functools import cached_property
from typing import Annotated, Any, Literal

import rfc8785
from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = ["Catalogue", "Column", "ColumnType", "DomainValue", "Role", "Table", "Unit"]

MAX_INTEGER = 2**53 - 1


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class ColumnType(enum.StrEnum):
    """Types of the query language; every engine maps its own types onto these six."""

    INTEGER = "integer"
    NUMBER = "number"
    TEXT = "text"
    DATE = "date"
    TIMESTAMP = "timestamp"
    BOOLEAN = "boolean"


class Role(enum.StrEnum):
    """What a column may be used for.

    ``person-key`` joins and counts people; ``dimension`` is grouped by and filtered on; ``measure`` is
    filtered on and aggregated; ``join-only`` identifiers may only meet the same column of another table of the
    same person; ``forbidden`` columns (free text, NHS numbers) are listed so that a refusal can explain itself.
    """

    PERSON_KEY = "person-key"
    DIMENSION = "dimension"
    MEASURE = "measure"
    JOIN_ONLY = "join-only"
    FORBIDDEN = "forbidden"


Identifier = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]


class DomainValue(_Strict):
    """One public value of a coded column, with the words shown to people."""

    value: int | str | bool
    label: str = Field(min_length=1, max_length=200)


class Column(_Strict):
    """One column: its type, role and, where it has them, public bounds and domain.

    ``vocabulary`` names the coded vocabulary (ICD-10, OPCS-4) whose codes the column holds, where the codes are too
    many to list: such a column may be a key of a thresholded release.
    """

    name: Identifier
    type: ColumnType
    role: Role
    description: str = Field(min_length=1)
    unit: str | None = None
    bounds: tuple[int, int] | None = None
    fraction_bits: int = Field(default=0, ge=0, le=20)
    domain: tuple[DomainValue, ...] | None = None
    earliest: str | None = Field(default=None, pattern=r"^\d{4}-\d{2}-\d{2}$")
    latest: str | None = Field(default=None, pattern=r"^\d{4}-\d{2}-\d{2}$")
    vocabulary: str | None = Field(default=None, pattern=r"^[a-z][a-z0-9-]{0,30}$")

    @model_validator(mode="after")
    def _coherent(self) -> Column:
        if self.vocabulary is not None:
            coded = self.type in (ColumnType.TEXT, ColumnType.INTEGER) and self.role is Role.DIMENSION
            if not coded or self.domain is not None:
                raise ValueError(
                    f"column {self.name}: vocabulary needs a text or integer dimension without a domain of its own"
                )
        if self.bounds is not None:
            if self.type not in (ColumnType.INTEGER, ColumnType.NUMBER):
                raise ValueError(f"column {self.name}: bounds need an integer or number column")
            lo, hi = self.bounds
            if not -MAX_INTEGER <= lo <= hi <= MAX_INTEGER:
                raise ValueError(f"column {self.name}: bounds must be ordered and within 2^53")
        if self.domain is not None:
            wanted = {ColumnType.INTEGER: int, ColumnType.TEXT: str, ColumnType.BOOLEAN: bool}.get(self.type)
            values = [item.value for item in self.domain]
            if wanted is None or any(type(value) is not wanted for value in values):
                raise ValueError(f"column {self.name}: domain values must have the column's type")
            if len(set(values)) != len(values) or not values:
                raise ValueError(f"column {self.name}: domain values must be distinct and not empty")
        if (self.earliest or self.latest) and self.type not in (ColumnType.DATE, ColumnType.TIMESTAMP):
            raise ValueError(f"column {self.name}: earliest and latest need a date or timestamp column")
        return self


class Table(_Strict):
    """One table. ``kind`` says whether its rows are about a person or public.

    Args of note:
        row_cap: rows of one person read by any scan; the rest are dropped by rank, so that no one person can make
            a query slow. Declared large, > 0.
        one_row_per_person: enforced by every scan (the row of lowest rank stays), never believed.
        max_groups_per_person: default contribution bound G, cells.
        max_rows_per_group: default contribution bound R, rows per (person, cell).
        declared_rows: public size of the table at a typical trust; used for forecasts and slots only.
    """

    name: Identifier
    title: str
    description: str
    kind: Literal["person", "public"] = "person"
    row_cap: int = Field(default=10_000, gt=0, le=1_000_000)
    one_row_per_person: bool = False
    max_groups_per_person: int = Field(default=1, gt=0, le=100_000)
    max_rows_per_group: int = Field(default=1, gt=0, le=100_000)
    declared_rows: int = Field(gt=0)
    columns: tuple[Column, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _coherent(self) -> Table:
        names = [column.name for column in self.columns]
        if len(set(names)) != len(names):
            raise ValueError(f"table {self.name}: column names must be distinct")
        keys = [column.name for column in self.columns if column.role is Role.PERSON_KEY]
        if len(keys) != (1 if self.kind == "person" else 0):
            raise ValueError(f"table {self.name}: a person table has exactly one person-key column, a public one none")
        if any(
            column.type not in (ColumnType.INTEGER, ColumnType.TEXT) for column in self.columns if column.name in keys
        ):
            # Keys are compared as text, and other types have more than one text.
            raise ValueError(f"table {self.name}: a person key is an integer or text")
        return self

    @property
    def person_key(self) -> str | None:
        """Name of the privacy unit key, or None for a public table."""
        return next((column.name for column in self.columns if column.role is Role.PERSON_KEY), None)

    def column(self, name: str) -> Column | None:
        """The column called ``name``, or None."""
        return next((column for column in self.columns if column.name == name), None)


class Unit(_Strict):
    """The privacy unit: one person-key value at one trust.

    Args of note:
        declared_people: public size per trust; caps delta at 1/(10 x people) and feeds forecasts.
        max_trusts: k, the declared number of trusts one person may be seen at; printed, not enforced.
    """

    name: str = "person"
    description: str
    declared_people: int = Field(gt=0)
    max_trusts: int = Field(gt=0, le=1000)


class Catalogue(_Strict):
    """A versioned, hashable description of one dataset, the same text at every trust."""

    format: Literal["trustquery-catalogue/1"]
    id: str = Field(pattern=r"^[a-z][a-z0-9.-]{0,62}$")
    version: int = Field(gt=0)
    title: str
    description: str
    unit: Unit
    tables: tuple[Table, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _coherent(self) -> Catalogue:
        names = [table.name for table in self.tables]
        if len(set(names)) != len(names):
            raise ValueError("table names must be distinct")
        return self

    def table(self, name: str) -> Table | None:
        """The table called ``name``, or None."""
        return next((table for table in self.tables if table.name == name), None)

    def document(self) -> dict[str, Any]:
        """The catalogue as canonical-JSON data, defaults written out."""
        data: dict[str, Any] = self.model_dump(mode="json")
        return data

    @cached_property
    def sha256(self) -> str:
        """Hash of the canonical bytes, hexadecimal; models and intents pin it."""
        return hashlib.sha256(rfc8785.dumps(self.document())).hexdigest()
