"""A disk that is full under a node, a coordinator with its log, and a stand-alone witness. (AVL-08)

Each is the real process, its home on a small tmpfs of its own. While the disk is full nothing is said that is not
recorded; once there is space it goes on by itself, or after the restart that its service manager does.
"""

from __future__ import annotations

import datetime
import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.factories.projects import application, today
from tests.lib.coordinator import EnrolledNode, LiveCoordinator
from tests.lib.lone_node import ODS, LoneNode, lone_node, status_of
from tests.lib.processes import Process, free_port, wait_for
from tests.lib.puppet import Puppet, connected
from tests.lib.small_disk import small_disk
from trustquery.client.connection import Connection
from trustquery.client.past import past_result
from trustquery.client.project import Project
from trustquery.errors import TrustQueryError
from trustquery.errors.catalogue import Exit
from trustquery.identity import SigningKey
from trustquery.log import Checkpoint, Tree, VerifierKey, cosigners, leaf_hash
from trustquery.log.submission import write_submission
from trustquery.protocol.messages import Offer

pytestmark = [pytest.mark.timeout(240), pytest.mark.acceptance("AVL-08")]
SQL = "SELECT count(*) AS attendances FROM emergency_attendance"
ROW = {"person_id": "p1", "arrival_at": datetime.datetime(2020, 1, 1), "age_on_arrival": 50}
ANSWER = "slot_ms = 100\nallowance_ms = 2000"
LINK = "reconnect_ms = 50\nreconnect_max_ms = 100"
MOST_OFFERS = 40
"""A journal that has just been written back has room for this many entries at most before it must grow."""


# -- a node ------------------------------------------------------------------------------------------------------------


def told(lone: LoneNode, *words: str) -> Any:
    """What a command of the node's says, as JSON; the exit status is the test's business."""
    done = subprocess.run(
        lone.node.cli(*words, "--format", "json"), capture_output=True, text=True, check=False, timeout=60
    )
    return json.loads(done.stdout)


def ended(process: Process) -> int:
    """The exit status of a process that ends by itself."""
    wait_for(lambda: not process.running, 20, "the process to end")
    return process.end()


def answered(lone: LoneNode) -> set[str]:
    return {message.release_id for _, message in lone.releases()}


def test_a_node_whose_disk_is_full_says_nothing_ends_and_goes_on_when_there_is_space(tmp_path: Path) -> None:
    """No answer leaves without its entry; the process ends by name, so that its service manager starts it again."""
    folder = tmp_path / "node"
    folder.mkdir()
    with (
        small_disk(folder / "home", 16) as disk,
        lone_node(folder, {"emergency_attendance": [ROW]}, SQL, ANSWER, link=LINK) as lone,
    ):
        assert status_of(lone.ask()) == "answer"
        assert disk.fill() > 0
        offered = 0
        while lone.node.process.running and offered < MOST_OFFERS:
            lone.observer.offer(ODS, lone.offers(1)[0][1])
            offered += 1
            time.sleep(0.2)
        assert ended(lone.node.process) == Exit.LEDGER
        assert "error: ledger-unwritable" in lone.node.process.log.read_text()
        kept = {row[0] for row in lone.node.ledger("SELECT release_id FROM release WHERE state = 'SENT'")}
        assert answered(lone) <= kept
        # Whoever looks is told; and what there is verifies.
        status = told(lone, "status")["data"]
        assert (status["running"], status["disk"]) == (False, "less than 1 GiB is free")
        assert told(lone, "ledger", "verify")["ok"]

        # A restart on the full disk: nothing leaves, whether the process ends again or waits.
        before, sessions = answered(lone), lone.observer.sessions
        charges = lone.node.ledger("SELECT * FROM charge ORDER BY 1, 2, 3")
        lone.node.process.start()
        lone.observer.offer(ODS, lone.offers(1)[0][1])
        time.sleep(2)
        assert answered(lone) == before
        assert lone.node.ledger("SELECT * FROM charge ORDER BY 1, 2, 3") == charges
        again = lone.node.process.running
        assert again or ended(lone.node.process) == Exit.LEDGER

        disk.free()
        if not again:
            lone.node.process.start()
        wait_for(lambda: lone.observer.sessions > sessions, 20, "the node to dial again")
        assert status_of(lone.ask()) == "answer"
        wait_for(lambda: set(lone.states()) <= {"SENT", "EXPIRED", "DEAD"}, 20, "every release to end")
        sent = {row[0] for row in lone.node.ledger("SELECT release_id FROM release WHERE state = 'SENT'")}
        # What was on its way when the process ended is sent again, each to the byte and charged once.
        wait_for(lambda: answered(lone) == sent, 20, "every answer that the ledger calls sent to arrive")
        # A charge stands for each release that was begun, once in each scope, and for nothing else.
        unpaid = lone.node.ledger(
            "SELECT release_id FROM release WHERE state <> 'EXPIRED' AND"
            " (SELECT count(*) FROM charge WHERE charge.release_id = release.release_id AND refunded = 0) <> 4"
        )
        assert unpaid == []
        assert told(lone, "ledger", "verify")["ok"]


