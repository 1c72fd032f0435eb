"""Step 4: every signature, and every claim one document makes about another.

The chain: root → roster → committee → permit → member → intent, and the trust's own governance → acceptance. Beside it:
root → roster → statement key → what has been revoked. The coordinator signs none of them.
"""

from __future__ import annotations

from node_agent.gate import revoked
from node_agent.gate.case import Case, Project
from node_agent.gate.ports import Ports
from trustquery.errors import TrustQueryError
from trustquery.identity import Intent, Permit, Revocations, Roster

__all__ = ["own_roster", "project_of", "run"]


def _bad(document: str, problem: str) -> TrustQueryError:
    return TrustQueryError("auth-document", document=document, problem=problem)


def own_roster(ports: Ports, now: int) -> tuple[Roster, Revocations]:
    """The roster in force, which must list this node with this node's key, and what has been revoked.

    Raises:
        TrustQueryError: ``policy-document-stale``, ``policy-revocations-absent``, ``auth-certificate``,
            ``auth-revoked``.
    """
    roster, statement = revoked.current(ports, now)
    entry = roster.node(ports.node)
    if entry is None or entry.key != ports.key.public.hex() or roster.federation != ports.federation:
        raise TrustQueryError("auth-certificate")
    return roster, statement


def project_of(data: bytes, name: str | None, key_id: str, key_kind: str, ports: Ports, now: int) -> Project:
    """Verify a permit, the trust's acceptance of it, and the member who asks.

    Args:
        data: the permit's envelope.
        name: the project that the intent names; None where only the permit does (a preview).
        key_id: print of the key that signs.
        key_kind: where that key lives, as the intent says.

    Raises:
        TrustQueryError: ``auth-document``, ``project-…``, ``policy-not-accepted``, ``policy-document-stale``,
            ``policy-revocations-absent``, ``auth-revoked``.
    """
    roster, statement = own_roster(ports, now)
    permit, signers, envelope = Permit.verify(data, roster.committee_ring, max(2, roster.committee_threshold))
    if permit.federation != ports.federation:
        raise _bad("permit", "it belongs to another federation")
    if name is not None and permit.project != name:
        raise _bad("permit", "it is for another project")
    if not permit.valid_from <= now < permit.expires:
        raise TrustQueryError("project-ended", project=permit.project)
    ports.ledger.see("permit", permit.project, permit.version, envelope.sha256, now)
    member = permit.member(key_id)
    if member is None:
        raise TrustQueryError("project-not-a-member", project=permit.project)
    if member.key_kind != key_kind:
        raise _bad("intent", "its key kind is not the permit's")
    if member.training_expires <= now:
        raise TrustQueryError("project-training-expired", project=permit.project)
    acceptance = ports.governance.acceptance(permit.project)
    mine = (acceptance.federation, acceptance.node, acceptance.project) == (
        ports.federation,
        ports.node,
        permit.project,
    )
    if not mine or acceptance.permit_hash != envelope.sha256 or not acceptance.accepted <= now < acceptance.expires:
        raise TrustQueryError("policy-not-accepted", project=permit.project)
    ports.ledger.see("acceptance", permit.project, acceptance.accepted, acceptance.sha256, now)
    rests_on = revoked.standing(envelope.sha256, frozenset({member.key}), signers, roster)
    revoked.check(rests_on, statement)
    return Project(permit, envelope.sha256, acceptance, member, rests_on, revoked.age_of(statement, ports, now))


def run(case: Case, ports: Ports) -> None:
    """Verify the intent against permit, acceptance and roster.

    Raises:
        TrustQueryError: as ``project_of``, and ``node-deadline``.
    """
    intent, now = case.intent, ports.clock.wall()
    case.project = project_of(case.offer.permit, intent.project, intent.key_id, intent.key_kind, ports, now)
    permit = case.project.permit
    case.intent_envelope.require({intent.key_id: bytes.fromhex(case.project.member.key)}, 1)
    if intent.federation != ports.federation:
        raise _bad("intent", "it belongs to another federation")
    if intent.permit_hash != case.project.permit_hash:
        raise _bad("intent", "it names another permit")
    if ports.node not in intent.nodes:
        raise _bad("intent", "it does not ask this node")
    if intent.not_after <= now:
        raise TrustQueryError("node-deadline")
    _within_permit(intent, permit)


def _within_permit(intent: Intent, permit: Permit) -> None:
    if intent.opt_out_treatment != permit.opt_out_treatment:
        raise _bad("intent", "its opt-out treatment is not the permit's")
    if intent.disclosure_profile != permit.disclosure_profile:
        raise _bad("intent", "its disclosure profile is not the permit's")
    if intent.min_trusts < permit.min_trusts:
        raise _bad("intent", "it asks fewer trusts than the permit requires")
