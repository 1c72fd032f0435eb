"""Small files that are replaced whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["replace_file", "safe_name"]


def replace_file(path: Path, content: bytes) -> None:
    """Write a file so that a reader, or a crash, sees the old content or the new."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.new")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def safe_name(name: str) -> str:
    """A project's name as a file name. Document names hold letters, digits, dot, dash and underscore only."""
    if not name or name.startswith(".") or any(not (c.isascii() and (c.isalnum() or c in "._-")) for c in name):
        raise ValueError("not a document name")
    return name
