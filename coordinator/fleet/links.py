"""Live streams by node: one each, the newer replacing the older, which is heard out."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from coordinator.fleet.peers import Peer
from trustquery.protocol.messages import Goodbye, Message, Offer
from trustquery.protocol.session import Recent

__all__ = ["Fleet", "Link"]

QUEUE = 1000
REPLACED_SECONDS = 5.0


@dataclass(eq=False)
class Link:
    """One node's stream, as seen by the rest of the coordinator: something to put messages on, and to cut.

    An offer goes out once on a stream: a query that is accepted while a node connects is told to it by both who find
    it, and a node takes an offer that comes twice for a replay.

    Attributes:
        peer: what TLS proved about the node.
        frozen: whether the node says that its ledger is frozen; None before it has said anything of it.
        ready: whether it has its documents, and may be offered queries.
        told: release ids of the queries that it was offered, or had answered before, until they end.
        recorded: whether the other replicas may know that the stream is here.
    """

    node: str
    peer: Peer
    frozen: bool | None = None
    ready: bool = False
    recorded: bool = False
    told: set[str] = field(default_factory=set)
    outgoing: asyncio.Queue[Message] = field(default_factory=lambda: asyncio.Queue(QUEUE))
    cut: asyncio.Future[str] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    _offered: Recent = field(default_factory=Recent)

    @property
    def serial(self) -> str:
        """Serial number of the certificate that this stream was opened with."""
        return self.peer.serial

    def send(self, message: Message) -> bool:
        """Queue a message; a node that reads too slowly is cut, and hears everything again when it comes back."""
        if isinstance(message, Offer) and not self._offered.new(hashlib.sha256(message.intent).digest()):
            return not self.cut.done()
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
    """The live streams. Lives in the event loop; needs no lock.

    Attributes:
        away: nodes whose streams other replicas hold, and which.
    """

    def __init__(self) -> None:
        self._links: dict[str, Link] = {}
        self.away: Mapping[str, str] = {}

    @property
    def connected(self) -> frozenset[str]:
        """Names of the nodes with a live stream, here or at another replica."""
        return frozenset(self._links) | self.away.keys()

    def here(self) -> list[Link]:
        """The streams of this process."""
        return list(self._links.values())

    def lines(self) -> list[Link]:
        """Those that may be offered queries."""
        return [link for link in self._links.values() if link.ready]

    def link(self, node: str) -> Link | None:
        """A node's stream."""
        return self._links.get(node)

    def attach(self, link: Link) -> None:
        """Make this the node's stream."""
        older = self._links.pop(link.node, None)
        if older is not None:
            self.retire(older)
        self._links[link.node] = link

    def retire(self, link: Link) -> None:
        """Another stream took its place, here or at another replica.

        What it has on its way is still read: a node that renews its certificate hands over without a gap.
        """
        self.detach(link)
        asyncio.get_running_loop().call_later(REPLACED_SECONDS, link.end, "replaced")

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
