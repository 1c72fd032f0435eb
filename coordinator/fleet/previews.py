"""Asking every node what it would say, and waiting a short while. Free: nothing is read, charged or signed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from typing import Protocol

from coordinator.fleet.links import Fleet
from trustquery.identity import new_secret
from trustquery.protocol.messages import Preview, PreviewReply

__all__ = ["Elsewhere", "Previews"]


class Elsewhere(Protocol):
    """The other replicas, as previews need them."""

    async def post(self, node: str, message: Preview) -> bool:
        """Have a node asked whose stream is there; False where it is nowhere."""
        ...

    async def reply(self, node: str, message: PreviewReply) -> None:
        """Hand on a reply to a preview that one of them asked."""
        ...


class Previews:
    """Open previews by id, wherever the nodes' streams are.

    Attributes:
        elsewhere: the other replicas; None where there are none.
    """

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self.elsewhere: Elsewhere | None = None
        self._open: dict[bytes, dict[str, PreviewReply]] = {}
        self._events: dict[bytes, asyncio.Event] = {}

    async def ask(self, preview: Preview, nodes: Iterable[str], seconds: float) -> dict[str, PreviewReply]:
        """Send a preview to the connected ones of ``nodes``; the replies that came in time, by node."""
        preview_id = new_secret(32)
        message = replace(preview, preview_id=preview_id)
        replies: dict[str, PreviewReply] = {}
        self._open[preview_id] = replies
        event = self._events[preview_id] = asyncio.Event()
        asked: set[str] = set()
        try:
            async with asyncio.timeout(seconds):
                for node in nodes:
                    sent = self._fleet.send(node, message)
                    if not sent and self.elsewhere is not None:
                        sent = await self.elsewhere.post(node, message)
                    if sent:
                        asked.add(node)
                while not asked <= set(replies):
                    await event.wait()
                    event.clear()
        except TimeoutError:
            pass
        finally:
            del self._open[preview_id], self._events[preview_id]
        return {node: reply for node, reply in replies.items() if node in asked}

    async def on_reply(self, node: str, reply: PreviewReply) -> None:
        """Keep a reply of a node that is here; one that nobody waits for any more is dropped."""
        if reply.preview_id in self._open:
            self.take(node, reply)
        elif self.elsewhere is not None:
            await self.elsewhere.reply(node, reply)

    def take(self, node: str, reply: PreviewReply) -> None:
        """Keep a reply, wherever it came from; the first one of a node stays."""
        replies = self._open.get(reply.preview_id)
        if replies is not None:
            replies.setdefault(node, reply)
            self._events[reply.preview_id].set()
