"""Whoever holds the first root checks a register whose rosters later roots signed."""

from __future__ import annotations

from typing import Any

import pytest

from tests.factories.documents import person, root, roster
from tests.lib.refusals import code_of
from trustquery.identity import Root, SigningKey
from trustquery.identity.rotation import successor_of
from trustquery.projects.verifying import FORMAT, verify_register

HOLDERS = [SigningKey.generate() for _ in range(5)]
FIRST = root(*HOLDERS[:3])
SECOND = successor_of(FIRST, (key.public.hex() for key in HOLDERS[2:]), 2)
NEXT = SECOND.sign(*HOLDERS[1:]).encode().decode()
PEOPLE = (person("ann", SigningKey.generate()),)


def rostered(version: int, *keys: SigningKey) -> str:
    return roster((), PEOPLE, version=version).sign(*keys).encode().decode()


def faults(rosters: list[str], roots: list[str], pinned: Root = FIRST) -> list[str]:
    document: dict[str, Any] = {
        "format": FORMAT, "federation": "test", "entries": [], "rosters": rosters, "roots": roots,
    }  # fmt: skip
    return [finding.text for finding in verify_register(document, pinned) if not finding.holds]


OLD, NEW = rostered(1, *HOLDERS[:2]), rostered(2, *HOLDERS[3:])


def test_a_chain_of_roots_is_followed_from_the_first() -> None:
    assert faults([OLD], []) == []
    assert faults([OLD, NEW], [NEXT]) == []
    # Whoever pinned the second root believes what it signed.
    assert faults([NEW], [NEXT], SECOND) == []


def test_without_the_chain_a_later_roster_is_nobodys() -> None:
    assert faults([OLD, NEW], []) != []
    forged = SECOND.sign(HOLDERS[0], *HOLDERS[3:]).encode().decode()
    assert code_of(faults, [OLD, NEW], [forged]) == "auth-document"


def test_an_earlier_root_signs_no_later_roster() -> None:
    assert faults([OLD, NEW, rostered(3, *HOLDERS[:2])], [NEXT]) == ["version 3 is signed by a root that had ended"]


@pytest.mark.parametrize("roots", [None, "", {}, 1])
def test_an_export_without_a_list_of_roots_is_none(roots: Any) -> None:
    assert code_of(faults, [OLD], roots) == "auth-document"
