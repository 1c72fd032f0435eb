"""The coordinator: the queries' machine, its store, the merge and the sessions that ship, on a simulated machine.

Its database is the real one, in memory: a transaction that was committed is kept when the process dies, one that was
not is gone. It dies between two pieces of work of its threads, that is, between any two transactions.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from coordinator.fleet.links import Fleet
from coordinator.fleet.previews import Previews
from coordinator.fleet.session import SessionHandler
from coordinator.fleet.sharing import Sharing
from coordinator.fleet.witnessing import Relay
from coordinator.queries import QueryService
from coordinator.queries.checks import Checked, Submission
from coordinator.queries.machine import VALID_TRANSITIONS, State
from coordinator.rosters import Rosters
from coordinator.statements import Statements
from coordinator.store import Store
from tests.factories.trust import key
from tests.simulation.machines import Machine
from tests.simulation.world import driver
from trustquery.log import coordinator_origin
from trustquery.protocol.answers import add_vectors
from trustquery.protocol.witnessing import Witnessing

if TYPE_CHECKING:
    from tests.simulation.history import History
    from tests.simulation.network import Connection, CoordinatorEnd

__all__ = ["Centre", "CentreBook"]

TICK_S = 2.5


class CentreBook:
    """What the coordinator must never take back, over all its lives.

    Every accepted query stays, moves only as the table of states allows, and keeps its result; an answer is kept as it
    came; what a node was told is kept is kept; a result is the sum of the answers that it lists.
    """

    def __init__(self, history: History, store: Store) -> None:
        self._history = history
        self._database = driver(store)
        self._changes = -1
        self.states: dict[str, str] = {}
        self._results: dict[str, bytes] = {}
        self._answers: dict[tuple[str, str], tuple[bytes, bytes, str, bool]] = {}
        self.closes: dict[str, int] = {}

    def _rows(self, sql: str) -> list[Any]:
        return self._database.execute(sql).fetchall()

    def wrong(self, what: str) -> None:
        """An invariant is broken."""
        self._history.wrong(f"coordinator: {what}")

    def acknowledged(self, node: str, release_id: str) -> None:
        """A node was told that its answer is kept."""
        if (release_id, node) not in self._answers:
            self.wrong(f"{node} was told that its answer to {release_id[:8]} is kept, and it is not")

    def look(self) -> None:
        """A piece of work is done: whatever it changed has been committed."""
        if self._database.total_changes == self._changes:
            return
        self._changes = self._database.total_changes
        found = {
            release_id: (state, result, closes)
            for release_id, state, result, closes in self._rows(
                "SELECT release_id, state, result, closes_at FROM queries"
            )
        }
        answers = {
            (release_id, node): (bytes(envelope), bytes(vector), status, bool(late))
            for release_id, node, envelope, vector, status, late in self._rows(
                "SELECT release_id, node, envelope, vector, status, late FROM answers"
            )
        }
        for (release_id, node), kept in self._answers.items():
            if answers.get((release_id, node)) != kept:
                self.wrong(f"the answer of {node} to {release_id[:8]} has changed")
        self._answers = answers
        for release_id, earlier in self.states.items():
            if release_id not in found:
                self.wrong(f"{release_id[:8]} was accepted and is gone")
            elif found[release_id][0] != earlier and State(found[release_id][0]) not in _after(State(earlier)):
                self.wrong(f"{release_id[:8]} was {earlier} and is {found[release_id][0]}")
        for release_id, (state, result, closes) in found.items():
            self.states[release_id], self.closes[release_id] = state, closes
            if result is None:
                continue
            if self._results.setdefault(release_id, bytes(result)) != bytes(result):
                self.wrong(f"the result of {release_id[:8]} has changed")
            elif len(self._results) and state == State.CLOSED and release_id not in self._checked:
                self._check(release_id, json.loads(result))

    @property
    def _checked(self) -> set[str]:
        return self._history.checked_results

    def _check(self, release_id: str, result: dict[str, Any]) -> None:
        self._checked.add(release_id)
        listed = [item["node"] for item in result["trusts"]]
        vectors = []
        for node in listed:
            kept = self._answers.get((release_id, node))
            if kept is None or kept[2] != "answer" or kept[3]:
                self.wrong(f"the result of {release_id[:8]} counts {node}, which gave no answer in time")
                return
            vectors.append(kept[1])
        if len(set(listed)) != len(listed):
            self.wrong(f"the result of {release_id[:8]} counts a trust twice")
        total = [str(number) for number in add_vectors(vectors, len(vectors[0]) // 8)] if vectors else []
        if result["vector"] != total:
            self.wrong(f"the result of {release_id[:8]} is not the sum of its answers")


def _after(state: State) -> frozenset[State]:
    seen: set[State] = set()
    new = [state]
    while new:
        for after in VALID_TRANSITIONS[new.pop()] - seen:
            seen.add(after)
            new.append(after)
    return frozenset(seen)


@dataclass
class _Nobody:
    """Takes no stance and renews nothing."""

    def take(self, node: str, envelope: bytes) -> None:
        pass


class Centre:
    """The coordinator, over all its lives."""

    def __init__(self, history: History, store: Store) -> None:
        self.history = history
        self.store = store
        self.skew = history.script.skew.get("centre", 0.0)
        self.lives = 0
        self.machine = Machine(history, "centre")
        self.machine.alive = False

    def wall(self) -> int:
        """Its clock, seconds since 1970."""
        return self.history.true_wall(self.skew)

    def start(self) -> None:
        """A new life, on the same database."""
        history = self.history
        self.lives += 1
        machine = self.machine = Machine(history, "centre")
        machine.calls_left = history.script.next_cut("centre", self.lives)
        history.tell("centre", f"starts for the {self.lives}. time")
        machine.run(self._boot)

    def _boot(self) -> None:
        rosters = Rosters(self.store, self.history.world.people.root)
        rosters.refresh()
        statements = Statements(self.store, rosters)
        statements.refresh()
        self.fleet = Fleet()
        self.queries = QueryService(self.store, rosters, self.fleet, self.wall, lambda row, content: None)
        own = Witnessing(
            coordinator_origin("test"), key("coordinator"), self.store.witnessed, rosters.current, lambda: False,
            lambda code, place, data: self.history.tell("centre", f"alarm {code} {place}"), self.wall,
        )  # fmt: skip
        relay = Relay("test", self.fleet, own, lambda node: None, lambda: self.history.loop.now)
        previews = Previews(self.fleet)
        sharing = Sharing(self.store, self.fleet, previews, relay, "centre")
        self.handler = SessionHandler(
            "test", self.store, rosters, statements, self.fleet, previews, self.queries, _Nobody(),
            lambda node: None, lambda node, pem: b"", relay, sharing,
        )  # fmt: skip
        self.machine.begin(self._tick())

    async def _tick(self) -> None:
        while True:
            await self.queries.tick()
            await self.history.pause(TICK_S)

    def serve(self, stream: CoordinatorEnd, connection: Connection) -> None:
        """A node has dialled."""

        async def session() -> None:
            await self.handler.session(stream)
            if connection.speaks():
                connection.down.end()

        self.machine.begin(session())

    async def submit(self, given: Submission, checked: Checked) -> None:
        """What the API does with a checked submission."""
        await self.queries.submit(given, checked, self.history.world.user)
