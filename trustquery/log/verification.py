"""A whole log checked from its files: nothing in it is believed, and no socket is opened here.

Every entry is hashed, every tile and the root are made again from the entries, and the head's signatures are verified.
Whoever kept an earlier head also learns whether the log still holds everything that was behind it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from trustquery.errors import TrustQueryError
from trustquery.log.checkpoint import Checkpoint
from trustquery.log.cosignature import cosigners
from trustquery.log.entry import Entry
from trustquery.log.tiles import ENTRIES, decode_bundle, paths_of, tile, tile_path
from trustquery.log.tree import Tree, leaf_hash
from trustquery.log.vkey import VerifierKey

__all__ = ["Verified", "payloads_of", "verify_log"]


@dataclass(frozen=True)
class Verified:
    """A log that was found to be whole.

    Attributes:
        note: the head as it was read.
        head: to be kept, and handed in as ``seen`` next time.
        witnesses: who had signed it, and when each said so, seconds since 1970 UTC.
    """

    note: bytes
    head: Checkpoint
    entries: tuple[Entry, ...]
    tree: Tree
    witnesses: Mapping[str, int]


def _damaged(path: str, problem: str) -> TrustQueryError:
    return TrustQueryError("log-damaged", path=path, problem=problem)


def verify_log(
    fetch: Callable[[str], bytes],
    key: VerifierKey,
    *,
    witnesses: Mapping[str, bytes],
    needed: int,
    seen: Checkpoint | None = None,
) -> Verified:
    """Check everything.

    Args:
        fetch: the bytes of a file below the log's address; raises what is wrong where there is none.
        key: the log's.
        witnesses: name to public key of those who are believed; ``needed`` of them must have signed the head.
        seen: the head that was found good last time.

    Raises:
        TrustQueryError: ``log-damaged``: a file is not what the head says; ``log-rewound``: what was behind ``seen``
            has changed or gone; ``witness-quorum``.
    """
    note = fetch("checkpoint")
    try:
        head = Checkpoint.verify(note, key.name, key.public)
        signed = cosigners(note, witnesses)
    except TrustQueryError as error:
        raise _damaged("checkpoint", error.problem.fields.get("problem", "it does not verify")) from error
    if len(signed) < needed:
        raise TrustQueryError("witness-quorum", origin=key.name, found=len(signed), needed=needed)
    if seen is not None and seen.size > head.size:
        raise TrustQueryError("log-rewound", seen=seen.size, found=head.size)
    payloads = payloads_of(fetch, head.size)
    tree = Tree(leaf_hash(payload) for payload in payloads)
    _tiles(fetch, tree)
    if tree.root() != head.root:
        raise _damaged("checkpoint", "its root is not that of the entries")
    if seen is not None and tree.root(seen.size) != seen.root:
        raise TrustQueryError("log-rewound", seen=seen.size, found=head.size)
    return Verified(note, head, _entries(payloads), tree, signed)


def payloads_of(fetch: Callable[[str], bytes], size: int) -> list[bytes]:
    """The entries of a log, as they were hashed.

    Raises:
        TrustQueryError: ``log-damaged``.
    """
    payloads: list[bytes] = []
    for level, index, width in paths_of(size):
        if level != ENTRIES:
            break
        path = tile_path(level, index, width)
        try:
            payloads += decode_bundle(fetch(path), width)
        except TrustQueryError as error:
            if error.code != "auth-document":
                raise
            raise _damaged(path, "its entries have another length or number") from error
    return payloads


def _tiles(fetch: Callable[[str], bytes], tree: Tree) -> None:
    for level, index, width in paths_of(len(tree)):
        path = tile_path(level, index, width)
        if level != ENTRIES and fetch(path) != tile(tree, level, index, width):
            raise _damaged(path, "its hashes are not those of the entries")


def _entries(payloads: list[bytes]) -> tuple[Entry, ...]:
    entries: list[Entry] = []
    for place, payload in enumerate(payloads, start=1):
        try:
            entry = Entry.from_payload(payload)
        except TrustQueryError as error:
            raise _damaged(f"entry {place}", "it is no entry in canonical form") from error
        if entry.seq != place or (entries and entry.on < entries[-1].on):
            raise _damaged(f"entry {place}", "its number or its day is out of order")
        entries.append(entry)
    return tuple(entries)
