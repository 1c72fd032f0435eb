"""One exchange with NHS England's service, whatever carries it: put a request together, take its reply."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from node_agent.config import NumbersConfig
from node_agent.optout.people import numbers_of
from node_agent.optout.records import Request
from node_agent.optout.replies import in_drawn_order, read_reply
from node_agent.optout.vault import Vault
from node_agent.sources.store import ListUsed
from trustquery.errors import TrustQueryError
from trustquery.identity import new_secret

__all__ = ["make_request", "take_reply"]


def make_request(vault: Vault, config: Sequence[NumbersConfig], resolve: Callable[[str], Path], now: int) -> Request:
    """Every verified NHS number of every dataset, once: whole tables, whoever asks about them.

    Args:
        now: from here the age of the list counts. A choice made after this moment may be missing from the reply, so no
            later moment can be promised; and the reply, which is of later, is only younger.

    Raises:
        TrustQueryError: ``optout-not-configured``, ``optout-numbers``.
    """
    if not config:
        raise TrustQueryError("optout-not-configured", part="[[nhs_numbers]]")
    numbers: set[str] = set()
    for item in config:
        numbers |= set(numbers_of(config, item.dataset, resolve).values())
    if not numbers:
        raise TrustQueryError("optout-numbers", dataset="every dataset", problem="nobody has a verified number")
    try:
        came_back = vault.entries("national")
    except TrustQueryError:
        came_back = frozenset()
    return vault.begin(in_drawn_order(numbers, new_secret(), came_back), now)


def take_reply(vault: Vault, request: str, content: bytes, *, most_percent: int) -> ListUsed:
    """Believe a reply, or refuse it whole; either way its request is done.

    Args:
        request: id of the request that it answers.
        most_percent: as for ``read_reply``.

    Raises:
        TrustQueryError: ``optout-reply-refused``: nothing waits for it, or it is not what a reply can be.
    """
    found = next((item for item in vault.waiting() if item.id == request), None)
    if found is None:
        raise TrustQueryError("optout-reply-refused", problem="nothing that was sent waits for it")
    try:
        allowed = read_reply(content, found.numbers, most_percent=most_percent)
    except TrustQueryError:
        vault.settle(found.id, "refused")
        raise
    return vault.put("national", "", tuple(allowed), found.made, answered=found.id)
