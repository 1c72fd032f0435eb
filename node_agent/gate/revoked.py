"""What the federation has revoked: asked with the signatures, and once more before anything leaves.

The node goes by the newest statement that has come, whoever brought it. None, or one that is too old, refuses as well.
"""

from __future__ import annotations

from dataclasses import dataclass

from node_agent.gate.ports import Ports
from node_agent.policy_store.newest import see_root, see_roster, see_statement
from trustquery.errors import TrustQueryError
from trustquery.identity import Permit, Revocations, Roster, key_id

__all__ = ["Standing", "age_of", "check", "current", "may_leave", "standing", "standing_of"]

_HOUR = 3_600


@dataclass(frozen=True)
class Standing:
    """What an answer rests on and the federation can revoke; keys are public keys, hexadecimal.

    Attributes:
        members: keys of whoever asks.
        approvers: keys of the committee members who signed the permit.
        needed: how many of those have to.
    """

    permit_hash: str
    members: frozenset[str]
    approvers: frozenset[str]
    needed: int


def standing(permit_hash: str, members: frozenset[str], signers: frozenset[str], roster: Roster) -> Standing:
    """What an answer rests on.

    Args:
        members: public keys of whoever asks.
        signers: ids of the committee keys that signed the permit.
    """
    approvers = frozenset(item.key for item in roster.committee if key_id(bytes.fromhex(item.key)) in signers)
    return Standing(permit_hash, members, approvers, max(2, roster.committee_threshold))


def current(ports: Ports, now: int) -> tuple[Roster, Revocations]:
    """Roster and revocation statement in force, neither older than one already seen, also from a disk put back.

    Raises:
        TrustQueryError: ``policy-document-stale``, ``policy-revocations-absent``, ``auth-document``; ``auth-revoked``:
            this node's own key or certificate.
    """
    see_root(ports.ledger, ports.documents.root(), now)
    roster = ports.documents.roster(now)
    see_roster(ports.ledger, roster, now)
    statement, signers = ports.documents.revocations(now)
    see_statement(ports.ledger, statement, signers, roster, now)
    if statement.has_key(ports.key.public.hex()):
        raise TrustQueryError("auth-revoked", what="this node's key")
    if ports.certificate() in statement.ids("certificate"):
        raise TrustQueryError("auth-revoked", what="this node's certificate")
    return roster, statement


def check(found: Standing, statement: Revocations) -> None:
    """Refuse what rests on something revoked.

    Raises:
        TrustQueryError: ``auth-revoked``.
    """
    if found.permit_hash in statement.ids("permit"):
        raise TrustQueryError("auth-revoked", what="the project's permit")
    revoked = statement.ids("key")
    if found.members & revoked:
        raise TrustQueryError("auth-revoked", what="the key that signed the query")
    if len(found.approvers - revoked) < found.needed:
        raise TrustQueryError("auth-revoked", what="the key of a committee member who signed the permit")


def age_of(statement: Revocations, ports: Ports, now: int) -> int:
    """Seconds since a statement was issued; a clock that was put back makes none younger, for the ledger's counts."""
    return max(0, ports.ledger.time(now) - statement.issued)


def may_leave(found: Standing, ports: Ports) -> bool:
    """Whether nothing that an answer rests on has been revoked since, by a statement that is still young enough."""
    now = ports.clock.wall()
    try:
        _, statement = current(ports, now)
        check(found, statement)
        hours = ports.governance.policy().documents.revocations_max_age_hours
    except TrustQueryError:
        if ports.ledger.failed:
            raise
        return False
    return age_of(statement, ports, now) <= hours * _HOUR


def standing_of(project: str, person: str, ports: Ports) -> Standing:
    """What a release rests on, from the documents that are here: after a restart there is no intent any more.

    Every key of the person counts, because which of them signed is not known.

    Raises:
        TrustQueryError: there is no permit here, or it verifies no more.
    """
    roster = ports.documents.roster(ports.clock.wall())
    permit, envelope = ports.documents.permit(project, ports.clock.wall())
    accepted = ports.governance.acceptance(project).permit_hash
    signers = envelope.signers(roster.committee_ring)
    return standing(accepted, _keys_of(permit, person, project), signers, roster)


def _keys_of(permit: Permit, person: str, project: str) -> frozenset[str]:
    keys = frozenset(member.key for member in permit.members if member.person == person)
    if not keys:
        raise TrustQueryError("project-not-a-member", project=project)
    return keys
