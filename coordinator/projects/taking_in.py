"""A project that was applied for and approved elsewhere, taken in through the same desks as any other."""

from __future__ import annotations

from coordinator.projects.committee import signers_of
from coordinator.projects.desks import not_so
from coordinator.projects.office import ProjectOffice
from coordinator.projects.writing import EDITABLE
from coordinator.store import ProjectRow
from trustquery.errors import TrustQueryError
from trustquery.identity import Envelope, Permit, ring_of
from trustquery.projects.application import Application
from trustquery.projects.questions import BY_NAME

__all__ = ["take_in"]


def take_in(office: ProjectOffice, application: bytes, permit: bytes) -> ProjectRow:
    """Write, submit and approve: the first application of a project, or an amendment of it.

    Args:
        application: signed by a lead; ``permit`` signed by as many members as are needed.

    Raises:
        TrustQueryError: as the desks do.
    """
    found = Application.read(application)
    project, person = found.project, next(item.person for item in found.team if item.role == "lead")
    known = office.store.projects.applications(project)
    # What an earlier try has done already is not done again.
    if not known or known[-1].sha256 != found.sha256:
        if not known or known[-1].state not in EDITABLE:
            begin = office.writing.amend if known else office.writing.start
            begin(project, person)
        answers = found.model_dump(mode="json")
        office.writing.save(project, person, {name: answers[name] for name in BY_NAME})
        office.writing.submit(project, person, application)
    envelope = Envelope.decode(permit, kind=Permit.KIND)
    members = signers_of(envelope, office.rosters.current())
    for number, member in enumerate(members, 1):
        keys = ring_of(item.key for item in members[:number])
        part = Envelope(envelope.kind, envelope.payload, tuple(pair for pair in envelope.signatures if pair[0] in keys))
        state = office.committee.approve(project, member.person, part.encode())
        if state == "approved":
            break
    else:
        raise not_so("permit", "too few members of the committee have signed it")
    row = office.store.projects.get(project)
    if row is None:
        raise TrustQueryError("project-unknown", project=project)
    return row
