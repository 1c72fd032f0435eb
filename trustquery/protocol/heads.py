"""The cosigned head of a trust's ledger that comes beside an answer: whether it holds the release, and who signed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from trustquery.errors import TrustQueryError
from trustquery.identity import Answer, Roster
from trustquery.log import Checkpoint, coordinator_origin, cosigners, node_origin
from trustquery.policy.countersigning import COORDINATOR

__all__ = ["cosigned_by", "note_of"]


def cosigned_by(head: bytes, answer: Answer, roster: Roster) -> frozenset[str]:
    """Members of the federation that cosigned the ledger head beside an answer: nodes by name, and ``coordinator``.

    Which of them the trust's policy names, and how many it takes, only the trust knows; and a witness on no roster is
    passed over here.

    Raises:
        TrustQueryError: ``auth-document``: it is no head of that trust's ledger, or does not hold the release.
    """
    entry = roster.node(answer.node)
    if entry is None:
        raise TrustQueryError("auth-document", document="checkpoint", problem="its trust is not on the roster")
    origin = node_origin(roster.federation, answer.node)
    if Checkpoint.verify(head, origin, bytes.fromhex(entry.key)).size < answer.ledger_seq:
        raise TrustQueryError("auth-document", document="checkpoint", problem="it is older than the release")
    names = {coordinator_origin(roster.federation): COORDINATOR}
    keys = {coordinator_origin(roster.federation): bytes.fromhex(roster.coordinator_key)}
    for node in roster.nodes:
        if node.node != answer.node:
            line = node_origin(roster.federation, node.node)
            names[line], keys[line] = node.node, bytes.fromhex(node.key)
    return frozenset(names[line] for line in cosigners(head, keys))


def note_of(found: Mapping[str, frozenset[str]], unprotected: Sequence[str]) -> str:
    """One sentence that belongs to every figure: who cosigned, or that nobody did.

    Args:
        found: trust to the members that cosigned its ledger before its answer left.
        unprotected: trusts without witnesses, by their own signed word or because no head came that could be checked.
    """
    if unprotected:
        return f"No rollback protection: no witnesses were shown for the ledgers of {', '.join(sorted(unprotected))}."
    by = "; ".join(f"{node} by {', '.join(sorted(names))}" for node, names in sorted(found.items()))
    return f"Ledgers were cosigned before anything left: {by}."
