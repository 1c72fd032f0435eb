"""Step 12: the exact vector, from a child process, and no later than the planned slot."""

from __future__ import annotations

import queue
import threading

from node_agent.gate.case import Case
from node_agent.gate.ports import Ports
from trustquery.errors import TrustQueryError
from trustquery.model.trusts import at_trust

__all__ = ["run"]


def run(case: Case, ports: Ports) -> None:
    """Run the plan; whatever goes wrong is the same no-answer.

    Raises:
        TrustQueryError: ``node-no-answer``.
    """
    outcome: queue.SimpleQueue[list[int] | dict[str, int] | None] = queue.SimpleQueue()

    def work() -> None:
        try:
            if case.plan.has_unknown_keys:
                outcome.put(case.engine.counts(case.query, case.plan))
            else:
                outcome.put(case.engine.vector(at_trust(case.query, ports.node), case.plan))
        except BaseException:  # whatever it was, it may depend on data: nobody is told
            outcome.put(None)

    threading.Thread(target=work, name="engine", daemon=True).start()
    left = case.slot(1, ports.settings.slot_ms) - ports.clock.monotonic()
    try:
        values = outcome.get(timeout=max(0.0, left))
    except queue.Empty:
        values = None
    if values is None:
        raise TrustQueryError("node-no-answer")
    if isinstance(values, dict):
        case.counts = values
    else:
        case.values = values
