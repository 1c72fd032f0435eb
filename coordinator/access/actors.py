"""From an account to its rights, read from the database each time: what is taken away is gone at the next request."""

from __future__ import annotations

from collections.abc import Iterator

from coordinator.access.teams import Named, draft_team, permit_teams
from coordinator.store import Standing, Store, User
from trustquery.access import Actor, Held, Role
from trustquery.errors import TrustQueryError
from trustquery.identity import Roster

__all__ = ["actor_of"]


def actor_of(store: Store, roster: Roster | None, user: User, now: int) -> Actor:
    """Who this account is and what it may.

    Roles that were given belong to the person. Two roles are derived, from documents that others signed, and so no
    operator can give them: analyst and project lead of a project follow from its permit in use, for the very key of
    this account, and while the organisation recorded for the account is the one on the permit. Before the first permit
    they follow from the application: whoever started it leads, and so do the leads that it names.

    A committee member is somebody who was given the role here and whom the root holders list on the roster: neither the
    operator of this machine nor an entry of the roster alone makes one.

    Args:
        roster: the one in force, None before the first.
        now: seconds since 1970 UTC.

    Raises:
        TrustQueryError: ``auth-required``: the account has been disabled.
    """
    standing = store.roles.standing(user.id)
    if standing is None:
        raise TrustQueryError("auth-required")
    listed = roster is not None and roster.expires > now and standing.person in {p.person for p in roster.committee}
    given = {held for held in standing.given if held.role is not Role.COMMITTEE_MEMBER or listed}
    derived = set(_by_permits(store, standing, user.public_key)) | set(_by_drafts(standing, user.public_key))
    return Actor(standing.person, frozenset(given | derived), standing.deputises)


def _role(named: Named, project: str) -> Held:
    return Held(Role.PROJECT_LEAD if named.leads else Role.ANALYST, project)


def _by_permits(store: Store, standing: Standing, key: str) -> Iterator[Held]:
    teams = permit_teams(store, {permit_hash for _, permit_hash in standing.permits})
    for project, permit_hash in standing.permits:
        for named in teams.get(permit_hash, ()):
            if named.key == key and standing.organisation in ("", named.organisation):
                yield _role(named, project)


def _by_drafts(standing: Standing, key: str) -> Iterator[Held]:
    """Only where there is no permit: being named in the draft of an amendment gives nothing in the live project."""
    for project, applicant, answers in standing.drafts:
        if applicant == standing.person:
            yield Held(Role.PROJECT_LEAD, project)
        for named in draft_team(answers):
            if named.key == key and standing.organisation in ("", named.organisation):
                yield _role(named, project)
