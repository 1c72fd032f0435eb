"""AUZ-03 and AUZ-04: nothing is inherited, and what is taken away is gone at the next request."""

from __future__ import annotations

from dataclasses import replace

import pytest

from coordinator.access import actor_of, project_resource
from coordinator.projects.office import ProjectOffice
from coordinator.store import NodeRow
from tests.factories.documents import NOW
from tests.lib import refusals
from tests.lib.access_site import KEYS, MEMBER, actor, add, draft, member, permitted
from tests.lib.access_world import query_row
from tests.lib.site import Site, code_of, put_project
from trustquery.access import Actor, Held, Resource, Role, may

# -- AUZ-03: nothing is inherited -------------------------------------------------------------------------------------


@pytest.mark.acceptance("AUZ-03")
def test_a_disabled_accounts_name_and_key_stay_taken_and_its_number_too(site: Site) -> None:
    people = site.base.store.people
    add(site, "ada", "ada")
    first = people.find("ada")
    assert first is not None
    assert people.disable("ada")
    assert not people.add("ada", "aa" * 32, NOW)
    assert not people.add("new", KEYS["ada"].public.hex(), NOW)
    add(site, "next")
    assert [user.id for user in people.everyone()] == [first.id, first.id + 1]


@pytest.mark.acceptance("AUZ-03")
def test_a_person_who_comes_back_is_given_nothing_of_before(site: Site) -> None:
    add(site, "ann", None, None, MEMBER, Held(Role.AUDITOR))
    add(site, "bob", None, None, MEMBER)
    store = site.base.store
    store.roles.deputise("bob", "ann")
    assert store.people.disable("ann")
    assert store.roles.given("ann") == frozenset()
    assert not store.people.add("ann2", "aa" * 32, NOW, person="Ann")
    assert store.people.add("ann2", "aa" * 32, NOW, person="ann", held=[])
    assert actor(site, "ann2").held == frozenset()
    assert not store.roles.grant("nobody", MEMBER, NOW)


@pytest.mark.acceptance("AUZ-03")
def test_a_namesake_of_a_person_inherits_nothing_by_accident(site: Site) -> None:
    add(site, "ann-work", None, "ann", MEMBER)
    assert not site.base.store.people.add("ann", "aa" * 32, NOW)


@pytest.mark.acceptance("AUZ-03")
def test_with_one_of_two_accounts_disabled_the_other_keeps_the_persons_roles(site: Site) -> None:
    add(site, "ann", None, None, MEMBER)
    add(site, "ann-home", None, "ann")
    assert site.base.store.people.disable("ann")
    assert actor(site, "ann-home").held == {MEMBER}


@pytest.mark.acceptance("AUZ-03")
def test_a_trust_that_enrols_again_starts_anew(site: Site) -> None:
    nodes = site.base.store.nodes

    def enrol(code: str, key: str) -> None:
        nodes.invite(code, "RX9", "Trust", NOW + 60)
        row = NodeRow(
            ods="RX9", name="Trust", identity_key=key, request_pem="", tls_key_sha256=key, certificate_pem="",
            serial="", status="pending", words="one two", enrolled=NOW, last_seen=0,
        )  # fmt: skip
        assert nodes.enrol(code, row, NOW)

    enrol("a" * 64, "aa" * 32)
    assert nodes.approve("RX9", "the certificate", "12")
    assert nodes.revoke("RX9")
    enrol("b" * 64, "bb" * 32)
    found = nodes.get("RX9")
    assert found is not None
    assert (found.status, found.certificate_pem, found.serial, found.identity_key) == ("pending", "", "", "bb" * 32)


@pytest.mark.acceptance("AUZ-03")
def test_a_project_cannot_be_made_a_second_time_and_a_later_permit_inherits_no_member(site: Site) -> None:
    add(site, "ada", "ada")
    add(site, "eve", "eve")
    permitted(site, 1, member("ada", KEYS["ada"], "lead"))
    closed = site.base.store.projects.get("stays")
    assert closed is not None
    closed.state = "closed"
    put_project(site.base.store, closed)
    office = ProjectOffice(site.base.store, site.base.rosters, "test", lambda: NOW)
    assert refusals.code_of(office.writing.start, "stays", "eve") == "project-name-taken"
    permitted(site, 2, member("eve", KEYS["eve"], "lead"))
    assert actor(site, "ada").held == frozenset()
    assert actor(site, "eve").held == {Held(Role.PROJECT_LEAD, "stays")}


