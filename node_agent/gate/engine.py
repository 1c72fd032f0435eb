"""Step 12: the exact vector, from a process of its own, and noise meanwhile; both no later than the planned slot."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import TypeVar

from node_agent.gate.case import Case
from node_agent.gate.ports import Ports
from trustquery.errors import TrustQueryError
from trustquery.model.trusts import at_trust

__all__ = ["run"]

T = TypeVar("T")


def run(case: Case, ports: Ports) -> None:
    """Run the plan; whatever goes wrong is the same no-answer.

    Raises:
        TrustQueryError: ``node-no-answer``.
    """
    if case.plan.has_unknown_keys:
        # How much noise there will be to draw is not known before the keys are.
        counts = _start("engine", lambda: case.engine.counts(case.query, case.plan))
        case.counts = _wait(counts, case, ports)
        return
    drawn = _start("noise", lambda: ports.draw(case.plan))
    values = _start("engine", lambda: case.engine.vector(at_trust(case.query, ports.node), case.plan))
    case.values = _wait(values, case, ports)
    case.drawn = _wait(drawn, case, ports)


def _start(name: str, work: Callable[[], T]) -> queue.SimpleQueue[T | None]:
    """Begin something; what it comes to arrives in the queue, None when it failed."""
    outcome: queue.SimpleQueue[T | None] = queue.SimpleQueue()

    def run_and_tell() -> None:
        try:
            outcome.put(work())
        except BaseException:  # whatever it was, it may depend on data: nobody is told
            outcome.put(None)

    threading.Thread(target=run_and_tell, name=name, daemon=True).start()
    return outcome


def _wait(outcome: queue.SimpleQueue[T | None], case: Case, ports: Ports) -> T:
    left = case.slot(1, ports.settings.slot_ms) - ports.clock.monotonic()
    try:
        found = outcome.get(timeout=max(0.0, left))
    except queue.Empty:
        found = None
    if found is None:
        raise TrustQueryError("node-no-answer")
    return found
