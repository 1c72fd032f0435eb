"""The gate with a real ledger on disk, the engine's own SQL, and real noise, for as many people as a test wants.

Time alone is a fake, so that thousands of answers take seconds. Each person asks in a project of their own, with a
permit and an acceptance of its own, so that only what is kept for the whole node is common to them.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from node_agent.budget import SqliteLedger
from node_agent.gate.heads import Heads
from node_agent.sources.store import ListUsed
from tests.factories.catalogues import made_up
from tests.factories.trust import NOW, People, key, policy_text
from tests.lib.gate_world import World
from tests.lib.prepared import Prepared, Rows, prepared
from trustquery.errors import TrustQueryError
from trustquery.identity import Acceptance, Answer, Envelope, Intent, Member, Permit
from trustquery.language import compile_query
from trustquery.model import Query
from trustquery.planning import Plan, compile_plan
from trustquery.policy import Policy
from trustquery.privacy.budget import epsilon_of
from trustquery.privacy.noise import add_noise, draw_noise, release_keys
from trustquery.protocol.answers import read_vector
from trustquery.protocol.messages import Offer

__all__ = ["RealGate", "Reply", "compiled", "epsilon_at", "real_gate"]

LIVES = 10 * 86_400
"""Seconds: how long intents and documents are valid, in fake time."""
AMPLE = 10**12


@dataclass(frozen=True)
class Reply:
    """What one person got for one question; ``vector`` is b"" when the gate refused, with ``codes``."""

    person: str
    query: Query
    plan: Plan
    answer: Answer
    vector: bytes

    @property
    def values(self) -> list[int]:
        """The noised integers."""
        return list(read_vector(self.vector))

    @property
    def codes(self) -> list[str]:
        """Reasons of a refusal."""
        return [str(reason["code"]) for reason in self.answer.reasons] if self.answer.status == "refused" else []

    @property
    def scopes(self) -> set[str]:
        """The budgets that a refusal names."""
        return {str(reason.get("fields", {}).get("scope", "")) for reason in self.answer.reasons}


class _Engine:
    """The engine's SQL in this process, over data whose version a test may advance."""

    def __init__(self, store: Prepared) -> None:
        self.store = store
        self.data_version = 1
        self.opt_outs: tuple[ListUsed, ...] = ()

    def tables(self, dataset: str) -> frozenset[str]:
        return self.store.store.dataset_tables[dataset]

    def vector(self, query: Query, plan: Plan) -> list[int]:
        return self.store.vector(query, plan)

    def counts(self, query: Query, plan: Plan) -> dict[str, int]:
        return self.store.counts(query, plan)


