"""The warm process that engine processes are forked from, one a query.

Run as ``python -I -m node_agent.engines.parent`` with a socket as standard input. It has everything imported and
compiled, holds the columns of earlier queries in memory, and has one thread, so that a fork is sound; it never imports
grpc, and is cut off from every network before it is told anything.

A task comes with a pipe. The fork reads the task, limits itself, runs it and writes the outcome into the pipe. Whatever
goes wrong, it ends without a word: text of the engine's may hold values, so none leaves.
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import struct
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from node_agent.engines import sandbox
from node_agent.engines.columns import Columns

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

    from node_agent.engines.order import Order

__all__ = ["NO_SANDBOX", "READY", "main"]

READY, NO_SANDBOX = b"ready\n", b"no sandbox\n"


def main() -> int:
    """Serve until the other end is closed."""
    control = socket.socket(fileno=sys.stdin.fileno())
    try:
        sandbox.no_network()
    except sandbox.NetworkReachableError:
        control.sendall(NO_SANDBOX)
        return 1
    connection = _preload()
    # Nobody waits for the processes that end: the pipe says all there is to say.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    columns = Columns()
    control.sendall(READY)
    while True:
        found = _receive(control)
        if found is None:
            return 0
        task, pipe = found
        _serve(connection, columns, task, pipe, control)


def _preload() -> duckdb.DuckDBPyConnection:
    """Import and compile what every query needs, once; and a database, empty, of which each fork has its own."""
    import pyarrow as pa
    import pyarrow.parquet

    from node_agent.engines import execute  # noqa: F401 - for its effect
    from node_agent.engines.settings import opened

    connection = opened()
    connection.register("_one", pa.table({"a": pa.array([1])}))
    connection.sql("SELECT a, count(*) FROM _one GROUP BY a").to_arrow_table()
    connection.unregister("_one")
    return connection


def _receive(control: socket.socket) -> tuple[bytes, int] | None:
    """The next task and its pipe; None at the end."""
    head, pipes, *_ = socket.recv_fds(control, 8, 1)
    if len(head) < 8 or not pipes:
        return None
    (length,) = struct.unpack("<q", head)
    parts = bytearray()
    while len(parts) < length:
        part = control.recv(min(length - len(parts), 1 << 20))
        if not part:
            return None
        parts += part
    return bytes(parts), pipes[0]


def _serve(
    connection: duckdb.DuckDBPyConnection, columns: Columns, data: bytes, pipe: int, control: socket.socket
) -> None:
    from node_agent.engines.order import read_order

    try:
        order = read_order(data)
        tables = columns.tables(order.folder, order.seal, order.task.reads, everybody=order.everybody)
    except Exception:
        os.close(pipe)
        return
    if sandbox.threads_now() != 1:
        # A lock that another thread held would be held for ever in the fork.
        raise SystemExit(1)
    # What is there now stays where it is: the fork's collector would copy page after page.
    gc.freeze()
    if os.fork() == 0:
        control.close()
        status = 1
        try:
            status = _run(connection, order, tables, pipe)
        finally:
            os._exit(status)
    os.close(pipe)
    columns.trim(order.cache_mb * sandbox.MIB)


def _run(connection: duckdb.DuckDBPyConnection, order: Order, tables: Mapping[str, pa.Table], pipe: int) -> int:
    from node_agent.engines.execute import run
    from node_agent.engines.order import write_outcome

    sandbox.die_with_parent()
    sandbox.limit(memory_mb=order.task.job.memory_mb, cpu_seconds=order.cpu_seconds, seconds=order.task.job.seconds)
    outcome = write_outcome(run(connection, order.task.job, tables, order.task.public))
    with os.fdopen(pipe, "wb") as out:
        out.write(outcome)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
