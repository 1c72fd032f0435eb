"""Opening a session, whichever way somebody signed in."""

from __future__ import annotations

from typing import Any

from coordinator.api.context import Api, token_hash
from coordinator.store import User
from trustquery.errors import TrustQueryError
from trustquery.identity import new_secret

__all__ = ["open_session"]


def open_session(api: Api, user: User, level: int, auth_time: int, way: str) -> dict[str, Any]:
    """A new token for somebody who has just proved who they are.

    Args:
        level: assurance of the sign-in, 2 or 3.
        auth_time: when they proved it, seconds since 1970 UTC.
        way: how they did, for the log where it fails.

    Raises:
        TrustQueryError: ``auth-failed``: the account was disabled in this very moment.
    """
    now, token = api.queries.clock(), new_secret(32).hex()
    expires = now + api.base.settings.sessions.hours * 3600
    opened = api.base.store.sessions.open(token_hash(token), user.id, expires, now, level=level, auth_time=auth_time)
    if not opened:
        api.base.store.tallies.failed_sign_in(user.name, way, now)
        raise TrustQueryError("auth-failed")
    return {"token": token, "expires": expires, "user": user.name, "level": level}
