"""Heads of nodes' ledgers on their way to witnesses: the coordinator cosigns as one itself and passes on to the others,
to nodes on their streams and to stand-alone witnesses over HTTPS.

It is believed in nothing here. A node checks every line against the witness's own key, and a line that is held back
only makes an answer wait.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

import structlog

from coordinator.fleet.links import Fleet, Link
from coordinator.fleet.remote_witnesses import Remote
from trustquery.errors import TrustQueryError
from trustquery.identity import new_secret
from trustquery.log import node_origin
from trustquery.policy.countersigning import COORDINATOR
from trustquery.protocol.messages import Cosignature, WitnessRequest
from trustquery.protocol.witnessing import Witnessing

__all__ = ["Relay"]

OPEN_SECONDS = 10.0
MOST_OPEN = 20_000
_log = structlog.get_logger()


class Elsewhere(Protocol):
    """The other replicas of the coordinator, as witnessing needs them."""

    async def post(self, node: str, message: WitnessRequest) -> bool:
        """Have a node asked whose stream is there; False where it is nowhere."""
        ...

    async def reply(self, node: str, message: Cosignature) -> None:
        """Hand on a reply to a request that one of them passed on."""
        ...


@dataclass(frozen=True)
class _Passed:
    asker: Link
    asked: str
    request_id: bytes
    at: float


class Relay:
    """Requests and cosignatures between nodes. Lives in the event loop.

    Args:
        own: the coordinator as a witness.
        rate: counts a request of a node; raises ``node-rate`` for one too many.
        monotonic: seconds.
        remote: stand-alone witnesses of the settings, by the name of their key. A node's policy names them so.

    Attributes:
        elsewhere: the other replicas; None where there are none.
    """

    def __init__(
        self,
        federation: str,
        fleet: Fleet,
        own: Witnessing,
        rate: Callable[[str], None],
        monotonic: Callable[[], float],
        remote: Mapping[str, Remote] | None = None,
    ) -> None:
        self._federation = federation
        self._fleet = fleet
        self._own = own
        self._rate = rate
        self._monotonic = monotonic
        self._remote = dict(remote or {})
        self._open: dict[bytes, _Passed] = {}
        self._mine: dict[bytes, tuple[str, asyncio.Future[Cosignature]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.elsewhere: Elsewhere | None = None

    def later(self, link: Link, request: WitnessRequest) -> None:
        """``asked``, beside whatever else the stream says."""
        task = asyncio.create_task(self.asked(link, request))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def asked(self, link: Link, request: WitnessRequest) -> None:
        """A node asks a witness for a cosignature of its own head."""
        try:
            self._rate(link.node)
            if request.origin != node_origin(self._federation, link.node):
                raise TrustQueryError("witness-unknown-log", origin="another node's")
            if request.witness == COORDINATOR:
                reply = await asyncio.to_thread(self._own.answer, request)
                if reply.refusal:
                    _log.warning("cosignature-refused", node=link.node, code=reply.refusal)
                link.send(reply)
                return
            if request.witness in self._remote:
                said = await self._remote[request.witness].add(
                    request.old_size, request.consistency_proof, request.checkpoint
                )
                link.send(Cosignature(request.request_id, said.line, said.code, said.kept))
                return
            await self._pass_on(link, request)
        except TrustQueryError as error:
            link.send(Cosignature(request.request_id, refusal=error.code))

    async def _pass_on(self, link: Link, request: WitnessRequest) -> None:
        now = self._monotonic()
        if len(self._open) >= MOST_OPEN:
            self._open = {name: item for name, item in self._open.items() if now - item.at < OPEN_SECONDS}
        if request.witness == link.node or len(self._open) >= MOST_OPEN:
            raise TrustQueryError("node-rate")
        request_id = new_secret(32)
        self._open[request_id] = _Passed(link, request.witness, request.request_id, now)
        message = replace(request, request_id=request_id, witness="")
        sent = self._fleet.send(request.witness, message)
        if not sent and self.elsewhere is not None:
            sent = await self.elsewhere.post(request.witness, message)
        if not sent:
            self._open.pop(request_id, None)
            raise TrustQueryError("node-unreachable", address="the witness")

    async def ask(self, node: str, request: WitnessRequest, seconds: float) -> Cosignature | None:
        """Ask a node to cosign the head of the coordinator's own log; None where no reply comes in time."""
        future: asyncio.Future[Cosignature] = asyncio.get_running_loop().create_future()
        self._mine[request.request_id] = node, future
        try:
            sent = self._fleet.send(node, request)
            if not sent and self.elsewhere is not None:
                sent = await self.elsewhere.post(node, request)
            if not sent:
                return None
            async with asyncio.timeout(seconds):
                return await future
        except TimeoutError:
            return None
        finally:
            del self._mine[request.request_id]

    async def answered(self, node: str, reply: Cosignature) -> None:
        """The reply of a node that is here goes back to whoever asked, here or at another replica."""
        if reply.request_id in self._open or reply.request_id in self._mine:
            self.take(node, reply)
        elif self.elsewhere is not None:
            await self.elsewhere.reply(node, reply)

    def take(self, node: str, reply: Cosignature) -> None:
        """A node's reply, wherever it came from; one to nothing is dropped."""
        mine, future = self._mine.get(reply.request_id, ("", None))
        if future is not None:
            if mine == node and not future.done():
                future.set_result(reply)
            return
        passed = self._open.get(reply.request_id)
        if passed is None or passed.asked != node:
            return
        del self._open[reply.request_id]
        passed.asker.send(replace(reply, request_id=passed.request_id))
