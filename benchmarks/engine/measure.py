"""Times and memory of one question: ours and plain DuckDB's, in turn, over the same columns in memory."""

from __future__ import annotations

import dataclasses
import gc
import multiprocessing
import statistics
import time
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import duckdb
import pyarrow as pa

from node_agent.engines import by_value, execute
from node_agent.engines.columns import Columns
from node_agent.engines.names import PERSON
from node_agent.engines.order import Task
from node_agent.engines.settings import opened
from node_agent.sources.sealed import Seal

__all__ = ["Seconds", "answer", "memory", "raw_tables", "time_both", "time_parts"]

MIB = 1024 * 1024


@dataclass(frozen=True)
class Seconds:
    """Medians over the runs of one question.

    Attributes:
        raw: plain DuckDB, on a connection that is open.
        ours: the exact bounded vector, from a task and columns to integers, on a database that is open and empty.
        cells: rows of the raw answer.
    """

    raw: float
    ours: float
    cells: int


def raw_tables(people: Mapping[str, pa.Table], public: Mapping[str, pa.Table]) -> dict[str, pa.Table]:
    """The same columns under the names that plain SQL has for them."""
    found = {}
    for name, table in people.items():
        plain = name.split("/", 1)[1]
        found[plain] = table.rename_columns(
            ["person_id" if column == PERSON else column for column in table.column_names]
        )
    return found | {name.split("/", 1)[1]: table for name, table in public.items()}


def time_both(raw: str, task: Task, people: Mapping[str, pa.Table], *, runs: int, threads: int) -> Seconds:
    """Both, in turn, after two runs of each that do not count."""
    ours, plain, cells = [], [], 0
    with duckdb.connect(":memory:", config={"threads": threads}) as connection:
        for name, table in raw_tables(people, task.public).items():
            connection.register(name, table)
        for at in range(runs + 2):
            gc.collect()
            started = time.perf_counter()
            cells = connection.sql(raw).to_arrow_table().num_rows
            middle = time.perf_counter()
            found = answer(task, people)
            if at >= 2:
                plain.append(middle - started)
                ours.append(found)
    return Seconds(statistics.median(plain), statistics.median(ours), cells)


def answer(task: Task, people: Mapping[str, pa.Table]) -> float:
    """Compute the exact vector on a database that is open, as a fork finds it; seconds."""
    with opened() as connection:
        started = time.perf_counter()
        execute.run(connection, task.job, people, task.public)
        return time.perf_counter() - started


def time_parts(task: Task, people: Mapping[str, pa.Table], *, runs: int) -> dict[str, float]:
    """Where the time goes: medians of each part alone, in seconds."""
    parts: dict[str, list[float]] = {}
    nothing = dataclasses.replace(task, job=dataclasses.replace(task.job, plain=(), stream=None, mapped=None))
    plain = dataclasses.replace(task, job=dataclasses.replace(task.job, stream=None, mapped=None))
    for _ in range(runs):
        parts.setdefault("database", []).append(answer(nothing, people))
        if task.job.mapped is not None:
            parts.setdefault("by value", []).append(answer(task, people))
            with mock.patch.object(by_value, "bound_and_add", return_value=None):
                parts.setdefault("looked up", []).append(answer(task, people))
            continue
        parts.setdefault("plain", []).append(answer(plain, people))
        if task.job.stream is not None:
            parts.setdefault("all", []).append(answer(task, people))
            with mock.patch.object(execute, "_add", return_value=None):
                parts.setdefault("rows", []).append(answer(task, people))
    found = {name: statistics.median(times) for name, times in parts.items()}
    database = found["database"]
    whole, rows = found.get("by value", database), found.get("looked up", database)
    grouped = found.get("plain", database)
    streamed, sent = found.get("all", grouped), found.get("rows", grouped)
    return {
        "setting up": database,
        "looking up by value": max(0.0, rows - database),
        "plain GROUP BY": max(0.0, grouped - database),
        "rows of people whom a bound may cut": max(0.0, sent - grouped),
        "bounding and adding up": max(0.0, streamed - sent) + max(0.0, whole - rows),
    }


def memory(task: Task, folder: Path, seal: Seal) -> int:
    """Bytes that a task takes at its peak beyond the columns that it reads, in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_grown, task, folder, seal).result()


def _grown(task: Task, folder: Path, seal: Seal) -> int:
    tables = Columns().tables(folder, seal, task.reads, everybody=True)
    # What libraries take once for all is not the task's.
    answer(task, {name: table.slice(0, 1_000) for name, table in tables.items()})
    gc.collect()
    # Start the high-water mark afresh (proc(5), clear_refs).
    Path("/proc/self/clear_refs").write_text("5")
    before = _private("VmRSS")
    answer(task, tables)
    return _private("VmHWM") - before


def _private(name: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(name)
