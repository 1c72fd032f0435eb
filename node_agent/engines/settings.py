"""How DuckDB is set where it answers queries: nothing but its own tables in memory, and nothing can be changed."""

from __future__ import annotations

__all__ = ["DISABLED_OPTIMIZERS", "locked"]

DISABLED_OPTIMIZERS = "statistics_propagation"
"""DuckDB 2.0.0 simplifies some filters by statistics that forget NULLs, and keeps rows for which they are NULL:
``starts_with(nullif(s, 'a'), '')`` and ``(CASE … THEN NULL … END) IN ('x')`` do so. Tests compare with the oracle."""


def locked(memory_mb: int, threads: int, seconds: int) -> dict[str, str | bool | int | float | list[str]]:
    """Settings at the start; ``lock_configuration`` follows once the tables are there."""
    return {
        "enable_external_access": "false",
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
        "allow_community_extensions": "false",
        "allow_persistent_secrets": "false",
        "memory_limit": f"{memory_mb // 2}MB",
        "threads": str(threads),
        "temp_directory": "",
        "python_enable_replacements": "false",
        "disabled_optimizers": DISABLED_OPTIMIZERS,
        "max_execution_time": str(seconds * 1000),
    }
