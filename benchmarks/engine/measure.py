"""Times and memory of one question: ours and plain DuckDB's, in turn, over the same columns in memory."""

from __future__ import annotations

import dataclasses
import gc
import os
import statistics
import struct
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import duckdb
import pyarrow as pa

from node_agent.engines import execute
from node_agent.engines.names import PERSON
from node_agent.engines.order import Task

__all__ = ["Seconds", "memory", "raw_tables", "time_both", "time_parts"]

MIB = 1024 * 1024


@dataclass(frozen=True)
class Seconds:
    """Medians over the runs of one question.

    Attributes:
        raw: plain DuckDB, on a connection that is open.
        ours: the exact bounded vector, from a task and columns to integers, a database of its own included.
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
            execute.run(task.job, people, task.public)
            ended = time.perf_counter()
            if at >= 2:
                plain.append(middle - started)
                ours.append(ended - middle)
    return Seconds(statistics.median(plain), statistics.median(ours), cells)


def time_parts(task: Task, people: Mapping[str, pa.Table], *, runs: int) -> dict[str, float]:
    """Where the time goes: medians of each part alone, in seconds."""
    parts: dict[str, list[float]] = {}

    def clock(name: str, work: Callable[[], object]) -> None:
        started = time.perf_counter()
        work()
        parts.setdefault(name, []).append(time.perf_counter() - started)

    nothing = dataclasses.replace(task.job, plain=(), stream=None)
    plain = dataclasses.replace(task.job, stream=None)
    for _ in range(runs):
        clock("database", lambda: execute.run(nothing, people, task.public))
        clock("plain", lambda: execute.run(plain, people, task.public))
        if task.job.stream is not None:
            clock("all", lambda: execute.run(task.job, people, task.public))
            with mock.patch.object(execute, "_add", return_value=None):
                clock("rows", lambda: execute.run(task.job, people, task.public))
    found = {name: statistics.median(times) for name, times in parts.items()}
    streamed, rows = found.get("all", found["plain"]), found.get("rows", found["plain"])
    return {
        "opening a database": found["database"],
        "plain GROUP BY": max(0.0, found["plain"] - found["database"]),
        "rows of people whom a bound may cut": max(0.0, rows - found["plain"]),
        "bounding and adding up": max(0.0, streamed - rows),
    }


def memory(work: Callable[[], object]) -> int:
    """Bytes that some work takes at its peak, beyond what there was: measured in a fork, which shares the columns."""
    near, far = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            gc.collect()
            # Start the high-water mark afresh (proc(5), clear_refs).
            Path("/proc/self/clear_refs").write_text("5")
            before = _private("VmRSS")
            work()
            os.write(far, struct.pack("<q", _private("VmHWM") - before))
            status = 0
        finally:
            os._exit(status)
    os.close(far)
    with os.fdopen(near, "rb") as pipe:
        data = pipe.read()
    os.waitpid(child, 0)
    found: int = struct.unpack("<q", data)[0]
    return found


def _private(name: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(name)
