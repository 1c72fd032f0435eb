"""The result as people and programs read it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import pyarrow

from trustquery.outputs.profiles import NONE, NOT_PROTECTION, REASONS, Profile

__all__ = ["SUPPRESSED", "Column", "Estimate", "KeyCell", "Table"]

SUPPRESSED = "Suppressed"
"""What stands where a figure is withheld: never 0, never nothing."""


@dataclass(frozen=True)
class KeyCell:
    """The value of a key in one row. ``kind`` tells the two extra cells apart from any real value, and a key that an
    outer SELECT computes from a suppressed figure.

    ``order`` is the value's place on its public list, where ORDER BY goes by the list and not by the value itself.
    """

    kind: Literal["value", "other", "missing", "suppressed"]
    value: int | str | bool | None = None
    label: str = ""
    order: int | None = field(default=None, compare=False, repr=False)

    @property
    def text(self) -> str:
        """What people read: the value, or ``other``, ``missing`` or ``Suppressed``."""
        if self.kind == "suppressed":
            return SUPPRESSED
        if self.kind != "value":
            return self.kind
        return str(self.value).lower() if isinstance(self.value, bool) else str(self.value)


@dataclass(frozen=True)
class Estimate:
    """A noised figure with its 95 % interval, which covers the noise only.

    Attributes:
        value: None where the figure cannot be told from the noise (a ratio over about nothing), or is no number.
        low: lower end of ``interval``.
        high: upper end.
        combined: of a rate, both ends of ``interval_combined``, which covers noise and sampling; None where the parts
            of a sum of rates hold the same people, and of a figure without value.
        suppressed: why a disclosure profile withholds it, a key of ``profiles.REASONS``; "" where none does. A
            suppressed figure has no value and no interval.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    combined: tuple[float, float] | None = None
    suppressed: str = ""


@dataclass(frozen=True)
class Column:
    """A column of the result; ``caveats`` are codes of the reference page on reading a table.

    ``rate``: its estimates have an interval for noise and sampling besides.
    """

    name: str
    kind: Literal["key", "estimate"]
    type: str
    caveats: tuple[str, ...] = ()
    rate: bool = False


@dataclass(frozen=True)
class Table:
    """All cells, in the plan's order unless the query says otherwise; cells absent from the data are there too."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[KeyCell | Estimate, ...], ...] = field(repr=False)
    profile: Profile = NONE

    def document(self) -> dict[str, Any]:
        """JSON data. Key values are text; an estimate is {value, low, high}, and where the column is a rate has
        interval_combined besides, which is {low, high} or null. A suppressed figure is {suppressed, reason} and has no
        value, not even null. ``disclosure`` stands there where the profile withholds anything."""
        said = {"disclosure": self.profile.document() | {"note": NOT_PROTECTION}} if self.profile.withholds else {}
        return said | {
            "columns": [
                {"name": column.name, "kind": column.kind, "type": column.type, "caveats": list(column.caveats)}
                for column in self.columns
            ],
            "rows": [
                [_cell(cell, column) for cell, column in zip(row, self.columns, strict=True)] for row in self.rows
            ],
        }

    def flat_columns(self, withheld: str | None = None) -> dict[str, list[Any]]:
        """Columns for data frames: a key gives its text (and ``_label`` where values have words), an estimate
        gives its value, ``_low`` and ``_high``, and of a rate ``_low_combined`` and ``_high_combined``. Under a profile
        that withholds, a column ``_suppressed`` says why, and is "" where a figure is shown. Where the query itself
        names a column so, an underscore is added to the derived one.

        Args:
            withheld: what stands for a suppressed figure and its interval. Sheets say ``SUPPRESSED``; columns of
                numbers have room for None only, and the reason beside it.
        """
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
            found[column.name] = [withheld if cell.suppressed else cell.value for cell in estimates]
            found[derived(f"{column.name}_low")] = [withheld if cell.suppressed else cell.low for cell in estimates]
            found[derived(f"{column.name}_high")] = [withheld if cell.suppressed else cell.high for cell in estimates]
            if column.rate:
                for place, end in enumerate(("low", "high")):
                    ends = [
                        withheld if cell.suppressed else cell.combined[place] if cell.combined is not None else None
                        for cell in estimates
                    ]
                    found[derived(f"{column.name}_{end}_combined")] = ends
            if self.profile.withholds:
                found[derived(f"{column.name}_suppressed")] = [cell.suppressed for cell in estimates]
        return found

    def to_arrow(self) -> pyarrow.Table:
        """The table as Arrow: keys as text, estimates as float64; columns as in ``flat_columns``."""
        import pyarrow

        keys = {column.name for column in self.columns if column.kind == "key"}
        arrays, names = [], []
        for name, values in self.flat_columns().items():
            texts = name in keys or any(isinstance(value, str) for value in values)
            arrays.append(pyarrow.array(values, type=pyarrow.string() if texts else pyarrow.float64()))
            names.append(name)
        return pyarrow.table(arrays, names=names)


def _cell(cell: KeyCell | Estimate, column: Column) -> Any:
    if isinstance(cell, Estimate) and cell.suppressed:
        return {"suppressed": cell.suppressed, "reason": REASONS[cell.suppressed]}
    if isinstance(cell, Estimate):
        found = {"value": cell.value, "low": cell.low, "high": cell.high}
        if not column.rate:
            return found
        ends = None if cell.combined is None else {"low": cell.combined[0], "high": cell.combined[1]}
        return found | {"interval_combined": ends}
    return {"kind": cell.kind, "value": cell.text, "label": cell.label}
