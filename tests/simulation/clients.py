"""Analysts' clients: they send a signed question, send it again when nothing comes back, look, and give up."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from coordinator.queries.checks import Checked, Submission
from tests.simulation.script import Asking
from trustquery.errors import TrustQueryError
from trustquery.identity import Intent

if TYPE_CHECKING:
    from tests.simulation.history import History

__all__ = ["Clients"]


class Clients:
    """Everybody who asks.

    Attributes:
        accepted: release ids that the coordinator said it had taken.
    """

    def __init__(self, history: History) -> None:
        self._history = history
        self.accepted: set[str] = set()
        self.rogue: set[str] = set()
        self._intents: dict[str, tuple[Intent, int]] = {}

    def all(self) -> list[Coroutine[Any, Any, None]]:
        """What they do."""
        return [self._ask(item) for item in self._history.script.asking]

    async def _ask(self, asking: Asking) -> None:
        history = self._history
        await history.pause(asking.at)
        not_after = history.true_wall() + int(asking.wait)
        changes = {"reuse": "fresh"} if asking.fresh else {}
        name = f"{history.seed} {asking.name}"
        intent = history.world.intent(name, asking.which, asking.nodes, not_after, **changes)
        given, checked = history.world.submission(intent, asking.which)
        self._intents[intent.release_id] = (intent, asking.which)
        history.tell("client", f"asks {intent.release_id[:8]} of {' '.join(asking.nodes)}")
        for _ in range(asking.tries):
            if await self._send(intent.release_id, given, checked):
                break
            await history.pause(history.chance.uniform(0.2, 2.0))
        if asking.cancels:
            await history.pause(max(0.0, asking.cancels - asking.at))
            await self._cancel(intent.release_id)

    async def _send(self, release_id: str, given: Submission, checked: Checked) -> bool:
        """One request; True where it is known that the coordinator has the query."""
        history = self._history
        await history.pause(history.moment())
        lost = history.chance.random()
        machine = history.centre.machine
        if not machine.alive or (lost < 0.1 and not history.healed):
            return False
        done = machine.begin(history.centre.submit(given, checked))
        try:
            await asyncio.wait({done})
            done.result()
        except TrustQueryError as error:
            history.tell("client", f"is told {error.code}")
            if error.code == "node-release-conflict":
                # It was taken the first time: the reply was lost.
                self.accepted.add(release_id)
                return True
            return False
        except asyncio.CancelledError:
            return False
        # The reply may be lost; that the query is open is true all the same.
        self.accepted.add(release_id)
        return not 0.1 <= lost < 0.2

    async def _cancel(self, release_id: str) -> None:
        history = self._history
        machine = history.centre.machine
        if machine.alive:

            async def cancel() -> None:
                row = await asyncio.to_thread(history.centre.store.queries.get, release_id)
                if row is not None and await history.centre.queries.cancel(row):
                    history.tell("client", f"has cancelled {release_id[:8]}")

            await asyncio.wait({machine.begin(cancel())})

    def mischief(self, kind: str, node: str) -> None:
        """A coordinator that repeats an offer, or puts two questions under one id."""
        history = self._history
        if not history.centre.machine.alive or not self._intents:
            return
        intent, which = history.chance.choice(list(self._intents.values()))
        if node not in intent.nodes:
            return
        if kind == "repeat":
            history.centre.fleet.send(node, history.world.offer(intent, which))
            return
        not_after = history.true_wall() + 20
        for turn in range(2):
            asked = (which + turn) % 3
            other = history.world.intent(f"{history.seed} rogue", asked, (node,), not_after, reuse="fresh")
            self.rogue.add(other.release_id)
            history.centre.fleet.send(node, history.world.offer(other, asked))
