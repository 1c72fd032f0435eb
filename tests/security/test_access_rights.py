"""AUZ-02, AUZ-03, AUZ-04 and AUZ-07: names are not ids, nothing is inherited, what is taken away is gone, and nobody
decides about their own, whichever account they use.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.access import actor_of, project_resource
from coordinator.store import ApplicationRow, NodeRow, Store
from tests.factories.documents import NOW, permit
from tests.lib.access_world import member, query_row
from tests.lib.site import Site, code_of, open_site, project_row
from trustquery.access import ACTIONS, Actor, Held, Reach, Resource, Role, clash, may, parse_held
from trustquery.errors import TrustQueryError
from trustquery.identity import SigningKey

KEYS = {name: SigningKey.generate() for name in ("ann", "bob", "cat", "ada", "eve", "second", "third", "node")}
COMMITTEE = ("ann", "bob", "cat")
DECIDING = [name for name, action in ACTIONS.items() if Reach.OTHERS in action.allowed.values()]
MEMBER = Held(Role.COMMITTEE_MEMBER)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(f"sqlite+pysqlite:///{tmp_path}/store.sqlite")
    made.create()
    yield made
    made.close()


@pytest.fixture
def site(store: Store, tmp_path: Path) -> Site:
    return open_site(store, tmp_path, {name: KEYS[name] for name in COMMITTEE}, KEYS["node"], burst=10_000)


def add(site: Site, name: str, key: str | None = None, person: str | None = None, *held: Held, at: str = "") -> None:
    public = (KEYS[key] if key else SigningKey.generate()).public.hex()
    assert site.base.store.people.add(name, public, NOW, person=person, organisation=at, held=held)


def actor(site: Site, name: str) -> Actor:
    user = site.base.store.people.find(name)
    assert user is not None
    return actor_of(site.base.store, site.base.rosters.found(), user, NOW)


def permitted(site: Site, version: int, *members: object, project: str = "stays") -> None:
    document = permit(KEYS["ada"], project=project, version=version, members=members)
    assert site.base.store.projects.put(project_row(document, KEYS["ann"], KEYS["bob"]))


def draft(site: Site, applicant: str, *team: tuple[str, str, str], project: str = "stays", version: int = 1) -> None:
    answers = [{"person": p, "key": k, "organisation": "University", "role": role} for p, k, role in team]
    row = ApplicationRow(
        project=project, version=version, state="draft", applicant=applicant, answers=json.dumps({"team": answers}),
        envelope=b"", sha256="", updated=NOW,
    )  # fmt: skip
    with site.base.store.projects.change(project, NOW) as change:
        change.add(row)
        change.note("start", "applicant", "started", public=False)


# -- AUZ-02: names that look like ids ---------------------------------------------------------------------------------

ODD = ("13", "1", "0", "01", "550e8400-e29b-41d4-a716-446655440000", "RX1", "rx1", "admin", "-1", "1e0", "0x1")
LOOKALIKES = (
    str.upper, str.title, lambda name: name + " ", lambda name: " " + name, lambda name: name + "\u200b",
    lambda name: name.replace("a", "\u0430"), lambda name: name.replace("1", "\u0661"), lambda name: name + "\x00",
    lambda name: name.replace("a", "a\u0301"), lambda name: f"{name}/", lambda name: f"0{name}", lambda name: name[:-1],
)  # fmt: skip
NAMES = st.one_of(st.sampled_from(ODD), st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,15}", fullmatch=True))


@pytest.mark.acceptance("AUZ-02")
@given(name=NAMES, role=st.sampled_from(Role), place=st.sampled_from(range(len(LOOKALIKES))))
def test_a_name_that_looks_like_another_gives_nothing(name: str, role: Role, place: int) -> None:
    like = LOOKALIKES[place](name)
    actors = [Actor("zed", frozenset({Held(role, name)})), Actor(like, frozenset({Held(role, name)}))]
    for action, someone in itertools.product(ACTIONS, actors):
        limited = ACTIONS[action].allowed.get(role) in (Reach.OWN, Reach.ASKED)
        if limited and like != name:
            assert not may(someone, action, Resource(project=like, node=like, asker=name)).allowed
        if limited:
            # Somebody called like the project, and a trust called like it, are neither the project nor its asker.
            assert not may(someone, action, Resource(project="p" + name, node=name, asker=name)).allowed
        if ACTIONS[action].allowed.get(role) is Reach.ASKED and like != name:
            assert not may(actors[1], action, Resource(project=name, asker=name)).allowed


@pytest.mark.acceptance("AUZ-02")
def test_a_project_called_like_a_trust_gives_nothing_at_the_trust_nor_the_other_way_round() -> None:
    lead, officer = Held(Role.PROJECT_LEAD, "RX1"), Held(Role.GOVERNANCE_OFFICER, "RX1")
    assert may(Actor("ada", frozenset({lead})), "project.close", Resource(project="RX1")).allowed
    assert not may(Actor("ada", frozenset({lead})), "project.close", Resource(project="x", node="RX1")).allowed
    assert not may(Actor("ada", frozenset({officer})), "project.close", Resource(project="RX1", node="RX1")).allowed
    for limited in (Held(Role.COMMITTEE_MEMBER, "stays"), Held(Role.AUDITOR, "RX1"), Held(Role.PROJECT_LEAD, "")):
        for action in ACTIONS.values():
            if not action.open_to:
                assert not may(Actor("ada", frozenset({limited})), action.name, Resource("stays", "RX1")).allowed


@pytest.mark.acceptance("AUZ-02")
def test_an_account_called_like_anothers_number_sees_nothing_of_theirs(site: Site) -> None:
    add(site, "ada", "ada")
    ada = site.base.store.people.find("ada")
    assert ada is not None
    permitted(site, 1, member("ada", KEYS["ada"], "lead"))
    site.base.store.queries.add(query_row("ab" * 32, ada.id, "stays"))
    for name in (str(ada.id), "13", "stays", "550e8400-e29b-41d4-a716-446655440000", "abababab"):
        add(site, name)
        other = site.as_user(name)
        assert other.call("GET", "/v1/queries").json() == {"queries": []}
        assert code_of(other.call("GET", f"/v1/queries/{'ab' * 32}")) == "query-unknown"
        assert code_of(other.call("GET", "/v1/projects/stays")) == "project-unknown"


@pytest.mark.acceptance("AUZ-02")
def test_a_project_is_found_by_its_very_name_only(site: Site) -> None:
    add(site, "ada", "ada")
    permitted(site, 1, member("ada", KEYS["ada"], "lead"))
    ada = site.as_user("ada")
    assert ada.call("GET", "/v1/projects/stays").status_code == 200
    for name in (
        "Stays",
        "stays%20",
        "%20stays",
        "st%D0%B0ys",
        "stays%00",
        "stays.",
        "stay",
        "stays%2F",
        "stays%E2%80%8B",
    ):
        for path in ("", "/budget"):
            assert ada.call("GET", f"/v1/projects/{name}{path}").status_code == 404, name


@pytest.mark.acceptance("AUZ-02")
def test_an_account_or_person_in_other_letter_case_is_not_made(site: Site) -> None:
    add(site, "Ann", None, "ann-lee")
    people = site.base.store.people
    assert not people.add("ann", "aa" * 32, NOW)
    assert not people.add("other", "ab" * 32, NOW, person="Ann-Lee")
    assert not people.add("ann-LEE", "ac" * 32, NOW)
    assert people.add("other", "ad" * 32, NOW, person="ann-lee")


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
    assert site.base.store.projects.end("stays")
    again = project_row(permit(KEYS["eve"]), KEYS["ann"], KEYS["bob"])
    assert not site.base.store.projects.put(again)
    permitted(site, 2, member("eve", KEYS["eve"], "lead"))
    assert actor(site, "ada").held == frozenset()
    assert actor(site, "eve").held == {Held(Role.PROJECT_LEAD, "stays")}


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


# -- AUZ-07: nobody decides about their own ---------------------------------------------------------------------------

Tie = Callable[[Site], None]


def _as_applicant(site: Site) -> None:
    draft(site, "cat", ("ada", KEYS["ada"].public.hex(), "lead"))


def _by_name(site: Site) -> None:
    draft(site, "ada", ("cat", SigningKey.generate().public.hex(), "analyst"))


def _by_key_of(key: str) -> Tie:
    return lambda site: draft(site, "ada", ("zed", KEYS[key].public.hex(), "analyst"))


def _by_disabled_account(site: Site) -> None:
    _by_key_of("third")(site)
    assert site.base.store.people.disable("cat-old")


def _by_account_name(site: Site) -> None:
    draft(site, "ada", ("cat-old", SigningKey.generate().public.hex(), "analyst"))


def _on_the_permit(site: Site) -> None:
    permitted(site, 1, member("ada", KEYS["ada"], "lead"), member("zed", KEYS["second"]))


def _on_the_amendment(site: Site) -> None:
    permitted(site, 1, member("ada", KEYS["ada"], "lead"))
    draft(site, "ada", ("zed", KEYS["second"].public.hex(), "analyst"), version=2)


def _stands_in_for(*chain: str) -> Tie:
    def tie(site: Site) -> None:
        draft(site, "ada", ("eve", KEYS["eve"].public.hex(), "analyst"))
        for deputy, principal in itertools.pairwise(("cat", *chain)):
            assert site.base.store.roles.deputise(deputy, principal)

    return tie


def _operates(held: Held) -> Tie:
    def tie(site: Site) -> None:
        draft(site, "ada")
        assert site.base.store.roles.grant("cat", held, NOW)

    return tie


TIES: dict[str, Tie] = {
    "applicant": _as_applicant,
    "named on the team": _by_name,
    "her committee key on the team": _by_key_of("cat"),
    "her second account's key on the team": _by_key_of("second"),
    "a disabled account's key on the team": _by_disabled_account,
    "her account's name on the team": _by_account_name,
    "on the permit by her second account": _on_the_permit,
    "on the amendment by her second account": _on_the_amendment,
    "deputy of the applicant": _stands_in_for("ada"),
    "deputy of a team member": _stands_in_for("eve"),
    "deputy of a deputy of the applicant": _stands_in_for("bob", "ada"),
    "operator of the federation": _operates(Held(Role.FEDERATION_OPERATOR)),
    "operator of a node": _operates(Held(Role.NODE_OPERATOR, "RX1")),
}


def committee(site: Site) -> Site:
    """cat, a committee member with three accounts, and others."""
    add(site, "cat", "cat", None, MEMBER)
    add(site, "cat-two", "second", "cat")
    add(site, "cat-old", "third", "cat")
    add(site, "bob", "bob", None, MEMBER)
    add(site, "ada", "ada")
    add(site, "eve", "eve")
    return site


@pytest.mark.acceptance("AUZ-07")
@pytest.mark.parametrize("tie", TIES)
def test_whoever_has_a_part_decides_nothing_through_any_account(site: Site, tie: str) -> None:
    committee(site)
    TIES[tie](site)
    resource = project_resource(site.base.store, site.base.rosters.found(), "stays")
    accounts = [name for name in ("cat", "cat-two", "cat-old") if site.base.store.people.find(name) is not None]
    for name, action in itertools.product(accounts, DECIDING):
        ruling = may(actor(site, name), action, resource)
        if ruling.allowed:
            # A lead takes a release of their own project back, as its lead.
            assert (action, ruling.reason) == ("release.withdraw", "project lead: own")
        else:
            assert ruling.reason in ("who has a part in it does not decide", "who operates does not decide")


@pytest.mark.acceptance("AUZ-07")
def test_whoever_has_none_decides_through_each_account(site: Site) -> None:
    committee(site)
    draft(site, "ada", ("eve", KEYS["eve"].public.hex(), "analyst"))
    resource = project_resource(site.base.store, site.base.rosters.found(), "stays")
    for name, action in itertools.product(("cat", "cat-two", "cat-old", "bob"), DECIDING):
        assert may(actor(site, name), action, resource).allowed
    people = {actor(site, name).person for name in ("cat", "cat-two", "cat-old")}
    assert people == {"cat"}, "two accounts are one person: their two decisions count as one"


@pytest.mark.acceptance("AUZ-07")
def test_nobody_stands_in_for_themselves_nor_for_nobody(site: Site) -> None:
    committee(site)
    roles = site.base.store.roles
    assert not roles.deputise("cat", "cat")
    assert not roles.deputise("cat", "nobody")
    assert not roles.deputise("nobody", "cat")
    assert roles.deputise("cat", "bob")
    assert roles.deputise("bob", "cat")
    assert roles.deputises("cat") == {"bob"}
    assert roles.end_deputy("cat", "bob")
    assert not roles.end_deputy("cat", "bob")
    assert roles.deputises("cat") == frozenset()


@pytest.mark.acceptance("AUZ-07")
@pytest.mark.parametrize(("one", "two"), [*itertools.combinations_with_replacement(Role, 2)])
def test_roles_that_operate_and_roles_that_decide_are_not_given_together(one: Role, two: Role) -> None:
    operates = {Role.FEDERATION_OPERATOR, Role.NODE_OPERATOR}
    decides = {Role.COMMITTEE_MEMBER, Role.OUTPUT_CHECKER}
    apart = (one in operates and two in decides) or (two in operates and one in decides)
    assert bool(clash({Held(one), Held(two)})) == apart


# -- roles as commands write them -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["committee-member", "committee member", "governance-officer:RX1", "analyst", "auditor"]
)
def test_a_role_is_read_as_it_is_written(text: str) -> None:
    assert parse_held(parse_held(text).text) == parse_held(text)


@pytest.mark.parametrize(
    "text",
    ["", "king", "project-lead", "project-lead:stays", "analyst:stays", "auditor:RX1", "auditor:", "governance-officer",
     "governance-officer:", "governance-officer:rx1", "node-operator:RX1 ", "Analyst", "committee-member:stays"],
)  # fmt: skip
def test_a_role_that_cannot_be_given_is_refused(text: str) -> None:
    with pytest.raises(TrustQueryError) as caught:
        parse_held(text)
    assert caught.value.code == "usage-invalid"


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
