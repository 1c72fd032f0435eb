"""Whom this node believes as witnesses of its ledger: names by the policy, keys by the roster."""

from __future__ import annotations

from node_agent.gate.ports import Documents, Governance
from trustquery.errors import TrustQueryError
from trustquery.log import coordinator_origin, node_origin
from trustquery.policy.countersigning import COORDINATOR
from trustquery.protocol.cosigning import Believed, Wanted

__all__ = ["wanted_by"]


def wanted_by(governance: Governance, documents: Documents, now: int) -> Wanted | None:
    """Who must have cosigned this node's heads: names by the policy, keys by the roster; None in bootstrap.

    A name without a key counts as a witness that is silent: the quorum never shrinks by itself.

    Raises:
        TrustQueryError: ``policy-…``, ``auth-…``: there is no policy, roster or statement to go by;
            ``witness-quorum-invalid``.
    """
    policy = governance.policy()
    if policy.bootstrap or policy.witnesses is None:
        return None if policy.bootstrap else Wanted({}, 1)
    roster = documents.roster(now)
    statement, _ = documents.revocations(now)
    alone = {item.name: bytes.fromhex(item.key) for item in policy.witnesses.stand_alone}
    found: dict[str, Believed] = {}
    for name in policy.witnesses.names:
        if name in alone:
            found[name] = Believed(name, alone[name])
        elif name == COORDINATOR:
            found[name] = Believed(coordinator_origin(policy.federation), bytes.fromhex(roster.coordinator_key))
        else:
            entry = roster.node(name)
            gone = entry is None or statement.has_key(entry.key)
            key = None if entry is None or gone else bytes.fromhex(entry.key)
            found[name] = Believed(node_origin(policy.federation, name), key)
    keys = [item.key for item in found.values() if item.key is not None]
    if len(set(keys)) != len(keys):
        # One key is one witness, whatever it is called.
        raise TrustQueryError("witness-quorum-invalid", problem="two of them have one key")
    return Wanted(found, policy.witnesses.quorum)
