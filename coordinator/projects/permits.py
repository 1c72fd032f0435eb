"""Reading permits, and whether a person may use one now."""

from __future__ import annotations

from coordinator.store import ProjectRow, User
from trustquery.errors import TrustQueryError
from trustquery.identity import Envelope, Member, Permit, Roster, key_id

__all__ = ["check_use", "read_permit", "verify_permit"]


def verify_permit(envelope: bytes, roster: Roster) -> tuple[Permit, Envelope]:
    """Check the committee's signatures.

    Raises:
        TrustQueryError: ``auth-document``.
    """
    permit, _, found = Permit.verify(envelope, roster.committee_ring, roster.committee_threshold)
    if permit.federation != roster.federation:
        raise TrustQueryError("auth-document", document="permit", problem="it is another federation's")
    return permit, found


def read_permit(row: ProjectRow) -> Permit:
    """A stored project's permit; its signatures were checked when it was stored, and nodes check them again."""
    return Permit.from_payload(Envelope.decode(row.permit, kind=Permit.KIND).payload)


def check_use(row: ProjectRow | None, name: str, user: User, now: int) -> tuple[ProjectRow, Permit, Member]:
    """The project, its permit and the member, if this person may use the project now.

    A project that does not exist and one that the person is not a member of look the same.

    Raises:
        TrustQueryError: ``project-unknown``, ``project-ended``, ``project-training-expired``.
    """
    permit = read_permit(row) if row is not None else None
    member = permit.member(key_id(bytes.fromhex(user.public_key))) if permit is not None else None
    if row is None or permit is None or member is None:
        raise TrustQueryError("project-unknown", project=name)
    if row.state != "live" or not permit.valid_from <= now < permit.expires:
        raise TrustQueryError("project-ended", project=name)
    if member.training_expires <= now:
        raise TrustQueryError("project-training-expired", project=name)
    return row, permit, member
