"""Refresh: read the trust's tables, give them the catalogue's types, rank every row within its person.

The rank is fixed here, once a refresh (formats.md, "Rank"): it depends on the row's own person and the version's
key alone, so adding a person leaves every other person's rows and ranks as they were.
"""

from __future__ import annotations

import dataclasses
import errno
from collections.abc import Callable, Sequence
from pathlib import Path

import duckdb
from pyarrow.lib import ArrowException
from sqlglot import exp

from node_agent.config import SourceConfig
from node_agent.engines.settings import DISABLED_OPTIMIZERS
from node_agent.engines.sql import COUNT, DIALECT, ORDER, PERSON, H, U, fill
from node_agent.sources.allowing import OptOuts, write_allowed
from node_agent.sources.building import Building, Job
from node_agent.sources.sealed import PEOPLE, ROWS_PER_GROUP, Seal, write_table
from node_agent.sources.store import Store, TableReport, install
from trustquery.catalogue import Column, ColumnType, Role, Table, load
from trustquery.errors import TrustQueryError
from trustquery.reference.rank import SEPARATOR

__all__ = ["Limits", "Progress", "build", "check_sources", "refresh", "typed_value"]

Progress = Callable[[str, float], None]
"""Called with a table's name and the share done, 0 to 1."""


@dataclasses.dataclass(frozen=True)
class Limits:
    """What preparing may take, within limits of the operating system's (``preparing_child``).

    Attributes:
        memory_mb: of the process, MiB; the database has three quarters of it.
    """

    memory_mb: int

    @property
    def settings(self) -> dict[str, str]:
        """As settings of DuckDB's."""
        return {"memory_limit": f"{self.memory_mb * 3 // 4}MiB"}


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
    key: bytes | None,
    threads: int = 2,
    opt_outs: OptOuts | None = None,
    limits: Limits | None = None,
) -> Store:
    """Prepare the next data version from every source and put it in use.

    One that was interrupted goes on after the last table that was finished, as long as no source file has changed.

    Args:
        sources: the ``[[source]]`` tables of ``node.toml``.
        resolve: turns a configured path into an absolute one.
        folder: the store's folder.
        progress: called after each step.
        key: the 32 bytes that encrypt the files; None for plain files.
        opt_outs: the lists of opt-outs to go by; without them a question that needs them is refused.
        limits: what it may take; None for DuckDB's own.

    Raises:
        TrustQueryError: ``data-source-missing``, ``data-source-column``, ``data-source-heavy``,
            ``data-prepare-failed``; the version in use stays in use.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    jobs = [(source.dataset, table, path) for source in sources for table, path in _found(source, resolve(source.path))]
    building = Building.begin(folder, jobs, encrypted=key is not None)
    reports = build(jobs, building, key=key, progress=progress, threads=threads, limits=limits)
    used = write_allowed(building, {job[0] for job in jobs}, opt_outs, key)
    store = dataclasses.replace(building.finish(reports), opt_outs=used)
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
    jobs: Sequence[Job],
    building: Building,
    *,
    key: bytes | None,
    progress: Progress | None = None,
    threads: int = 2,
    limits: Limits | None = None,
) -> list[TableReport]:
    """Write each table's file: in the order of people and, within a person, of rank.

    Args:
        jobs: dataset, table and source file.

    Raises:
        TrustQueryError: ``data-source-column``, ``data-source-heavy``, ``data-prepare-failed``.
    """
    seal, done = building.seal(key), building.reports()
    steps = _Steps(progress, len(jobs) + len({dataset for dataset, _, _ in jobs}))
    config: dict[str, str | bool | int | float | list[str]] = {
        "threads": threads,
        "disabled_optimizers": DISABLED_OPTIMIZERS,
        # Nothing is put aside on the disk: it would be patients' rows, and DuckDB 2.0.0 cannot encrypt what it writes.
        "temp_directory": "",
    }
    if limits is not None:
        config |= limits.settings
    numbered, at = None, "a source"
    try:
        with duckdb.connect(":memory:", config=config) as connection:
            # A moment with a time zone becomes UTC at every trust, whatever the machine's own zone.
            connection.execute("SET TimeZone = 'UTC'")
            for dataset, table, path in jobs:
                at = table.name
                if dataset != numbered:
                    _number_people(connection, [job for job in jobs if job[0] == dataset])
                    found = connection.sql("SELECT _i, _key FROM _people ORDER BY _i").to_arrow_reader(ROWS_PER_GROUP)
                    write_table(building.folder, dataset, PEOPLE, found, seal)
                    numbered = dataset
                    steps.done(f"{dataset} people")
                if (dataset, table.name) not in done:
                    report = _prepare(connection, dataset, table, path, building, seal)
                    building.note(report)
                    done[dataset, table.name] = report
                steps.done(f"{dataset} {table.name}")
    except (duckdb.Error, OSError, ArrowException, MemoryError) as error:
        if _too_heavy(error):
            raise TrustQueryError("data-source-heavy", table=at) from error
        # The engine's own message may hold values; it goes nowhere.
        raise TrustQueryError("data-prepare-failed", table=numbered or "any table") from error
    building.check_sources(jobs)
    return [done[dataset, table.name] for dataset, table, _ in jobs]


def _too_heavy(error: Exception) -> bool:
    """Whether memory or the disk was not enough."""
    if isinstance(error, OSError):
        return error.errno in (errno.EFBIG, errno.ENOSPC, errno.ENOMEM)
    return isinstance(error, duckdb.OutOfMemoryException | MemoryError)


class _Steps:
    def __init__(self, progress: Progress | None, count: int) -> None:
        self._progress, self._count, self._at = progress, count, 0

    def done(self, label: str) -> None:
        self._at += 1
        if self._progress:
            self._progress(label, self._at / self._count)


def _columns(connection: duckdb.DuckDBPyConnection, table: Table, path: Path) -> dict[str, str]:
    """Catalogue column to the source's own spelling of its name."""
    try:
        found = connection.execute(_READERS[path.suffix.lower().lstrip(".")], {"path": str(path)}).description or []
        connection.fetchall()
    except (duckdb.Error, MemoryError) as error:
        if _too_heavy(error):
            raise TrustQueryError("data-source-heavy", table=table.name) from error
        raise TrustQueryError("data-source-missing", source=table.name) from error
    names = {str(item[0]).strip().lower(): str(item[0]) for item in found}
    for column in table.columns:
        if column.name not in names:
            raise TrustQueryError("data-source-column", table=table.name, column=column.name)
    return names


