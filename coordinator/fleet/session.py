"""One node's stream from Hello to Goodbye."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import grpc
import structlog

from coordinator.fleet.links import Fleet, Link
from coordinator.fleet.peers import check_peer, read_peer
from coordinator.fleet.previews import Previews
from coordinator.projects.settling import permits_for_nodes
from coordinator.queries import QueryService
from coordinator.rosters import Rosters
from coordinator.store import Store
from trustquery.errors import TrustQueryError
from trustquery.identity import new_secret
from trustquery.protocol.messages import (
    PROTOCOL_VERSION,
    Ack,
    AnswerMessage,
    Documents,
    Goodbye,
    Heartbeat,
    Hello,
    Message,
    PreviewReply,
)
from trustquery.protocol.session import Inbound, Outbound

__all__ = ["SessionHandler", "Stances"]

HELLO_SECONDS = 10
SEEN_EVERY_SECONDS = 30
_log = structlog.get_logger()
_STATUS = {
    "auth-certificate": grpc.StatusCode.PERMISSION_DENIED,
    "node-message-invalid": grpc.StatusCode.INVALID_ARGUMENT,
}


class Stances(Protocol):
    """Takes what trusts say of permits; ``coordinator.projects.stances`` keeps it."""

    def take(self, node: str, envelope: bytes) -> None:
        """Keep one stance of one node.

        Raises:
            TrustQueryError: it does not verify, or is about no permit known here.
        """
        ...


Context = grpc.aio.ServicerContext[bytes, bytes]


@dataclass
class SessionHandler:
    """Serves ``NodeLink.Session``; frames are bytes, read by ``trustquery.wire``.

    Attributes:
        stances: takes what trusts say of permits.
        stance_rate: counts a stance of a node; raises ``node-rate`` for one too many, which is dropped.
    """

    federation: str
    store: Store
    rosters: Rosters
    fleet: Fleet
    previews: Previews
    queries: QueryService
    stances: Stances
    stance_rate: Callable[[str], None]

    async def session(self, _requests: object, context: Context) -> None:
        """One stream. Every way out but a clean end is an abort, so that the node notices at once."""
        try:
            link, inbound, outbound = await self._open(context)
        except TrustQueryError as error:
            _log.warning("session-refused", peer=context.peer(), code=error.code)
            await context.abort(_STATUS.get(error.code, grpc.StatusCode.UNAVAILABLE), error.code)
        except TimeoutError:
            await context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, "node-message-invalid")
        self.fleet.attach(link)
        _log.info("node-connected", node=link.node)
        try:
            link.send(await asyncio.to_thread(self.documents))
            for offer in await self.queries.offers_for(link.node):
                link.send(offer)
            reason = await self._run(link, inbound, outbound, context)
        finally:
            self.fleet.detach(link)
            _log.info("node-disconnected", node=link.node)
        if reason:
            status = grpc.StatusCode.PERMISSION_DENIED if reason.startswith("auth-") else grpc.StatusCode.UNAVAILABLE
            await context.abort(_STATUS.get(reason, status), reason)

    async def _open(self, context: Context) -> tuple[Link, Inbound, Outbound]:
        peer = read_peer(context.auth_context())
        inbound, outbound = Inbound(sender="node"), Outbound()
        async with asyncio.timeout(HELLO_SECONDS):
            frame = await context.read()
        if not isinstance(frame, bytes):
            raise TrustQueryError("node-message-invalid", place="hello")
        hello = inbound.receive(frame)
        if not isinstance(hello, Hello):
            raise TrustQueryError("node-message-invalid", place="hello")
        row = await asyncio.to_thread(self.store.nodes.get, hello.node)
        check_peer(peer, self.federation, hello.node, row)
        await asyncio.to_thread(self.store.nodes.seen, hello.node, self.queries.clock())
        ours = Hello((PROTOCOL_VERSION,), "coordinator", new_secret(32), hello.nonce)
        for out in outbound.frames(ours):
            await context.write(out)
        return Link(hello.node, peer.serial), inbound, outbound

    async def _run(self, link: Link, inbound: Inbound, outbound: Outbound, context: Context) -> str:
        reader = asyncio.create_task(self._read(link, inbound, context))
        writer = asyncio.create_task(self._write(link, outbound, context))
        try:
            await asyncio.wait({reader, writer, link.cut}, return_when=asyncio.FIRST_COMPLETED)
            if link.cut.done():
                return link.cut.result()
            done = reader if reader.done() else writer
            return done.result()
        except TrustQueryError as error:
            _log.warning("session-ended", node=link.node, code=error.code, place=error.problem.place)
            return error.code
        except Exception:
            # gRPC would send the exception's own words to the node.
            _log.exception("session-failed", node=link.node)
            return "internal-fault"
        finally:
            reader.cancel()
            writer.cancel()
            await asyncio.gather(reader, writer, return_exceptions=True)

    async def _read(self, link: Link, inbound: Inbound, context: Context) -> str:
        seen = self.queries.clock()
        while isinstance(frame := await context.read(), bytes):
            message = inbound.receive(frame)
            if isinstance(message, Goodbye):
                return ""
            if message is not None:
                await self._handle(link, message)
            now = self.queries.clock()
            if now - seen >= SEEN_EVERY_SECONDS:
                seen = now
                await asyncio.to_thread(self.store.nodes.seen, link.node, now)
        return ""

    async def _handle(self, link: Link, message: Message) -> None:
        match message:
            case AnswerMessage():
                if await self.queries.on_answer(link.node, message):
                    link.send(Ack(message.release_id))
            case PreviewReply():
                self.previews.on_reply(link.node, message)
            case Documents():
                # Of a node they are stances and nothing else; ``Inbound`` has seen to it.
                for envelope in message.stances:
                    await self._take_stance(link.node, envelope)
            case Heartbeat():
                link.send(Heartbeat())
            case _:
                # Witness messages: the coordinator's own log comes with a later issue.
                _log.info("message-ignored", node=link.node, kind=type(message).__name__)

    async def _take_stance(self, node: str, envelope: bytes) -> None:
        try:
            self.stance_rate(node)
            await asyncio.to_thread(self.stances.take, node, envelope)
        except TrustQueryError as error:
            _log.warning("stance-refused", node=node, code=error.code)

    async def _write(self, link: Link, outbound: Outbound, context: Context) -> str:
        while True:
            message = await link.outgoing.get()
            for frame in outbound.frames(message):
                await context.write(frame)
            if isinstance(message, Goodbye):
                return ""

    def documents(self) -> Documents:
        """What every node is told when it connects, and again when it changes."""
        return Documents(self.rosters.envelope, b"", permits_for_nodes(self.store))