# -- the coordinator and its log ---------------------------------------------------------------------------------------

TRUSTS = ("RX1", "RX2")
FULL = ("config-store-unreachable", "log-unwritable")
VISITS = "SELECT count(*) AS visits FROM visit_occurrence"


@contextmanager
def coordinator(folder: Path) -> Iterator[tuple[LiveCoordinator, list[Puppet], Connection]]:
    """One that runs, two trusts on strings, and an analyst who is signed in."""
    committee = {name: SigningKey.generate() for name in ("ann", "bob")}
    (folder / "committee.toml").write_text(
        "".join(f'[[people]]\nperson = "{n}"\nname = "{n}"\nkey = "{k.public.hex()}"\n' for n, k in committee.items())
    )
    live = LiveCoordinator(folder)
    try:
        nodes: dict[str, EnrolledNode] = {ods: live.enrol(ods) for ods in TRUSTS}
        live.install_roster()
        key, now = SigningKey.generate(), int(time.time())
        asked = application(key=key.public.hex(), submitted=now, starts=today(-1), ends=today(30))
        live.add_project(asked, key, *committee.values())
        authority = (live.home / "authority.pem").read_bytes()
        puppets = [Puppet(nodes[ods], f"localhost:{live.grpc_port}", authority) for ods in TRUSTS]
        with Connection.open(live.sign_in("ada", key)) as connection:
            wait_for(lambda: in_force(connection), 20, "the roster to be in force")
            yield live, puppets, connection
    finally:
        live.end()


def in_force(connection: Connection) -> bool:
    try:
        return len(connection.project("stays").roster.nodes) == len(TRUSTS)
    except TrustQueryError:
        return False


def rows(live: LiveCoordinator, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(f"file:{live.home / 'coordinator.sqlite'}?mode=ro", uri=True)) as database:
        return database.execute(sql).fetchall()


def asked(project: Project) -> str:
    """The code with which a question is refused; "" where it is taken."""
    try:
        project.sql(VISITS, epsilon=0.25)._submit(20)
    except TrustQueryError as error:
        return error.code
    return ""


def offer_to(puppet: Puppet) -> Offer:
    """The first offer that came."""
    wait_for(lambda: any(isinstance(message, Offer) for message in puppet.received), 10, "the offer")
    return next(message for message in puppet.received if isinstance(message, Offer))


def everything(live: LiveCoordinator) -> list[list[tuple[Any, ...]]]:
    """What a question, an answer and the log leave."""
    return [
        rows(live, "SELECT release_id, state FROM queries ORDER BY 1"),
        rows(live, "SELECT release_id, node FROM answers ORDER BY 1, 2"),
        rows(live, "SELECT seq, leaf_hash FROM audit_entries ORDER BY 1"),
    ]


def head(live: LiveCoordinator) -> Checkpoint:
    with live.http() as client:
        return Checkpoint.read(client.get("/public/log/checkpoint").raise_for_status().content)


