"""Live streams by node: at most one each, the newer replacing the older."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from trustquery.protocol.messages import Goodbye, Message

__all__ = ["Fleet", "Link"]

QUEUE = 1000


@dataclass(eq=False)
class Link:
    """One node's stream, as seen by the rest of the coordinator: something to put messages on, and to cut."""

    node: str
    serial: str
    outgoing: asyncio.Queue[Message] = field(default_factory=lambda: asyncio.Queue(QUEUE))
    cut: asyncio.Future[str] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def send(self, message: Message) -> bool:
        """Queue a message; a node that reads too slowly is cut, and hears everything again when it comes back."""
        try:
            self.outgoing.put_nowait(message)
        except asyncio.QueueFull:
            self.end("node-rate")
            return False
        return not self.cut.done()

    def end(self, reason: str) -> None:
        """End the stream; ``reason`` is an error code, ``replaced`` or ``restart``."""
        if not self.cut.done():
            self.cut.set_result(reason)


class Fleet:
    """The live streams. Lives in the event loop; needs no lock."""

    def __init__(self) -> None:
        self._links: dict[str, Link] = {}

    @property
    def connected(self) -> frozenset[str]:
        """Names of the nodes with a live stream."""
        return frozenset(self._links)

    def link(self, node: str) -> Link | None:
        """A node's stream."""
        return self._links.get(node)

    def attach(self, link: Link) -> None:
        """Make this the node's stream."""
        older = self._links.pop(link.node, None)
        if older is not None:
            older.end("replaced")
        self._links[link.node] = link

    def detach(self, link: Link) -> None:
        """Forget a stream that has ended, unless another took its place."""
        if self._links.get(link.node) is link:
            del self._links[link.node]

    def send(self, node: str, message: Message) -> bool:
        """Queue a message for a node; False when it is not connected."""
        link = self._links.get(node)
        return link is not None and link.send(message)

    def broadcast(self, message: Message) -> None:
        """Queue a message for every connected node."""
        for link in list(self._links.values()):
            link.send(message)

    def say_goodbye(self, reason: str) -> None:
        """End every stream once everything queued has been written."""
        self.broadcast(Goodbye(reason))