def _load(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    connection.execute(_SOURCES[path.suffix.lower().lstrip(".")], {"path": str(path)})


def _number_people(connection: duckdb.DuckDBPyConnection, jobs: Sequence[Job]) -> None:
    """Makes ``_people``: each person key of a dataset, as text, with its dense index.

    The index says where a person's rows stand, and nothing else: no rule asks it which rows are kept.
    """
    connection.execute("CREATE OR REPLACE TEMP TABLE _keys (_key VARCHAR)")
    for _, table, path in jobs:
        names = _columns(connection, table, path)
        _load(connection, path)
        key = table.columns[[column.name for column in table.columns].index(str(table.person_key))]
        person = exp.cast(typed_value(key, exp.column(names[key.name], quoted=True)), "VARCHAR", dialect=DIALECT)
        keys = exp.select(exp.alias_(person, "_key", quoted=True)).distinct().from_(_SOURCE)
        connection.execute(exp.insert(keys, "_keys").sql(DIALECT))
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE _people AS SELECT _key, CAST(row_number() OVER (ORDER BY _key) - 1 AS INTEGER) "
        "AS _i FROM (SELECT DISTINCT _key FROM _keys WHERE _key IS NOT NULL)"
    )
    connection.execute("DROP TABLE _keys")


def _prepare(
    connection: duckdb.DuckDBPyConnection, dataset: str, table: Table, path: Path, building: Building, seal: Seal
) -> TableReport:
    names = _columns(connection, table, path)
    _load(connection, path)
    raw = {column.name: exp.column(names[column.name], quoted=True) for column in table.columns}
    typed = {column.name: typed_value(column, raw[column.name]) for column in table.columns}
    unreadable = _counts(connection, table, raw, typed)
    rows_in = _one(connection, exp.select(exp.Count(this=exp.Star())).from_(_SOURCE))
    ranked = connection.sql(
        _ranked(table, typed, str(table.person_key)).sql(DIALECT),
        params={
            "rank_key": building.rank_key,
            "data_version": str(building.data_version),
            "name": table.name,
            "separator": SEPARATOR,
        },
    ).to_arrow_reader(ROWS_PER_GROUP)
    # Identifiers are nearly all different: a dictionary of them would be a second copy.
    text = [column for column in table.columns if column.type is ColumnType.TEXT and column.role is not Role.JOIN_ONLY]
    rows = write_table(building.folder, dataset, table.name, ranked, seal, {column.name for column in text})
    connection.execute("DROP TABLE _source")
    return TableReport(dataset, table.name, rows_in, rows, rows_in - rows, unreadable)


