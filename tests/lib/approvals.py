"""Two people at the centre who let a node in, each with a key and an account of their own."""

from __future__ import annotations

from coordinator.enrolment import Desk
from coordinator.store import Store
from trustquery.access import Held, Role
from trustquery.identity import SigningKey
from trustquery.identity.admission import Act

__all__ = ["OPERATORS", "add_operators", "admit", "yes"]

OPERATORS = {name: SigningKey.generate() for name in ("olive", "oscar", "orla")}


def add_operators(store: Store, now: int) -> None:
    """Give each of them an account and the role."""
    for name, key in OPERATORS.items():
        assert store.people.add(name, key.public.hex(), now, held={Held(Role.FEDERATION_OPERATOR)})


def yes(desk: Desk, ods: str, person: str, act: Act = "admit") -> int:
    """One person's signed yes; how many more it takes."""
    return desk.approve(desk.deciding.draft(ods, act).sign(OPERATORS[person]).encode())[1]


def admit(desk: Desk, ods: str) -> None:
    """Two of them say yes."""
    assert [yes(desk, ods, person) for person in ("olive", "oscar")] == [1, 0]
