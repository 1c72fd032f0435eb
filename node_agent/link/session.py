"""One stream, from greeting to end: a reader, a single writer and a heartbeat.

What a message means is the handler's business; it is called in the event loop and must not block.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

import grpc

from trustquery.errors import TrustQueryError
from trustquery.identity import new_secret
from trustquery.planning import PLAN_FORMAT
from trustquery.protocol.messages import PROTOCOL_VERSION, Goodbye, Heartbeat, Hello, Message
from trustquery.protocol.session import Inbound, Outbound
from trustquery.wire import SESSION_METHOD

__all__ = ["Handler", "Session"]

HELLO_SECONDS = 10.0
_QUIET_BEATS = 4
_STOP_SECONDS = 0.05
"""How often a write that hangs looks at the stop mark again."""
_Call = grpc.aio.StreamStreamCall[bytes, bytes]


def _unreachable(place: str) -> TrustQueryError:
    return TrustQueryError("node-unreachable", place=place, address="the coordinator")


class Handler(Protocol):
    """What a session tells the node, and what it asks of it."""

    def connected(self, session: Session) -> None:
        """The peer is authenticated; messages may be sent."""
        ...

    def received(self, message: Message) -> None:
        """A message has come."""
        ...

    def heartbeat(self) -> Heartbeat:
        """The next heartbeat: the ledger head of the last slot, never a figure of load."""
        ...

    def withheld(self, message: Message) -> bool:
        """Whether a message may not leave now: it holds bytes of a release, and the trust has stopped."""
        ...


class Session:
    """One stream.

    Args:
        channel: to the coordinator.
        node: this node's name.
        handler: see ``Handler``.
        heartbeat_ms: pause between heartbeats; four of them without a word from the peer end the stream.
    """

    def __init__(self, channel: grpc.aio.Channel, node: str, handler: Handler, heartbeat_ms: int) -> None:
        self._channel = channel
        self._node = node
        self._handler = handler
        self._beat = heartbeat_ms / 1_000
        self._queue: asyncio.Queue[Message] = asyncio.Queue()
        self._outbound = Outbound()
        self._heard = 0.0

    def send(self, message: Message) -> None:
        """Put a message on the stream, in order. Only from the event loop."""
        self._queue.put_nowait(message)

    async def run(self) -> None:
        """Greet, then carry messages until the stream ends.

        Raises:
            TrustQueryError: ``node-unreachable``, ``node-message-invalid``.
        """
        multi: grpc.aio.StreamStreamMultiCallable[bytes, bytes] = self._channel.stream_stream(SESSION_METHOD)
        call = multi(wait_for_ready=False)
        try:
            inbound = await asyncio.wait_for(self._greet(call), HELLO_SECONDS)
            self._heard = asyncio.get_running_loop().time()
            self._handler.connected(self)
            tasks = [
                asyncio.create_task(work) for work in (self._read(call, inbound), self._write(call), self._keep_alive())
            ]
            try:
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
        except grpc.aio.AioRpcError as error:
            raise _unreachable(f"{error.code().name.lower()} {error.details() or ''}"[:80]) from error
        except (grpc.aio.UsageError, TimeoutError, asyncio.InvalidStateError) as error:
            raise _unreachable("the stream") from error
        finally:
            call.cancel()

    async def _frames(self, call: _Call, message: Message) -> None:
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
                raise _unreachable("stopped in the middle of an answer")
            writing = asyncio.ensure_future(call.write(frame))
            try:
                while not (await asyncio.wait((writing,), timeout=_STOP_SECONDS))[0]:
                    if self._handler.withheld(message):
                        raise _unreachable("stopped in the middle of an answer")
                await writing
            finally:
                writing.cancel()

    async def _next(self, call: _Call) -> bytes:
        frame = await call.read()
        if not isinstance(frame, bytes):
            raise _unreachable("the stream")
        return frame

    async def _greet(self, call: _Call) -> Inbound:
        nonce = new_secret(32)
        beat = self._handler.heartbeat()
        hello = Hello((PROTOCOL_VERSION,), self._node, nonce, b"", beat.ledger_head, beat.policy_hash, (PLAN_FORMAT,))
        await self._frames(call, hello)
        inbound = Inbound(sender="coordinator", echo=nonce)
        inbound.receive(await self._next(call))
        if inbound.hello is None:
            raise TrustQueryError("node-message-invalid", place="hello")
        return inbound

    async def _read(self, call: _Call, inbound: Inbound) -> None:
        while True:
            message = inbound.receive(await self._next(call))
            self._heard = asyncio.get_running_loop().time()
            if isinstance(message, Goodbye):
                return
            if message is not None:
                self._handler.received(message)

    async def _write(self, call: _Call) -> None:
        while True:
            message = await self._queue.get()
            await self._frames(call, message)
            if isinstance(message, Goodbye):
                await call.done_writing()
                return

    async def _keep_alive(self) -> None:
        while True:
            await asyncio.sleep(self._beat)
            if asyncio.get_running_loop().time() - self._heard > self._beat * _QUIET_BEATS:
                raise _unreachable("the stream")
            self.send(self._handler.heartbeat())
