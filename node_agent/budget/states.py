"""The life of one release, as a table. Diagrams and the ledger's own checks are made from it."""

from __future__ import annotations

import enum

__all__ = ["VALID_TRANSITIONS", "State"]


class State(enum.StrEnum):
    """Where a release stands. Every state but EXPIRED stays charged."""

    RESERVED = "RESERVED"
    STARTED = "STARTED"
    COMMITTED = "COMMITTED"
    HELD = "HELD"
    WITNESSED = "WITNESSED"
    SENT = "SENT"
    EXPIRED = "EXPIRED"
    DEAD = "DEAD"
    WITHHELD = "WITHHELD"


VALID_TRANSITIONS: dict[State, frozenset[State]] = {
    # RESERVED goes straight to COMMITTED only for a stored answer: it reads no data and draws no noise.
    State.RESERVED: frozenset({State.STARTED, State.COMMITTED, State.EXPIRED}),
    State.STARTED: frozenset({State.COMMITTED, State.DEAD}),
    State.COMMITTED: frozenset({State.HELD, State.WITNESSED, State.WITHHELD}),
    State.HELD: frozenset({State.WITNESSED, State.WITHHELD}),
    State.WITNESSED: frozenset({State.SENT, State.WITHHELD}),
    State.SENT: frozenset(),
    State.EXPIRED: frozenset(),
    State.DEAD: frozenset(),
    State.WITHHELD: frozenset(),
}
