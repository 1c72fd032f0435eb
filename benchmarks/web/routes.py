"""Which pages are asked for: every one that has something to show."""

from __future__ import annotations

from coordinator.api.app import routed
from coordinator.api.door import endpoints
from coordinator.store.uses import UseFilter
from tests.lib.public_site import PublicSite

__all__ = ["LIMIT", "addresses"]

LIMIT = "/public/log/key"
"""A page of one line: what TLS, the server and the door take alone."""
_NOT = ("sign", "arrive", "{rest:path}", ".zip", "data.", "/local", "/static", "/tile/", "verify_log.py", "entry.")
"""Files, and ways to a session."""


def addresses(made: PublicSite) -> list[str]:
    """The limit, every page of the public and of people who are signed in, and some with filters."""
    size = made.base.audit_log.entries()
    one = made.store.uses.some(UseFilter(project="study-0007"), skip=0, limit=1)[0]
    given = {"name": "study-0007", "seq": str(size // 2), "hash_": one.query_hash}
    found = [LIMIT]
    for method, path, _ in endpoints(routed()):
        if method == "GET" and path.startswith(("/public", "/app")) and not any(word in path for word in _NOT):
            made_up = path.format_map(_Given(given))
            if "?" not in made_up and path not in (LIMIT, "/public/log/checkpoint"):
                found.append(made_up)
    return [*found, "/public/queries?month=2026-05", "/public/queries?project=study-0042", "/public/queries?page=3"]


class _Given(dict[str, str]):
    def __missing__(self, name: str) -> str:
        return "?"
