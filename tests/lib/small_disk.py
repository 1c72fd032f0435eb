"""A disk of a few megabytes that a test can fill: a tmpfs of its own, for one process's home. Root is needed."""

from __future__ import annotations

import errno
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["SmallDisk", "small_disk"]

_CHUNK = 4_096
"""Bytes of one page of a tmpfs: it takes space by the page."""


class SmallDisk:
    """The mounted folder.

    Attributes:
        path: where it is mounted.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._ballast = path / "ballast"

    def fill(self) -> int:
        """Take every page that is left; returns how many bytes those were."""
        taken = 0
        with self._ballast.open("ab", buffering=0) as file:
            while True:
                try:
                    taken += file.write(bytes(_CHUNK))
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
                    return taken

    def free(self) -> None:
        """Give back what ``fill`` took."""
        self._ballast.unlink()


@contextmanager
def small_disk(path: Path, megabytes: int) -> Iterator[SmallDisk]:
    """Mount one at a folder, which is made; it is gone afterwards, with all that is on it."""
    path.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0700", "trustquery-test", path],
        check=True, capture_output=True, timeout=20,
    )  # fmt: skip
    try:
        yield SmallDisk(path)
    finally:
        # Lazily: a process that a failed test left behind must not keep the mount.
        subprocess.run(["umount", "-l", path], check=True, capture_output=True, timeout=20)
