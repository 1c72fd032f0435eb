"""The public list of inputs: every codelist and look-up that queries may pin or could once, and who decided on it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

import structlog

from coordinator.services import Base
from coordinator.store import InputRow
from trustquery.codelists import PublicTable
from trustquery.errors import TrustQueryError
from trustquery.identity import canonical
from trustquery.projects.inputs import InputDecision, InputState
from trustquery.projects.register import iso_day

__all__ = ["INPUT_COLUMNS", "InputEntry", "inputs_document", "is_open", "read_inputs"]

_log = structlog.get_logger()
INPUT_COLUMNS = (
    "Name", "Version", "State", "Title", "Where it comes from", "Coding system", "Rows", "SHA-256", "Project",
    "Approved by", "Approved on", "Reason of the approval", "Withdrawn by", "Withdrawn on", "Reason of the withdrawal",
)  # fmt: skip


def is_open(row: InputRow) -> bool:
    """Whether everybody may know of an input: it was approved, also where it was withdrawn since."""
    return row.state == InputState.APPROVED or (row.state == InputState.WITHDRAWN and bool(row.approval))


@dataclass(frozen=True)
class InputEntry:
    """One version of an input.

    Attributes:
        columns: by ``INPUT_COLUMNS``; "" where there is nothing to say.
        project: its name where the register has it, else "": an application is nobody's business yet.
        documents: the signed decisions, by verdict, envelopes as text.
    """

    columns: Mapping[str, str | int]
    project: str
    documents: Mapping[str, str]

    @property
    def anchor(self) -> str:
        """Its place on the page."""
        return f"{self.columns['Name']}-{self.columns['Version']}"

    def document(self) -> dict[str, Any]:
        """As JSON data, with what it takes to check it without us."""
        return {"columns": dict(self.columns), "project": self.project, "documents": dict(self.documents)}


def read_inputs(
    base: Base, listed: Collection[str], words: MutableMapping[str, tuple[str, str]]
) -> tuple[InputEntry, ...]:
    """Every input that was ever approved, by name and version.

    Args:
        listed: projects of the register.
        words: title and source by the hash of the content: large tables are read once, and added here.
    """
    withdrawals = base.store.inputs.withdrawals()
    roster = base.rosters.found()
    names = {item.person: item.name for item in roster.committee} if roster is not None else {}
    found = []
    for row in base.store.inputs.everyone():
        try:
            if is_open(row):
                title = words.get(row.sha256) or words.setdefault(row.sha256, _words(base, row))
                ended = withdrawals.get((row.name, row.version), b"")
                found.append(_entry(row, title, ended, listed, names))
        except TrustQueryError as error:
            # It was checked when it came; one that cannot be read any more must not take the list down.
            _log.warning("unreadable-input", name=row.name, version=row.version, code=error.code)
    return tuple(found)


def _words(base: Base, row: InputRow) -> tuple[str, str]:
    document = base.store.inputs.content(row.sha256)
    if document is None:
        raise TrustQueryError("query-input-absent", table=row.name)
    table = PublicTable.from_document(canonical.decode(document, document="public-table"))
    return table.title, table.source


def _entry(
    row: InputRow, words: tuple[str, str], withdrawal: bytes, listed: Collection[str], names: Mapping[str, str]
) -> InputEntry:
    columns: dict[str, str | int] = {
        "Name": row.name, "Version": row.version, "State": row.state, "Title": words[0],
        "Where it comes from": words[1], "Coding system": row.system, "Rows": row.rows, "SHA-256": row.sha256,
        "Project": row.project if row.project in listed else "",
    }  # fmt: skip
    documents = {}
    for verdict, word, envelope in (
        ("approve", ("Approved", "approval"), row.approval),
        ("withdraw", ("Withdrawn", "withdrawal"), withdrawal),
    ):
        found = InputDecision.read(envelope) if envelope else None
        columns[f"{word[0]} by"] = names.get(found.person, found.person) if found is not None else ""
        columns[f"{word[0]} on"] = iso_day(found.decided) if found is not None else ""
        columns[f"Reason of the {word[1]}"] = found.reason if found is not None else ""
        if envelope:
            documents[verdict] = envelope.decode("ascii")
    return InputEntry(columns, str(columns["Project"]), documents)


def inputs_document(federation: str, entries: Collection[InputEntry], now: int) -> dict[str, Any]:
    """The whole list as JSON data; the rosters that the signatures are checked with are in the register's."""
    return {
        "format": "tq-inputs-1",
        "federation": federation,
        "as_of": iso_day(now),
        "columns": list(INPUT_COLUMNS),
        "inputs": [entry.document() for entry in entries],
    }
