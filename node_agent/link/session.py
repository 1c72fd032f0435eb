"""One stream, from greeting to end: a reader, a single writer and a heartbeat.

What a message means is the handler's business; it is called in the event loop and must not block.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from node_agent.link.streams import Stream, unreachable
from trustquery.errors import TrustQueryError
from trustquery.identity import new_secret
from trustquery.planning import PLAN_FORMAT
from trustquery.protocol.messages import PROTOCOL_VERSION, Goodbye, Heartbeat, Hello, Join, Message
from trustquery.protocol.session import Inbound, Outbound, Recent

__all__ = ["Handler", "Session"]

HELLO_SECONDS = 10.0
_QUIET_BEATS = 4
_FAREWELL_SECONDS = 5.0
_STOP_SECONDS = 0.05
"""How often a write that hangs looks at the stop mark again."""


class Handler(Protocol):
    """What a session tells the node, and what it asks of it."""

    def connected(self, session: Session) -> None:
        """The peer is authenticated; messages may be sent."""
        ...

    def received(self, message: Message) -> None:
        """A message has come."""
        ...

    def broke(self, frame: bytes, error: TrustQueryError) -> None:
        """A frame was not allowed; the session ends with this error."""
        ...

    def heartbeat(self) -> Heartbeat:
        """The next heartbeat: the ledger head of the last slot, never a figure of load."""
        ...

    def join(self, nonce: bytes) -> Join:
        """The proof that this node joins this session; writes to the disk, and is called in a thread."""
        ...

    def withheld(self, message: Message) -> bool:
        """Whether a message may not leave now: it holds bytes of a release, and the trust has stopped."""
        ...


class Session:
    """One stream.

    Args:
        stream: to the coordinator; the session does not close it.
        node: this node's name.
        handler: see ``Handler``.
        heartbeat_ms: pause between heartbeats; four of them without a word from the peer end the stream.
        nonces: the coordinator's nonces of earlier sessions.
    """

    def __init__(self, stream: Stream, node: str, handler: Handler, heartbeat_ms: int, nonces: Recent) -> None:
        self._stream = stream
        self._node = node
        self._handler = handler
        self._beat = heartbeat_ms / 1_000
        self._queue: asyncio.Queue[Message] = asyncio.Queue()
        self._outbound = Outbound()
        self._nonces = nonces
        self._heard = 0.0
        self.greeted = asyncio.Event()

    def send(self, message: Message) -> None:
        """Put a message on the stream, in order. Only from the event loop."""
        self._queue.put_nowait(message)

    async def run(self) -> None:
        """Greet, then carry messages until the stream ends.

        Raises:
            TrustQueryError: ``node-unreachable``, ``node-message-invalid``, ``node-proxy-…``.
        """
        try:
            inbound = await asyncio.wait_for(self._greet(), HELLO_SECONDS)
        except TimeoutError as error:
            raise unreachable("no greeting in time") from error
        self._heard = asyncio.get_running_loop().time()
        self._handler.connected(self)
        self.greeted.set()
        tasks = [asyncio.create_task(work) for work in (self._read(inbound), self._write(), self._keep_alive())]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _frames(self, message: Message) -> None:
        """Write a message, looking at the stop mark before each frame and while a frame waits for the peer.

        A release that is held back before its first frame is dropped; the ledger has it. Where part of it has gone, or
        waits in a buffer of the transport, only the end of the stream keeps the rest here.

        Raises:
            TrustQueryError: ``node-unreachable``: the trust stopped in the middle of a message.
        """
        if self._handler.withheld(message):
            return
        for number, frame in enumerate(self._outbound.frames(message)):
            if number and self._handler.withheld(message):
                raise unreachable("stopped in the middle of an answer")
            writing = asyncio.ensure_future(self._stream.write(frame))
            try:
                while not (await asyncio.wait((writing,), timeout=_STOP_SECONDS))[0]:
                    if self._handler.withheld(message):
                        raise unreachable("stopped in the middle of an answer")
                await writing
            finally:
                writing.cancel()

    async def _next(self) -> bytes:
        frame = await self._stream.read()
        if frame is None:
            raise unreachable("the stream")
        return frame

    async def _greet(self) -> Inbound:
        nonce = new_secret(32)
        beat = self._handler.heartbeat()
        hello = Hello((PROTOCOL_VERSION,), self._node, nonce, b"", beat.ledger_head, beat.policy_hash, (PLAN_FORMAT,))
        await self._frames(hello)
        inbound = Inbound(sender="coordinator", nonce=nonce, nonces=self._nonces)
        self._receive(inbound, await self._next())
        if inbound.hello is None:
            raise TrustQueryError("node-message-invalid", place="hello")
        self._outbound.begin(inbound.session)
        await self._frames(await asyncio.to_thread(self._handler.join, inbound.hello.nonce))
        return inbound

    def _receive(self, inbound: Inbound, frame: bytes) -> Message | None:
        try:
            return inbound.receive(frame)
        except TrustQueryError as error:
            self._handler.broke(frame, error)
            raise
        except Exception as error:
            # A reader that fails has not said yes: it is an alarm and the end of this session as well.
            refused = TrustQueryError("node-message-invalid", place="reader")
            self._handler.broke(frame, refused)
            raise refused from error

    async def _read(self, inbound: Inbound) -> None:
        while True:
            message = self._receive(inbound, await self._next())
            self._heard = asyncio.get_running_loop().time()
            if isinstance(message, Goodbye):
                return
            if message is not None:
                self._handler.received(message)

    async def _write(self) -> None:
        while True:
            message = await self._queue.get()
            await self._frames(message)
            if isinstance(message, Goodbye):
                await self._stream.finish()
                # Ending the call here could take back what is still on its way: the other side ends it.
                await asyncio.sleep(_FAREWELL_SECONDS)
                return

    async def _keep_alive(self) -> None:
        while True:
            await asyncio.sleep(self._beat)
            if asyncio.get_running_loop().time() - self._heard > self._beat * _QUIET_BEATS:
                raise unreachable("the stream")
            self.send(self._handler.heartbeat())
