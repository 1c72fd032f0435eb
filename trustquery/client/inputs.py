"""The analyst's own public tables: files on this machine, and what past queries were asked with."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from trustquery.codelists import (
    CodingSystem,
    InputReport,
    PublicTable,
    PublicTables,
    check_input,
    read_table,
    shipped,
    split_name,
)
from trustquery.codelists.files import MAX_FILE_BYTES
from trustquery.errors import TrustQueryError
from trustquery.model import Query as Model

if TYPE_CHECKING:
    from trustquery.catalogue import Catalogue
    from trustquery.client.connection import Connection

__all__ = ["InputFile", "check_file", "fetch_inputs", "open_file", "read_input", "read_inputs"]

_APPROVED = re.compile(r"[a-z][a-z0-9_]{0,62}(@[0-9]{1,9})?")

InputFile = str | Path | PublicTable
"""A file, ``"name=file"``, ``"name@2=file"``; an approved table, ``"name"``, ``"name@2"``; or one that was read.

A text without a dot, a slash or ``=`` is a name: a file that is called so is written ``./name``.
"""


def read_input(given: str | Path) -> PublicTable:
    """Read one file.

    Args:
        given: a path; or a name, with a version where there is one, ``=`` and a path.

    Raises:
        TrustQueryError: ``config-missing``, ``query-input-invalid``.
    """
    content, path, name, version = open_file(given)
    return read_table(content, path, name=name, version=version)


def check_file(given: str | Path, system: CodingSystem, column: str = "") -> InputReport:
    """Check one file wholly, as the coordinator does when it is uploaded.

    Raises:
        TrustQueryError: ``config-missing``, ``query-input-invalid``: every problem, with its line.
    """
    content, file, name, version = open_file(given)
    return check_input(content, file, system=system, column=column, name=name, version=version)


def open_file(given: str | Path) -> tuple[bytes, str, str | None, int | None]:
    """Its bytes, the file's name, and the table's name and version where they are written before it.

    Raises:
        TrustQueryError: ``config-missing``, ``query-input-invalid``.
    """
    name, version, path = None, None, Path(given)
    if isinstance(given, str) and "=" in given:
        before, _, after = given.partition("=")
        name, version = split_name(before)
        path = Path(after)
    try:
        with path.expanduser().open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise TrustQueryError("config-missing", path=path, instead="give the path of a CSV or JSON file") from error
    return content, path.name, name, version


def read_inputs(
    given: Iterable[InputFile], catalogue: Catalogue, approved: Callable[[str], PublicTable]
) -> PublicTables:
    """The public tables for a query on a dataset: those that ship, and the given ones, which stand before them.

    Args:
        approved: finds an approved table by its name, and verifies its approval.

    Raises:
        TrustQueryError: ``config-missing``, ``query-input-…``.
    """
    found: dict[str, PublicTable] = {}
    for item in given:
        if isinstance(item, PublicTable):
            table = item
        elif isinstance(item, str) and _APPROVED.fullmatch(item):
            table = approved(item)
        else:
            table = read_input(item)
        if table.id in found:
            raise TrustQueryError("query-input-invalid", table.id, reason="two of the tables given have this name")
        if catalogue.table(table.id) is not None:
            raise TrustQueryError(
                "query-input-invalid",
                table.id,
                reason=f"{catalogue.id} has a table of this name; give another, NAME=FILE",
            )
        found[table.id] = table
    return shipped().with_more(found.values())


def fetch_inputs(connection: Connection, query: str, model: Model) -> PublicTables:
    """The public tables of an earlier query, as the coordinator keeps them; each is checked against its pin in use.

    Raises:
        TrustQueryError: ``query-unknown``, ``query-input-invalid``.
    """
    ships = {table.pin for table in shipped()}
    if set(model.inputs) <= ships:
        return shipped()
    found = connection.http.get(f"/v1/queries/{query}/inputs")["inputs"]
    return shipped().with_more([PublicTable.from_document(dict(item)) for item in found])
