"""Refresh: read the trust's tables, give them the catalogue's types, rank every row within its person.

The rank is fixed here, once a refresh (formats.md, "Rank"): it depends on the row's own person and the version's
key alone, so adding a person leaves every other person's rows and ranks as they were.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import duckdb
from sqlglot import exp

from node_agent.config import SourceConfig
from node_agent.engines.child import DISABLED_OPTIMIZERS
from node_agent.engines.sql import DIALECT, ORDER, PERSON, H, U, fill, stored_name
from node_agent.sources.store import RANK_KEY, Store, TableReport, install
from trustquery.catalogue import Column, ColumnType, Table, load
from trustquery.errors import TrustQueryError
from trustquery.identity import new_secret, write_private_file
from trustquery.reference.rank import SEPARATOR

__all__ = ["Progress", "build", "check_sources", "refresh"]

Progress = Callable[[str, float], None]
"""Called with a table's name and the share done, 0 to 1."""

ENGINE_TYPES = {
    ColumnType.INTEGER: "BIGINT",
    ColumnType.NUMBER: "DOUBLE",
    ColumnType.TEXT: "VARCHAR",
    ColumnType.DATE: "DATE",
    ColumnType.TIMESTAMP: "TIMESTAMP",
    ColumnType.BOOLEAN: "BOOLEAN",
}
_READERS = {
    "parquet": "SELECT * FROM read_parquet($path) LIMIT 0",
    "csv": "SELECT * FROM read_csv($path, all_varchar = true, header = true, nullstr = '') LIMIT 0",
}
_SOURCE = "_source"
_SOURCES = {
    "parquet": "CREATE OR REPLACE TEMP TABLE _source AS SELECT * FROM read_parquet($path)",
    "csv": "CREATE OR REPLACE TEMP TABLE _source AS "
    "SELECT * FROM read_csv($path, all_varchar = true, header = true, nullstr = '')",
}


