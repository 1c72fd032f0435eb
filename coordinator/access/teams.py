"""Who is named in a permit or a draft. Reading is a function of the bytes, so it may be remembered; rights are not."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass

from trustquery.errors import TrustQueryError
from trustquery.identity import Permit

__all__ = ["Named", "draft_team", "permit_team"]


@dataclass(frozen=True)
class Named:
    """Somebody as a document names them.

    Attributes:
        key: public key, hexadecimal.
    """

    person: str
    key: str
    organisation: str
    leads: bool


@functools.lru_cache(maxsize=4096)
def permit_team(envelope: bytes) -> tuple[Named, ...]:
    """The members of a permit, whose signatures were checked when it came in; nobody where it cannot be read."""
    try:
        permit = Permit.read(envelope)
    except TrustQueryError:
        return ()
    return tuple(
        Named(member.person, member.key, member.organisation, member.role == "lead") for member in permit.members
    )


@functools.lru_cache(maxsize=4096)
def draft_team(answers: str) -> tuple[Named, ...]:
    """The team in an application's answers, as far as it is written down; nobody where it cannot be read."""
    try:
        team = json.loads(answers).get("team", [])
        return tuple(
            Named(str(item["person"]), str(item["key"]), str(item["organisation"]), item["role"] == "lead")
            for item in team
        )
    except (ValueError, AttributeError, KeyError, TypeError, RecursionError):
        return ()
