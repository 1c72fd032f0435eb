"""A federation with a real quorum: the coordinator and the three other nodes, three of four. Every process is real."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from demo.processes import DemoError
from tests.lib.federation import LiveFederation
from tests.lib.processes import wait_for
from trustquery.identity import Roster
from trustquery.log import Checkpoint, coordinator_origin, cosigners, node_origin

pytestmark = pytest.mark.timeout(300)
SQL = "SELECT count(*) AS visits FROM visit_occurrence"


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveFederation]:
    found = LiveFederation(tmp_path_factory.mktemp("witnesses"), allowance_ms=1_500, witnessed=True)
    try:
        found.build()
        yield found
    finally:
        found.close()


def keys_of(live: LiveFederation) -> dict[str, bytes]:
    """Every possible cosigner by the name in its lines, as the roster says."""
    roster = Roster.read((live.layout.base / "roster.dsse").read_bytes())
    found = {node_origin("demo", entry.node): bytes.fromhex(entry.key) for entry in roster.nodes}
    return found | {coordinator_origin("demo"): bytes.fromhex(roster.coordinator_key)}


def test_an_answer_leaves_with_the_cosignatures_of_three_of_four(live: LiveFederation) -> None:
    answer = live.query(SQL, "0.1").json
    assert [trust["answered"] for trust in answer["trusts"]] == [True] * 4
    assert not any("No rollback protection" in note for note in answer["notes"])
    keys = keys_of(live)
    (said,) = [note for note in answer["notes"] if note.startswith("Ledgers were cosigned")]
    for ods in live.nodes:
        by = said.partition(f"{ods} by ")[2].partition(";")[0].rstrip(".").split(", ")
        assert len(by) >= 3
        assert set(by) <= {"coordinator", *live.nodes} - {ods}
        assert live.ledger(ods, "SELECT state FROM release")[-1] == ("SENT",)
        ((seq,),) = live.ledger(ods, "SELECT max(seq) FROM leaf WHERE kind = 'committed'")
        ((note,),) = live.ledger(ods, f"SELECT note FROM cosigned WHERE size >= {seq} ORDER BY size LIMIT 1")
        origin = node_origin("demo", ods)
        assert Checkpoint.verify(note, origin, keys[origin]).size >= seq
        assert len(cosigners(note, keys)) >= 3
        assert origin not in cosigners(note, keys)


def states(live: LiveFederation, ods: str) -> list[str]:
    return [str(row[0]) for row in live.ledger(ods, "SELECT state FROM release ORDER BY reserved_seq")]


@pytest.mark.acceptance("LED-11")
def test_parted_from_its_witnesses_a_trust_says_nothing_until_they_are_back(live: LiveFederation) -> None:
    """LED-11: two of four are frozen processes; what was ready stays COMMITTED, and goes on when they wake."""
    before = len(states(live, "RX1"))
    parted = [live.nodes[ods].process for ods in ("RX3", "RX4")]
    with ThreadPoolExecutor(1) as pool:
        for process in parted:
            process.send_signal(signal.SIGSTOP)
        try:
            asked = pool.submit(live.query, SQL, "0.11", wait=60)
            wait_for(lambda: states(live, "RX1")[before:] == ["COMMITTED"], 20, "a release that waits")
            live.settle_down(1.5)
            assert states(live, "RX1")[before:] == states(live, "RX2")[before:] == ["COMMITTED"]
        finally:
            for process in parted:
                process.send_signal(signal.SIGCONT)
        assert all(trust["answered"] for trust in asked.result(80).json["trusts"][:2])
    assert states(live, "RX1")[before:] == states(live, "RX2")[before:] == ["SENT"]


@pytest.mark.slow
@pytest.mark.acceptance("LED-07")
def test_an_old_copy_put_back_freezes_the_node_and_the_right_one_mends_it(live: LiveFederation) -> None:
    """LED-07: nothing leaves after it; two people put the copy in place that holds what witnesses have cosigned."""
    folder = live.layout.trust("RX4") / "ledger"
    old, new = live.layout.base / "old", live.layout.base / "new"
    live.kill_node("RX4", signal.SIGTERM)
    shutil.copytree(folder, old)
    live.start_node("RX4")
    assert live.query(SQL, "0.12").json["trusts"][3]["answered"]
    live.kill_node("RX4", signal.SIGTERM)
    folder.rename(new)
    shutil.copytree(old, folder)
    released = states(live, "RX4").count("SENT")
    live.start_node("RX4")
    wait_for(lambda: "frozen" in live.coordinator("node", "list"), 20, "the coordinator's list to say so")
    *others, mine = live.query(SQL, "0.13").json["trusts"]
    assert [trust["answered"] for trust in others] == [True] * 3
    assert not mine["answered"]
    assert [reason["code"] for reason in mine["reasons"]] == ["ledger-frozen"]
    assert states(live, "RX4").count("SENT") == released
    assert json.loads(live.node("RX4", "status", "--format", "json"))["data"]["ledger"].startswith("frozen")
    live.kill_node("RX4", signal.SIGTERM)
    keys = live._governance("RX4")
    with pytest.raises(DemoError):
        live.node("RX4", "ledger", "repair", "--adopt", old / "ledger.sqlite", *keys)
    with pytest.raises(DemoError):
        live.node("RX4", "ledger", "repair", "--adopt", new / "ledger.sqlite", *keys[:2])
    live.node("RX4", "ledger", "repair", "--adopt", new / "ledger.sqlite", *keys)
    live.start_node("RX4")
    assert live.query(SQL, "0.14").json["trusts"][3]["answered"]
    wait_for(lambda: "frozen" not in live.coordinator("node", "list"), 20, "the list to say no more")


@pytest.mark.slow
@pytest.mark.acceptance("LED-07")
def test_a_deleted_ledger_freezes_and_its_budget_can_be_counted_as_spent(live: LiveFederation) -> None:
    """LED-07: a new ledger under the old name shows witnesses a head that is not theirs."""
    home = live.layout.trust("RX3")
    live.kill_node("RX3", signal.SIGTERM)
    (home / "ledger").rename(live.layout.base / "deleted")
    live.node("RX3", "policy", "activate", home / "policy.dsse")
    live.start_node("RX3")
    wait_for(lambda: "frozen" in live.coordinator("node", "list"), 20, "the coordinator's list to say so")
    assert states(live, "RX3") == []
    live.kill_node("RX3", signal.SIGTERM)
    live.node("RX3", "ledger", "repair", "--exhaust", *live._governance("RX3"))
    live.node("RX3", "ledger", "verify")
    assert ("node-wide", 4 * 10**9) in live.ledger("RX3", "SELECT scope, rho_nano FROM exhausted")
