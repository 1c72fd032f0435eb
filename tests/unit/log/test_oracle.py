"""AUD-05: roots and proofs against RFC 6962 section 2.1, written down as the text has it and nothing else."""

from __future__ import annotations

import hashlib
from functools import cache

import pytest

from trustquery.log import Tree, leaf_hash, verify_consistency, verify_inclusion

LEAVES = [n.to_bytes(2, "big") for n in range(1_025)]
TREE = Tree(map(leaf_hash, LEAVES))
SIZES = sorted({*range(1, 34), 63, 64, 65, 127, 128, 255, 256, 257, 511, 512, 513, 1_000, 1_023, 1_024, 1_025})


@cache
def mth(start: int, end: int) -> bytes:
    """MTH(D[start:end])."""
    count = end - start
    if count == 0:
        return hashlib.sha256(b"").digest()
    if count == 1:
        return hashlib.sha256(b"\x00" + LEAVES[start]).digest()
    middle = start + split(count)
    return hashlib.sha256(b"\x01" + mth(start, middle) + mth(middle, end)).digest()


def split(count: int) -> int:
    """The largest power of two smaller than n."""
    found = 1
    while found * 2 < count:
        found *= 2
    return found


def path(m: int, start: int, end: int) -> list[bytes]:
    """PATH(m, D[start:end])."""
    count = end - start
    if count == 1:
        return []
    k = split(count)
    if m < k:
        return [*path(m, start, start + k), mth(start + k, end)]
    return [*path(m - k, start + k, end), mth(start, start + k)]


def subproof(m: int, start: int, end: int, whole: bool) -> list[bytes]:
    """SUBPROOF(m, D[start:end], b)."""
    count = end - start
    if m == count:
        return [] if whole else [mth(start, end)]
    k = split(count)
    if m <= k:
        return [*subproof(m, start, start + k, whole), mth(start + k, end)]
    return [*subproof(m - k, start + k, end, False), mth(start, start + k)]


@pytest.mark.acceptance("AUD-05")
def test_every_root_up_to_1025() -> None:
    assert all(TREE.root(size) == mth(0, size) for size in range(1_026))


@pytest.mark.acceptance("AUD-05")
@pytest.mark.parametrize("size", SIZES)
def test_proofs(size: int) -> None:
    step = max(1, size // 40)
    for place in {*range(0, size, step), size - 1}:
        proof = TREE.inclusion_proof(place, size)
        assert list(proof) == path(place, 0, size)
        verify_inclusion(leaf_hash(LEAVES[place]), place, size, proof, mth(0, size))
    for old in {*range(1, size, step), size}:
        proof = TREE.consistency_proof(old, size)
        assert list(proof) == subproof(old, 0, size, True)
        verify_consistency(old, mth(0, old), size, mth(0, size), proof)
