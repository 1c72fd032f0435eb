"""The parts of a torture, each for one process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.torture import controls, faults, kills, power

__all__ = ["Piece", "pieces"]

CALLS = 60
"""Length of a life whose power is cut."""
FAULT_CALLS = 40
KILL_CALLS = 40
CUTS_A_HISTORY = 250
KILLS_A_LIFE = 50


@dataclass(frozen=True)
class Piece:
    """One part of the work, for one process."""

    kind: str
    run: Callable[..., power.Outcome]
    arguments: tuple[object, ...]


def cut(seed: int, cuts: int) -> power.Outcome:
    """One history and its cuts."""
    return power.cut_power(power.record(seed, CALLS), cuts, 0)


def broken(seed: int, kind: str, wanted: int) -> power.Outcome:
    """One life on disks that break at many of its calls, one at a time."""
    whole = power.Outcome()
    for at in faults.chosen(faults.calls_to_disk(seed, FAULT_CALLS), wanted, seed):
        whole.add(faults.break_disk(seed, FAULT_CALLS, at, kind))
    return whole


def pieces(cuts: int, kills_: int, broken_calls: int, control_cuts: int) -> list[Piece]:
    """What to do, the longest first: numbers of cuts, of kills, of broken calls of each kind, and of cuts a control."""
    found = [
        Piece("power cuts", cut, (seed, min(CUTS_A_HISTORY, cuts - begin)))
        for seed, begin in enumerate(range(0, cuts, CUTS_A_HISTORY), start=1)
    ]
    found += [
        Piece("kills", kills.kill, (seed, KILL_CALLS, min(KILLS_A_LIFE, kills_ - begin)))
        for seed, begin in enumerate(range(0, kills_, KILLS_A_LIFE), start=1)
    ]
    found += [Piece(f"disk faults, {kind}", broken, (1, kind, broken_calls)) for kind in faults.KINDS]
    found += [Piece(f"control: {name}", controls.seen, (name, 2, control_cuts)) for name in controls.CONTROLS]
    return found
