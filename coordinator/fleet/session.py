"""One node's stream from Hello to Goodbye."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from coordinator.fleet.frames import NodeStream
from coordinator.fleet.links import Fleet, Link
from coordinator.fleet.peers import Peer, check_peer
from coordinator.fleet.previews import Previews
from coordinator.fleet.sharing import Sharing
from coordinator.fleet.witnessing import Relay
from coordinator.projects.settling import permits_for_nodes
from coordinator.queries import QueryService
from coordinator.rosters import Rosters
from coordinator.statements import Statements
from coordinator.store import NodeRow, Store
from trustquery.errors import TrustQueryError
from trustquery.identity import new_secret, verify
from trustquery.protocol.enrolment import join_message
from trustquery.protocol.messages import (
    PROTOCOL_VERSION,
    Ack,
    AnswerMessage,
    Certificate,
    Cosignature,
    Documents,
    Goodbye,
    Heartbeat,
    Hello,
    Join,
    Message,
    PreviewReply,
    Renew,
    WitnessRequest,
)
from trustquery.protocol.session import Inbound, Outbound, Recent

__all__ = ["SessionHandler", "Stances"]

HELLO_SECONDS = 10
SEEN_EVERY_SECONDS = 30
_FAULT = "internal-fault"
"""All that a node hears of a fault of ours; the log has the rest."""
_HASH = re.compile(r"[0-9a-f]{64}")
_log = structlog.get_logger()


class Stances(Protocol):
    """Takes what trusts say of permits; ``coordinator.projects.stances`` keeps it."""

    def take(self, node: str, envelope: bytes) -> None:
        """Keep one stance of one node.

        Raises:
            TrustQueryError: it does not verify, or is about no permit known here.
        """
        ...


@dataclass
class SessionHandler:
    """Serves nodes' sessions; frames are bytes, read by ``trustquery.wire``, whatever carried them.

    Attributes:
        stances: takes what trusts say of permits.
        stance_rate: counts a stance of a node; raises ``node-rate`` for one too many, which is dropped.
        relay: heads of ledgers on their way to witnesses.
        renew: makes a node's next certificate from its request, PEM; raises what is wrong with it.
        sharing: tells the other replicas whose stream is here.
        nonces: the nonces of earlier sessions, of all nodes.
    """

    federation: str
    store: Store
    rosters: Rosters
    statements: Statements
    fleet: Fleet
    previews: Previews
    queries: QueryService
    stances: Stances
    stance_rate: Callable[[str], None]
    renew: Callable[[str, bytes], bytes]
    relay: Relay
    sharing: Sharing
    nonces: Recent = field(default_factory=Recent)
    _policies: dict[str, str] = field(default_factory=dict)

    async def session(self, stream: NodeStream) -> None:
        """One stream. Every way out but a clean end is a refusal, so that the node notices at once."""
        try:
            link, inbound, outbound = await self._open(stream)
        except TrustQueryError as error:
            _log.warning("session-refused", peer=stream.where, code=error.code, place=error.problem.place)
            await stream.refuse(error.code)
            return
        except TimeoutError:
            _log.warning("session-refused", peer=stream.where, code="node-message-invalid", place="silence")
            await stream.refuse("node-message-invalid")
            return
        except Exception:
            # Whatever could not be decided is not a yes; the transport would send the exception's own words.
            _log.exception("session-refused", peer=stream.where, code=_FAULT)
            await stream.refuse(_FAULT)
            return
        self.fleet.attach(link)
        _log.info("node-connected", node=link.node, over=stream.where.partition(":")[0])
        try:
            reason = await self._run(link, inbound, outbound, stream)
        finally:
            self.fleet.detach(link)
            await self._gone(link)
            _log.info("node-disconnected", node=link.node)
        if reason:
            await stream.refuse(reason)

    async def _gone(self, link: Link) -> None:
        try:
            await self.sharing.detach(link)
        except Exception:
            # The database is away, perhaps: the next stream of the node says where it is.
            _log.exception("detaching-failed", node=link.node)

    async def _open(self, stream: NodeStream) -> tuple[Link, Inbound, Outbound]:
        peer = stream.identity()
        nonce = new_secret(32)
        inbound, outbound = Inbound(sender="node", nonce=nonce, nonces=self.nonces), Outbound()
        async with asyncio.timeout(HELLO_SECONDS):
            frame = await stream.read()
        if frame is None:
            raise TrustQueryError("node-message-invalid", place="hello")
        hello = inbound.receive(frame)
        if not isinstance(hello, Hello):
            raise TrustQueryError("node-message-invalid", place="hello")
        row = await asyncio.to_thread(self._standing, peer, hello.node)
        await asyncio.to_thread(self.store.nodes.seen, hello.node, self.queries.clock())
        for out in outbound.frames(Hello((PROTOCOL_VERSION,), "coordinator", nonce, hello.nonce)):
            await stream.write(out)
        outbound.begin(inbound.session)
        async with asyncio.timeout(HELLO_SECONDS):
            frame = await stream.read()
        if frame is None:
            raise TrustQueryError("node-message-invalid", place="join")
        await self._join(hello.node, row.identity_key, nonce, inbound.receive(frame))
        return Link(hello.node, peer), inbound, outbound

    def _standing(self, peer: Peer, node: str) -> NodeRow:
        """The node at the other end, as the store has it this moment, another process's statement included.

        Raises:
            TrustQueryError: ``auth-certificate``, ``auth-revoked``.
        """
        self.statements.refresh()
        row = self.store.nodes.get(node)
        serials = self.store.admissions.serials(node, self.queries.clock())
        return check_peer(peer, self.federation, node, row, serials, self.statements.revokes_node)

    async def _join(self, node: str, identity_key: str, nonce: bytes, message: Message | None) -> None:
        """Take the node's second message: it holds the identity key, and it is the only copy that does.

        Raises:
            TrustQueryError: ``node-message-invalid``, ``auth-certificate``; ``node-clone-suspected``, which ends the
                live stream as well: which of the two is the copy nobody can tell from here.
        """
        if not isinstance(message, Join):
            raise TrustQueryError("node-message-invalid", place="join")
        proved = join_message(self.federation, node, nonce, message.counter)
        if not verify(bytes.fromhex(identity_key), proved, message.proof):
            raise TrustQueryError("auth-certificate")
        now = self.queries.clock()
        if await asyncio.to_thread(self.store.admissions.join, node, message.counter, now):
            live = self.fleet.link(node)
            if live is not None:
                live.end("node-clone-suspected")
            raise TrustQueryError("node-clone-suspected", node=node)

    async def _run(self, link: Link, inbound: Inbound, outbound: Outbound, stream: NodeStream) -> str:
        tasks: list[asyncio.Task[str]] = []
        try:
            await self.sharing.attach(link)
            link.send(await asyncio.to_thread(self.documents))
            link.ready = True
            await self.queries.deliver()
            reader = asyncio.create_task(self._read(link, inbound, stream))
            writer = asyncio.create_task(self._write(link, outbound, stream))
            tasks += (reader, writer)
            await asyncio.wait({reader, writer, link.cut}, return_when=asyncio.FIRST_COMPLETED)
            if link.cut.done():
                return link.cut.result()
            done = reader if reader.done() else writer
            return done.result()
        except TrustQueryError as error:
            _log.warning("session-ended", node=link.node, code=error.code, place=error.problem.place)
            return error.code
        except Exception:
            # The transport would send the exception's own words to the node.
            _log.exception("session-failed", node=link.node)
            return _FAULT
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _read(self, link: Link, inbound: Inbound, stream: NodeStream) -> str:
        seen = self.queries.clock()
        while (frame := await stream.read()) is not None:
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
                await self.previews.on_reply(link.node, message)
            case Documents():
                # Of a node they are stances and nothing else; ``Inbound`` has seen to it.
                for envelope in message.stances:
                    await self._take_stance(link.node, envelope)
            case Renew():
                await self._renew(link, message)
            case Heartbeat():
                link.send(Heartbeat())
                await self._policy(link, message.policy_hash)
                if message.frozen != link.frozen:
                    await self._frozen(link, message.frozen)
            case WitnessRequest():
                self.relay.later(link, message)
            case Cosignature():
                await self.relay.answered(link.node, message)
            case _:
                _log.info("message-ignored", node=link.node, kind=type(message).__name__)

    async def _frozen(self, link: Link, frozen: bool) -> None:
        """Keep what a node says of its ledger, for the list of nodes."""
        link.frozen = frozen
        if frozen:
            _log.warning("says-frozen", node=link.node)
        await asyncio.to_thread(self.store.witnessed.said, link.node, frozen, self.queries.clock())

    async def _policy(self, link: Link, policy_hash: str) -> None:
        """A node's policy is in the log when it is another than before; what is no hash is passed over."""
        if self._policies.get(link.node) != policy_hash and _HASH.fullmatch(policy_hash):
            await asyncio.to_thread(self.store.audit.policy, link.node, policy_hash)
            self._policies[link.node] = policy_hash

    async def _renew(self, link: Link, message: Renew) -> None:
        # Housekeeping cuts what was revoked a moment later; until then it could turn a certificate that a statement
        # names into one that none does. What does not stand ends the stream here.
        await asyncio.to_thread(self._standing, link.peer, link.node)
        try:
            pem = await asyncio.to_thread(self.renew, link.node, message.request)
        except TrustQueryError as error:
            _log.warning("renewal-refused", node=link.node, code=error.code)
        else:
            link.send(Certificate(pem))

    async def _take_stance(self, node: str, envelope: bytes) -> None:
        try:
            self.stance_rate(node)
            await asyncio.to_thread(self.stances.take, node, envelope)
        except TrustQueryError as error:
            _log.warning("stance-refused", node=node, code=error.code)

    async def _write(self, link: Link, outbound: Outbound, stream: NodeStream) -> str:
        while True:
            message = await link.outgoing.get()
            for frame in outbound.frames(message):
                await stream.write(frame)
            if isinstance(message, Goodbye):
                return ""

    def documents(self) -> Documents:
        """What every node is told when it connects, and again when it changes."""
        return Documents(
            self.rosters.envelope,
            self.statements.envelope,
            permits_for_nodes(self.store),
            withdrawals=tuple(self.store.inputs.withdrawals().values()),
            roots=self.rosters.chain,
        )
