"""What a coordinator with many projects reads: only what it must, and never an older truth than the database has."""

from __future__ import annotations

import pytest

from coordinator.access import actor_of
from coordinator.access.teams import permit_teams
from coordinator.projects.settling import permits_for_nodes
from coordinator.store import PermitRow, Store, User
from coordinator.store.projects import Projects
from tests.factories.documents import NOW, permit
from tests.lib.site import project_row, put_project
from trustquery.access import Held, Role
from trustquery.identity import Permit, SigningKey

ADA, EVE, BOB = (SigningKey.generate() for _ in range(3))


def permit_row(found: Permit, state: str) -> PermitRow:
    return PermitRow(
        project=found.project, version=found.version, permit_hash=found.sha256, application="", state=state,
        envelope=found.sign(BOB).encode(), updated=NOW,
    )  # fmt: skip


def account(store: Store, key: SigningKey) -> User:
    store.people.add("ada", key.public.hex(), NOW)
    user = store.people.find("ada")
    assert user is not None
    return user


def test_nodes_are_given_the_newest_permit_of_each_project_that_may_be_asked_for(store: Store) -> None:
    wanted = []
    for name, state, permits in (
        ("first", "live", ("replaced", "in-use", "approved", "signing")),
        ("second", "approved", ("in-use", "dropped")),
        ("over", "closed", ("in-use",)),
        ("stopped", "suspended", ("in-use", "revoked")),
    ):
        made = [permit(ADA, project=name, version=at + 1) for at in range(len(permits))]
        put_project(store, project_row(made[0], BOB))
        with store.transaction() as session:
            session.add_all(permit_row(found, word) for found, word in zip(made, permits, strict=True))
        row = project_row(made[0], BOB)
        row.state = state
        put_project(store, row)
        if name == "first":
            wanted.append(made[2])
        if name == "second":
            wanted.append(made[0])
    assert [Permit.read(item) for item in permits_for_nodes(store)] == wanted


def test_a_permit_is_read_once_and_a_later_one_counts_at_the_next_request(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    inner = Projects.permits_in_use

    def counted(self: Projects, hashes: list[str]) -> list[tuple[str, bytes]]:
        read.append(len(hashes))
        return inner(self, hashes)

    monkeypatch.setattr(Projects, "permits_in_use", counted)
    user = account(store, ADA)
    for name in ("one", "two"):
        put_project(store, project_row(permit(ADA, project=name), BOB))
    for _ in range(3):
        assert {Held(Role.PROJECT_LEAD, "one"), Held(Role.PROJECT_LEAD, "two")} <= actor_of(store, None, user, NOW).held
    assert read == [2]
    put_project(store, project_row(permit(EVE, project="one", version=2), BOB))
    held = {item for item in actor_of(store, None, user, NOW).held if item.over}
    assert (held, read) == ({Held(Role.PROJECT_LEAD, "two")}, [2, 1])


def test_a_permit_that_is_not_what_its_hash_says_gives_nobody_anything(store: Store) -> None:
    user = account(store, ADA)
    row = project_row(permit(ADA, project="one"), BOB)
    row.permit_hash = permit(ADA, project="another").sha256
    put_project(store, row)
    assert not [item for item in actor_of(store, None, user, NOW).held if item.over]
    assert permit_teams(store, [row.permit_hash]) == {}