def test_an_older_database_opens_and_its_users_are_persons(site: Site) -> None:
    from coordinator.store.models import AccountRow, GrantRow

    add(site, "ada", "ada")
    store = site.base.store
    with store.transaction() as session:
        session.query(GrantRow).delete()
        session.query(AccountRow).delete()
    store.create()
    assert actor(site, "ada") == Actor("ada", frozenset({Held(Role.ANALYST)}))
    assert replace(actor(site, "ada"), held=frozenset()).deputises == frozenset()


# -- AUZ-04: what is taken away is gone at the next request -----------------------------------------------------------


def reads(site: Site) -> tuple[int, int, int]:
    """What ada's account gets: the project, her query, how many queries in her history."""
    ada = site.as_user("ada")
    query = ada.call("GET", f"/v1/queries/{'ab' * 32}").status_code
    return (
        ada.call("GET", "/v1/projects/stays").status_code,
        query,
        len(ada.call("GET", "/v1/queries").json()["queries"]),
    )


@pytest.mark.acceptance("AUZ-04")
def test_who_moves_elsewhere_or_leaves_the_permit_reads_no_more(site: Site) -> None:
    add(site, "ada", "ada", at="University")
    ada = site.base.store.people.find("ada")
    assert ada is not None
    permitted(site, 1, member("ada", KEYS["ada"], "lead"))
    site.base.store.queries.add(query_row("ab" * 32, ada.id, "stays"))
    assert reads(site) == (200, 200, 1)
    for elsewhere in ("Northern General", "university", "University "):
        site.base.store.roles.move("ada", elsewhere)
        assert reads(site) == (404, 404, 0)
    site.base.store.roles.move("ada", "University")
    assert reads(site) == (200, 200, 1)
    permitted(site, 2, member("ada", KEYS["ada"], "lead", "Elsewhere"))
    assert reads(site) == (404, 404, 0)
    permitted(site, 3, member("eve", KEYS["eve"], "lead"))
    assert reads(site) == (404, 404, 0)


@pytest.mark.acceptance("AUZ-04")
def test_a_role_that_is_taken_back_ends_a_session_s_rights_and_a_disabled_account_the_session(site: Site) -> None:
    add(site, "eve", "eve", None, Held(Role.AUDITOR))
    permitted(site, 1, member("ada", KEYS["ada"], "lead"))
    eve = site.as_user("eve")
    assert eve.call("GET", "/v1/projects/stays").status_code == 200
    assert site.base.store.roles.revoke("eve", Held(Role.AUDITOR))
    assert code_of(eve.call("GET", "/v1/projects/stays")) == "project-unknown"
    site.base.store.people.disable("eve")
    assert code_of(eve.call("GET", "/v1/projects/stays")) == "auth-required"


@pytest.mark.acceptance("AUZ-04")
def test_a_committee_member_is_one_by_both_the_grant_and_the_roster(site: Site) -> None:
    for name, held, wanted in (("ann", [MEMBER], True), ("bob", [], False), ("eve", [MEMBER], False)):
        add(site, name, None, None, *held)
        assert (MEMBER in actor(site, name).held) == wanted
    user = site.base.store.people.find("ann")
    roster = site.base.rosters.found()
    assert user is not None
    assert roster is not None
    for later in (None, roster.model_copy(update={"committee": ()})):
        assert actor_of(site.base.store, later, user, NOW).held == frozenset()
    assert MEMBER in actor_of(site.base.store, roster, user, roster.expires - 1).held
    assert actor_of(site.base.store, roster, user, roster.expires).held == frozenset()


# -- applications -----------------------------------------------------------------------------------------------------


