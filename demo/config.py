"""The only reader of the environment here."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

__all__ = ["child_environment", "keep_wanted"]

_INHERITED = ("TERM", "COLUMNS", "NO_COLOR", "TZ")


def keep_wanted() -> bool:
    """Whether ``KEEP=1`` is set."""
    return os.environ.get("KEEP", "") not in ("", "0")


def child_environment(home: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """A child's environment: its own home, and nothing of the caller's but what a terminal needs."""
    kept = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    fixed = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8", "PYTHONUNBUFFERED": "1"}
    return fixed | {"HOME": str(home)} | kept | dict(extra or {})