def refresh(
    sources: Sequence[SourceConfig],
    resolve: Callable[[str], Path],
    folder: Path,
    progress: Progress | None = None,
    *,
    threads: int = 2,
) -> Store:
    """Prepare the next data version from every source and put it in use.

    Args:
        sources: the ``[[source]]`` tables of ``node.toml``.
        resolve: turns a configured path into an absolute one.
        folder: the store's folder.
        progress: called after each table.

    Raises:
        TrustQueryError: ``data-source-missing``, ``data-source-column``, ``data-prepare-failed``; the version in
            use stays in use.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        version = Store.open(folder).data_version + 1
    except TrustQueryError:
        version = 1 + max((int(old.name[1:]) for old in folder.glob("v*") if old.name[1:].isdecimal()), default=0)
    building = folder / f"v{version}.building"
    shutil.rmtree(building, ignore_errors=True)
    building.mkdir(mode=0o700)
    jobs = [(source.dataset, table, path) for source in sources for table, path in _found(source, resolve(source.path))]
    rank_key = new_secret(32)
    write_private_file(building / RANK_KEY, rank_key)
    database = building / "data.duckdb"
    reports = build(jobs, database, rank_key=rank_key, data_version=version, progress=progress, threads=threads)
    shutil.rmtree(folder / f"v{version}", ignore_errors=True)
    building.rename(folder / f"v{version}")
    held: dict[str, set[str]] = {}
    for report in reports:
        held.setdefault(report.dataset, set()).add(report.table)
    tables = {name: frozenset(names) for name, names in held.items()}
    store = Store(version, folder / f"v{version}" / "data.duckdb", tables, tuple(reports))
    install(folder, store)
    return store


def _found(source: SourceConfig, folder: Path) -> list[tuple[Table, Path]]:
    """Catalogue tables that the source folder holds."""
    try:
        names = {path.stem.lower(): path for path in folder.iterdir() if path.suffix.lower() == f".{source.format}"}
    except OSError as error:
        raise TrustQueryError("data-source-missing", source=source.dataset) from error
    tables = [table for table in load(source.dataset).tables if table.kind == "person"]
    found = [(table, names[table.name]) for table in tables if table.name in names]
    if not found:
        raise TrustQueryError("data-source-missing", source=source.dataset)
    return found


def check_sources(sources: Sequence[SourceConfig], resolve: Callable[[str], Path]) -> list[tuple[str, str, str]]:
    """What a refresh would find: dataset, table, and "ok" or what is wrong; nothing is stored."""
    rows = []
    with duckdb.connect(":memory:") as connection:
        for source in sources:
            held = dict(_found(source, resolve(source.path)))
            for table in load(source.dataset).tables:
                if table.kind != "person":
                    continue
                result = "not held here"
                if table in held:
                    try:
                        _columns(connection, table, held[table])
                        result = "ok"
                    except TrustQueryError as error:
                        result = error.problem.reason
                rows.append((source.dataset, table.name, result))
    return rows


def build(
    jobs: Sequence[tuple[str, Table, Path]],
    database: Path,
    *,
    rank_key: bytes,
    data_version: int,
    progress: Progress | None = None,
    threads: int = 2,
) -> list[TableReport]:
    """Write ranked tables into a new database file.

    Args:
        jobs: dataset, table and source file.
        rank_key: 32 bytes.

    Raises:
        TrustQueryError: ``data-source-column``, ``data-prepare-failed``.
    """
    reports = []
    config: dict[str, str | bool | int | float | list[str]] = {
        "threads": threads,
        "preserve_insertion_order": "false",
        "disabled_optimizers": DISABLED_OPTIMIZERS,
    }
    with duckdb.connect(str(database), config=config) as connection:
        # A moment with a time zone becomes UTC at every trust, whatever the machine's own zone.
        connection.execute("SET TimeZone = 'UTC'")
        for place, (dataset, table, path) in enumerate(jobs):
            try:
                reports.append(_prepare(connection, dataset, table, path, rank_key, data_version))
            except duckdb.Error as error:
                # The engine's own message may hold values; it goes nowhere.
                raise TrustQueryError("data-prepare-failed", table=table.name) from error
            if progress:
                progress(f"{dataset} {table.name}", (place + 1) / len(jobs))
    os.chmod(database, 0o600)
    return reports


def _columns(connection: duckdb.DuckDBPyConnection, table: Table, path: Path) -> dict[str, str]:
    """Catalogue column to the source's own spelling of its name."""
    try:
        found = connection.execute(_READERS[path.suffix.lower().lstrip(".")], {"path": str(path)}).description or []
    except duckdb.Error as error:
        raise TrustQueryError("data-source-missing", source=table.name) from error
    names = {str(item[0]).strip().lower(): str(item[0]) for item in found}
    for column in table.columns:
        if column.name not in names:
            raise TrustQueryError("data-source-column", table=table.name, column=column.name)
    return names


def _prepare(
    connection: duckdb.DuckDBPyConnection, dataset: str, table: Table, path: Path, rank_key: bytes, data_version: int
) -> TableReport:
    names = _columns(connection, table, path)
    connection.execute(_SOURCES[path.suffix.lower().lstrip(".")], {"path": str(path)})
    key = str(table.person_key)
    raw = {column.name: exp.column(names[column.name], quoted=True) for column in table.columns}
    typed = {column.name: _typed(column, raw[column.name]) for column in table.columns}
    unreadable = _counts(connection, table, raw, typed)
    name = exp.Table(this=exp.to_identifier(stored_name(dataset, table.name), quoted=True))
    ranked = _ranked(table, typed, key)
    connection.execute(
        exp.Create(this=name, kind="TABLE", expression=ranked).sql(DIALECT),
        {"rank_key": rank_key, "data_version": str(data_version), "name": table.name, "separator": SEPARATOR},
    )
    rows_in = _one(connection, exp.select(exp.Count(this=exp.Star())).from_(_SOURCE))
    rows = _one(connection, exp.select(exp.Count(this=exp.Star())).from_(name.copy()))
    connection.execute("DROP TABLE _source")
    return TableReport(dataset, table.name, rows_in, rows, rows_in - rows, unreadable)


