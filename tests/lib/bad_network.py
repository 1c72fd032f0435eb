"""A bad line in one TCP connection's way: late, narrow, losing, and cut now and then.

The kernel's own ``netem`` is not everywhere, so loss is what TCP makes of it: a segment that is lost arrives, with all
that follow it, one retransmission time-out later (RFC 6298: 200 ms here, doubled for each further loss of the same
segment); after so many losses in a row the connection is reset, as by a peer that gives up.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

__all__ = ["BadLine", "Quality", "bad_line"]

SEGMENT = 1_460
"""Bytes that one packet carries."""
_TIMEOUT = 0.2
_GIVES_UP = 6
"""Losses of one segment in a row, after which the connection ends: 1 in 15,000 segments at 20 %."""


@dataclass(frozen=True)
class Quality:
    """What a line is like.

    Attributes:
        loss: chance that a segment is lost, of 1.
        delay: seconds, each way.
        bits: a second, each way, all connections together.
        lasts: seconds after which a connection is cut; 0 for never.
    """

    loss: float = 0.0
    delay: float = 0.0
    bits: float = 1e9
    lasts: float = 0.0


class BadLine:
    """The line: a port here that leads to another one.

    Attributes:
        quality: may be changed at any time.
        lost: segments; ``carried`` bytes; ``cut`` connections; ``opened`` how many there were.
    """

    def __init__(self, port: int, quality: Quality, seed: int) -> None:
        self.quality = quality
        self.lost = self.carried = self.cut = self.opened = self.port = 0
        self._to, self._chance = port, random.Random(seed)
        self._free = {"there": 0.0, "back": 0.0}
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self, ready: threading.Event, stop: asyncio.Event) -> None:
        """Carry connections until told to stop."""
        server = await asyncio.start_server(self._connection, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        await stop.wait()
        server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.opened += 1
        far = None
        try:
            there, far = await asyncio.open_connection("127.0.0.1", self._to)
            ways = [
                asyncio.create_task(self._carry("there", reader, far)),
                asyncio.create_task(self._carry("back", there, writer)),
            ]
            began, loop = asyncio.get_running_loop().time(), asyncio.get_running_loop()
            try:
                while not any(way.done() for way in ways):
                    await asyncio.wait(ways, timeout=0.1, return_when=asyncio.FIRST_COMPLETED)
                    if self.quality.lasts and loop.time() - began > self.quality.lasts:
                        self.cut += 1
                        break
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
        except OSError:
            pass
        finally:
            for end in (writer, far):
                if end is not None:
                    end.transport.abort()
            self._tasks.discard(task)

    async def _carry(self, way: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One direction: what comes in is on its way at once, and arrives in order."""
        loop = asyncio.get_running_loop()
        line: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(64)

        async def take() -> None:
            latest = 0.0
            while segment := await reader.read(SEGMENT):
                quality, losses = self.quality, 0
                while self._chance.random() < quality.loss and losses < _GIVES_UP:
                    losses += 1
                self.lost += losses
                if losses == _GIVES_UP:
                    break
                sent = max(loop.time(), self._free[way]) + 8 * len(segment) / quality.bits
                self._free[way] = sent
                latest = max(latest, sent + quality.delay + _TIMEOUT * (2**losses - 1))
                await line.put((latest, segment))
            await line.put((latest, b""))

        taking = asyncio.create_task(take())
        try:
            while True:
                when, segment = await line.get()
                await asyncio.sleep(max(0.0, when - loop.time()))
                if not segment:
                    return
                writer.write(segment)
                await writer.drain()
                self.carried += len(segment)
        finally:
            taking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await taking


@contextmanager
def bad_line(port: int, quality: Quality, seed: int) -> Iterator[BadLine]:
    """A line to this port, in a thread of its own."""
    line, ready = BadLine(port, quality, seed), threading.Event()
    loop, stop = asyncio.new_event_loop(), asyncio.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=(line.serve(ready, stop),))
    thread.start()
    assert ready.wait(10)
    try:
        yield line
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()
