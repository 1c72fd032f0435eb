"""The network between nodes and coordinator: slow, cut in two, closed in the middle, and sometimes hostile.

A stream is what TLS over TCP gives: bytes in order, or its end. A hostile one, as a broken proxy or a thief of keys
could make it, loses, repeats, swaps and changes frames as well: then the session's own rules must see it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from coordinator.fleet.peers import Peer
from node_agent.link.streams import ended, unreachable
from tests.simulation.machines import MACHINE
from trustquery.identity.certificates import spiffe_name

if TYPE_CHECKING:
    from tests.simulation.history import History
    from tests.simulation.machines import Machine

__all__ = ["CHANGED", "Connection", "Frame", "Network", "NodeEnd"]

CHANGED = -1
"""The number of a frame whose bytes were changed on the way."""
_CHANGED_S = 0.3
NOTICED_S = 15.0
"""After so long without a word the transport ends a stream (its keepalive)."""


class Frame(bytes):
    """Bytes of a stream that know which they are: the ``number``-th that was written, ``CHANGED`` where changed."""

    number: int
    connection: int

    @classmethod
    def of(cls, data: bytes, connection: int, number: int) -> Frame:
        """Bytes with their place."""
        frame = cls(data)
        frame.connection, frame.number = connection, number
        return frame


class _Direction:
    """One way of a stream."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._last = 0.0
        self._kept: Frame | None = None
        self.written = 0
        self.arrived: asyncio.Queue[Frame | None] = asyncio.Queue()

    def write(self, data: bytes) -> None:
        frame = Frame.of(data, self._connection.number, self.written)
        self.written += 1
        for item in self._connection.network.hostile(frame, self, self._connection):
            self._deliver(item)

    def swap(self, frame: Frame) -> list[Frame]:
        """Hold a frame back until the next one has gone."""
        if self._kept is None:
            self._kept = frame
            return []
        kept, self._kept = self._kept, None
        return [frame, kept]

    def release(self) -> list[Frame]:
        """What was held back."""
        kept, self._kept = self._kept, None
        return [kept] if kept is not None else []

    def end(self) -> None:
        """Nothing more comes."""
        self._deliver(None)

    def _deliver(self, frame: Frame | None) -> None:
        network = self._connection.network
        loop = network.history.loop
        # Never two at one moment: the loop's order of those is its own.
        self._last = max(self._last + 1e-5, network.arrival(self._connection.node))
        loop.call_at(self._last, self._arrive, frame)

    def _arrive(self, frame: Frame | None) -> None:
        if not self._connection.broken:
            self.arrived.put_nowait(frame)


class Connection:
    """One stream that a node has dialled.

    Attributes:
        broken: cut: nothing that is on its way arrives.
        reason: what the coordinator ended it with.
    """

    def __init__(self, network: Network, number: int, node: str, dialler: Machine, server: Machine) -> None:
        self.network = network
        self.number = number
        self.node = node
        self.ends = (dialler, server)
        self.broken = False
        self.reason = ""
        self.up = _Direction(self)
        self.down = _Direction(self)

    def cut(self, reason: str = "") -> None:
        """End it for both, at once."""
        if not self.broken:
            self.broken, self.reason = True, reason or self.reason
            for way in (self.up, self.down):
                way.arrived.put_nowait(None)

    def speaks(self) -> bool:
        """Whether the machine whose code runs is alive."""
        machine = MACHINE.get()
        return machine is not None and machine.alive and not self.broken


