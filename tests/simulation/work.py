"""Parts of a simulation, each for one process: histories with their seeds, and what came of them."""

from __future__ import annotations

import collections
import gc
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from tests.simulation.controls import CONTROLS
from tests.simulation.history import History
from tests.simulation.shims import simulated

__all__ = ["Outcome", "Piece", "pieces", "run_piece", "settle"]

A_PIECE = 50
MOST_EXAMPLES = 10


@dataclass
class Outcome:
    """What came of some histories.

    Attributes:
        failed: seed to what was broken, of the first few.
        counts: deaths, answers, ends, by name.
        seen_at: for a planted fault: after how many histories it was seen; 0 for never.
        seconds: that they took, in one process.
    """

    histories: int = 0
    violations: int = 0
    failed: dict[int, list[str]] = field(default_factory=dict)
    counts: collections.Counter[str] = field(default_factory=collections.Counter)
    seen_at: int = 0
    seconds: float = 0.0

    def add(self, other: Outcome) -> None:
        """Count another's in."""
        self.histories += other.histories
        self.violations += other.violations
        self.counts += other.counts
        self.seen_at = self.seen_at or other.seen_at
        self.seconds += other.seconds
        for seed, what in other.failed.items():
            if len(self.failed) < MOST_EXAMPLES:
                self.failed[seed] = what

    def take(self, history: History) -> None:
        """Count a history in."""
        self.histories += 1
        self.counts += history.counts
        if history.violations:
            self.violations += len(history.violations)
            if len(self.failed) < MOST_EXAMPLES:
                self.failed[history.seed] = history.violations


@dataclass(frozen=True)
class Piece:
    """Some histories; with a planted fault, until it is seen."""

    first: int
    number: int
    control: str = ""


def settle() -> None:
    """Begin a process that runs many pieces.

    What was imported stays, and a history leaves little behind: looking for it seldom saves a tenth of the time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)


def run_piece(piece: Piece) -> Outcome:
    """Let them happen."""
    outcome, started = Outcome(), time.monotonic()
    with simulated() as disks:
        for seed in range(piece.first, piece.first + piece.number):
            if not piece.control:
                outcome.take(History(seed).run())
                continue
            with CONTROLS[piece.control].plant(disks):
                outcome.take(History(seed).run())
            if outcome.violations:
                outcome.seen_at = outcome.histories
                break
    outcome.seconds = time.monotonic() - started
    return outcome


def pieces(size: int, seed: int, controls: Sequence[str]) -> Iterator[Piece]:
    """The planted faults first, then ``size`` histories whose seeds begin with ``seed``."""
    for name in controls:
        yield Piece(seed, CONTROLS[name].within, name)
    for first in range(seed, seed + size, A_PIECE):
        yield Piece(first, min(A_PIECE, seed + size - first))
