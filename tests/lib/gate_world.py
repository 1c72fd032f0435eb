"""A gate whose every port is a small fake: a clock that jumps, a ledger in memory, an engine that is a list.

The noise here adds nothing, which is why it lives in tests.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from node_agent.gate.case import Peer
from node_agent.gate.cosigning import Cosigning
from node_agent.gate.gate import pass_offer
from node_agent.gate.heads import Heads
from node_agent.gate.ports import Ports, Settings, ShuttingDownError
from node_agent.gate.rates import Rates, Seats
from node_agent.gate.witnessing import wanted_by
from node_agent.reviews import Bench, ReviewFolder
from node_agent.sources.store import ListUsed
from tests.factories.trust import NOW, People, key, person
from tests.lib.memory_ledger import MemoryLedger
from tests.lib.witness_heads import KeptHeads
from trustquery.catalogue import Catalogue
from trustquery.codelists import Pin, PublicTables, shipped
from trustquery.errors import TrustQueryError
from trustquery.identity import (
    Acceptance,
    Answer,
    Envelope,
    GovernanceList,
    Intent,
    Permit,
    Revocations,
    Root,
    Roster,
    SigningKey,
)
from trustquery.planning import Plan, compile_plan
from trustquery.policy import Policy
from trustquery.protocol.cosigning import Wanted
from trustquery.protocol.messages import AnswerMessage, Message, Offer
from trustquery.protocol.witnessing import Witnessing

__all__ = ["FakeClock", "FakeEngine", "World"]


class FakeClock:
    """Time passes only when somebody waits."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.waited: list[float] = []
        self.at: dict[float, Callable[[], None]] = {}
        self.down = False

    def wall(self) -> int:
        return int(NOW + self.now - 1_000)

    def wall_ms(self) -> int:
        return round((NOW + self.now - 1_000) * 1_000)

    def monotonic(self) -> float:
        return self.now

    def wait_until(self, moment: float) -> None:
        if self.down:
            raise ShuttingDownError
        self.waited.append(round(moment - 1_000.0, 3))
        self.now = max(self.now, moment)
        for when in sorted(self.at):
            if when <= self.now - 1_000.0:
                self.at.pop(when)()


class FakeEngine:
    """Answers with a list, or raises."""

    def __init__(self) -> None:
        self.data_version = 1
        self.treatment = ""
        self.opt_outs: tuple[ListUsed, ...] = ()
        self.result: Any = [7, 8, 9, 0, 1]
        self.runs = 0
        self.queries: list[object] = []

    def tables(self, dataset: str) -> frozenset[str]:
        return frozenset({"person", "event"})

    def vector(self, query: object, plan: Plan) -> list[int]:
        self.runs += 1
        self.queries.append(query)
        if isinstance(self.result, Exception):
            raise self.result
        found = self.result() if callable(self.result) else self.result
        return list(found)

    def counts(self, query: object, plan: Plan) -> dict[str, int]:
        self.runs += 1
        if isinstance(self.result, Exception):
            raise self.result
        return dict(self.result() if callable(self.result) else self.result)


