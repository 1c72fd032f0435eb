"""A hostile coordinator that says nothing: it withholds the roster, the statement, or the next of either.

The other half of ``test_hostile_coordinator``: the node is a real process, the attacker has the other end of its TLS.
"""

from __future__ import annotations

import datetime
import time
from pathlib import Path

import pytest

from tests.acceptance.test_hostile_coordinator import ANSWER, ROOTS, ROW, SQL
from tests.factories.trust import People, key, statement_since
from tests.lib.hostile import Hostile
from tests.lib.lone_node import ODS, lone_node, status_of
from tests.lib.processes import wait_for
from trustquery.identity import NodeEntry, Revocations, Roster
from trustquery.protocol.messages import Documents

HOUR = 3_600
ENDS = 3


def roster(lone: Hostile, version: int, expires: int) -> bytes:
    enrolled = lone.lone.node.enrolled
    entry = NodeEntry(node=ODS, ods=ODS, name=ODS, key=enrolled.key.public.hex(), tls_key_sha256="0" * 64)
    facts = People().the_roster.model_dump()
    facts |= {"issued": int(time.time()) - 60, "expires": expires, "nodes": (entry,), "version": version}
    return Roster(**facts).sign(*map(key, ROOTS)).encode()


@pytest.mark.acceptance("AUZ-06")
def test_whoever_withholds_roster_or_statement_gets_refusals_alone(tmp_path: Path) -> None:
    """AUZ-06: after each the spend is unchanged and exactly one entry names it; what was withheld ends it."""
    folder, now, people = tmp_path / "node", int(time.time()), People()
    folder.mkdir()
    fresh = Revocations(
        **(people.the_statement.model_dump() | {"version": 2, "issued": now - 30, "expires": now + HOUR})
    )

    def refused(lone: Hostile, code: str) -> None:
        before, events = lone.spend(), len(lone.events())
        assert lone.offer(lone.lone.offers(1)[0][1]) == [code]
        assert lone.settled(events) == [("refused", "", "")]
        assert lone.spend() == before

    def brings(lone: Hostile, name: str, message: Documents) -> None:
        kept = lone.lone.node.home.documents / name
        before = kept.read_bytes() if kept.exists() else b""
        lone.send(message)
        wait_for(lambda: kept.exists() and kept.read_bytes() != before, 10, name)

    short = {"revocations_max_age_hours": "1"}
    tables = {"emergency_attendance": [ROW | {"arrival_at": datetime.datetime(2020, 1, 1)}]}
    with lone_node(folder, tables, SQL, ANSWER, policy=short, withheld=True) as found:
        lone = Hostile(found)
        # No roster at all; then a roster and no statement; then a statement older than the trust's policy allows.
        refused(lone, "policy-document-stale")
        brings(lone, "roster.dsse", Documents(roster(lone, 1, now + HOUR)))
        refused(lone, "policy-revocations-absent")
        brings(lone, "revocations.dsse", Documents(revocations=statement_since(people, now - 2 * HOUR)))
        refused(lone, "policy-refused")
        # The control: it was what was withheld, and nothing else.
        brings(lone, "revocations.dsse", Documents(revocations=fresh.sign(key("statement")).encode()))
        assert status_of(found.ask()) == "answer"
        # A roster that ends, whose successor never comes.
        ends = int(time.time()) + ENDS
        brings(lone, "roster.dsse", Documents(roster(lone, 2, ends)))
        wait_for(lambda: time.time() > ends, ENDS + 2, "the end of the roster")
        refused(lone, "policy-document-stale")
        brings(lone, "roster.dsse", Documents(roster(lone, 3, now + HOUR)))
        assert status_of(found.ask()) == "answer"
