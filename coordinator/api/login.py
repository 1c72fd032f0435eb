"""Signing in with a key: a challenge, signed with the account's Ed25519 key. A stranger and a known user look the same.

Off unless the settings allow it: a key in a file is one thing that somebody has, and a copy of it is not noticed.
"""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import Request
from pydantic import Field

from coordinator.api.context import Api, ApiDep, Body, Hex32, ShortName, client_of, token_hash
from coordinator.api.door import AskingDep, acts, doors
from coordinator.api.sessions import open_session
from coordinator.signin.settings import LEVELS
from trustquery.errors import TrustQueryError
from trustquery.identity import new_secret, verify
from trustquery.protocol.enrolment import login_message

__all__ = ["router"]

router = doors(prefix="/v1")
CHALLENGE_SECONDS = 120
# A well-formed key that nobody holds: an unknown name costs the same signature check as a known one.
_NOBODY = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")


class ChallengeRequest(Body):
    """Who wants to sign in."""

    user: ShortName


class LoginRequest(Body):
    """The signed challenge."""

    user: ShortName
    challenge: Hex32
    signature: Annotated[str, Field(pattern=r"^[0-9a-f]{128}$")]


def _refuse_where_off(api: Api) -> str:
    allowed = api.base.settings.identity.key_challenge
    if allowed not in LEVELS:
        raise TrustQueryError("auth-way-off", way="a key")
    return allowed


@router.post("/login/challenge")
@acts("session.open")
async def challenge(body: ChallengeRequest, api: ApiDep, request: Request) -> dict[str, Any]:
    """A challenge for whatever name was given."""
    await api.login_rate.count(client_of(request))
    _refuse_where_off(api)
    now = api.queries.clock()
    nonce = new_secret(32).hex()
    await asyncio.to_thread(api.base.store.people.add_challenge, nonce, body.user, now + CHALLENGE_SECONDS, now)
    return {"challenge": nonce, "expires": now + CHALLENGE_SECONDS}


@router.post("/login")
@acts("session.open")
async def login(body: LoginRequest, api: ApiDep, request: Request) -> dict[str, Any]:
    """A session token for a rightly signed challenge."""
    await api.login_rate.count(client_of(request))
    allowed = _refuse_where_off(api)
    people, now = api.base.store.people, api.queries.clock()
    fresh = await asyncio.to_thread(people.take_challenge, body.challenge, body.user, now)
    user = await asyncio.to_thread(people.find, body.user)
    key = bytes.fromhex(user.public_key) if user is not None else _NOBODY
    message = login_message(api.base.root.federation, api.base.desk.authority_sha256(), body.user, body.challenge)
    good = verify(key, message, bytes.fromhex(body.signature))
    if user is None or not fresh or not good or api.base.statements.revokes_key(user.public_key):
        await asyncio.to_thread(api.base.store.tallies.failed_sign_in, body.user, "key", now)
        raise TrustQueryError("auth-failed")
    return await asyncio.to_thread(open_session, api, user, LEVELS[allowed], now, "key")


@router.post("/logout")
@acts("session.close")
async def logout(asking: AskingDep, api: ApiDep) -> dict[str, Any]:
    """End this session."""
    await asyncio.to_thread(api.base.store.sessions.close, token_hash(asking.token))
    return {}