def test_before_the_permit_the_application_says_who_leads_and_afterwards_the_permit(site: Site) -> None:
    for name in ("ada", "eve", "second"):
        add(site, name, name)
    team = (("eve", KEYS["eve"].public.hex(), "lead"), ("zed", KEYS["second"].public.hex(), "analyst"))
    draft(site, "ada", *team)
    assert actor(site, "ada").held == {Held(Role.PROJECT_LEAD, "stays")}
    assert actor(site, "eve").held == {Held(Role.PROJECT_LEAD, "stays")}
    assert actor(site, "second").held == {Held(Role.ANALYST, "stays")}
    resource = project_resource(site.base.store, site.base.rosters.found(), "stays")
    assert resource == Resource("stays", asker="ada", team=frozenset({"eve", "zed", "second"}))
    for name, action, wanted in (
        ("ada", "application.edit", True), ("eve", "application.submit", True), ("second", "application.edit", False),
        ("second", "application.read", True),
    ):  # fmt: skip
        assert may(actor(site, name), action, resource).allowed == wanted
    permitted(site, 1, member("eve", KEYS["eve"], "lead"))
    assert actor(site, "ada").held == actor(site, "second").held == frozenset()


def test_a_first_draft_concerns_its_team_alone(site: Site) -> None:
    for name, held in (("ann", MEMBER), ("eve", Held(Role.AUDITOR)), ("bob", Held(Role.GOVERNANCE_OFFICER, "RX1"))):
        add(site, name, name, None, held)
    add(site, "ada", "ada")
    add(site, "second", "second")
    team = ("zed", KEYS["second"].public.hex(), "analyst")
    for project, state, wanted in (("new", "draft", False), ("sent", "submitted", True), ("back", "returned", True)):
        draft(site, "ada", team, project=project, state=state)
        resource = project_resource(site.base.store, site.base.rosters.found(), project)
        for name in ("ann", "eve", "bob"):
            assert may(actor(site, name), "application.read", resource).allowed == wanted
        assert may(actor(site, "ann"), "application.decide", resource).allowed == wanted
        for name in ("ada", "second"):
            assert may(actor(site, name), "application.read", resource).allowed
    permitted(site, 1, member("zed", KEYS["third"], "lead"))
    draft(site, "ada", team, version=2, state="draft")
    live = project_resource(site.base.store, site.base.rosters.found(), "stays")
    assert may(actor(site, "ann"), "project.suspend", live).allowed


def test_a_lead_who_names_the_whole_committee_in_a_draft_keeps_nobody_from_stopping_the_project(site: Site) -> None:
    for name in ("ann", "bob"):
        add(site, name, name, None, MEMBER)
    add(site, "ada", "ada")
    permitted(site, 1, member("ada", KEYS["ada"], "lead"))
    names = [(name, KEYS[name].public.hex(), "analyst") for name in ("ann", "bob")]
    draft(site, "ada", *names, version=2, state="draft")
    resource = project_resource(site.base.store, site.base.rosters.found(), "stays")
    for name in ("ann", "bob"):
        assert may(actor(site, name), "project.suspend", resource).allowed
        assert may(actor(site, name), "release.withdraw", resource).allowed
        assert not may(actor(site, name), "project.resume", resource).allowed


def test_being_named_in_an_amendments_draft_gives_nothing_in_the_live_project(site: Site) -> None:
    add(site, "second", "second")
    permitted(site, 1, member("ada", KEYS["ada"], "lead"))
    draft(site, "ada", ("second", KEYS["second"].public.hex(), "lead"), version=2)
    assert actor(site, "second").held == frozenset()
    assert "second" in project_resource(site.base.store, None, "stays").team


@pytest.mark.parametrize(
    "answers", ["", "[]", "{", "null", '{"team": 1}', '{"team": [1]}', '{"team": [{"person": "x"}]}']
)
def test_a_draft_that_cannot_be_read_gives_nothing(site: Site, answers: str) -> None:
    from coordinator.access.teams import draft_team

    assert draft_team(answers) == ()
