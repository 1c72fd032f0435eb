"""Who is named in a permit or a draft. Reading is a function of the bytes, so it may be remembered; rights are not."""

from __future__ import annotations

import functools
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from coordinator.store import Store
from trustquery.errors import TrustQueryError
from trustquery.identity import Envelope, Permit

__all__ = ["Named", "draft_team", "permit_team", "permit_teams"]


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


_MOST_KNOWN = 16_384
_known: dict[str, tuple[Named, ...]] = {}


def permit_teams(store: Store, hashes: Collection[str]) -> Mapping[str, tuple[Named, ...]]:
    """The members of permits in use, by the permit's hash; one that cannot be read, or is another, has no entry.

    A request asks about every project. So what a hash stands for is read once: a permit never changes under its hash.
    """
    found = {item: _known[item] for item in hashes if item in _known}
    missing = [item for item in hashes if item not in found]
    for permit_hash, envelope in store.projects.permits_in_use(missing) if missing else ():
        try:
            is_it = Envelope.decode(envelope, kind=Permit.KIND).sha256 == permit_hash
        except TrustQueryError:
            continue
        if is_it:
            found[permit_hash] = permit_team(envelope)
    if len(_known) + len(found) < _MOST_KNOWN:
        _known.update(found)
    return found


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
