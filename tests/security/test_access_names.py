"""AUZ-02: names that look like ids, or like other names, are neither."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.factories.documents import NOW
from tests.lib.access_site import KEYS, add, member, permitted
from tests.lib.access_world import query_row
from tests.lib.site import Site, code_of
from trustquery.access import ACTIONS, Actor, Held, Reach, Resource, Role, may, parse_held
from trustquery.errors import TrustQueryError

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
