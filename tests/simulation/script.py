"""What a seed decides beforehand: who takes part, what they ask, and what goes wrong when."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.simulation.world import NODES

__all__ = ["Asking", "Event", "Script", "script_of"]

TROUBLE_S = 16.0
"""Faults happen until then; afterwards everything is healed."""


@dataclass(frozen=True)
class Asking:
    """One query of the analyst.

    Attributes:
        at: when it is sent, seconds from the beginning; ``wait`` how long it is open.
        which: the question; ``fresh`` whether a stored answer will not do.
        cancels: when its analyst gives it up; 0 for never.
        tries: how often the same bytes are sent.
    """

    name: str
    at: float
    which: int
    nodes: tuple[str, ...]
    wait: float
    fresh: bool
    cancels: float
    tries: int


@dataclass(frozen=True)
class Event:
    """One thing that goes wrong."""

    at: float
    kind: str
    who: str
    amount: float = 0.0


@dataclass
class Script:
    """A history before it happens.

    Attributes:
        witnessed: whether the policies want a quorum of witnesses; else they say ``bootstrap = true``.
    """

    seed: int
    nodes: tuple[str, ...] = ()
    witnessed: bool = False
    asking: tuple[Asking, ...] = ()
    events: tuple[Event, ...] = ()
    skew: dict[str, float] = field(default_factory=dict)
    slow: dict[str, float] = field(default_factory=dict)
    hostility: float = 0.0
    hesitation: float = 0.0
    engine_trouble: float = 0.0
    seats: int = 2
    cuts: dict[str, list[int]] = field(default_factory=dict)

    def next_cut(self, name: str, life: int) -> int | None:
        """After how many calls to its disk, or pieces of work, a machine dies in this life; None for never."""
        found = self.cuts.get(name, [])
        return found[life - 1] if life <= len(found) else None


def script_of(seed: int) -> Script:
    """The script of a seed."""
    chance = random.Random(f"script {seed}")
    witnessed = chance.random() < 0.25
    nodes = NODES[: 4 if witnessed else chance.choice((2, 2, 3, 3, 4))]
    script = Script(seed, nodes, witnessed)
    script.hostility = chance.choice((0.0, 0.0, 0.005, 0.03))
    script.hesitation = chance.choice((0.05, 0.2, 0.4))
    script.engine_trouble = chance.choice((0.0, 0.1, 0.3))
    script.seats = chance.choice((1, 2, 4))
    script.slow = {name: chance.choice((0.02, 0.1, 0.1, 3.0)) for name in nodes}
    script.skew = {name: chance.uniform(-2, 2) for name in (*nodes, "centre") if chance.random() < 0.3}
    for name in nodes:
        if chance.random() < 0.45:
            script.cuts[name] = [chance.choice((30, 120, 300)) for _ in range(chance.choice((1, 1, 2, 3)))]
            script.cuts[name] = [chance.randrange(most) for most in script.cuts[name]]
    if chance.random() < 0.5:
        script.cuts["centre"] = [chance.randrange(1, 70) for _ in range(chance.choice((1, 1, 2)))]
    script.asking = tuple(_asking(chance, nodes))
    script.events = tuple(sorted(_events(chance, nodes, witnessed), key=lambda event: event.at))
    return script


def _asking(chance: random.Random, nodes: tuple[str, ...]) -> Iterator[Asking]:
    for number in range(chance.choice((1, 2, 2, 3, 4))):
        some = (
            nodes if chance.random() < 0.7 else tuple(sorted(chance.sample(nodes, chance.randrange(1, len(nodes) + 1))))
        )
        at = chance.uniform(0.3, 9.0)
        yield Asking(
            f"q{number}", at, chance.randrange(3), some, chance.uniform(5.0, 14.0), chance.random() < 0.4,
            at + chance.uniform(0.1, 6.0) if chance.random() < 0.15 else 0.0, chance.choice((1, 2, 3)),
        )  # fmt: skip


def _events(chance: random.Random, nodes: tuple[str, ...], witnessed: bool) -> Iterator[Event]:
    if witnessed and chance.random() < 0.4:
        # One disk is put back: as many as the policies assume to be faulty.
        who, at = chance.choice(nodes), chance.uniform(0.5, 8.0)
        yield Event(at, "backup", who)
        yield Event(at + chance.uniform(0.5, 8.0), "rollback", who)
    for _ in range(chance.choice((0, 1, 2, 4))):
        who, at = chance.choice(nodes), chance.uniform(0.5, TROUBLE_S - 1)
        kind = chance.choice(("part", "reset", "kill", "power", "restart", "jump", "jump", "pause", "repeat", "rogue"))
        if kind == "part":
            yield Event(at, kind, who, chance.choice((0.5, 3.0, 10.0, 16.0)))
        elif kind == "jump":
            amount = chance.choice((1, -1)) * chance.choice((2.0, 60.0, 40_000.0, 86_400.0, 172_800.0))
            yield Event(at, kind, chance.choice((*nodes, "centre")), amount)
        elif kind == "pause":
            yield Event(at, kind, who)
            yield Event(at + chance.uniform(0.5, 5.0), "resume", who)
        elif kind == "kill" and chance.random() < 0.4:
            yield Event(at, kind, "centre")
        else:
            yield Event(at, kind, who)
