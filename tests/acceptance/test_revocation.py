"""A real node: what the delegate revokes is refused, and stays so whatever is sent or laid on the disk."""

from __future__ import annotations

import dataclasses
import datetime
import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.factories.trust import People, key
from tests.lib.lone_node import LoneNode, lone_node, status_of
from tests.lib.processes import wait_for
from trustquery.identity import Answer, Revocations, Revoked

SQL = "SELECT count(*) AS attendances FROM emergency_attendance"
ROW = {"person_id": "p1", "arrival_at": datetime.datetime(2020, 1, 1), "age_on_arrival": 50}


@pytest.fixture
def lone(tmp_path: Path) -> Iterator[LoneNode]:
    folder = tmp_path / "node"
    folder.mkdir()
    with lone_node(folder, {"emergency_attendance": [ROW]}, SQL, "slot_ms = 100\nallowance_ms = 2000") as found:
        yield found


def said(*keys: str, version: int) -> bytes:
    now = int(time.time())
    revoked = tuple(Revoked(kind="key", id=item, until=0) for item in sorted(key(name).public.hex() for name in keys))
    facts = People().the_statement.model_dump() | {"issued": now - 10, "expires": now + 3_600}
    return Revocations.model_validate(facts | {"version": version, "revoked": revoked}).sign(key("statement")).encode()


def restarted(lone: LoneNode, until: bytes) -> None:
    """The node restarts and is sent what the coordinator has now."""
    lone.node.end()
    lone.node.start()
    wait_for(lambda: (lone.node.home.documents / "revocations.dsse").read_bytes() == until, 10, "the documents")


def codes(lone: LoneNode) -> list[str]:
    answer = Answer.read(lone.ask().envelope)
    return [answer.status, *(reason["code"] for reason in answer.reasons if answer.status == "refused")]


@pytest.mark.acceptance("AUZ-06")
def test_a_revoked_analyst_is_refused_also_after_restarts_and_old_files(lone: LoneNode) -> None:
    """AUZ-06: an older statement, validly signed, brings nothing back; each version seen is one entry of the ledger."""
    assert status_of(lone.ask()) == "answer"
    first = lone.observer.documents
    file = lone.node.home.documents / "revocations.dsse"
    second = said("ada", version=2)
    lone.observer.documents = dataclasses.replace(first, revocations=second)
    restarted(lone, second)
    assert codes(lone) == ["refused", "auth-revoked"]
    # The coordinator sends the first again: it is not taken.
    lone.observer.documents = first
    restarted(lone, second)
    assert codes(lone) == ["refused", "auth-revoked"]
    # Somebody lays it on the disk while the node is down: it is not used.
    lone.node.end()
    file.write_bytes(first.revocations)
    lone.node.start()
    assert codes(lone) == ["refused", "policy-document-stale"]
    # A statement that takes it back does not count either: nothing is forgotten while the last one is here.
    file.write_bytes(second)
    lone.observer.documents = dataclasses.replace(first, revocations=said(version=3))
    restarted(lone, second)
    assert codes(lone) == ["refused", "auth-revoked"]
    assert lone.node.ledger("SELECT count(*) FROM leaf WHERE kind = 'revocations'") == [(2,)]
    assert lone.states() == {"SENT": 1}
    shown = json.loads(lone_status(lone))["data"]
    assert (shown["statement_version"], shown["roster_version"], shown["root_version"]) == (2, 1, 1)


def lone_status(lone: LoneNode) -> str:
    command = lone.node.cli("status", "--format", "json")
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