class NodeEnd:
    """The node's end: ``node_agent.link.streams.Stream``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def read(self) -> bytes | None:
        """The next frame."""
        frame = await self._connection.down.arrived.get()
        if frame is None and self._connection.broken:
            raise ended(self._connection.reason, "reset")
        if frame is None and self._connection.reason:
            raise ended(self._connection.reason, "refused")
        return frame

    async def write(self, frame: bytes) -> None:
        """Put a frame on the stream."""
        if not self._connection.speaks():
            raise unreachable("the stream")
        self._connection.network.history.heard.node_said(self._connection, frame)
        self._connection.up.write(frame)

    async def finish(self) -> None:
        """Nothing more will be written."""
        if self._connection.speaks():
            self._connection.up.end()

    async def close(self) -> None:
        """Hang up."""
        if self._connection.speaks():
            self._connection.up.end()


class CoordinatorEnd:
    """The coordinator's end: ``coordinator.fleet.frames.NodeStream``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @property
    def where(self) -> str:
        """Where it comes from."""
        return f"simulated:{self._connection.node}"

    def identity(self) -> Peer:
        """What TLS would have proved."""
        node = self._connection.node
        return Peer(spiffe_name("test", node), "0" * 64, f"serial-{node}")

    async def read(self) -> bytes | None:
        """The next frame."""
        return await self._connection.up.arrived.get()

    async def write(self, frame: bytes) -> None:
        """Put a frame on the stream; one that is broken takes it as a socket's buffer would."""
        if self._connection.speaks():
            self._connection.network.history.heard.coordinator_said(self._connection, frame)
            self._connection.down.write(frame)

    async def refuse(self, reason: str) -> None:
        """End the stream with a reason."""
        if self._connection.speaks():
            self._connection.reason = reason
            self._connection.down.end()


class Network:
    """Every stream, and what is wrong with each node's way to the coordinator."""

    def __init__(self, history: History) -> None:
        self.history = history
        self.connections: list[Connection] = []
        self._made = 0
        self._apart: dict[str, float] = {}

    def arrival(self, node: str) -> float:
        """When something said now arrives: what is said while they are apart arrives afterwards."""
        history = self.history
        slow = history.script.slow.get(node, 0.05) if not history.healed else 0.01
        wait = history.chance.random() ** 3 * slow
        return max(history.loop.now, self._apart.get(node, 0.0)) + wait

    def part(self, node: str, seconds: float) -> None:
        """Cut the way between a node and the coordinator for a while; streams end once that is noticed."""
        until = self.history.loop.now + seconds
        self._apart[node] = max(self._apart.get(node, 0.0), until)
        self.history.tell("network", f"{node} is cut off for {seconds:.1f} s")
        if seconds >= NOTICED_S:
            self.history.loop.call_later(NOTICED_S, self.reset, node)

    def heal(self) -> None:
        """All ways are open from now on; a stream whose way was cut ends, and is dialled again."""
        apart = [node for node, until in self._apart.items() if until > self.history.loop.now]
        self._apart.clear()
        for node in apart:
            self.reset(node)

    def reset(self, node: str) -> None:
        """End a node's streams in the middle of whatever they carry."""
        for connection in self.connections:
            if connection.node == node:
                connection.cut()

    def gone(self, machine: Machine) -> None:
        """A machine died: the other ends of its streams see them end."""
        for connection in self.connections:
            if machine in connection.ends:
                connection.cut()

    def hostile(self, frame: Frame, way: _Direction, connection: Connection) -> list[Frame]:
        """What becomes of a frame on its way."""
        history = self.history
        if history.healed or history.chance.random() >= history.script.hostility:
            return [frame, *way.release()]
        kind = history.chance.choice(("drop", "repeat", "swap", "change"))
        history.tell("network", f"{kind} frame {frame.number} of stream {frame.connection}")
        if kind == "drop":
            return []
        if kind == "repeat":
            return [frame, frame]
        if kind == "swap":
            return way.swap(frame)
        place = history.chance.randrange(len(frame))
        changed = bytearray(frame)
        changed[place] ^= 1 << history.chance.randrange(8)
        # TLS would not have let it through; here it is read, and the stream ends a moment later.
        history.loop.call_later(_CHANGED_S, connection.cut)
        return [Frame.of(bytes(changed), frame.connection, CHANGED)]

    async def dial(self, node: str) -> NodeEnd:
        """A new stream to the coordinator.

        Raises:
            TrustQueryError: ``node-unreachable``.
        """
        history = self.history
        await asyncio.sleep(history.moment())
        server, dialler = history.centre.machine, MACHINE.get()
        if dialler is None or not server.alive or self._apart.get(node, 0.0) > history.loop.now:
            raise unreachable("the network")
        self.connections = [item for item in self.connections if not item.broken]
        self._made += 1
        connection = Connection(self, self._made, node, dialler, server)
        self.connections.append(connection)
        history.centre.serve(CoordinatorEnd(connection), connection)
        return NodeEnd(connection)
