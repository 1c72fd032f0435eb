"""Approving and loosening take a strong sign-in of the last five minutes; whoever has no right is told that first."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.factories.documents import NOW
from tests.lib.access_world import OTHER, ROWS, Call, World, person, standing_world
from tests.lib.site import Site, code_of
from trustquery.access import ACTIONS

STRONG = [place for place, row in ROWS.items() if ACTIONS[row.action].strong]
WEAK = {"AAL2": (2, NOW), "AAL3 of 301 seconds ago": (3, NOW - 301)}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with standing_world(tmp_path_factory.mktemp("world")) as made:
        yield made


def ask(site: Site, place: tuple[str, str], call: Call) -> str:
    method, path = place
    options = {"json": call.json} if call.json is not None else {}
    reply = site.call(method, path.format(**call.path), **options)
    return "" if reply.status_code < 400 else code_of(reply)


@pytest.mark.acceptance("TRN-09")
@pytest.mark.parametrize("place", STRONG, ids=" ".join)
@pytest.mark.parametrize("weak", WEAK)
def test_a_weak_or_old_sign_in_decides_nothing(world: World, place: tuple[str, str], weak: str) -> None:
    level, auth_time = WEAK[weak]
    row = ROWS[place]
    who = next(iter(ACTIONS[row.action].allowed)).value
    call = row.call(world.objects[who], OTHER)
    assert ask(world.site.as_user(person(who), level=level, auth_time=auth_time), place, call) == "auth-strong"
    assert ask(world.site.as_user(person(who), auth_time=NOW - 300), place, call) in row.passes


@pytest.mark.parametrize("place", STRONG, ids=" ".join)
def test_somebody_without_the_right_is_not_sent_to_sign_in_more_strongly(world: World, place: tuple[str, str]) -> None:
    row = ROWS[place]
    who = world.site.as_user(person("auditor"), level=2)
    assert ask(who, place, row.call(world.objects["auditor"], OTHER)) == "auth-not-permitted"


def test_there_is_something_to_ask_about() -> None:
    assert len(STRONG) == 9