class World:
    """Documents and ports of one node; also the port ``documents`` and ``governance`` themselves."""

    def __init__(self, people: People | None = None, **settings: int) -> None:
        self.people = people or People()
        self.clock = FakeClock()
        self.ledger = MemoryLedger()
        self.engine = FakeEngine()
        self.public = shipped()
        self.given: list[PublicTables] = []
        self.marked = False
        self.declined = False
        self.withdrawn: set[Pin] = set()
        self.steps: list[str] = []
        self.sent: list[AnswerMessage] = []
        self.logged: list[tuple[str, dict[str, Any]]] = []
        self.trouble: dict[str, Callable[[], None]] = {}
        self.draw: Callable[[Plan], list[int]] = lambda plan: [0] * plan.length
        self.noise: Callable[[list[int], Plan], list[int]] = lambda vector, plan: list(vector)
        self.release_keys: Callable[[dict[str, int], Plan], dict[str, int]] = lambda counts, plan: dict(counts)
        folder = ReviewFolder(Path(tempfile.mkdtemp(prefix="tq-reviews-")))
        self.listed = GovernanceList(
            format="tq-governance-1", people=(person("grace"), person("ivan"), person("judy")), threshold=2
        )
        self.bench = Bench(folder, self, self.ledger, self.clock.wall_ms, (settings or {}).get("slot_ms", 1_000))
        self.said: list[Message] = []
        origin, monotonic, wall = "test/node/ash", self.clock.monotonic, self.clock.wall
        cosigning = Cosigning(
            self.ledger, origin, key("ash"), self.wanted, self.said.append, monotonic, wall, self._log
        )
        self.kept_heads = KeptHeads()
        self.witnessing = Witnessing(
            origin, key("ash"), self.kept_heads, lambda: self.people.the_roster, lambda: cosigning.frozen,
            lambda code, place, data: self.ledger.note_alarm(code, place, data, wall(), once=True), wall,
        )  # fmt: skip
        figures = {"slot_ms": 1_000, "allowance_ms": 2_000, "queue_ms": 0} | settings
        self.ports = Ports(
            node="ash",
            federation="test",
            key=key("ash"),
            certificate=lambda: "a5",
            clock=self.clock,
            ledger=self.ledger,
            inputs=lambda query: self.public,
            engine=self._engine,
            documents=self,
            governance=self,
            catalogue=self._catalogue,
            budget_subject=lambda dataset: dataset,
            compile_plan=compile_plan,
            draw=lambda plan: self.draw(plan),
            noise=lambda vector, plan, drawn: self.noise(vector, plan),
            release_keys=lambda counts, plan: self.release_keys(counts, plan),
            send=self.sent.append,
            heads=Heads(self.ledger, origin, key("ash"), cosigning.shown),
            cosigning=cosigning,
            log=self._log,
            settings=Settings(**figures),
            rates=Rates(),
            seats=Seats(2),
            reviews=self.bench,
            observer=self._observe,
        )

    def _log(self, event: str, **facts: Any) -> None:
        self.logged.append((event, facts))

    def wanted(self) -> Wanted | None:
        """Who must have cosigned, by the policy in force."""
        return wanted_by(self, self, self.clock.wall())

    def _catalogue(self, dataset: str) -> Catalogue:
        if dataset != "made-up":
            raise TrustQueryError("data-table-unavailable", table="any table", dataset=dataset)
        return self.people.catalogue

    def _engine(self, dataset: str, public: PublicTables, treatment: str) -> FakeEngine:
        self.engine.treatment = treatment
        self.given.append(public)
        return self.engine

    def _observe(self, step: str) -> None:
        self.steps.append(step)
        if step in self.trouble:
            self.trouble.pop(step)()

    # -- the ports documents and governance ----------------------------------------------------------------------

    def roster(self, now: int) -> Roster:
        return self.people.the_roster

    def check_inputs(self, pins: Iterable[Pin]) -> None:
        for pin in pins:
            if pin in self.withdrawn:
                raise TrustQueryError("query-input-withdrawn", table=pin.id, version=pin.version)

    def root(self) -> Root:
        return self.people.root

    def revocations(self, now: int) -> tuple[Revocations, frozenset[str]]:
        return self.people.the_statement, frozenset({key("statement").key_id})

    def permit(self, project: str, now: int) -> tuple[Permit, Envelope]:
        return self.people.the_permit, self.people.the_permit.sign(key("ann"), key("bob"))

    def policy(self) -> Policy:
        return self.people.the_policy

    def acceptance(self, project: str) -> Acceptance:
        if self.declined or project != self.people.the_acceptance.project:
            raise TrustQueryError("policy-not-accepted", project=project)
        return self.people.the_acceptance

    federation, node = "test", "ash"

    @property
    def governance(self) -> GovernanceList:
        return self.listed

    def stopped(self) -> bool:
        return self.marked

    def stopped_after(self, seq: int) -> bool:
        return self.marked

    # -- asking --------------------------------------------------------------------------------------------------

    def offer(self, asked: Intent | None = None, signer: SigningKey | None = None, **changes: bytes) -> Offer:
        """An offer of an intent (by default the standard one), signed by ada; ``changes`` replace whole parts."""
        intent = asked or self.people.the_intent()
        parts = {
            "intent": intent.sign(signer or key("ada")).encode(),
            "permit": self.people.the_permit.sign(key("ann"), key("bob")).encode(),
            "model": self.people.query.payload(),
        }
        whole = parts | changes
        return Offer(whole["intent"], whole["permit"], whole["model"])

    def ask(self, offer: Offer | None = None, *, authenticated: bool = True) -> Answer | None:
        """Pass an offer; returns the answer it brought, or None for silence."""
        before = len(self.sent)
        pass_offer(offer or self.offer(), Peer(authenticated), self.clock.monotonic(), self.ports)
        assert len(self.sent) - before <= 1
        return self.read(self.sent[-1]) if len(self.sent) > before else None

    def read(self, message: AnswerMessage) -> Answer:
        """A message's document, its signature checked."""
        answer, _, _ = Answer.verify(message.envelope, {key("ash").key_id: key("ash").public}, 1)
        return answer

    def codes(self, answer: Answer | None) -> list[str]:
        """The codes of a refusal."""
        assert answer is not None
        assert answer.status == "refused"
        assert json.dumps(answer.reasons)
        return [reason["code"] for reason in answer.reasons]
