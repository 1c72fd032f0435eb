"""What the coordinator would have the delegate revoke. It proposes; who holds the statement key decides."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from coordinator.services import Base
from trustquery.identity import Permit
from trustquery.identity.federation import RevokedKind
from trustquery.projects.life import ProjectState

__all__ = ["Due", "due_of"]


@dataclass(frozen=True)
class Due:
    """One thing that no longer counts here, and that no statement has yet.

    Attributes:
        until: when it ends by itself, seconds since 1970; 0 for never.
        why: what happened here.
    """

    kind: RevokedKind
    id: str
    until: int
    why: str


def due_of(base: Base, now: int) -> tuple[Due, ...]:
    """Everything that is due, permits first."""
    said = base.statements.found()
    found = (*_permits(base), *_nodes(base), *_people(base))
    lasting = (item for item in found if item.until == 0 or item.until > now)
    return tuple(item for item in lasting if said is None or item.id not in said.ids(item.kind))


def _permits(base: Base) -> Iterator[Due]:
    """The permit in use of each project that ended or was suspended, and any that would follow it."""
    for row in base.store.projects.everyone():
        if row.state not in (ProjectState.SUSPENDED, ProjectState.CLOSED):
            continue
        envelopes = {row.permit_hash: row.permit}
        for later in base.store.projects.permits(row.name):
            if later.state in ("approved", "revoked"):
                envelopes[later.permit_hash] = later.envelope
        for permit_hash, envelope in envelopes.items():
            until = Permit.read(envelope).expires
            yield Due("permit", permit_hash, until, f"project {row.name} is {row.state}")


def _nodes(base: Base) -> Iterator[Due]:
    for row in base.store.nodes.everyone():
        if row.status == "revoked":
            yield Due("key", row.identity_key, 0, f"node {row.node} was revoked")
            for serial, ends in base.store.admissions.certificates(row.node):
                yield Due("certificate", serial, ends, f"node {row.node} was revoked")


def _people(base: Base) -> Iterator[Due]:
    for user in base.store.people.everyone():
        if user.disabled:
            yield Due("key", user.public_key, 0, f"account {user.name} was disabled")
