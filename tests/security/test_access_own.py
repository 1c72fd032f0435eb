"""AUZ-07: nobody decides about their own, whichever account, name, key or deputy they use."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from coordinator.access import project_resource
from tests.factories.documents import NOW
from tests.lib.access_site import KEYS, MEMBER, actor, add, draft, member, permitted
from tests.lib.site import Site
from trustquery.access import ACTIONS, Held, Reach, Role, clash, may
from trustquery.identity import SigningKey

DECIDING = [name for name, action in ACTIONS.items() if Reach.OTHERS in action.allowed.values()]
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
    """cat, a committee member and output checker with three accounts, and others."""
    add(site, "cat", "cat", None, MEMBER, Held(Role.OUTPUT_CHECKER))
    add(site, "cat-two", "second", "cat")
    add(site, "cat-old", "third", "cat")
    add(site, "bob", "bob", None, MEMBER, Held(Role.OUTPUT_CHECKER))
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
        assert not ruling.allowed
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