def _typed(column: Column, raw: exp.Expr) -> exp.Expr:
    """The source value in the catalogue's type, or NULL: NaN, infinite dates and years beyond 9999 are missing."""
    value: exp.Expr = exp.TryCast(this=raw.copy(), to=exp.DataType.build(ENGINE_TYPES[column.type], dialect=DIALECT))
    if column.type is ColumnType.INTEGER:
        # A cast would round 1.7 to 2 without a word; it is no integer, and is counted as unreadable.
        number = "TRY_CAST(:0 AS DOUBLE)"
        return fill(f"CASE WHEN {number} <> floor({number}) THEN NULL ELSE :1 END", raw, value)
    if column.type is ColumnType.NUMBER:
        return fill("nullif(:0, CAST('nan' AS DOUBLE)) + 0.0", value)
    if column.type in (ColumnType.DATE, ColumnType.TIMESTAMP):
        return fill("CASE WHEN year(:0) BETWEEN 1 AND 9999 THEN :0 ELSE NULL END", value)
    return value


def _counts(
    connection: duckdb.DuckDBPyConnection,
    table: Table,
    raw: dict[str, exp.Column],
    typed: dict[str, exp.Expr],
) -> dict[str, int]:
    """Values that were there and could not be read, by column: reported to IT, never dropped silently."""
    lost = "count(*) FILTER (WHERE :0 IS NOT NULL AND :1 IS NULL)"
    items = [fill(lost, raw[column.name], typed[column.name]) for column in table.columns]
    found = connection.execute(exp.select(*items).from_(_SOURCE).sql(DIALECT)).fetchone() or ()
    return {column.name: int(count) for column, count in zip(table.columns, found, strict=True) if count}


def _ranked(table: Table, typed: dict[str, exp.Expr], key: str) -> exp.Select:
    person = exp.cast(exp.column(key, quoted=True), "VARCHAR", dialect=DIALECT)
    clean = exp.select(*(exp.alias_(value, name, quoted=True) for name, value in typed.items())).from_(_SOURCE)
    clean = clean.where(fill(":0 IS NOT NULL", typed[key]))
    columns = [exp.column(column.name, quoted=True) for column in table.columns]
    with_h = exp.select("*", exp.alias_(person, PERSON, quoted=True), _position([key], columns, H)).from_(
        clean.subquery("clean", copy=False)
    )
    text = fill(
        "$data_version || $separator || $name || $separator || :0 || $separator || CAST(:1 AS VARCHAR)",
        exp.column(PERSON, quoted=True),
        exp.column(H, quoted=True),
    )
    # u: the first 31 bits of SHA-256(rank_key ‖ …).
    u = fill("CAST(CAST('0x' || left(sha256($rank_key || encode(:0)), 8) AS UBIGINT) >> 1 AS BIGINT)", text)
    with_u = exp.select("*", exp.alias_(u, U, quoted=True)).from_(with_h.subquery("with_h", copy=False))
    kept = [exp.column(column.name, quoted=True) for column in table.columns if column.name != key]
    order = [exp.column(U, quoted=True), exp.column(H, quoted=True)]
    items = [*(exp.column(name, quoted=True) for name in (PERSON, U, H)), _position([PERSON], order, ORDER), *kept]
    return exp.select(*items).from_(with_u.subquery("with_u", copy=False))


def _position(partition: list[str], order: Sequence[exp.Expr], name: str) -> exp.Expr:
    window = exp.Window(
        this=exp.RowNumber(),
        partition_by=[exp.column(item, quoted=True) for item in partition],
        order=exp.Order(expressions=[exp.Ordered(this=item.copy(), nulls_first=True) for item in order]),
    )
    return exp.alias_(window, name, quoted=True)


def _one(connection: duckdb.DuckDBPyConnection, query: exp.Select) -> int:
    found: tuple[Any, ...] | None = connection.execute(query.sql(DIALECT)).fetchone()
    return int(found[0]) if found else 0
