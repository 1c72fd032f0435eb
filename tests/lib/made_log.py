"""A signed and witnessed log as files in memory: what verifiers are given, whole or spoilt."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tests.factories.trust import key
from trustquery.errors import TrustQueryError
from trustquery.log import TEXTS, Checkpoint, Entry, Tree, VerifierKey, cosign, leaf_hash, with_lines
from trustquery.log.tiles import ENTRIES, WIDTH, encode_bundle, paths_of, tile, tile_path

__all__ = ["ORIGIN", "WITNESSES", "MadeLog", "made_entries"]

ORIGIN = "test/coordinator"
NAMES = ("test/node/ash", "test/node/elm", "test/node/oak")
WITNESSES = {name: key(name).public for name in NAMES}
KINDS = sorted(TEXTS)


def made_entries(count: int, salt: str = "") -> list[bytes]:
    """Entries of every kind in turn."""
    return [
        Entry(
            seq=n + 1, on="2026-11-22", kind=KINDS[n % len(KINDS)], text=TEXTS[KINDS[n % len(KINDS)]],
            project=f"p{n % 7}{salt}", person_commitment=f"{n:064x}",
        ).payload()
        for n in range(count)
    ]  # fmt: skip


@dataclass
class MadeLog:
    """A log of these entries.

    Attributes:
        shown: the entries that the bundles hold, where they are not those that were hashed.
    """

    entries: Sequence[bytes]
    shown: Sequence[bytes] | None = None
    files: dict[str, bytes] = field(init=False)
    tree: Tree = field(init=False)
    key: VerifierKey = field(default_factory=lambda: VerifierKey(ORIGIN, key("coordinator").public, witness=False))

    def __post_init__(self) -> None:
        self.tree = Tree(map(leaf_hash, self.entries))
        self.head = Checkpoint(ORIGIN, len(self.entries), self.tree.root())
        note = self.head.sign(key("coordinator"))
        lines = [cosign(note, name, key(name), 1_800_000_000) for name in NAMES]
        self.files = {"checkpoint": with_lines(note, lines)}
        for level, index, width in paths_of(len(self.entries)):
            shown = (self.shown or self.entries)[index * WIDTH : index * WIDTH + width]
            made = encode_bundle(shown) if level == ENTRIES else tile(self.tree, level, index, width)
            self.files[tile_path(level, index, width)] = made

    @property
    def fetch(self) -> Callable[[str], bytes]:
        """The files by path."""
        return self.reader({})

    def reader(self, changed: dict[str, bytes]) -> Callable[[str], bytes]:
        """The files, some of them with other bytes."""

        def fetch(path: str) -> bytes:
            found = changed.get(path, self.files.get(path))
            if found is None:
                raise TrustQueryError("log-unreachable", path=path)
            return found

        return fetch
