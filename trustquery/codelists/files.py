"""A public table from the bytes of a file: CSV, such as OpenCodelists gives, or JSON as ``PublicTable.document``.

The analyst and every trust read the same file to the same table and so to the same hash. A CSV holds text alone, so
nothing is guessed: ``007`` stays what it is. Numbers and dates need the JSON form, which says each column's type.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NoReturn

from trustquery.catalogue.schema import ColumnType
from trustquery.codelists.people import refuse_people
from trustquery.codelists.table import MAX_ROWS, MAX_TEXT, PublicColumn, PublicTable, Value
from trustquery.errors import Problem, TrustQueryError
from trustquery.identity.strict_json import no_duplicates

__all__ = ["MAX_FILE_BYTES", "Notes", "Reading", "code_column", "plain_name", "read_lines", "read_table", "split_name"]

MAX_FILE_BYTES = 32 * 1024 * 1024
MAX_COLUMNS = 100
MAX_PROBLEMS = 100
MAX_NAME = 63
CSV_SOURCE = "a CSV file"
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")


def plain_name(text: str) -> str:
    """A name as the query language writes it: ``ICD code`` is ``icd_code``; "" where nothing is left of it."""
    found = re.sub(r"[^a-z0-9]+", "_", text.strip().lower()).strip("_")
    return (f"t_{found}" if found[:1].isdigit() else found)[:MAX_NAME].rstrip("_")


def split_name(text: str) -> tuple[str, int | None]:
    """``my_list@2`` as name and version; None where no version is written.

    Raises:
        TrustQueryError: ``query-input-invalid``.
    """
    name, mark, version = text.partition("@")
    number = int(version) if version.isascii() and version.isdecimal() and len(version) <= 9 else 0
    if not _NAME.fullmatch(name) or (mark and number < 1):
        raise TrustQueryError(
            "query-input-invalid",
            text[:80],
            reason="its name is not lower-case letters, digits and _, with @ and a whole number for a version",
        )
    return name, number if mark else None


@dataclass(frozen=True)
class Reading:
    """A file as it was read.

    Attributes:
        places: where each row stands, ``line 7`` of a CSV file, ``row 7`` of the rows in a JSON file.
        ignored: what the file holds and the table does not, in words.
    """

    table: PublicTable
    places: tuple[str, ...]
    ignored: tuple[str, ...] = ()


def read_table(content: bytes, file: str, *, name: str | None = None, version: int | None = None) -> PublicTable:
    """The table that a file holds: ``read_lines`` without its lines.

    Raises:
        TrustQueryError: ``query-input-invalid``: every problem, with its line.
    """
    return read_lines(content, file, name=name, version=version).table


def read_lines(content: bytes, file: str, *, name: str | None = None, version: int | None = None) -> Reading:
    """The table that a file holds, where each row stands, and what was left out.

    Args:
        content: its bytes; JSON when the first character is a brace, else CSV with a heading row, UTF-8.
        file: its name, for messages, and for the table's where ``name`` is None and the file is CSV.
        name: the table's name in a query; a JSON file says its own, and must agree.
        version: the table's; 1 for a CSV file where None. Likewise.

    Raises:
        TrustQueryError: ``query-input-invalid``: every problem, with its line.
    """
    if len(content) > MAX_FILE_BYTES:
        _refuse(file, f"it is larger than {MAX_FILE_BYTES // 2**20} MiB")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise TrustQueryError("query-input-invalid", f"{file}, line {line}", reason="it is not UTF-8 text") from error
    if "\0" in text:
        _refuse(f"{file}, line {text[: text.index(chr(0))].count(chr(10)) + 1}", "it is not text")
    if text.lstrip()[:1] == "{":
        table = _from_json(text, file, name, version)
        reading = Reading(table, tuple(f"row {place}" for place in range(1, len(table.rows) + 1)))
    else:
        stem = re.split(r"[\\/]", file)[-1].rsplit(".", 1)[0]
        chosen, number = (name, version) if name else _of_stem(stem, file)
        reading = _from_csv(text, file, chosen, version or number or 1)
    refuse_people(reading.table, file)
    return reading


def code_column(columns: Sequence[str]) -> str | None:
    """The column that holds the codes: ``code``, or the only one whose name ends so; None where there is none."""
    if "code" in columns:
        return "code"
    found = [name for name in columns if name.endswith("code")]
    return found[0] if len(found) == 1 else None


def _refuse(place: str, reason: str) -> NoReturn:
    raise TrustQueryError("query-input-invalid", place, reason=reason)


def _of_stem(stem: str, file: str) -> tuple[str, int | None]:
    """``My list@2.csv`` is the table my_list, version 2."""
    before, mark, version = stem.partition("@")
    name = plain_name(before)
    if not name:
        _refuse(file, "its name makes no table name: give one, NAME=FILE")
    return split_name(f"{name}{mark}{version}")


# -- JSON ----------------------------------------------------------------------------------------------------------


def _from_json(text: str, file: str, name: str | None, version: int | None) -> PublicTable:
    try:
        data = json.loads(
            text, object_pairs_hook=no_duplicates, parse_float=_not_written_so, parse_constant=_not_written_so
        )
    except (ValueError, RecursionError) as error:
        line = getattr(error, "lineno", None)
        place = f"{file}, line {line}" if line else file
        reason = "it is not JSON" if line else str(error) if type(error) is ValueError else "it is not JSON"
        raise TrustQueryError("query-input-invalid", place, reason=reason) from error
    table = PublicTable.from_document(data)
    if (name or table.id) != table.id or (version or table.version) != table.version:
        _refuse(file, f"it says that it is {table.id}, version {table.version}")
    return table


def _not_written_so(_text: str) -> NoReturn:
    raise ValueError("numbers that are not whole are written as text")


# -- CSV -----------------------------------------------------------------------------------------------------------


class Notes:
    """Problems by line, at most ``MAX_PROBLEMS`` of them and how many more; and what was passed over."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.found: list[Problem] = []
        self.more = 0
        self.blank = 0
        self.trimmed = 0

    def add(self, place: int | str, reason: str) -> None:
        """Note a problem of a line, or of a place in words."""
        if len(self.found) < MAX_PROBLEMS:
            where = f"line {place}" if isinstance(place, int) else place
            self.found.append(Problem("query-input-invalid", f"{self.file}, {where}", {"reason": reason}))
        else:
            self.more += 1

    def raise_any(self) -> None:
        """Refuse where there is one.

        Raises:
            TrustQueryError: ``query-input-invalid``: each of them.
        """
        if self.more:
            self.found.append(Problem("query-input-invalid", self.file, {"reason": f"and {self.more} more problems"}))
        if self.found:
            raise TrustQueryError.of(self.found)

    def ignored(self) -> tuple[str, ...]:
        """What was passed over, in words."""
        told = []
        if self.blank:
            told.append(f"{self.blank} blank lines were passed over")
        if self.trimmed:
            told.append(f"white space around {self.trimmed} values was taken off")
        return tuple(told)


