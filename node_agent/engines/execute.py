"""One job on tables in memory: the exact vector of a plan, or counts by label.

Runs in a process of its own (``parent``). The tables are Arrow columns. DuckDB reads them where they are, filters,
joins and computes; what a bound may cut goes to ``kernel``, some people after others, so that neither a sort nor a
copy of all rows is ever needed: every step of a relation stays within one person.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from node_agent.engines.by_value import by_value
from node_agent.engines.columns import in_one_piece
from node_agent.engines.job import ABSENT, Integers, Job
from node_agent.engines.kernel import People, Sums, group
from node_agent.engines.names import COUNT
from node_agent.engines.settings import limit
from node_agent.engines.workers import Worker, bound_and_add, labelled, merged

__all__ = ["run"]


def run(
    connection: duckdb.DuckDBPyConnection, job: Job, people: Mapping[str, pa.Table], public: Mapping[str, pa.Table]
) -> list[Integers] | dict[str, int]:
    """The exact vector, block by block; or the exact counts by label.

    Args:
        connection: to a database that was opened for this job alone (``settings.opened``).
        people: tables about people, by their name in SQL, each in the order of ``_p``.
        public: public tables.

    Raises:
        duckdb.Error, MemoryError, OverflowError: whatever happens in an engine.
    """
    # Where everything is computed part by part, as many parts at a time as there are threads, each has one.
    limit(connection, memory_mb=job.memory_mb, threads=1 if job.apart else job.threads, seconds=job.seconds)
    for name, table in {**people, **public}.items():
        connection.register(name, table)
    connection.execute("SET lock_configuration = true")
    if job.mapped is not None:
        workers = by_value(connection, job, job.mapped, people[job.mapped.table])
        if workers is not None:
            return labelled(workers) if not job.lengths else [merged(workers, at) for at in range(len(job.lengths))]
    found = [np.zeros(length, np.int64) for length in job.lengths]
    sums = {place: Sums(length, 0) for place, length in enumerate(job.lengths)}
    if not job.apart:
        _plain(connection, job, sums)
    if job.rows is not None:
        connection.execute(job.rows)
    for place, statement in job.ranked.items():
        if not job.lengths:
            return dict(connection.execute(statement).fetchall())
        for cell, value in connection.execute(statement).fetchall():
            found[place][cell] = value
    by_part = job.stream is not None or (job.apart and job.plain)
    workers = _by_part(connection, job, people, public) if by_part else []
    if not job.lengths:
        return labelled(workers)
    for place in range(len(found)):
        if place not in job.ranked:
            found[place] = merged(workers, place, sums[place])
    return found


def _plain(connection: duckdb.DuckDBPyConnection, job: Job, sums: Mapping[int, Sums]) -> None:
    """Add what no bound can cut."""
    for statement in job.plain:
        table = connection.sql(statement).to_arrow_table()
        where = _integers(table, "_c")
        blocks = [block for block in sums if f"_low{block}" in table.column_names]
        if "_v" in table.column_names:
            [block] = blocks
            span, cuts = job.spans[block]
            np.add.at(sums[block].low, where * span + _bins(table, "_v", cuts), _integers(table, f"_low{block}"))
            continue
        for block in blocks:
            sums[block].low[where] += _integers(table, f"_low{block}")
            if f"_high{block}" in table.column_names:
                sums[block].high[where] += _integers(table, f"_high{block}")


def _by_part(
    connection: duckdb.DuckDBPyConnection, job: Job, people: Mapping[str, pa.Table], public: Mapping[str, pa.Table]
) -> list[Worker]:
    """Bound and add up, some people after others, as many at a time as there are threads."""
    parts = _parts(people, job)
    mine, workers, lock = threading.local(), list[Worker](), threading.Lock()

    def work(part: Mapping[str, pa.Table]) -> None:
        worker: Worker | None = getattr(mine, "worker", None)
        if worker is None:
            sums = {place: Sums(bound.places, job.cells) for place, bound in job.bounded.items()}
            if job.apart:
                sums |= {place: Sums(length, 0) for place, length in enumerate(job.lengths) if place not in sums}
            worker = mine.worker = Worker(connection.cursor(), sums)
            for name, table in public.items():
                worker.cursor.register(name, table)
            with lock:
                workers.append(worker)
        for name, table in part.items():
            worker.cursor.register(name, table)
        if job.apart:
            _plain(worker.cursor, job, worker.sums)
        if job.stream is not None:
            _add(worker, job, worker.cursor.sql(job.stream).to_arrow_table())

    with ThreadPoolExecutor(job.threads) as pool:
        # Reading the results raises what was raised.
        list(pool.map(work, parts))
    return workers


def _parts(people: Mapping[str, pa.Table], job: Job) -> list[dict[str, pa.Table]]:
    """The tables cut into the same ranges of people, each a view of the whole."""
    few = 0 if job.apart else min(bound.few for bound in job.bounded.values())
    index = {name: _numbers(table, "_p") for name, table in people.items()}
    last = max((int(found[-1]) for found in index.values() if len(found)), default=0) + 1
    if few:
        # Others never leave the database.
        rows = max(
            int(np.count_nonzero(_numbers(table, COUNT) > few))
            for table in people.values()
            if COUNT in table.column_names
        )
    else:
        rows = max((len(found) for found in index.values()), default=0)
    count = min(max(-(-rows // job.rows_at_a_time), job.threads if 4 * rows > job.rows_at_a_time else 1), last)
    # Of the same type: else every column would be copied into the wider one.
    edges = np.array([last * at // count for at in range(count + 1)], np.int32)
    cuts = {name: np.searchsorted(found, edges) for name, found in index.items()}
    return [
        {name: table.slice(cuts[name][at], cuts[name][at + 1] - cuts[name][at]) for name, table in people.items()}
        for at in range(count)
    ]


def _add(worker: Worker, job: Job, table: pa.Table) -> None:
    if not table.num_rows:
        return
    if job.lengths:
        cells = _integers(table, "_c")
    else:
        cells = _numbered(table.column("_c"), worker.labels)
        for sums in worker.sums.values():
            sums.grow(len(worker.labels))
    ranks = np.stack([_integers(table, f"_k{part}") for part in range(job.parts)])
    order, starts = group(_numbers(table, "_p"))
    if order is not None:
        ranks, cells = np.ascontiguousarray(ranks[:, order]), cells[order]
    own = People(starts, ranks, cells)
    for at, (place, bound) in enumerate(job.bounded.items()):
        added = _bins(table, f"_a{at}", bound.cuts) if bound.span else _integers(table, f"_a{at}")
        bound_and_add(own, added if order is None else added[order], worker.sums[place], bound)


def _numbered(labels: pa.ChunkedArray, known: dict[str, int]) -> Integers:
    """Labels as numbers, in the order in which a worker met them."""
    encoded = labels.combine_chunks().dictionary_encode()
    numbers = [known.setdefault(label, len(known)) for label in encoded.dictionary.to_pylist()]
    places: Integers = np.array(numbers, np.int64)[encoded.indices.to_numpy()]
    return places


def _bins(table: pa.Table, name: str, cuts: Sequence[float]) -> Integers:
    """The bins of values: how many cuts are at or below each; ``ABSENT`` for NaN."""
    values = _numbers(table, name)
    found: Integers = np.searchsorted(np.asarray(cuts, np.float64), values, side="right")
    found[np.isnan(values)] = ABSENT
    return found


def _integers(table: pa.Table, name: str) -> Integers:
    found: Integers = _numbers(table, name).astype(np.int64, copy=False)
    return found


def _numbers(table: pa.Table, name: str) -> Any:
    """A column without NULL."""
    return in_one_piece(table.column(name)).to_numpy()
