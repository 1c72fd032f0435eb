"""The engine's own process: one query, hard limits, a locked read-only database, then it ends.

Run as ``python -I -m node_agent.engines.child``. Reads one JSON job on standard input; writes, for each block, the
number of cells and then (cell, integer) pairs, all little-endian int64; where keys are found in the data, a cell is
its label: the integer first, then the label's length and its UTF-8 bytes. Any failure is exit status 1 and no output:
text of the engine's may hold values, so none leaves this process.
"""

from __future__ import annotations

import json
import resource
import struct
import sys
from typing import Any

__all__ = ["DISABLED_OPTIMIZERS", "main"]

DISABLED_OPTIMIZERS = "statistics_propagation"
"""DuckDB 2.0.0 simplifies some filters by statistics that forget NULLs, and keeps rows for which they are NULL:
``starts_with(nullif(s, 'a'), '')`` and ``(CASE … THEN NULL … END) IN ('x')`` do so. Tests compare with the oracle."""


def _limit(job: dict[str, Any]) -> None:
    """Limits that DuckDB's own settings do not hold against every expression."""
    memory = int(job["memory_mb"]) * 1024 * 1024
    cpu = int(job["cpu_seconds"])
    for kind, value in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, cpu),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, 64),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (value, value))


def _run(job: dict[str, Any]) -> bytes:
    import duckdb

    config: dict[str, str | bool | int | float | list[str]] = {
        "enable_external_access": "false",
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
        "allow_community_extensions": "false",
        "allow_persistent_secrets": "false",
        "memory_limit": f"{int(job['memory_mb']) // 2}MB",
        "threads": str(int(job["threads"])),
        "temp_directory": "",
        "python_enable_replacements": "false",
        "disabled_optimizers": DISABLED_OPTIMIZERS,
        "max_execution_time": str(int(job["seconds"]) * 1000),
    }
    connection = duckdb.connect(job["database"], read_only=True, config=config)
    connection.execute("SET lock_configuration = true")
    for table in job["public"]:
        connection.execute(table["statement"], table["values"])
    connection.execute(job["rows"])
    parts: list[bytes] = []
    for statement in job["blocks"]:
        found = connection.execute(statement).fetchall()
        parts.append(struct.pack("<q", len(found)))
        parts += [_pair(cell, value) for cell, value in found]
    return b"".join(parts)


def _pair(cell: int | str, value: int) -> bytes:
    if isinstance(cell, int):
        return struct.pack("<qq", cell, value)
    label = cell.encode()
    return struct.pack("<qq", value, len(label)) + label


def main() -> int:
    """Run one job."""
    try:
        job = json.loads(sys.stdin.buffer.read())
        _limit(job)
        output = _run(job)
    except BaseException:
        return 1
    sys.stdout.buffer.write(output)  # rules: allow print - the pipe to the parent, not a terminal
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
