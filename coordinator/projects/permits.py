"""Reading permits, and whether a person may use one now."""

from __future__ import annotations

import functools

from coordinator.store import ProjectRow, User
from trustquery.errors import TrustQueryError
from trustquery.identity import Member, Permit, key_id
from trustquery.projects.life import ASKABLE, ProjectState

__all__ = ["check_use", "permit_in", "read_permit", "state_of"]


def read_permit(row: ProjectRow) -> Permit:
    """The permit that a project uses."""
    return permit_in(row.permit)


@functools.lru_cache(maxsize=4096)
def permit_in(envelope: bytes) -> Permit:
    """The permit in these bytes; whoever needs its signatures verified verifies them.

    A function of the bytes, so it may be remembered: the clock asks about every project every few seconds.
    """
    return Permit.read(envelope)


def state_of(row: ProjectRow, permit: Permit, now: int) -> str:
    """The project's state; by the clock a permit ends whether or not anybody has noted it yet."""
    if row.state in (*ASKABLE, ProjectState.SUSPENDED) and permit.expires <= now:
        return ProjectState.EXPIRED.value
    return row.state


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
    if row.state not in ASKABLE or not permit.valid_from <= now < permit.expires:
        raise TrustQueryError("project-ended", project=name)
    if member.training_expires <= now:
        raise TrustQueryError("project-training-expired", project=name)
    return row, permit, member
