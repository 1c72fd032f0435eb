"""Small moves on a site: add an account, read its rights, put a permit in use, write a draft."""

from __future__ import annotations

import json

from coordinator.access import actor_of
from coordinator.store import ApplicationRow
from tests.factories.documents import NOW, permit
from tests.lib.site import Site, project_row, put_project
from trustquery.access import Actor, Held, Role
from trustquery.identity import Member, SigningKey

__all__ = ["COMMITTEE", "KEYS", "MEMBER", "actor", "add", "draft", "member", "permitted"]

KEYS = {name: SigningKey.generate() for name in ("ann", "bob", "cat", "ada", "eve", "second", "third", "node")}
COMMITTEE = ("ann", "bob", "cat")
MEMBER = Held(Role.COMMITTEE_MEMBER)


def member(person: str, key: SigningKey, role: str = "analyst", organisation: str = "University") -> Member:
    """A member of a permit."""
    return Member(
        person=person, name=person.title(), organisation=organisation, role=role,  # type: ignore[arg-type]
        key=key.public.hex(), key_kind="file", training_body="ONS", training_expires=NOW + 10_000,
    )  # fmt: skip


def add(site: Site, name: str, key: str | None = None, person: str | None = None, *held: Held, at: str = "") -> None:
    public = (KEYS[key] if key else SigningKey.generate()).public.hex()
    assert site.base.store.people.add(name, public, NOW, person=person, organisation=at, held=held)


def actor(site: Site, name: str) -> Actor:
    user = site.base.store.people.find(name)
    assert user is not None
    return actor_of(site.base.store, site.base.rosters.found(), user, NOW)


def permitted(site: Site, version: int, *members: object, project: str = "stays") -> None:
    document = permit(KEYS["ada"], project=project, version=version, members=members)
    put_project(site.base.store, project_row(document, KEYS["ann"], KEYS["bob"]))


def draft(
    site: Site,
    applicant: str,
    *team: tuple[str, str, str],
    project: str = "stays",
    version: int = 1,
    state: str = "submitted",
) -> None:
    answers = [{"person": p, "key": k, "organisation": "University", "role": role} for p, k, role in team]
    row = ApplicationRow(
        project=project, version=version, state=state, applicant=applicant, answers=json.dumps({"team": answers}),
        envelope=b"", sha256="", updated=NOW,
    )  # fmt: skip
    with site.base.store.projects.change(project, NOW) as change:
        change.add(row)
        change.note("start", "applicant", "started", public=False)
