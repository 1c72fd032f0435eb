"""The hash tree of RFC 6962: root, inclusion and consistency proofs, and their verification.

Source: RFC 6962 section 2.1 (hashing, proofs) and RFC 9162 sections 2.1.3.2 and 2.1.4.2 (verification). Positions
count from 0, sizes are numbers of leaves.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

from trustquery.errors import TrustQueryError

__all__ = ["EMPTY_ROOT", "Tree", "leaf_hash", "node_hash", "verify_consistency", "verify_inclusion"]

EMPTY_ROOT = hashlib.sha256(b"").digest()


def leaf_hash(payload: bytes) -> bytes:
    """Hash of a leaf: SHA-256(0x00 ‖ payload)."""
    return hashlib.sha256(b"\x00" + payload).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of an inner node: SHA-256(0x01 ‖ left ‖ right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def _split(size: int) -> int:
    """The largest power of two below ``size`` (≥ 2)."""
    return 1 << (size - 1).bit_length() - 1


class Tree:
    """An append-only tree in memory that answers for every earlier size as well.

    Keeps the hash of each complete subtree: two hashes a leaf, and any root or proof in logarithmic time.

    Args:
        leaves: leaf hashes, 32 bytes each.
    """

    def __init__(self, leaves: Iterable[bytes] = ()) -> None:
        self._levels: list[list[bytes]] = [[]]
        for leaf in leaves:
            self.append(leaf)

    def __len__(self) -> int:
        return len(self._levels[0])

    def append(self, leaf: bytes) -> None:
        """Add one leaf hash."""
        self._levels[0].append(leaf)
        level = 0
        while len(self._levels[level]) % 2 == 0:
            left, right = self._levels[level][-2:]
            if level + 1 == len(self._levels):
                self._levels.append([])
            self._levels[level + 1].append(node_hash(left, right))
            level += 1

    def subtree(self, height: int, index: int) -> bytes:
        """Hash of a complete subtree of 2^height leaves, counted from the left.

        Raises:
            IndexError: the tree has none such.
        """
        return self._levels[height][index]

    def _range(self, start: int, end: int) -> bytes:
        """Hash of the subtree over leaves [start, end); complete ones are looked up."""
        size = end - start
        if size & (size - 1) == 0 and start % size == 0:
            return self._levels[size.bit_length() - 1][start // size]
        middle = start + _split(size)
        return node_hash(self._range(start, middle), self._range(middle, end))

    def _checked(self, size: int | None) -> int:
        found = len(self) if size is None else size
        if not 0 <= found <= len(self):
            raise ValueError("no such size")
        return found

    def root(self, size: int | None = None) -> bytes:
        """The root over the first ``size`` leaves (all by default)."""
        size = self._checked(size)
        return self._range(0, size) if size else EMPTY_ROOT

    def inclusion_proof(self, position: int, size: int | None = None) -> tuple[bytes, ...]:
        """The audit path of the leaf at ``position`` in the tree of ``size`` leaves, lowest first."""
        size = self._checked(size)
        if not 0 <= position < size:
            raise ValueError("no such leaf")
        path: list[bytes] = []
        start, end = 0, size
        while end - start > 1:
            middle = start + _split(end - start)
            if position < middle:
                path.append(self._range(middle, end))
                end = middle
            else:
                path.append(self._range(start, middle))
                start = middle
        return tuple(reversed(path))

    def consistency_proof(self, old: int, size: int | None = None) -> tuple[bytes, ...]:
        """Proof that the tree of ``size`` leaves extends the tree of ``old`` leaves; empty for equal sizes or old 0."""
        size = self._checked(size)
        if not 0 <= old <= size:
            raise ValueError("no such size")
        if old in (0, size):
            return ()
        path: list[bytes] = []
        start, end, whole = 0, size, True
        while old != end:
            middle = start + _split(end - start)
            if old <= middle:
                path.append(self._range(middle, end))
                end = middle
            else:
                path.append(self._range(start, middle))
                start, whole = middle, False
        if not whole:
            path.append(self._range(start, end))
        return tuple(reversed(path))


def _bad(problem: str) -> TrustQueryError:
    return TrustQueryError("auth-document", document="log proof", problem=problem)


def verify_inclusion(leaf: bytes, position: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Check that ``leaf`` (a leaf hash) stands at ``position`` of the tree with ``size`` leaves and this root.

    Raises:
        TrustQueryError: ``auth-document``.
    """
    if not 0 <= position < size:
        raise _bad("there is no such leaf")
    place, last, found = position, size - 1, leaf
    for step in proof:
        if last == 0:
            raise _bad("it is too long")
        if place % 2 or place == last:
            found = node_hash(step, found)
            while place % 2 == 0 and place:
                place, last = place >> 1, last >> 1
        else:
            found = node_hash(found, step)
        place, last = place >> 1, last >> 1
    if last or found != root:
        raise _bad("it does not lead to the root")


def verify_consistency(old: int, old_root: bytes, size: int, root: bytes, proof: Sequence[bytes]) -> None:
    """Check that the tree with ``size`` leaves and ``root`` extends the one with ``old`` leaves and ``old_root``.

    Raises:
        TrustQueryError: ``auth-document``.
    """
    if not 0 <= old <= size:
        raise _bad("the sizes go backwards")
    if old in (0, size):
        same = old_root == (root if old else EMPTY_ROOT)
        if proof or not same:
            raise _bad("the roots differ")
        return
    steps = list(proof)
    if old & (old - 1) == 0:
        steps.insert(0, old_root)
    if not steps:
        raise _bad("it is too short")
    place, last = old - 1, size - 1
    while place % 2:
        place, last = place >> 1, last >> 1
    first = second = steps[0]
    for step in steps[1:]:
        if last == 0:
            raise _bad("it is too long")
        if place % 2 or place == last:
            first, second = node_hash(step, first), node_hash(step, second)
            while place % 2 == 0 and place:
                place, last = place >> 1, last >> 1
        else:
            second = node_hash(second, step)
        place, last = place >> 1, last >> 1
    if last or first != old_root or second != root:
        raise _bad("it does not lead to both roots")
