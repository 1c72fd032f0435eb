"""The gate over documents that lie on a disk, as at a trust, and over a real ledger: each is verified by the node's own
code. Time, data and engine are fakes."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from node_agent.budget import SqliteLedger
from node_agent.config import Home
from node_agent.gate.heads import Heads
from node_agent.gate.rates import Rates
from node_agent.policy_store import DocumentStore, Office, PolicyStore, save_governance
from node_agent.policy_store.files import replace_file
from tests.factories.trust import NOW, People, key, person, signed_policy
from tests.lib.gate_world import World
from trustquery.identity import GovernanceList

__all__ = ["COMMITTEE", "GOVERNANCE", "DocumentGate", "document_gate"]

COMMITTEE = ("ann", "bob")
GOVERNANCE = ("grace", "ivan")


class DocumentGate(World):
    """One trust's node, whose roster has come and whose policy is in force; no project is accepted yet."""

    def __init__(self, folder: Path, people: People | None = None) -> None:
        super().__init__(people)
        self.home = Home(folder)
        self.home.create()
        listed = GovernanceList(format="tq-governance-1", people=tuple(map(person, GOVERNANCE)), threshold=2)
        save_governance(self.home.startup / "governance.json", listed)
        self.book = SqliteLedger(self.home.ledger)
        self.store = PolicyStore(self.home, "test", "ash", self.book.book)
        self.office = Office(self.store, self.book.book, self.clock.wall)
        self.office.activate(signed_policy(*GOVERNANCE))
        self.kept = DocumentStore(self.home.documents, self.people.root)
        self.kept.take_roster(self.people.the_roster.sign(key("root0"), key("root1")).encode(), self.book, NOW)
        self.kept.take_revocations(self.people.the_statement.sign(key("statement")).encode(), self.book, NOW)
        heads = Heads(self.book, "test/node/ash", key("ash"))
        self.ports = dataclasses.replace(
            self.ports, ledger=self.book, heads=heads, documents=self.kept, governance=self.store
        )

    def put_acceptance(self, project: str, data: bytes) -> None:
        """Lay an acceptance where the node looks for it, past every check that a command makes."""
        replace_file(self.home.policy / "acceptances" / f"{project}.dsse", data)

    def accept(self, permit_hash: str | None = None) -> None:
        """Two governance people accept the permit, or whatever has this hash."""
        facts = self.people.the_acceptance.model_dump() | ({"permit_hash": permit_hash} if permit_hash else {})
        acceptance = type(self.people.the_acceptance)(**facts)
        self.put_acceptance(acceptance.project, acceptance.sign(*map(key, GOVERNANCE)).encode())

    def rested(self) -> None:
        """As after a quiet minute: no rate stands in the way of the next offer."""
        self.ports = dataclasses.replace(self.ports, rates=Rates())

    def refused(self, *offered: Any) -> list[str]:
        """Put an offer; returns why it was refused, having checked that it cost nothing and that nothing was read.

        ``[""]`` where the node said nothing at all.
        """
        self.rested()
        before, runs = self.spending(), self.engine.runs
        answer = self.ask(*offered)
        assert (self.spending(), self.engine.runs) == (before, runs)
        return self.codes(answer) if answer is not None else [""]

    def spending(self) -> list[list[tuple[Any, ...]]]:
        """Everything that the ledger holds of releases and charges."""
        tables = ("release", "charge", "outbox", "stored_answer")
        return [self.book._db.rows(f"SELECT * FROM {table} ORDER BY 1, 2") for table in tables]


@contextmanager
def document_gate(folder: Path, people: People | None = None) -> Iterator[DocumentGate]:
    """A node whose home is ``folder``."""
    world = DocumentGate(folder, people)
    try:
        yield world
    finally:
        world.book.close()
