"""What is the same in every history of a process: documents of four trusts, questions, a filled store."""

from __future__ import annotations

import sqlite3
from decimal import Decimal
from functools import cache
from typing import Any

from coordinator.queries.checks import Checked, Submission
from coordinator.store import NodeRow, ProjectRow, Store, User
from coordinator.store.models import CertificateRow, DocumentRow
from tests.factories.trust import NOW, People, key, policy_text, question
from tests.simulation.witnesses import CENTRE, QUORUM
from trustquery.identity import Acceptance, Intent, NodeEntry, Revocations, Roster
from trustquery.planning import compile_plan
from trustquery.policy import Policy
from trustquery.protocol.messages import Offer

__all__ = ["NODES", "World", "driver", "world"]

NODES = ("RX1", "RX2", "RX3", "RX4")
_YEAR = 365 * 86_400
_RHO = (20_000_000, 45_000_000, 90_000_000)
"""What a question costs, in 1e-9 rho; a project may spend 300,000,000."""


class World:
    """Documents and questions."""

    def __init__(self) -> None:
        entries = tuple(
            NodeEntry(node=name, ods=name, name=name, key=key(name).public.hex(), tls_key_sha256="0" * 64)
            for name in NODES
        )
        self.people = People(
            roster={"nodes": entries, "expires": NOW + 20 * 86_400}, permit={"min_trusts": 1}, intent={"min_trusts": 1}
        )
        self.signed_permit = self.people.the_permit.sign(key("ann"), key("bob"))
        self.permit = self.people.the_permit, self.signed_permit
        self.acceptances = {
            name: Acceptance(**(self.people.the_acceptance.model_dump() | {"node": name})) for name in NODES
        }
        self.questions = [question(rho_nano=rho) for rho in _RHO]
        self.plans = [compile_plan(item, self.people.catalogue, self.people.public) for item in self.questions]
        self.user = User(id=1, name="ada", public_key=key("ada").public.hex(), disabled=False, created=NOW)
        self.project = ProjectRow(
            name="stays",
            version=1,
            permit=self.signed_permit.encode(),
            permit_hash=self.people.the_permit.sha256,
            state="approved",
            added=NOW,
        )
        self._store = Store("sqlite://", clock=lambda: NOW)
        self._template = self._fill(self._store)

    @cache  # noqa: B019 - one world a process
    def policy(self, node: str, *, witnessed: bool) -> Policy:
        """A trust's policy: with the coordinator and the three other nodes as witnesses, or without any."""
        if not witnessed:
            return Policy.from_toml(policy_text(trust=f'"{node}"', min_trusts="1"))
        names = ", ".join(f'"{name}"' for name in (CENTRE, *(other for other in NODES if other != node)))
        rule = f'"any"\n[witnesses]\nnames = [{names}]\nquorum = {QUORUM}\nfaulty = 1\n'
        return Policy.from_toml(policy_text(trust=f'"{node}"', min_trusts="1", bootstrap="false", hours=rule))

    def _fill(self, store: Store) -> bytes:
        store.create()
        roster = self.people.the_roster.sign(key("root0"), key("root1")).encode()
        statement = self.people.the_statement.sign(key("statement")).encode()
        with store.transaction() as session:
            for kind, envelope in ((Roster.KIND, roster), (Revocations.KIND, statement)):
                session.add(DocumentRow(kind=kind, version=1, sha256="", envelope=envelope, installed=NOW))
            session.add(User(id=1, name="ada", public_key=self.user.public_key, disabled=False, created=NOW))
            for name in NODES:
                session.add(
                    NodeRow(
                        ods=name,
                        name=name,
                        identity_key=key(name).public.hex(),
                        request_pem="",
                        status="approved",
                        tls_key_sha256="0" * 64,
                        serial=f"serial-{name}",
                        words="",
                        enrolled=NOW,
                    )
                )
                session.add(CertificateRow(serial=f"serial-{name}", ods=name, expires=NOW + _YEAR))
            session.add(
                ProjectRow(
                    name="stays",
                    version=1,
                    permit=self.project.permit,
                    permit_hash=self.project.permit_hash,
                    state="approved",
                    added=NOW,
                )
            )
        return driver(store).serialize()

    def store(self) -> Store:
        """The store in memory, as it is before anybody asks; one at a time."""
        driver(self._store).deserialize(self._template)
        return self._store

    def intent(self, name: str, which: int, nodes: tuple[str, ...], not_after: int, **changes: Any) -> Intent:
        """A signed question's document."""
        asked, plan = self.questions[which], self.plans[which]
        return self.people.the_intent(
            name,
            query_hash=asked.sha256,
            plan_hash=plan.sha256,
            rho_nano=plan.rho_nano,
            nodes=nodes,
            not_after=not_after,
            **changes,
        )

    def offer(self, intent: Intent, which: int) -> Offer:
        """What a node is offered."""
        return Offer(intent.sign(key("ada")).encode(), self.signed_permit.encode(), self.questions[which].payload())

    def submission(self, intent: Intent, which: int) -> tuple[Submission, Checked]:
        """What a client sends, and what the coordinator's checks make of it."""
        offer = self.offer(intent, which)
        given = Submission("stays", "SELECT", offer.model, offer.intent, Decimal(1))
        return given, Checked(self.project, intent, self.questions[which], self.plans[which])


def driver(store: Store) -> sqlite3.Connection:
    """The one connection of a store in memory."""
    raw = store._engine.raw_connection()
    found = raw.driver_connection
    raw.close()
    assert isinstance(found, sqlite3.Connection)
    return found


@cache
def world() -> World:
    """The one world of this process."""
    return World()
