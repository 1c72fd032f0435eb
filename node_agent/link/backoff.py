"""Waiting before dialling again: exponential, with full jitter, so that a restart does not bring all nodes at once."""

from __future__ import annotations

from collections.abc import Iterator

from trustquery.identity import new_secret

__all__ = ["delays"]


def delays(first_ms: int, most_ms: int) -> Iterator[float]:
    """Seconds to wait before each attempt: between half of and the whole step, the step doubling up to a ceiling."""
    step = first_ms
    while True:
        share = int.from_bytes(new_secret(4), "big") / 2**32
        yield step * (0.5 + share / 2) / 1_000
        step = min(step * 2, most_ms)
