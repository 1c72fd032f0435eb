"""Which headers the answers under which addresses carry."""

from __future__ import annotations

from collections.abc import Mapping

from trustquery.web import PLAIN, PREFIX, SCRIPTED

__all__ = ["APP", "BY_PREFIX", "HEADERS"]

HEADERS = PLAIN
"""Of the public's pages, and of those on the way to a session: nothing runs there."""
APP = "/app"
"""Where the pages of people who are signed in begin."""
BY_PREFIX: Mapping[str, Mapping[str, str]] = {
    "/public": PLAIN, "/signin": PLAIN, "/local": PLAIN, PREFIX: PLAIN, APP: SCRIPTED,
}  # fmt: skip
