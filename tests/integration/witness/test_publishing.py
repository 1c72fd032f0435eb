"""The coordinator's head goes to nodes and stand-alone witnesses, and is shown with their lines; no fork is signed."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from coordinator.fleet.links import Fleet, Link
from coordinator.fleet.log_publishing import Publisher
from coordinator.fleet.remote_witnesses import Remote
from coordinator.fleet.witnessing import Relay
from coordinator.rosters import Rosters
from coordinator.store import Store
from coordinator.transparency.audit_log import AuditLog
from tests.factories.documents import COORDINATOR, NOW, node_entry, root, roster
from tests.factories.trust import key
from tests.lib.refusals import code_of
from tests.lib.witness_heads import MemoryHeads
from trustquery.errors import TrustQueryError
from trustquery.identity import SigningKey
from trustquery.log import Checkpoint, VerifierKey, Witness, cosigners, verify_log
from trustquery.protocol.messages import Cosignature, WitnessRequest
from witness.server import make_app
from witness.store import SqliteHeads

ORIGIN = "test/coordinator"
HOLDERS = [SigningKey.generate() for _ in range(3)]
ALONE = VerifierKey("w.example/1", key("w.example/1").public, witness=True)
KEYS = {ALONE.name: ALONE.public, "test/node/RX1": key("RX1").public}


class World:
    """A coordinator's log, a node on a stream, and a stand-alone witness over HTTP."""

    def __init__(self, folder: Path, needed: int = 0) -> None:
        self.store = Store(f"sqlite+pysqlite:///{folder}/store.sqlite", lambda: NOW)
        self.store.create()
        rosters = Rosters(self.store, root(*HOLDERS))
        rosters.install(roster((node_entry("RX1", key("RX1")),), ()).sign(*HOLDERS[:2]).encode(), NOW)
        self.log = AuditLog(self.store, ORIGIN, COORDINATOR, bare=needed == 0)
        self.fleet = Fleet()
        unused: Any = None
        self.relay = Relay("test", self.fleet, unused, lambda node: None, lambda: 0.0)
        logs = {ORIGIN: COORDINATOR.public}.get
        self.node = Witness("test/node/RX1", key("RX1"), MemoryHeads(), logs)
        self.heads = SqliteHeads(folder / "heads.sqlite")
        app = make_app(Witness(ALONE.name, key(ALONE.name), self.heads, logs), ALONE, self.heads, lambda: NOW)
        remote = Remote(ALONE, "https://w.example", httpx.ASGITransport(app))
        self.publisher = Publisher(
            "test", lambda: self.log, self.fleet, self.relay, rosters, (remote,) if needed < 9 else (), needed
        )

    async def _node(self, link: Link) -> None:
        while True:
            request = await link.outgoing.get()
            assert isinstance(request, WitnessRequest)
            try:
                line = self.node.add(request.old_size, request.consistency_proof, request.checkpoint, NOW)
                reply = Cosignature(request.request_id, line)
            except TrustQueryError as error:
                reply = Cosignature(request.request_id, refusal=error.code, kept=getattr(error, "kept", None) or b"")
            await self.relay.answered("RX2", Cosignature(request.request_id, b"somebody else's"))
            await self.relay.answered("RX1", reply)

    def tick(self, *, connected: bool = True) -> int:
        async def run() -> int:
            peer: Any = None
            link = Link("RX1", peer)
            if connected:
                self.fleet.attach(link)
            node = asyncio.create_task(self._node(link))
            try:
                return await self.publisher.tick()
            finally:
                node.cancel()
                self.fleet.detach(link)

        return asyncio.run(run())

    def close(self) -> None:
        self.heads.close()
        self.store.close()


def test_heads_are_shown_with_every_line_that_can_be_had(tmp_path: Path) -> None:
    world = World(tmp_path)
    for name in ("ann", "bob", "eve"):
        assert world.store.people.add(name, name[0] * 64, NOW)
        assert world.tick() == 2
        assert cosigners(world.log.shown(), KEYS) == dict.fromkeys(KEYS, NOW)
    assert Checkpoint.read(world.log.shown()).size == world.store.audit.size() == 4

    def fetch(path: str) -> bytes:
        found = world.log.shown() if path == "checkpoint" else world.log.file(path.removeprefix("tile/"))
        assert found is not None
        return found

    found = verify_log(fetch, world.log.verifier_key, witnesses=KEYS, needed=2)
    assert [entry.kind for entry in found.entries] == ["document.install", *["account.add"] * 3]
    world.close()


def test_a_line_that_comes_later_is_added_and_a_forgetful_sender_is_told_the_size(tmp_path: Path) -> None:
    world = World(tmp_path)
    assert world.tick(connected=False) == 1
    assert set(cosigners(world.log.shown(), KEYS)) == {ALONE.name}
    assert world.tick() == 2
    assert set(cosigners(world.log.shown(), KEYS)) == set(KEYS)
    world.publisher._sizes.clear()
    world.store.people.add("ann", "a" * 64, NOW)
    assert world.tick() == 2
    world.close()


def test_a_head_without_its_witnesses_is_not_shown(tmp_path: Path) -> None:
    world = World(tmp_path, needed=2)
    assert world.tick(connected=False) == 1
    assert code_of(world.log.shown) == "usage-not-here"
    assert world.tick() == 2
    before = world.log.shown()
    world.store.people.add("ann", "a" * 64, NOW)
    world.tick(connected=False)
    assert world.log.shown() == before
    assert world.tick() == 2
    assert Checkpoint.read(world.log.shown()).size == 2
    world.close()


@pytest.mark.acceptance("AUD-04")
def test_a_database_that_was_put_back_gets_no_signature(tmp_path: Path) -> None:
    """Its own last head stops it; and where that was put back as well, every witness does."""
    world = World(tmp_path)
    world.tick()
    world.store.people.add("ann", "a" * 64, NOW)
    assert world.tick() == 2
    with world.store.transaction() as session:
        for table in ("audit_entries", "audit_secrets"):
            session.connection().exec_driver_sql(f"DELETE FROM {table} WHERE seq = 2")
        session.connection().exec_driver_sql("UPDATE audit_head SET size = 1")
    world.log._tree.__init__()  # type: ignore[misc]
    with pytest.raises(TrustQueryError) as caught:
        world.tick()
    assert caught.value.code == "log-rewound"
    with world.store.transaction() as session:
        session.connection().exec_driver_sql("DELETE FROM audit_checkpoints WHERE size = 2")
    world.store.people.add("bob", "b" * 64, NOW)
    world.log._tree.__init__()  # type: ignore[misc]
    world.publisher._sizes.clear()
    signed = world.heads.heads()
    with pytest.raises(TrustQueryError) as caught:
        world.tick()
    assert caught.value.code == "log-behind"
    assert world.heads.heads() == signed
    world.close()
