"""Pairs of key and integer: one encoding, read strictly, added by key."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.lib.refusals import codes_of
from trustquery.catalogue import ColumnType
from trustquery.model.unknown import label_of, read_label
from trustquery.protocol.pairs import add_pairs, read_pairs, write_pairs

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=70)
PAIRS = st.dictionaries(
    st.one_of(TEXT, st.integers(-(2**60), 2**60), st.none()).map(label_of), st.integers(-(2**63), 2**63 - 1)
)


@given(PAIRS)
def test_pairs_read_back_in_whole_words(pairs: dict[str, int]) -> None:
    vector = write_pairs(pairs)
    assert read_pairs(vector) == pairs
    assert len(vector) % 8 == 0
    assert list(read_pairs(vector)) == sorted(pairs, key=str.encode)


def test_the_bytes_of_pairs() -> None:
    assert write_pairs({}) == b""
    assert write_pairs({"2": 3, "0é1": -1}) == bytes.fromhex(
        "ffffffffffffffff 0430c3a931000000 0300000000000000 0132000000000000"
    )


def pair(value: int, label: bytes) -> bytes:
    raw = struct.pack("<qB", value, len(label)) + label
    return raw + bytes(-len(raw) % 8)


@pytest.mark.parametrize(
    "vector",
    [
        b"\1",
        pair(1, b"0b") + pair(1, b"0a"),
        pair(1, b"0a") + pair(1, b"0a"),
        pair(1, b"0a")[:-1] + b"\1",
        pair(1, b"0a")[:-8],
        pair(1, b"0a") + bytes(8),
        pair(1, b"3a"),
        pair(1, b"1a"),
        pair(1, b""),
        pair(1, b"0a\0"),
        pair(1, b"0\xff"),
        pair(1, b"0" + b"a" * 65),
        b"".join(pair(1, b"0%05d" % number) for number in range(50_001)),
    ],
)  # fmt: skip
def test_other_bytes_are_refused(vector: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the caller says what is wrong in its own words
        read_pairs(vector)


def test_the_merge_counts_who_released_a_key() -> None:
    vectors = [write_pairs(pairs) for pairs in ({"0a": 5, "0b": 2**63 - 1}, {"0b": 2**63 - 1}, {})]
    assert add_pairs(vectors) == {"0a": (5, 1), "0b": (2**64 - 2, 2)}


@pytest.mark.parametrize("label", ["0x", "007", "0", "0-0", "09007199254740992", "", "3", "0 7", "0٣"])
def test_an_integer_key_has_one_label(label: str) -> None:
    assert codes_of(lambda: read_label(label, ColumnType.INTEGER)) == ["query-model-invalid"]


def test_labels_say_what_they_are() -> None:
    assert read_label("0", ColumnType.TEXT) == ("value", "")
    assert read_label("0-7", ColumnType.INTEGER) == ("value", -7)
    assert [read_label(label, ColumnType.TEXT) for label in "12"] == [("other", None), ("missing", None)]
