"""Vectors: added in unbounded integers, checked against what was signed."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trustquery.protocol.answers import add_vectors, read_vector

int64 = st.integers(-(2**63), 2**63 - 1)


def pack(numbers: list[int]) -> bytes:
    return struct.pack(f"<{len(numbers)}q", *numbers)


@given(st.lists(int64, max_size=20))
def test_a_vector_reads_back(numbers: list[int]) -> None:
    assert list(read_vector(pack(numbers))) == numbers


@given(st.lists(st.lists(int64, min_size=3, max_size=3), max_size=6))
def test_the_merge_is_the_sum_place_by_place(vectors: list[list[int]]) -> None:
    expected = [sum(vector[place] for vector in vectors) for place in range(3)]
    assert add_vectors(map(pack, vectors), 3) == expected


def test_vectors_of_other_lengths_are_not_added() -> None:
    with pytest.raises(ValueError, match="zip"):
        add_vectors([pack([1, 2])], 3)
