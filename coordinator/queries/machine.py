"""The states of a query and the only moves between them; documentation and tests are made from this table."""

from __future__ import annotations

import enum

__all__ = ["OPEN", "VALID_TRANSITIONS", "State", "before"]


class State(enum.StrEnum):
    """Where a query is.

    ACCEPTED: checked and stored. OFFERED: handed to the nodes that are connected, and to others as they come.
    CLOSING: no more answers count; the merge is running. CLOSED: it has a result. EXPIRED: it closed with fewer
    answers than its intent's ``min_trusts``, so it has none. IN_REVIEW: two output checkers look at the merged table
    until the planned deadline; nobody else sees a figure. RETURNED: they did not both approve it, so it has no result.
    CANCELLED: its analyst closed it; what nodes had already charged stays charged.
    """

    ACCEPTED = "accepted"
    OFFERED = "offered"
    CLOSING = "closing"
    CLOSED = "closed"
    EXPIRED = "expired"
    IN_REVIEW = "in-review"
    RETURNED = "returned"
    CANCELLED = "cancelled"


VALID_TRANSITIONS: dict[State, frozenset[State]] = {
    State.ACCEPTED: frozenset({State.OFFERED, State.CLOSING, State.CANCELLED}),
    State.OFFERED: frozenset({State.CLOSING, State.CANCELLED}),
    State.CLOSING: frozenset({State.CLOSED, State.EXPIRED, State.IN_REVIEW}),
    State.IN_REVIEW: frozenset({State.CLOSED, State.RETURNED}),
    State.RETURNED: frozenset(),
    State.CLOSED: frozenset(),
    State.EXPIRED: frozenset(),
    State.CANCELLED: frozenset(),
}

OPEN = frozenset({State.ACCEPTED, State.OFFERED})
"""States in which an answer still counts."""


def before(after: State) -> frozenset[State]:
    """The states from which ``after`` may be reached."""
    return frozenset(state for state, reachable in VALID_TRANSITIONS.items() if after in reachable)
