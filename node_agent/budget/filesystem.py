"""Whether a folder lies on a disk of this machine.

SQLite's write-ahead log needs memory shared between processes and locks that hold; network file systems promise neither
(sqlite.org/wal.html, "Disadvantages"; sqlite.org/howtocorrupt.html, section 2.1).
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from trustquery.errors import TrustQueryError

__all__ = ["check_filesystem"]

_MOUNTS = Path("/proc/self/mountinfo")
_REMOTE = frozenset({
    "9p", "afs", "beegfs", "ceph", "cifs", "coda", "fuse.davfs", "fuse.glusterfs", "fuse.rclone", "fuse.s3fs",
    "fuse.sshfs", "glusterfs", "gpfs", "lustre", "ncpfs", "nfs", "nfs4", "ocfs2", "smb2", "smb3", "smbfs", "vboxsf",
})  # fmt: skip


def _unescaped(text: str) -> str:
    """Spaces, tabs, line ends and backslashes stand as three octal digits (proc(5))."""
    for number in (0o40, 0o11, 0o12, 0o134):
        text = text.replace(f"\\{number:03o}", chr(number))
    return text


def check_filesystem(folder: Path, mounts: str | None = None) -> None:
    """Refuse a folder on a network file system.

    Args:
        mounts: text of ``/proc/self/mountinfo``; read when it is not given. Where there is none (no Linux), nothing is
            known and nothing is refused.

    Raises:
        TrustQueryError: ``ledger-unsafe``.
    """
    if mounts is None:
        mounts = ""
        with contextlib.suppress(OSError):
            mounts = _MOUNTS.read_text(encoding="utf-8", errors="surrogateescape")
    found, depth = "", -1
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        fields = before.split()
        if len(fields) < 5 or not after:
            continue
        point = Path(_unescaped(fields[4]))
        # Of mounts on the same point the last one is seen.
        if folder.is_relative_to(point) and len(point.parts) >= depth:
            found, depth = after.split()[0], len(point.parts)
    if found in _REMOTE:
        raise TrustQueryError(
            "ledger-unsafe", place=str(folder), setting="file system", found=found, needed="a local disk"
        )
