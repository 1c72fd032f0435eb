"""How DuckDB is set where it answers queries: nothing but its own tables in memory, and nothing can be changed."""

from __future__ import annotations

import duckdb

__all__ = ["DISABLED_OPTIMIZERS", "limit", "opened"]

DISABLED_OPTIMIZERS = "statistics_propagation"
"""DuckDB 2.0.0 simplifies some filters by statistics that forget NULLs, and keeps rows for which they are NULL:
``starts_with(nullif(s, 'a'), '')`` and ``(CASE … THEN NULL … END) IN ('x')`` do so. Tests compare with the oracle."""


_CLOSED: dict[str, str | bool | int | float | list[str]] = {
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "allow_persistent_secrets": "false",
    "temp_directory": "",
    "python_enable_replacements": "false",
    "disabled_optimizers": DISABLED_OPTIMIZERS,
    # Neither starts a thread, so that a process with a database open can be forked.
    "threads": "1",
    "async_threads": "0",
}


def opened() -> duckdb.DuckDBPyConnection:
    """A database in memory, without tables, threads or a way out, for ``limit``. To open one takes some 12 ms."""
    return duckdb.connect(":memory:", config=_CLOSED)


def limit(connection: duckdb.DuckDBPyConnection, *, memory_mb: int, threads: int, seconds: int) -> None:
    """Set one query's limits. Once its tables are there, ``lock_configuration`` follows."""
    settings = {"memory_limit": f"'{memory_mb // 2:d}MB'", "threads": f"{threads:d}",
                "max_execution_time": f"{seconds * 1000:d}"}  # fmt: skip
    for name, value in settings.items():
        # A setting takes no parameter.
        connection.execute(f"SET {name} = {value}")  # rules: allow sql - our names, whole numbers alone
