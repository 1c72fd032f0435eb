"""What a witness remembers, in memory: the port's rules and nothing else."""

from __future__ import annotations

from trustquery.log import Conflict

__all__ = ["KeptHeads", "MemoryHeads"]


class MemoryHeads:
    """Heads and forks in two tables."""

    def __init__(self) -> None:
        self.heads: dict[str, bytes] = {}
        self.forks: dict[str, list[tuple[bytes, bytes]]] = {}

    def head(self, origin: str) -> bytes | None:
        return self.heads.get(origin)

    def advance(self, origin: str, old: bytes | None, new: bytes) -> None:
        if self.heads.get(origin) != old:
            raise Conflict(self.heads.get(origin))
        self.heads[origin] = new

    def keep_fork(self, origin: str, ours: bytes, theirs: bytes) -> None:
        kept = self.forks.setdefault(origin, [])
        if (ours, theirs) not in kept:
            kept.append((ours, theirs))


class KeptHeads:
    """The same for every log's key."""

    def __init__(self) -> None:
        self.by_key: dict[bytes, MemoryHeads] = {}

    def of(self, log_key: bytes) -> MemoryHeads:
        return self.by_key.setdefault(log_key, MemoryHeads())
