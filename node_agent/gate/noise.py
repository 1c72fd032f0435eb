"""Step 14: the noise that was drawn in memory after STARTED is added. Nothing alters the vector after this."""

from __future__ import annotations

import array
import sys

from node_agent.gate.case import Case
from node_agent.gate.ports import Ports
from trustquery.errors import TrustQueryError
from trustquery.protocol.pairs import write_pairs

__all__ = ["little_endian", "run"]


def little_endian(values: list[int]) -> bytes:
    """The vector's bytes: little-endian int64.

    Raises:
        OverflowError: a value does not fit.
    """
    data = array.array("q", values)
    if sys.byteorder == "big":
        data.byteswap()
    return data.tobytes()


def run(case: Case, ports: Ports) -> None:
    """Add the noise; the exact vector is forgotten.

    Raises:
        TrustQueryError: ``node-no-answer``.
    """
    if case.plan.has_unknown_keys:
        released = ports.release_keys(case.counts, case.plan)
        case.counts = {}
        case.vector = write_pairs(released)
        return
    noised = ports.noise(case.values, case.plan, case.drawn)
    case.values = case.drawn = []
    if len(noised) != case.plan.length:
        raise TrustQueryError("node-no-answer")
    case.vector = little_endian(noised)
