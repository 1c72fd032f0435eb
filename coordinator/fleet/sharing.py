"""Several replicas of the coordinator, one fleet: where each node's stream is, and messages across replicas.

A query needs no hand-over of its own: it is in the database, and the replica that holds a node's stream offers it there
(``coordinator.queries.service``). Everything here is looked at twice a second; a word of another replica makes it
sooner. With a SQLite database there is one process, and nothing is shared.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import structlog

from coordinator.fleet.links import Fleet, Link
from coordinator.fleet.previews import Previews
from coordinator.fleet.witnessing import Relay
from coordinator.store import Store
from trustquery.identity import new_secret
from trustquery.protocol.messages import Cosignature, Preview, PreviewReply, WitnessRequest
from trustquery.wire import decode, encode

__all__ = ["Sharing"]

_log = structlog.get_logger()
_MOST_ASKED = 20_000
_Posted = Preview | PreviewReply | WitnessRequest | Cosignature


@dataclass
class Sharing:
    """This replica's part.

    Attributes:
        name: what people call this replica: the address at which nodes reach it.
        id: what the other replicas know this process by; another one after each start.
    """

    store: Store
    fleet: Fleet
    previews: Previews
    relay: Relay
    name: str
    id: str = field(default_factory=lambda: new_secret(16).hex())

    def __post_init__(self) -> None:
        self._asked: dict[bytes, str] = {}
        self._beaten = False
        self._looking = asyncio.Lock()
        if not self.alone:
            self.previews.elsewhere = self
            self.relay.elsewhere = self

    @property
    def alone(self) -> bool:
        """Whether no other replica can be about."""
        return self.store.sqlite

    # -- where streams are ---------------------------------------------------------------------------------------

    async def attach(self, link: Link) -> None:
        """A node's stream is here now; whichever replica had it lets go of it."""
        if not self.alone:
            await asyncio.to_thread(self.store.fleet.attach, link.node, self.id)
            link.recorded = True
            await self._tell("fleet")

    async def detach(self, link: Link) -> None:
        """It has ended, unless another took its place here."""
        if not self.alone and self.fleet.link(link.node) is None:
            await asyncio.to_thread(self.store.fleet.detach, link.node, self.id)
            await self._tell("fleet")

    async def beat(self) -> None:
        """Say that this replica is alive."""
        if self.alone:
            return
        known = await asyncio.to_thread(self.store.fleet.beat, self.id, self.name)
        if self._beaten and not known:
            # Given up by the others, an hour ago or more: the nodes come back, and are where they say.
            self.fleet.say_goodbye("restart")
        self._beaten = True

    async def look(self) -> None:
        """See who holds which node; pass on what other replicas have for nodes here, and what they were replied."""
        if self.alone:
            return
        async with self._looking:
            await self._look()

    async def _look(self) -> None:
        recorded = [link for link in self.fleet.here() if link.recorded]
        held = await asyncio.to_thread(self.store.fleet.links)
        self.fleet.away = {node: replica for node, replica in held.items() if replica != self.id}
        for link in recorded:
            if link.node in self.fleet.away and self.fleet.link(link.node) is link:
                _log.info("stream-moved", node=link.node)
                self.fleet.retire(link)
        await self._fetch()

    async def leave(self) -> None:
        """This replica ends."""
        if not self.alone:
            await asyncio.to_thread(self.store.fleet.leave, self.id)
            await self._tell("fleet")

    # -- messages to nodes elsewhere -----------------------------------------------------------------------------

    async def post(self, node: str, message: Preview | WitnessRequest) -> bool:
        """Have another replica send a message to a node; False where none holds its stream."""
        replica = self.fleet.away.get(node)
        if replica is None:
            return False
        await self._post(replica, node, message)
        return True

    async def reply(self, node: str, message: PreviewReply | Cosignature) -> None:
        """Hand a node's reply to the replica that asked for it; one that none asked for is dropped."""
        replica = self._asked.get(_id_of(message))
        if replica is not None:
            await self._post(replica, node, message)

    async def _post(self, replica: str, node: str, message: _Posted) -> None:
        (frame,) = encode(message, 1)
        await asyncio.to_thread(self.store.fleet.post, replica, self.id, node, frame)
        await self._tell(f"mail {replica}")

    async def _fetch(self) -> None:
        for mail in await asyncio.to_thread(self.store.fleet.fetch, self.id):
            _, _, message = decode(mail.message)
            if isinstance(message, PreviewReply):
                self.previews.take(mail.node, message)
            elif isinstance(message, Cosignature):
                self.relay.take(mail.node, message)
            elif isinstance(message, Preview | WitnessRequest):
                while len(self._asked) >= _MOST_ASKED:
                    self._asked.pop(next(iter(self._asked)))
                self._asked[_id_of(message)] = mail.sender
                self.fleet.send(mail.node, message)

    async def _tell(self, word: str) -> None:
        await asyncio.to_thread(self.store.signals.tell, word)


def _id_of(message: _Posted) -> bytes:
    return message.preview_id if isinstance(message, Preview | PreviewReply) else message.request_id
