"""Which permit of a project is in use, and what state that gives the project: worked out again after every change."""

from __future__ import annotations

from coordinator.projects.permits import read_permit
from coordinator.rosters import Rosters
from coordinator.store import PermitRow, ProjectRow, Store
from coordinator.store.projects import Change
from trustquery.identity import Permit
from trustquery.projects.life import ProjectState, project_after

__all__ = ["acceptances", "permits_for_nodes", "settle"]


def permits_for_nodes(store: Store) -> tuple[bytes, ...]:
    """The newest permit of each project that may be asked for: what trusts decide on. Offers carry the one in use."""
    return tuple(store.projects.askable_permits())


def acceptances(change: Change, permit_hash: str, rosters: Rosters) -> int:
    """How many trusts on the roster accept this permit."""
    nodes = {node.node for node in rosters.current().nodes}
    return sum(
        row.permit_hash == permit_hash and row.word != "declined" and row.node in nodes for row in change.stances()
    )


def settle(change: Change, project: str, rosters: Rosters, now: int) -> None:
    """Put the newest approved permit in use when its time has come, and move the project to where it belongs.

    A permit that follows another takes its place once as many trusts have accepted it as its answers need, so that work
    goes on meanwhile; at once where there is nothing to go on with.
    """
    waiting = [row for row in change.permits() if row.state == "approved"]
    row = change.project()
    if waiting:
        newest = waiting[-1]
        if row is None:
            row = _first(change, newest, now)
        elif _takes_over(change, row, newest, rosters, now):
            _replace(change, row, newest, now)
    if row is None or row.state == ProjectState.CLOSED:
        return
    permit = read_permit(row)
    state = ProjectState(row.state)
    if permit.expires <= now:
        if state is not ProjectState.EXPIRED:
            row.state = project_after(state, "expire", project)
            change.note("expire", "the clock", f"Permit version {permit.version} has ended.")
        return
    enough = acceptances(change, row.permit_hash, rosters) >= permit.min_trusts
    if state is ProjectState.APPROVED and enough:
        row.state = project_after(state, "accept", project)
        change.note("live", "the register", f"{permit.min_trusts} trusts have accepted: the project is live.")
    if state is ProjectState.LIVE and not enough:
        row.state = project_after(state, "decline", project)
        change.note("waiting", "the register", f"Fewer than {permit.min_trusts} trusts accept it now.")


def _first(change: Change, newest: PermitRow, now: int) -> ProjectRow:
    row = ProjectRow(
        name=newest.project,
        version=newest.version,
        permit=newest.envelope,
        permit_hash=newest.permit_hash,
        state=ProjectState.APPROVED,
        added=now,
    )
    newest.state = "in-use"
    change.add(row)
    return row


def _takes_over(change: Change, row: ProjectRow, newest: PermitRow, rosters: Rosters, now: int) -> bool:
    permit = Permit.read(newest.envelope)
    if permit.valid_from > now or permit.expires <= now:
        return False
    if row.state in (ProjectState.EXPIRED, ProjectState.APPROVED):
        return True
    # A suspended project is resumed as it was, and then amended; a closed one stays closed.
    if row.state != ProjectState.LIVE:
        return False
    ended = read_permit(row).expires <= now
    return ended or acceptances(change, newest.permit_hash, rosters) >= permit.min_trusts


def _replace(change: Change, row: ProjectRow, newest: PermitRow, now: int) -> None:
    for other in change.permits():
        if other.state == "in-use" or (other.state == "approved" and other.version < newest.version):
            other.state, other.updated = "replaced", now
    row.state = project_after(ProjectState(row.state), "amend", row.name)
    row.version, row.permit, row.permit_hash, row.added = newest.version, newest.envelope, newest.permit_hash, now
    newest.state = "in-use"
    change.note("amend", "the register", f"Permit version {newest.version} is in use from now on.")