class RealGate(World):
    """One node.

    Args:
        people: who asks; person ``x`` does so in project ``project-x``.
        rho_12_months: what the node as a whole may spend, in rho as text; every other cap is ample.
        treatment: of opt-outs, in every permit.
    """

    def __init__(
        self,
        ledger: SqliteLedger,
        store: Prepared,
        people: Sequence[str],
        rho_12_months: str,
        *,
        treatment: str = "synthetic-data",
    ) -> None:
        chosen = {"opt_out_treatment": treatment}
        super().__init__(People(roster={"expires": NOW + LIVES}, permit=chosen, intent=chosen), allowance_ms=60_000)
        self.store = store
        self.real = ledger
        self.data = _Engine(store)
        self.rules = Policy.from_toml(_policy(rho_12_months, treatment))
        self.permits = {name: self._permit(name) for name in people}
        self.signed = {name: permit.sign(key("ann"), key("bob")) for name, permit in self.permits.items()}
        self.asked = 0
        self.ports = dataclasses.replace(
            self.ports,
            ledger=ledger,
            heads=Heads(ledger, "test/node/ash", key("ash")),
            engine=lambda dataset, public, treatment: self.data,
            draw=draw_noise,
            noise=add_noise,
            release_keys=release_keys,
        )

    def _permit(self, name: str) -> Permit:
        member = Member(
            person=name, name=name.title(), organisation="University", role="analyst", key=key(name).public.hex(),
            key_kind="file", training_body="ONS", training_expires=NOW + LIVES,
        )  # fmt: skip
        facts = {"project": f"project-{name}", "members": (member,), "rho_nano": AMPLE}
        return Permit(**(self.people.the_permit.model_dump() | facts))

    def policy(self) -> Policy:
        return self.rules

    def permit(self, project: str, now: int) -> tuple[Permit, Envelope]:
        name = project.removeprefix("project-")
        return self.permits[name], self.signed[name]

    def acceptance(self, project: str) -> Acceptance:
        permit = self.permits.get(project.removeprefix("project-"))
        if permit is None:
            raise TrustQueryError("policy-not-accepted", project=project)
        facts = {"project": project, "permit_hash": permit.sha256, "rho_nano": AMPLE}
        return Acceptance(**(self.people.the_acceptance.model_dump() | facts))

    def put(self, person: str, query: Query, *, fresh: bool = False) -> Reply:
        """One compiled question of one person, through the whole gate."""
        self.asked += 1
        plan = compile_plan(query, self.people.catalogue)
        intent = Intent(
            **(
                self.people.the_intent().model_dump()
                | {
                    "release_id": hashlib.sha256(b"%d" % self.asked).hexdigest(),
                    "project": f"project-{person}",
                    "permit_hash": self.permits[person].sha256,
                    "query_hash": query.sha256,
                    "plan_hash": plan.sha256,
                    "inputs": (),
                    "rho_nano": plan.rho_nano,
                    "delta_atto": query.delta_atto,
                    "reuse": "fresh" if fresh else "stored",
                    "as_of": query.as_of,
                    "not_after": NOW + LIVES,
                    "key_id": key(person).key_id,
                }
            )
        )
        offer = Offer(intent.sign(key(person)).encode(), self.signed[person].encode(), query.payload())
        answer = self.ask(offer)
        assert answer is not None
        return Reply(person, query, plan, answer, self.sent[-1].vector)

    def spent(self) -> int:
        """What the node's ledger holds against the node as a whole, nano-rho."""
        return self.real.spent("node-wide", "", self.clock.wall()).rho_lifetime

    @property
    def cap(self) -> int:
        """What the node as a whole may spend in 12 months, nano-rho."""
        return int(self.rules.budget.node_wide.rho_12_months.scaleb(9))


def epsilon_at(rho_nano: int) -> Decimal:
    """What to ask for, to be charged very nearly so much and never more."""
    return epsilon_of(rho_nano, places=12) - Decimal("1e-12")


def compiled(sql: str, rho_nano: int) -> Query:
    """A question about the made-up dataset, at very nearly the given charge."""
    return compile_query(sql, made_up(), epsilon=epsilon_at(rho_nano))


def _policy(rho_12_months: str, treatment: str) -> str:
    rule = '[opt_outs]\nlists = ["national"]\nmax_age_days = 30'
    text = policy_text(
        opt_outs=rule,
        opt_out_treatments=f'["{treatment}"]',
        max_rho="1000",
        max_cells="10000",
        max_queries_per_hour="100000",
    )
    for name in ("rho_12_months", "rho_lifetime"):
        lines = [f"{name} = 1000" if line.startswith(f"{name} =") else line for line in text.splitlines()]
        text = "\n".join(lines)
    return text.replace("rho_12_months = 1000", f"rho_12_months = {rho_12_months}", 1)


@contextmanager
def real_gate(
    folder: Path, tables: Rows, people: Sequence[str], rho_12_months: str, *, treatment: str = "synthetic-data"
) -> Iterator[RealGate]:
    """A node with these rows of the made-up dataset and a new ledger in ``folder``."""
    ledger = SqliteLedger(folder / "ledger.sqlite")
    try:
        with prepared(folder, made_up(), tables) as store:
            yield RealGate(ledger, store, people, rho_12_months, treatment=treatment)
    finally:
        ledger.close()
