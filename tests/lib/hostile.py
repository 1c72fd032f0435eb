"""The other end of a real node's TLS, in hostile hands: what it sends, and what the ledger says of each."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.lib.lone_node import ODS, LoneNode
from tests.lib.observer import Raw
from tests.lib.processes import wait_for
from trustquery.identity import Answer, Intent
from trustquery.protocol.messages import Goodbye, Hello, Message, Offer

__all__ = ["QUIET", "Hostile"]

QUIET = 0.2


@dataclass
class Hostile:
    """Attacks on one node, and what came of them.

    Attributes:
        lone: the node.
    """

    lone: LoneNode

    def spend(self) -> list[tuple[Any, ...]]:
        """Every charge to every scope, and every release."""
        found = []
        for sql in (
            "SELECT * FROM charge ORDER BY 1, 2, 3",
            "SELECT release_id, state, rho_nano FROM release ORDER BY 1",
        ):
            found += self.lone.node.ledger(sql)
        return found

    def events(self) -> list[tuple[str, str, str]]:
        """Kind, code and place of every event: refusals have no code of their own in the ledger."""
        rows = self.lone.node.ledger(
            "SELECT leaf.kind, coalesce(code, ''), coalesce(place, '') FROM leaf LEFT JOIN alarm USING (seq)"
            " WHERE leaf.kind IN ('refused', 'alarm') ORDER BY leaf.seq"
        )
        return [(str(kind), str(code), str(place)) for kind, code, place in rows]

    def offer(self, offer: Offer) -> list[str]:
        """Put an offer; returns why it was refused."""
        release_id = Intent.read(offer.intent).release_id
        answer = Answer.read(self.lone.observer.ask(ODS, release_id, offer).message.envelope)
        assert answer.status == "refused", answer.status
        return [reason["code"] for reason in answer.reasons]

    def send(self, message: Message | Raw) -> None:
        """Put a message, or frames made by hand, on the stream."""
        self.lone.observer.send(ODS, message)

    def greet(self, *greetings: Callable[[Hello], list[bytes]]) -> None:
        """End the session as at a restart, and greet like this when the node dials again."""
        self.lone.observer.greetings += greetings
        self.send(Goodbye("restart"))

    def next_session(self) -> None:
        """End the session as at a restart, and wait for the next one."""
        count = self.lone.observer.sessions
        self.send(Goodbye("restart"))
        wait_for(lambda: self.lone.observer.sessions > count and self.connected(), 10, "the next session")

    def settled(self, before: int) -> list[tuple[str, str, str]]:
        """The new events, once one has come and no other follows."""
        wait_for(lambda: len(self.events()) > before, 10, "an event")
        time.sleep(QUIET)
        return self.events()[before:]

    def connected(self) -> bool:
        """Whether the node says that its session stands."""
        try:
            found = json.loads((self.lone.node.home.path / "status.json").read_text())
        except ValueError:
            return False
        return bool(found["connected"])

    def rss_kb(self) -> int:
        """Resident memory of the node's process, KiB."""
        pid = json.loads((self.lone.node.home.path / "status.json").read_text())["pid"]
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmRSS")).split()[1])
