"""Whose NHS number is which: read from the trust's own file when it is needed, and not kept.

A file names person keys as the source tables do, and a number beside each. A number that is not verified is no number,
and a person with two different ones has none: it cannot be told whose choice would be asked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import duckdb
from sqlglot import exp

from node_agent.config import NumbersConfig
from node_agent.engines.sql import DIALECT
from node_agent.optout.numbers import verified
from node_agent.sources.prepare import typed_value
from trustquery.catalogue import Column, load
from trustquery.errors import TrustQueryError

__all__ = ["numbers_of"]

_READERS = {
    "parquet": "CREATE TEMP TABLE _numbers AS SELECT * FROM read_parquet($path)",
    "csv": "CREATE TEMP TABLE _numbers AS "
    "SELECT * FROM read_csv($path, all_varchar = true, header = true, nullstr = '')",
}


def numbers_of(config: Sequence[NumbersConfig], dataset: str, resolve: Callable[[str], Path]) -> dict[str, str]:
    """Person key, as the prepared store writes it, to verified NHS number; people without one are not in it.

    Args:
        resolve: turns a configured path into an absolute one.

    Raises:
        TrustQueryError: ``optout-not-configured``, ``optout-numbers``.
    """
    found = next((item for item in config if item.dataset == dataset), None)
    if found is None:
        raise TrustQueryError("optout-not-configured", part=f"[[nhs_numbers]] for {dataset}")
    key = _key_column(dataset)
    try:
        with duckdb.connect(":memory:", config={"threads": "1"}) as connection:
            connection.execute(_READERS[found.format], {"path": str(resolve(found.path))})
            names = {
                str(row[0]).strip().lower(): str(row[0]) for row in connection.execute("DESCRIBE _numbers").fetchall()
            }
            for column in (found.person, found.number):
                if column.lower() not in names:
                    raise TrustQueryError("optout-numbers", dataset=dataset, problem=f"there is no column {column}")
            raw_key = exp.column(names[found.person.lower()], quoted=True)
            person = exp.cast(typed_value(key, raw_key), "VARCHAR", dialect=DIALECT)
            number = exp.cast(exp.column(names[found.number.lower()], quoted=True), "VARCHAR", dialect=DIALECT)
            rows = connection.execute(exp.select(person, number).from_("_numbers").sql(DIALECT))
            return _of_people(rows)
    except duckdb.Error as error:
        # The engine's own message may hold values; it goes nowhere.
        raise TrustQueryError("optout-numbers", dataset=dataset, problem="the file cannot be read") from error


def _of_people(rows: duckdb.DuckDBPyConnection) -> dict[str, str]:
    found: dict[str, str] = {}
    torn: set[str] = set()
    while batch := rows.fetchmany(100_000):
        for person, text in batch:
            number = verified(text)
            if person is None or number is None:
                continue
            if found.setdefault(person, number) != number:
                torn.add(person)
    return {person: number for person, number in found.items() if person not in torn}


def _key_column(dataset: str) -> Column:
    """The column of person keys, which is of one type in all tables of a dataset."""
    for table in load(dataset).tables:
        if table.kind == "person":
            return next(column for column in table.columns if column.name == table.person_key)
    raise TrustQueryError("optout-numbers", dataset=dataset, problem="its catalogue has no people")
