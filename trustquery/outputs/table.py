"""The result as people and programs read it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import pyarrow

__all__ = ["Column", "Estimate", "KeyCell", "Table"]


@dataclass(frozen=True)
class KeyCell:
    """The value of a key in one row. ``kind`` tells the two extra cells apart from any real value.

    ``order`` is the value's place on its public list, where ORDER BY goes by the list and not by the value itself.
    """

    kind: Literal["value", "other", "missing"]
    value: int | str | bool | None = None
    label: str = ""
    order: int | None = field(default=None, compare=False, repr=False)

    @property
    def text(self) -> str:
        """What people read: the value, or ``other`` or ``missing``."""
        if self.kind != "value":
            return self.kind
        return str(self.value).lower() if isinstance(self.value, bool) else str(self.value)


@dataclass(frozen=True)
class Estimate:
    """A noised figure with its 95 % interval, which covers the noise only.

    ``value`` is None where the figure cannot be told from the noise (a ratio over about nothing), or is no number.
    """

    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Column:
    """A column of the result; ``caveats`` are codes of the reference page on reading a table."""

    name: str
    kind: Literal["key", "estimate"]
    type: str
    caveats: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """All cells, in the plan's order unless the query says otherwise; cells absent from the data are there too."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[KeyCell | Estimate, ...], ...] = field(repr=False)

    def document(self) -> dict[str, Any]:
        """JSON data. Key values are text; an estimate is {value, low, high}."""
        return {
            "columns": [
                {"name": column.name, "kind": column.kind, "type": column.type, "caveats": list(column.caveats)}
                for column in self.columns
            ],
            "rows": [[_cell(cell) for cell in row] for row in self.rows],
        }

    def flat_columns(self) -> dict[str, list[Any]]:
        """Columns for data frames: a key gives its text (and ``_label`` where values have words), an estimate
        gives its value, ``_low`` and ``_high``. Where the query itself names a column so, an underscore is added to
        the derived one."""
        found: dict[str, list[Any]] = {}
        taken = {column.name for column in self.columns}

        def derived(name: str) -> str:
            while name in taken:
                name += "_"
            taken.add(name)
            return name

        for place, column in enumerate(self.columns):
            cells = [row[place] for row in self.rows]
            keys = [cell for cell in cells if isinstance(cell, KeyCell)]
            if column.kind == "key":
                found[column.name] = [cell.text for cell in keys]
                if any(cell.label for cell in keys):
                    found[derived(f"{column.name}_label")] = [cell.label or cell.text for cell in keys]
                continue
            estimates = [cell for cell in cells if isinstance(cell, Estimate)]
            found[column.name] = [cell.value for cell in estimates]
            found[derived(f"{column.name}_low")] = [cell.low for cell in estimates]
            found[derived(f"{column.name}_high")] = [cell.high for cell in estimates]
        return found

    def to_arrow(self) -> pyarrow.Table:
        """The table as Arrow: keys as text, estimates as float64 with ``_low`` and ``_high``."""
        import pyarrow

        keys = {column.name for column in self.columns if column.kind == "key"}
        arrays, names = [], []
        for name, values in self.flat_columns().items():
            texts = name in keys or any(isinstance(value, str) for value in values)
            arrays.append(pyarrow.array(values, type=pyarrow.string() if texts else pyarrow.float64()))
            names.append(name)
        return pyarrow.table(arrays, names=names)


def _cell(cell: KeyCell | Estimate) -> Any:
    if isinstance(cell, Estimate):
        return {"value": cell.value, "low": cell.low, "high": cell.high}
    return {"kind": cell.kind, "value": cell.text, "label": cell.label}
