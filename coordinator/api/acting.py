"""Who acts, and on what: what the one question of access is asked about."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import Depends

from coordinator.api.context import Api, ApiDep, UserDep
from coordinator.store import User
from trustquery.access import Actor, Held, Role

__all__ = ["ActorDep"]


def _actor(api: Api, user: User) -> Actor:
    held = {Held(Role.ANALYST)}
    roster = api.base.rosters.found()
    if roster is not None and any(item.person == user.name for item in roster.committee):
        held.add(Held(Role.COMMITTEE_MEMBER))
    return Actor(user.name, frozenset(held))


async def _dependency(api: ApiDep, user: UserDep) -> Actor:
    return await asyncio.to_thread(_actor, api, user)


ActorDep = Annotated[Actor, Depends(_dependency)]
