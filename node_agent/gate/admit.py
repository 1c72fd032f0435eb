"""Step 2: size and rate, before any work is done."""

from __future__ import annotations

from node_agent.gate.case import Case
from node_agent.gate.ports import Ports
from trustquery.errors import TrustQueryError

__all__ = ["MAX_INTENT", "MAX_MODEL", "MAX_PERMIT", "run"]

MAX_INTENT = 64 * 1024
MAX_PERMIT = 1024 * 1024
MAX_MODEL = 2 * 1024 * 1024


def run(case: Case, ports: Ports) -> None:
    """Refuse what is too large or too frequent.

    Raises:
        TrustQueryError: ``node-message-invalid``, ``node-rate``.
    """
    offer = case.offer
    for part, size, limit in (
        ("intent", len(offer.intent), MAX_INTENT),
        ("permit", len(offer.permit), MAX_PERMIT),
        ("model", len(offer.model), MAX_MODEL),
    ):
        if not 0 < size <= limit:
            raise TrustQueryError("node-message-invalid", place=part)
    if not ports.rates.allows("offer", ports.clock.monotonic()):
        raise TrustQueryError("node-rate")
