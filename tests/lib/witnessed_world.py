"""A gate whose policy wants a quorum, its four witnesses in memory, and a carrier between them that may lie."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from node_agent.gate.cosigning import Cosigning
from node_agent.gate.heads import Heads
from tests.factories.trust import NOW, People, key
from tests.lib.gate_world import World
from tests.lib.memory_ledger import MemoryLedger
from tests.lib.witness_heads import KeptHeads
from trustquery.identity import NodeEntry
from trustquery.log import coordinator_origin, node_origin
from trustquery.protocol.messages import Cosignature, Message, WitnessRequest
from trustquery.protocol.witnessing import Witnessing

__all__ = ["NAMES", "WitnessedWorld", "witnessed_people"]

NAMES = ("coordinator", "birch", "cedar", "elm")
RULE = '[witnesses]\nnames = ["coordinator", "birch", "cedar", "elm"]\nquorum = 3\nfaulty = 1\n'


def witnessed_people() -> People:
    """Node ash, whose policy wants three of coordinator, birch, cedar and elm."""
    nodes = tuple(
        NodeEntry(node=name, ods=f"RX{n}", name=name, key=key(name).public.hex(), tls_key_sha256="0" * 64)
        for n, name in enumerate(("ash", "birch", "cedar", "elm"))
    )
    return People(roster={"nodes": nodes}, policy={"bootstrap": "false", "hours": f'"any"\n{RULE}'})


class WitnessedWorld(World):
    """One node and its witnesses. Every wait delivers what is under way.

    Attributes:
        silent: witnesses that answer nothing.
        bend: what the carrier makes of a reply; None drops it.
    """

    def __init__(self, witnesses: dict[str, Witnessing] | None = None, **settings: int) -> None:
        super().__init__(witnessed_people(), **({"slot_ms": 1_000, "queue_ms": 3_000} | settings))
        self.alarms: list[tuple[str, str]] = []
        self.witnesses = witnesses or self.fresh_witnesses()
        self.silent: set[str] = set()
        self.bend: Callable[[str, Cosignature], Cosignature | None] = lambda name, reply: reply
        self.replies: list[tuple[str, Cosignature]] = []
        self.asked: list[WitnessRequest] = []
        waits = self.clock.wait_until

        def wait_until(moment: float) -> None:
            self.deliver()
            waits(moment)
            self.deliver()

        self.clock.wait_until = wait_until  # type: ignore[method-assign]

    def use(self, ledger: MemoryLedger) -> None:
        """Go on with this ledger, as a process that has just started on it."""
        self.ledger = ledger
        origin, wall = "test/node/ash", self.clock.wall
        cosigning = Cosigning(
            ledger, origin, key("ash"), self.wanted, self.said.append, self.clock.monotonic, wall, self._log
        )
        heads = Heads(ledger, origin, key("ash"), cosigning.shown)
        self.ports = dataclasses.replace(self.ports, ledger=ledger, cosigning=cosigning, heads=heads)

    def fresh_witnesses(self) -> dict[str, Witnessing]:
        """Four witnesses that have seen nothing."""
        made = {}
        for name in NAMES:
            me = coordinator_origin("test") if name == "coordinator" else node_origin("test", name)
            made[name] = Witnessing(
                me, key(name), KeptHeads(), lambda: self.people.the_roster, lambda: False,
                lambda code, place, data: self.alarms.append((code, place)), lambda: NOW,
            )  # fmt: skip
        return made

    def deliver(self) -> None:
        """Carry requests to witnesses and replies back, until nothing is under way; then the node looks round."""
        self.ports.cosigning.tick(self.ports.heads.start)
        while self.said:
            message: Message = self.said.pop(0)
            assert isinstance(message, WitnessRequest)
            self.asked.append(message)
            if message.witness in self.silent:
                continue
            reply = self.bend(message.witness, self.witnesses[message.witness].answer(message))
            if reply is not None:
                self.replies.append((message.witness, reply))
                self.ports.cosigning.heard(reply)
