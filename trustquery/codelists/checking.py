"""The whole check of a codelist or look-up: its form, whose codes it holds, what was passed over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trustquery.codelists.files import Notes, Reading, code_column, read_lines
from trustquery.codelists.systems import SYSTEMS, CodingSystem, System, looks_like
from trustquery.codelists.table import PublicTable
from trustquery.errors import TrustQueryError
from trustquery.identity import canonical

__all__ = ["MAX_INPUT_BYTES", "InputReport", "check_input"]

MAX_INPUT_BYTES = 1_500_000
"""What an input may take: as a file on its way, and as canonical bytes, which are sent to whoever uses it."""
_DMD_KINDS = frozenset({"VTM", "VMP", "VMPP", "AMP", "AMPP"})


@dataclass(frozen=True)
class InputReport:
    """An input that is in order.

    Attributes:
        column: the one that holds the codes; "" for a look-up.
        notes: what was passed over, and what its reader should know; in words.
    """

    table: PublicTable
    system: CodingSystem
    column: str
    notes: tuple[str, ...]


def check_input(
    content: bytes,
    file: str,
    *,
    system: CodingSystem,
    column: str = "",
    name: str | None = None,
    version: int | None = None,
) -> InputReport:
    """Check a file from its bytes.

    Args:
        system: what its codes are.
        column: the one that holds them, as a plain name; found by its heading where "".
        name: as in ``read_lines``; likewise ``version``.

    Raises:
        TrustQueryError: ``query-input-invalid``: every problem, with its line.
    """
    if len(content) > MAX_INPUT_BYTES:
        raise TrustQueryError("query-input-invalid", file, reason=f"it is larger than {MAX_INPUT_BYTES:,} bytes")
    reading = read_lines(content, file, name=name, version=version)
    if len(canonical.encode(reading.table.document())) > MAX_INPUT_BYTES:
        raise TrustQueryError("query-input-invalid", file, reason=f"it makes more than {MAX_INPUT_BYTES:,} bytes")
    notes = list(reading.ignored)
    if content.startswith(b"\xef\xbb\xbf"):
        notes.append("a byte-order mark was taken off")
    found = SYSTEMS.get(system)
    if found is None:
        if column:
            raise TrustQueryError("query-input-invalid", file, reason="a look-up has no column of codes")
        notes.append("no code was checked: it was given as a look-up")
        return InputReport(reading.table, system, "", tuple(notes))
    chosen = _column([item.name for item in reading.table.columns], found, column, file)
    values = _codes(reading, chosen, found, file)
    if system is CodingSystem.DMD:
        _check_kinds(reading, file)
    if found.plain is not str and len({"." in value for value in values if len(value) > 3}) == 2:
        notes.append("some codes are written with a dot and some without: data hold one of the two")
    notes.append(f"{len(values)} codes have the form of {found.title}; whether they are in use was not looked up")
    return InputReport(reading.table, system, chosen, tuple(notes))


def _column(columns: Sequence[str], system: System, wanted: str, file: str) -> str:
    if wanted:
        if wanted not in columns:
            reason = f"it has no column {wanted[:63]}; there is {', '.join(columns)}"
            raise TrustQueryError("query-input-invalid", file, reason=reason)
        return wanted
    if "code" in columns:
        return "code"
    found = [name for name in columns if name in system.headings]
    if len(found) == 1:
        return found[0]
    usual = code_column(columns)
    if not found and usual is not None:
        return usual
    known = ", ".join(["code", *sorted(system.headings)])
    reason = (
        f"several columns could hold the codes, {', '.join(found)}: say which with --column"
        if found
        else f"no column is headed as {system.title} codes are ({known}): say which it is with --column"
    )
    raise TrustQueryError("query-input-invalid", file, reason=reason)


def _codes(reading: Reading, column: str, system: System, file: str) -> list[str]:
    """The codes, each of the system and written once.

    Raises:
        TrustQueryError: ``query-input-invalid``: every problem, with its line.
    """
    notes, seen = Notes(file), dict[str, str]()
    place = [item.name for item in reading.table.columns].index(column)
    values: list[str] = []
    for where, row in zip(reading.places, reading.table.rows, strict=True):
        code = row[place]
        if code is None:
            notes.add(where, f"the {column} is empty")
            continue
        text = str(code)
        values.append(text)
        fault = system.fault(text)
        if fault:
            others = looks_like(text)
            also = f"; it looks like {' or '.join(others)}" if others else ""
            notes.add(where, f"{text[:40]} {fault}{also}")
        elif (same := system.plain(text)) in seen:
            notes.add(where, f"the same {column} is in {seen[same]}")
        else:
            seen[same] = where
    notes.raise_any()
    return values


def _check_kinds(reading: Reading, file: str) -> None:
    """A column ``type`` of a dm+d list says VTM, VMP, VMPP, AMP or AMPP."""
    names = [item.name for item in reading.table.columns]
    kind = next((name for name in ("dmd_type", "type") if name in names), None)
    if kind is None:
        return
    notes = Notes(file)
    for where, row in zip(reading.places, reading.table.rows, strict=True):
        value = row[names.index(kind)]
        if str(value).upper() not in _DMD_KINDS:
            notes.add(where, f"the {kind} is not one of {', '.join(sorted(_DMD_KINDS))}")
    notes.raise_any()