def typed_value(column: Column, raw: exp.Expr) -> exp.Expr:
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
    [found] = connection.execute(exp.select(*items).from_(_SOURCE).sql(DIALECT)).fetchall()
    return {column.name: int(count) for column, count in zip(table.columns, found, strict=True) if count}


def _ranked(table: Table, typed: dict[str, exp.Expr], key: str) -> exp.Select:
    person = exp.cast(exp.column(key, quoted=True), "VARCHAR", dialect=DIALECT)
    clean = exp.select(*(exp.alias_(value, name, quoted=True) for name, value in typed.items())).from_(_SOURCE)
    clean = clean.where(fill(":0 IS NOT NULL", typed[key]))
    columns = [exp.column(column.name, quoted=True) for column in table.columns]
    with_h = exp.select("*", exp.alias_(person, "_key", quoted=True), _position([key], columns, H)).from_(
        clean.subquery("clean", copy=False)
    )
    text = fill(
        "$data_version || $separator || $name || $separator || :0 || $separator || CAST(:1 AS VARCHAR)",
        exp.column("_key", quoted=True),
        exp.column(H, quoted=True),
    )
    # u: the first 31 bits of SHA-256(rank_key ‖ …).
    u = fill("CAST(CAST('0x' || left(sha256($rank_key || encode(:0)), 8) AS UBIGINT) >> 1 AS BIGINT)", text)
    with_u = exp.select("*", exp.alias_(u, U, quoted=True)).from_(with_h.subquery("with_h", copy=False))
    kept = [exp.column(column.name, quoted=True) for column in table.columns if column.name != key]
    order = [exp.column(U, quoted=True), exp.column(H, quoted=True)]
    count = exp.Window(this=exp.Count(this=exp.Star()), partition_by=[exp.column("_key", quoted=True)])
    index = exp.alias_(exp.column("_i", quoted=True), PERSON, quoted=True)
    added = [*order, _position(["_key"], order, ORDER).this, count]
    items = [
        exp.alias_(exp.cast(item.copy(), "INTEGER", dialect=DIALECT), name, quoted=True)
        for item, name in zip(added, (U, H, ORDER, COUNT), strict=True)
    ]
    found = exp.select(index, *items, *kept).from_(with_u.subquery("with_u", copy=False))
    found = found.join(exp.to_table("_people"), using=[exp.to_identifier("_key", quoted=True)])
    return found.order_by(*(exp.column(name, quoted=True) for name in (PERSON, ORDER)))


def _position(partition: list[str], order: Sequence[exp.Expr], name: str) -> exp.Expr:
    window = exp.Window(
        this=exp.RowNumber(),
        partition_by=[exp.column(item, quoted=True) for item in partition],
        order=exp.Order(expressions=[exp.Ordered(this=item.copy(), nulls_first=True) for item in order]),
    )
    return exp.alias_(window, name, quoted=True)


def _one(connection: duckdb.DuckDBPyConnection, query: exp.Select) -> int:
    [(found,)] = connection.execute(query.sql(DIALECT)).fetchall()
    return int(found)
