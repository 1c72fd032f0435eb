"""One real node, the other end of its TLS, and as many signed offers as a test wants."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.factories.trust import People, key, policy_text, statement_since
from tests.lib.observer import Observer
from tests.lib.prepared import Rows
from tests.lib.processes import wait_for
from tests.lib.real_gate import epsilon_at
from tests.lib.real_node import RealNode
from trustquery.catalogue import load
from trustquery.identity import Answer, Intent, Member, NodeEntry, Permit, Roster
from trustquery.language import compile_query
from trustquery.planning import PLAN_FORMAT, compile_plan
from trustquery.protocol.messages import AnswerMessage, Documents, Offer

__all__ = ["ODS", "LoneNode", "lone_node", "status_of"]

ODS = "RX1"
DATASET = "nhs-episodes"
_HOUR = 3_600


def status_of(message: AnswerMessage) -> str:
    """What an answer says of itself."""
    return Answer.read(message.envelope).status


@dataclass
class LoneNode:
    """The node and its coordinator's end of the link."""

    observer: Observer
    node: RealNode
    permit: Permit
    sql: str
    made: int = 0

    def another(self, project: str, treatment: str) -> Permit:
        """A second project, accepted, whose opt-outs are treated another way."""
        found = Permit(**(self.permit.model_dump() | {"project": project, "opt_out_treatment": treatment}))
        self.node.accept(found, int(time.time()))
        return found

    def offers(
        self, count: int, *, reuse: str = "fresh", rho_nano: int = 1_000, under: Permit | None = None
    ) -> list[tuple[str, Offer]]:
        """Release ids and signed offers, none like another, under the first permit or another."""
        chosen = under or self.permit
        catalogue = load(DATASET)
        query = compile_query(self.sql, catalogue, epsilon=epsilon_at(rho_nano))
        plan = compile_plan(query, catalogue)
        permit = chosen.sign(key("ann"), key("bob")).encode()
        found = []
        for number in range(self.made, self.made + count):
            release_id = hashlib.sha256(b"lone %d" % number).hexdigest()
            intent = Intent.model_validate({
                "federation": "test", "release_id": release_id, "project": chosen.project,
                "permit_hash": chosen.sha256, "query_hash": query.sha256, "plan_hash": plan.sha256,
                "plan_format": PLAN_FORMAT, "catalogue_hash": catalogue.sha256, "inputs": (),
                "rho_nano": plan.rho_nano, "delta_atto": 0, "mode": "local", "nodes": (ODS, "RX2"), "min_trusts": 2,
                "reuse": reuse, "opt_out_treatment": chosen.opt_out_treatment, "disclosure_profile": "none",
                "as_of": query.as_of, "not_after": int(time.time()) + 3 * _HOUR, "key_id": key("ada").key_id,
                "key_kind": "file",
            })  # fmt: skip
            found.append((release_id, Offer(intent.sign(key("ada")).encode(), permit, query.payload())))
        self.made += count
        return found

    def ask(self) -> AnswerMessage:
        """One answer to one offer."""
        return self.observer.ask(ODS, *self.offers(1)[0]).message

    def releases(self) -> list[tuple[float, AnswerMessage]]:
        """Every message so far that holds an answer, with the wall-clock time at which its last byte came."""
        return [(when, message) for when, message in self.observer.arrived if status_of(message) == "answer"]

    def states(self) -> dict[str, int]:
        """Number of releases in each state."""
        return dict(self.node.ledger("SELECT state, count(*) FROM release GROUP BY state"))


def _entries(names: tuple[str, ...]) -> tuple[NodeEntry, ...]:
    return tuple(
        NodeEntry(node=name, ods=name, name=name, key=key(name).public.hex(), tls_key_sha256="0" * 64) for name in names
    )


@contextmanager
def lone_node(
    folder: Path, tables: Rows, sql: str, answer: str, *, policy: dict[str, str] | None = None,
    program: Sequence[str] = (), treatment: str = "synthetic-data", permits: bool = True, link: str = "",
    withheld: bool = False, others: tuple[str, ...] = (),
) -> Iterator[LoneNode]:  # fmt: skip
    """A running node that is connected and has its documents.

    Args:
        answer: lines of ``[answer]``; ``link`` of ``[coordinator]``.
        policy: changes to the policy's text.
        permits: whether the permit comes with the other documents, and not with offers alone.
        withheld: whether nothing comes at all; ``observer.documents`` is then empty.
        others: more nodes on the roster, with keys of their names.
        program: what runs in place of ``tq-node … run``.
        treatment: of opt-outs, in the permit.
    """
    now = int(time.time())
    observer, people = Observer("test"), People()
    enrolled = observer.enrol(ODS)
    entry = NodeEntry(node=ODS, ods=ODS, name=ODS, key=enrolled.key.public.hex(), tls_key_sha256="0" * 64)
    roster = people.the_roster.model_dump() | {
        "issued": now - 60,
        "expires": now + 10 * _HOUR,
        "nodes": (entry, *_entries(others)),
    }
    member = people.the_permit.members[0].model_dump() | {"training_expires": now + 10 * _HOUR}
    lives = {"members": (Member(**member),), "datasets": (DATASET,), "valid_from": now - 60, "expires": now + 9 * _HOUR}
    permit = Permit(**(people.the_permit.model_dump() | lives | {"opt_out_treatment": treatment}))
    observer.documents = Documents(
        Roster(**roster).sign(key("root0"), key("root1")).encode(),
        statement_since(people, now - 60),
        (permit.sign(key("ann"), key("bob")).encode(),) if permits else (),
    )
    if withheld:
        observer.documents = Documents()
    rules = {"trust": f'"{ODS}"', "id": f'"{DATASET}"', "max_queries_per_hour": "100000"} | (policy or {})
    node = RealNode(
        folder, enrolled, people.root, observer.authority.certificate_pem, observer.address, DATASET, tables,
        policy_text(**rules), answer, program, link=link,
    )  # fmt: skip
    node.accept(permit, now)
    try:
        node.start()
        last = node.home.documents / ("permits/stays.dsse" if permits else "revocations.dsse")
        wait_for(lambda: observer.ready(ODS) if withheld else last.exists(), 10, "the documents")
        yield LoneNode(observer, node, permit, sql)
    finally:
        node.end()
        observer.stop()
