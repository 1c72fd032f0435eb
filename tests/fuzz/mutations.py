"""Small changes to honest bytes, from a seed: what a fuzzer without feedback tries."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

__all__ = ["mutated"]

_PIECES = (
    b"", b"\x00", b"\xff" * 9, b"\xff\xff\xff\xff\x0f", b"[",
    b"[" * 3_000, b"{", b'{"a":', b'"', b",", b"\\u0000", b"\\ud800",
    b"1e999", b"-0", b"NaN", b"9" * 400, b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\r\n", b"=1+1", b"../", b"\x0b\x0c",
)  # fmt: skip


def mutated(seeds: list[bytes], random: Random) -> Iterator[bytes]:
    """Endlessly, one to four changes each: a flipped, cut, doubled, moved or inserted piece, or two seeds joined."""
    while True:
        data = bytearray(random.choice(seeds))
        for _ in range(random.randint(1, 4)):
            at = random.randrange(len(data) + 1)
            to = min(len(data), at + random.choice((1, 2, 8, 64)))
            match random.randrange(6):
                case 0 if data:
                    data[min(at, len(data) - 1)] ^= 1 << random.randrange(8)
                case 1:
                    del data[at:to]
                case 2:
                    data[at:at] = data[at:to] * random.choice((1, 2, 50))
                case 3:
                    data[at:at] = random.choice(_PIECES)
                case 4:
                    data[at:to] = random.choice(_PIECES)
                case _:
                    other = random.choice(seeds)
                    data[at:] = other[random.randrange(len(other) + 1) :]
        yield bytes(data)
