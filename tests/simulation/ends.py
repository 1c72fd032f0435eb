"""I6: after the last fault every accepted query ends in time and with a reason, and every release of every node too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coordinator.queries.machine import VALID_TRANSITIONS
from node_agent.budget.states import State

if TYPE_CHECKING:
    from tests.simulation.history import History
    from tests.simulation.node import Node

__all__ = ["check_ends"]

SLACK_S = 6.0
"""How long after its deadline, or after the last fault, a query may take to end: restarts, back-off and ticks."""
NODES_S = 20.0
"""The same for releases at nodes: a greeting that was lost is given up after ten seconds, and only then repeated."""
_LAST = {state.value for state, after in VALID_TRANSITIONS.items() if not after}
_ENDED = {str(state) for state in (State.SENT, State.DEAD, State.EXPIRED, State.WITHHELD)}


async def check_ends(history: History) -> None:
    """Wait until all must have ended, and look."""
    last = max(history.centre_book.closes.values(), default=0)
    await history.pause(max(0.0, last - history.true_wall()) + SLACK_S)
    book = history.centre_book
    for release_id in sorted(history.clients.accepted):
        state = book.states.get(release_id)
        if state not in _LAST:
            history.wrong(f"I6: {release_id[:8]} was accepted and is {state}")
        else:
            history.counts[f"query {state}"] += 1
    until = history.loop.now + NODES_S - SLACK_S
    while any(_open(history, node) for node in history.nodes.values()) and history.loop.now < until:
        await history.pause(1.0)
    for name, node in history.nodes.items():
        if node.rolled_back:
            _frozen(history, node)
            continue
        for known in node.book.known.values():
            history.counts[f"release {known.state}"] += 1
        for what in _open(history, node):
            history.wrong(f"I6: {what} at {name}")
        if node.ledger is not None:
            node.book.whole(node.ledger)


def _open(history: History, node: Node) -> list[str]:
    """What has not come to its end at a node. One whose disk was put back waits for people."""
    ledger = node.ledger
    if node.rolled_back:
        return []
    if ledger is None or not node.machine.alive:
        return ["the node is not up"]
    found = [f"{name[:8]} is {item.state}" for name, item in node.book.known.items() if item.state not in _ENDED]
    # What a stop held back stays at the trust, also where it had left before and nobody said it had come.
    untold = {item.release_id for item in ledger.unacknowledged() if not node.stopped_after(item.reserved_seq)}
    asked = sorted(untold & history.centre_book.states.keys())
    return sorted(found) + [f"nobody said that the answer to {name[:8]} is kept" for name in asked]


def _frozen(history: History, node: Node) -> None:
    """A disk was put back: a ledger that does not extend its newest head with a quorum must have noticed.

    What the node entered since may be what it had entered before, to the byte: then nothing is lost.
    """
    head, frozen = node.cosigned_then, node.cosigning is not None and node.cosigning.frozen
    history.counts["disks put back"] += 1
    history.counts["frozen after that"] += frozen
    if head is not None and not frozen and not node.book.extends(head):
        history.wrong(f"I4: {node.name} was put back behind its head of {head.size} entries, unnoticed")
