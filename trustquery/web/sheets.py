"""A table page's twins: the same rows as JSON and as CSV, at the same address."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from trustquery.outputs.sheets import write_sheet

__all__ = ["CSV", "HTML", "JSON", "Sheet", "Twin", "wanted"]

Twin = Literal["html", "json", "csv"]
HTML, JSON, CSV = "text/html; charset=utf-8", "application/json", "text/csv; charset=utf-8"
_NAMES: dict[str, Twin] = {"text/html": "html", "application/json": "json", "text/csv": "csv"}


def wanted(accept: str, format_: str = "") -> Twin:
    """Which twin is asked for. A link says it by ``?format=csv``, a program by its Accept header.

    The highest quality wins, then the order in the header; whatever names none of the three gets the page.
    """
    if format_ in ("json", "csv"):
        return "json" if format_ == "json" else "csv"
    found: list[tuple[float, int, Twin]] = []
    for place, part in enumerate(accept[:500].split(",")):
        kind, *options = [piece.strip().lower() for piece in part.split(";")]
        quality = next((option[2:] for option in options if option.startswith("q=")), "1")
        try:
            weight = float(quality)
        except ValueError:
            continue
        if kind in _NAMES and weight > 0:
            found.append((-weight, place, _NAMES[kind]))
    return min(found)[2] if found else "html"


@dataclass(frozen=True)
class Sheet:
    """The rows of a table page.

    Attributes:
        name: of the file, without its ending.
        columns: names of fields, and headings of the CSV.
        rows: each with every column; None is "nothing here".
        document: the JSON twin, where it says more than the rows.
    """

    name: str
    columns: Sequence[str]
    rows: Sequence[Mapping[str, str | int | float | None]]
    document: Mapping[str, Any] = field(default_factory=dict)

    def csv(self) -> bytes:
        """As CSV whose cells no spreadsheet takes for a formula."""
        return write_sheet(self.columns, self.rows).encode()

    def json(self) -> bytes:
        """As JSON."""
        document = self.document or {"columns": list(self.columns), "rows": [dict(row) for row in self.rows]}
        return (json.dumps(document, ensure_ascii=False, indent=1) + "\n").encode()