def _from_csv(text: str, file: str, name: str, version: int) -> Reading:
    notes = Notes(file)
    lines = _lines(text, notes)
    line, heading = next(lines, (1, []))
    columns = _columns(heading, line, notes)
    notes.raise_any()
    key = code_column(columns)
    place = columns.index(key) if key is not None else None
    seen: dict[object, int] = {}
    rows: list[tuple[Value, ...]] = []
    places: list[str] = []
    for line, cells in lines:
        if len(cells) != len(columns):
            notes.add(line, f"it has {len(cells)} fields where the heading has {len(columns)}")
            continue
        row = tuple(cell or None for cell in cells)
        for column, cell in zip(columns, cells, strict=True):
            if len(cell) > MAX_TEXT:
                notes.add(line, f"the value of {column} is longer than {MAX_TEXT} characters")
        if place is not None and row[place] is None:
            notes.add(line, f"the {columns[place]} is empty")
        elif (same := row if place is None else row[place]) in seen:
            what = "row" if place is None else columns[place]
            notes.add(line, f"the same {what} is in line {seen[same]}")
        else:
            seen[same] = line
        if len(rows) == MAX_ROWS:
            notes.add(line, f"there are more than {MAX_ROWS} rows")
            break
        rows.append(row)
        places.append(f"line {line}")
    if not rows:
        notes.add(line, "there is no row below the heading")
    notes.raise_any()
    headings = tuple(PublicColumn(column, ColumnType.TEXT, "") for column in columns)
    table = PublicTable(name, version, name, CSV_SOURCE, headings, tuple(rows))
    return Reading(table, tuple(places), notes.ignored())


def _lines(text: str, notes: Notes) -> Iterator[tuple[int, list[str]]]:
    """Rows with the number of their last line; blank lines are passed over, white space around values is not kept."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        for cells in reader:
            values = [cell.strip() for cell in cells]
            if any(values):
                notes.trimmed += sum(value != cell for value, cell in zip(values, cells, strict=True))
                yield reader.line_num, values
            else:
                notes.blank += 1
    except csv.Error:
        notes.add(max(reader.line_num, 1), "it is not CSV: a quotation mark or line end is out of place")


def _columns(heading: Sequence[str], line: int, notes: Notes) -> list[str]:
    found: list[str] = []
    if not heading:
        notes.add(line, "there is no heading row")
    if len(heading) > MAX_COLUMNS:
        notes.add(line, f"there are more than {MAX_COLUMNS} columns")
        return found
    for place, text in enumerate(heading, start=1):
        column = plain_name(text)
        if not column:
            notes.add(line, f"column {place} has no name")
        elif column in found:
            notes.add(line, f"two columns are called {column}")
        found.append(column)
    return found
