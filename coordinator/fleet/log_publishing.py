"""The head of the coordinator's log on its way to everybody: signed, witnessed by nodes and others, then shown."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import structlog

from coordinator.fleet.links import Fleet
from coordinator.fleet.remote_witnesses import Remote
from coordinator.fleet.witnessing import Relay
from coordinator.rosters import Rosters
from coordinator.transparency.audit_log import AuditLog
from trustquery.errors import TrustQueryError
from trustquery.identity import new_secret
from trustquery.log import Checkpoint, cosigners, node_origin, with_lines
from trustquery.protocol.messages import WitnessRequest

__all__ = ["Publisher"]

_SECONDS = 5.0
_log = structlog.get_logger()


class Publisher:
    """Makes heads and gathers lines. Lives in the event loop.

    Args:
        log: makes what the loop may wait for elsewhere: the log, once the home's key can be read.
        needed: lines without which a head is not shown.
        behind: a head that the log was found not to hold, before this process started; b"" for none.
        keep: keeps such a head, for people to decide.
    """

    def __init__(
        self,
        federation: str,
        log: Callable[[], AuditLog],
        fleet: Fleet,
        relay: Relay,
        rosters: Rosters,
        remote: tuple[Remote, ...],
        needed: int,
        *,
        behind: bytes = b"",
        keep: Callable[[bytes], None] = lambda note: None,
    ) -> None:
        self._federation = federation
        self._log = log
        self._fleet = fleet
        self._relay = relay
        self._rosters = rosters
        self._remote = remote
        self._needed = needed
        self._behind = behind
        self._keep = keep
        self._compared = False
        self._sizes: dict[str, int] = {}

    async def tick(self) -> int:
        """One head: signed, offered to every witness that can be reached, shown where enough of them signed it.

        Returns:
            How many have signed what is shown.

        Raises:
            TrustQueryError: ``log-rewound``: the database was put back, and nothing is signed;
                ``log-behind``: the same, and witnesses show what they have signed.
        """
        log = self._log()
        if not self._compared and not await self._compare(log):
            return 0
        await self._refuse(log)
        note = await asyncio.to_thread(log.sign)
        head = Checkpoint.read(note)
        keys = self._keys()
        shown = await asyncio.to_thread(log.lines, head.size)
        have = cosigners(with_lines(note, shown), keys)
        asked = [name for name in keys if name not in have and self._reachable(name)]
        lines = await self._lines(log, head.size, note, keys, asked)
        await self._refuse(log)
        signed = len(have) + len(lines)
        if signed < self._needed:
            _log.warning("head-waits", size=head.size, signed=signed, needed=self._needed)
        elif lines or not shown:
            await asyncio.to_thread(log.show, note, lines)
        return signed

    async def _compare(self, log: AuditLog) -> bool:
        """Before the first new head of a process: whether enough witnesses know of nothing that is not here.

        They are shown the head that everybody has seen. After a restored backup that one is old, and a new one beside
        what was published since would be proof of two histories.
        """
        await self._refuse(log)
        note = await asyncio.to_thread(log.last)
        keys = self._keys()
        if note is not None and keys:
            size = Checkpoint.read(note).size
            lines = await self._lines(log, size, note, keys, [name for name in keys if self._reachable(name)])
            await self._refuse(log)
            if len(lines) < max(1, self._needed):
                _log.warning("head-uncompared", size=size, signed=len(lines))
                return False
        self._compared = True
        return True

    async def _lines(
        self, log: AuditLog, size: int, note: bytes, keys: Mapping[str, bytes], asked: list[str]
    ) -> list[bytes]:
        """The lines of those who sign this head, each checked against their key."""
        replies = await asyncio.gather(*(self._ask(log, name, size, note) for name in asked))
        lines = []
        for name, line in zip(asked, replies, strict=True):
            try:
                if line and name in cosigners(with_lines(note, [line]), {name: keys[name]}):
                    lines.append(line)
            except TrustQueryError:
                _log.warning("cosignature-wrong", witness=name)
        return lines

    async def _refuse(self, log: AuditLog) -> None:
        if self._behind and not await asyncio.to_thread(log.lacks, self._behind):
            # A newer backup was found, or two people have begun the log anew.
            self._behind = b""
        if self._behind:
            found = await asyncio.to_thread(log.entries)
            raise TrustQueryError("log-behind", seen=Checkpoint.read(self._behind).size, found=found)

    async def _look(self, log: AuditLog, kept: bytes) -> None:
        """What a witness says it has signed: where this log's own key signed it, it is here, or was lost."""
        if kept and not self._behind and await asyncio.to_thread(log.lacks, kept):
            self._behind = kept
            await asyncio.to_thread(self._keep, kept)

    def _keys(self) -> Mapping[str, bytes]:
        """Every witness that counts: nodes on the roster, and those that the settings name."""
        roster = self._rosters.found()
        nodes = roster.nodes if roster is not None else ()
        keys = {node_origin(self._federation, node.node): bytes.fromhex(node.key) for node in nodes}
        return keys | {item.key.name: item.key.public for item in self._remote}

    def _reachable(self, name: str) -> bool:
        node = name.removeprefix(node_origin(self._federation, ""))
        return any(item.key.name == name for item in self._remote) or self._fleet.link(node) is not None

    async def _ask(self, log: AuditLog, name: str, size: int, note: bytes) -> bytes:
        """A witness's line, b"" without one. One that has signed another head since is asked once more, from there."""
        for _ in range(2):
            old = min(self._sizes.get(name, 0), size)
            proof = await asyncio.to_thread(log.consistency, old, size)
            line, kept, shown = await self._send(name, old, proof, note)
            await self._look(log, shown)
            if self._behind:
                return b""
            if line:
                self._sizes[name] = size
                return line
            if kept is None or kept > size or kept == old:
                return b""
            self._sizes[name] = kept
        return b""

    async def _send(
        self, name: str, old: int, proof: tuple[bytes, ...], note: bytes
    ) -> tuple[bytes, int | None, bytes]:
        """The line, or the size of what the witness says that it has signed, and that head where it shows it."""
        for item in self._remote:
            if item.key.name == name:
                said = await item.add(old, proof, note)
                return said.line, said.size, said.kept
        node = name.removeprefix(node_origin(self._federation, ""))
        origin = Checkpoint.read(note).origin
        request = WitnessRequest(new_secret(32), origin, old, note, proof)
        reply = await self._relay.ask(node, request, _SECONDS)
        if reply is None:
            return b"", None, b""
        if reply.refusal:
            _log.warning("cosignature-refused", witness=name, code=reply.refusal)
        try:
            kept = Checkpoint.read(reply.kept).size if reply.kept else 0
        except TrustQueryError:
            return b"", None, b""
        return reply.cosignature, kept if reply.refusal == "witness-conflict" else None, reply.kept
