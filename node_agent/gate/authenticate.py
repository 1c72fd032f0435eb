"""Step 1: is this the coordinator, and does the trust answer at all today?"""

from __future__ import annotations

from node_agent.gate.case import Case, Peer
from node_agent.gate.ports import Ports
from trustquery.errors import TrustQueryError

__all__ = ["check", "run"]


def check(peer: Peer, ports: Ports) -> None:
    """Refuse a stream that is not authenticated, and everything while the trust has stopped or its ledger is frozen.

    Raises:
        TrustQueryError: ``auth-certificate``, ``policy-stopped``, ``ledger-frozen``.
    """
    if not peer.authenticated:
        raise TrustQueryError("auth-certificate")
    if ports.governance.stopped():
        raise TrustQueryError("policy-stopped")
    if ports.cosigning.frozen:
        raise TrustQueryError("ledger-frozen")


def run(case: Case, ports: Ports) -> None:
    """Check the stream and the stop mark."""
    check(case.peer, ports)