def test_a_coordinator_whose_disk_is_full_refuses_by_name_and_goes_on_when_there_is_space(tmp_path: Path) -> None:
    """Nothing is half done, no head is signed twice, and an answer that could not be kept is not acknowledged."""
    with small_disk(tmp_path / "coordinator", 32) as disk, coordinator(tmp_path) as (live, puppets, connection):
        project = connection.project("stays")
        for puppet in puppets:
            puppet.silent = True
        with connected(*puppets):
            _, waiting = project.sql(VISITS, epsilon=0.5)._submit(100)
            offers = [offer_to(puppet) for puppet in puppets]
            shown = [head(live)]
            disk.fill()
            wait_for(lambda: asked(project) in FULL, 20, "a refusal")
            before = everything(live)
            assert asked(project) in FULL
            # In flight: it cannot be kept, so no trust is told that it is, and each keeps its own copy.
            for puppet, offer in zip(puppets, offers, strict=True):
                puppet.say(puppet.answer(offer))
            wait_for(lambda: all(puppet.status is not None for puppet in puppets), 20, "the streams to end")
            assert [puppet.acknowledged() for puppet in puppets] == [0, 0]
            assert everything(live) == before
            assert live.process.running
            # What only reads goes on.
            shown.append(head(live))
        disk.free()
        answering = [replace(puppet, silent=False, received=[], status=None) for puppet in puppets]
        with connected(*answering):
            wait_for(lambda: connection.status(waiting)["state"] == "closed", 30, "the query that was under way")
            assert past_result(connection, waiting).to_arrow()["visits"].to_pylist() == [200.0]
            assert project.sql(VISITS, epsilon=0.25).run(wait=20).answered == 2
        wait_for(lambda: head(live).size > shown[-1].size, 40, "a newer head")
        # One head for each size, and each of them extends the others: nothing was signed twice.
        shown.append(head(live))
        tree = Tree(leaf for (leaf,) in rows(live, "SELECT leaf_hash FROM audit_entries ORDER BY seq"))
        assert [note.root for note in shown] == [tree.root(note.size) for note in shown]


# -- a stand-alone witness ---------------------------------------------------------------------------------------------


def test_a_witness_whose_disk_is_full_signs_nothing_new_and_goes_on_when_there_is_space(tmp_path: Path) -> None:
    """A signature leaves only after it is remembered, so that the same witness never signs the other side of a fork."""
    log, port = SigningKey.generate(), free_port()
    origin, leaves = "log.example/1", [leaf_hash(b"%d" % number) for number in range(400)]
    vkey = VerifierKey(origin, log.public, witness=False)

    def note(size: int, mark: bytes = b"") -> bytes:
        root = Tree(leaves[:size]).root(size)
        return Checkpoint(origin, size, leaf_hash(mark) if mark else root).sign(log)

    with small_disk(tmp_path / "witness", 2) as disk:
        (disk.path / "witness.toml").write_text(
            f'name = "w.example/1"\nlisten = "127.0.0.1:{port}"\n[[log]]\nkey = "{vkey.text}"\n'
        )
        arguments = [sys.executable, "-c", "from witness.cli.main import main; main()", "--home", str(disk.path), "run"]
        process = Process(arguments, tmp_path / "witness.log")
        process.start("verifier key")
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
                wait_for(lambda: listens(client), 20, "the witness to listen")
                own = VerifierKey.read(client.get("/key").text)

                def put(old: int, size: int, mark: bytes = b"") -> httpx.Response:
                    proof = Tree(leaves[:size]).consistency_proof(old, size)
                    return client.post("/add-checkpoint", content=write_submission(old, proof, note(size, mark)))

                def signed(size: int, reply: httpx.Response) -> bool:
                    if reply.status_code != 200:
                        return False
                    return list(cosigners(note(size) + reply.content, {own.name: own.public})) == [own.name]

                assert signed(1, put(0, 1))
                disk.fill()
                size, reply = 1, put(1, 2)
                while signed(size + 1, reply) and size < len(leaves) - 20:
                    size, reply = size + 1, put(size + 1, size + 2)
                assert (reply.status_code, process.running) == (503, True)
                assert put(size, size + 1).status_code == 503
                disk.free()
                # Remembered without having been said, or not remembered at all: both are no fork.
                kept = 0 if (found := put(size, size + 9)).status_code == 200 else int(found.content)
                assert kept in (0, size + 1)
                if kept:
                    found = put(kept, size + 9)
                assert signed(size + 9, found)
                assert put(size + 9, size + 9, b"another history").status_code == 409
        finally:
            process.end()


def listens(client: httpx.Client) -> bool:
    try:
        return client.get("/key").status_code == 200
    except httpx.TransportError:
        return False
