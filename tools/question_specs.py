"""The files of ``tests/spec/questions``: each question in SQL, read by the specification tests and by the manual.

One folder a question: ``question.toml`` (a lay sentence, and for each catalogue the bounds and public tables),
``CATALOGUE.sql`` (the query) and ``CATALOGUE.oracle.sql`` (what it should answer, for plain DuckDB over the raw files).
Public tables that do not ship are in ``tables/*.csv``. Unknown members are errors.
"""

import csv
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trustquery.catalogue.questions import questions
from trustquery.catalogue.schema import ColumnType
from trustquery.codelists import PublicColumn, PublicTable

__all__ = ["FOLDER", "Asked", "Spec", "read_specs", "read_tables"]

FOLDER = Path(__file__).resolve().parent.parent / "tests" / "spec" / "questions"


@dataclass(frozen=True)
class Asked:
    """A question put to one catalogue.

    Attributes:
        oracle: SQL over the raw files: keys as text (``<other>`` and ``<missing>`` for the two extra cells), figures
            as numbers; ``x__low`` and ``x__high`` where any value between them is right for ``x``.
        public: ids of the public tables that the query reads.
        max_groups_per_person: contribution bound, wider than any person of the data, so that nothing is cut.
        max_rows_per_group: the same.
        non_zero: smallest share of cells that must hold something.
        sparse: why that share is below one half.
        ordered: whether the rows have an order of their own.
        plain_sql: whether DuckDB itself understands the query, given our functions as macros.
        tolerance: column to the largest difference from the oracle that is right; others are compared exactly.
    """

    catalogue: str
    sql: str
    oracle: str
    public: tuple[str, ...] = ()
    max_groups_per_person: int | None = None
    max_rows_per_group: int | None = None
    non_zero: float = 0.5
    sparse: str = ""
    ordered: bool = False
    plain_sql: bool = True
    tolerance: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Spec:
    """One of the questions of the matrix.

    Attributes:
        title: the question, as the matrix has it.
        sentence: what the answer says, in plain words.
        notes: what to know about it.
        asked: by catalogue.
        omitted: catalogues that hold the facts, with the reason why the data at hand cannot show it.
        unanswered: why the language cannot answer it, or nothing.
    """

    number: int
    title: str
    sentence: str
    notes: str
    asked: dict[str, Asked]
    omitted: dict[str, str]
    unanswered: str


def read_specs() -> tuple[Spec, ...]:
    """All questions, in the order of the matrix."""
    return tuple(_spec(item.number, item.question) for item in questions())


def _spec(number: int, title: str) -> Spec:
    folder = FOLDER / f"q{number:02}"
    data: dict[str, Any] = tomllib.loads((folder / "question.toml").read_text(encoding="utf-8"))
    sentence, notes, unanswered = (str(data.pop(name, "")) for name in ("sentence", "notes", "unanswered"))
    omitted = {name: part["omitted"] for name, part in data.items() if "omitted" in part}
    asked = {name: _asked(folder, name, part) for name, part in data.items() if name not in omitted}
    return Spec(number, title, sentence, notes, asked, omitted, unanswered)


def _asked(folder: Path, catalogue: str, part: dict[str, Any]) -> Asked:
    sql, oracle = (
        (folder / f"{catalogue}{end}").read_text(encoding="utf-8").strip() for end in (".sql", ".oracle.sql")
    )
    return Asked(catalogue, sql, oracle, tuple(part.pop("public", ())), **part)


def read_tables() -> tuple[PublicTable, ...]:
    """The public tables of ``tables/*.csv``: two comment lines (title, source), then a head of name:type."""
    return tuple(_table(path) for path in sorted((FOLDER / "tables").glob("*.csv")))


def _table(path: Path) -> PublicTable:
    title, source, *lines = path.read_text(encoding="utf-8").splitlines()
    head, *rows = csv.reader(lines)
    names, types = zip(*(item.split(":") for item in head), strict=True)
    columns = tuple(PublicColumn(name, ColumnType(kind), name) for name, kind in zip(names, types, strict=True))
    values = tuple(
        tuple(int(cell) if kind == "integer" else cell for cell, kind in zip(row, types, strict=True)) for row in rows
    )
    return PublicTable(path.stem, 1, title.removeprefix("# "), source.removeprefix("# "), columns, values)
