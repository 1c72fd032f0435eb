"""Asking every node what it would say, and waiting a short while. Free: nothing is read, charged or signed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace

from coordinator.fleet.links import Fleet
from trustquery.identity import new_secret
from trustquery.protocol.messages import Preview, PreviewReply

__all__ = ["Previews"]


class Previews:
    """Open previews by id, and the budget shares that each node last showed for each project."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._open: dict[bytes, dict[str, PreviewReply]] = {}
        self._events: dict[bytes, asyncio.Event] = {}

    async def ask(self, preview: Preview, nodes: Iterable[str], seconds: float) -> dict[str, PreviewReply]:
        """Send a preview to the connected ones of ``nodes``; the replies that came in time, by node."""
        preview_id = new_secret(32)
        message = replace(preview, preview_id=preview_id)
        replies: dict[str, PreviewReply] = {}
        self._open[preview_id] = replies
        event = self._events[preview_id] = asyncio.Event()
        try:
            asked = {node for node in nodes if self._fleet.send(node, message)}
            async with asyncio.timeout(seconds):
                while not asked <= set(replies):
                    await event.wait()
                    event.clear()
        except TimeoutError:
            pass
        finally:
            del self._open[preview_id], self._events[preview_id]
        return {node: reply for node, reply in replies.items() if node in asked}

    def on_reply(self, node: str, reply: PreviewReply) -> None:
        """Keep a reply; one that nobody waits for any more is dropped."""
        replies = self._open.get(reply.preview_id)
        if replies is not None:
            replies.setdefault(node, reply)
            self._events[reply.preview_id].set()
