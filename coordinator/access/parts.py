"""Who has a part in a project, under every name: so that nobody decides about their own through another account."""

from __future__ import annotations

from dataclasses import replace

from coordinator.access.teams import draft_team, permit_team
from coordinator.store import QueryRow, Store
from trustquery.access import Resource
from trustquery.identity import Roster
from trustquery.projects.life import ApplicationState

__all__ = ["project_resource", "release_resource"]


def project_resource(store: Store, roster: Roster | None, project: str) -> Resource:
    """A project or its newest application, with everybody who has a part in it.

    These are whoever the permit in use and the newest application name, and whoever else has one of their keys: as an
    account here, disabled ones too, or on the roster's committee.

    Returns:
        The resource; ``asker`` is the applicant, "" where there is no application. A first draft is ``unsent``.
    """
    row = store.projects.get(project)
    applications = store.projects.applications(project)
    named = list(permit_team(row.permit)) if row is not None else []
    named += draft_team(applications[-1].answers) if applications else ()
    keys, names = {item.key for item in named}, {item.person for item in named}
    asker = applications[-1].applicant if applications else ""
    committee = roster.committee if roster is not None else ()
    people = names | store.roles.persons(keys, names) | {person.person for person in committee if person.key in keys}
    unsent = row is None and bool(applications) and applications[-1].state == ApplicationState.DRAFT
    return Resource(project=project, asker=asker, team=frozenset(people), unsent=unsent)


def release_resource(store: Store, roster: Roster | None, row: QueryRow) -> Resource:
    """What came of a question, with everybody who has a part in it: in its project now, or when it was asked."""
    about = project_resource(store, roster, row.project)
    named = permit_team(row.permit)
    keys, names = {item.key for item in named}, {item.person for item in named}
    asker = store.roles.person_of(row.user_id)
    names.add(asker)
    committee = roster.committee if roster is not None else ()
    people = names | store.roles.persons(keys, names) | {person.person for person in committee if person.key in keys}
    return replace(about, asker=asker, team=about.team | people | {about.asker} - {""}, unsent=False)
