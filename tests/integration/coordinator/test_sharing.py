"""Two replicas in one process on a real PostgreSQL: who holds which node, previews, words, the lead, rates."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, cast

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from coordinator.api.limits import SharedRate
from coordinator.fleet import links
from coordinator.fleet.links import Fleet, Link
from coordinator.fleet.peers import Peer
from coordinator.fleet.previews import Previews
from coordinator.fleet.sharing import Sharing
from coordinator.fleet.witnessing import Relay
from coordinator.store import Store
from tests.lib.processes import wait_for
from trustquery.errors import TrustQueryError
from trustquery.log import node_origin
from trustquery.protocol.messages import Cosignature, Preview, PreviewReply, ScopeShare, WitnessRequest

pytestmark = pytest.mark.parametrize("store", ["postgresql"], indirect=True)
QUESTION = Preview(bytes(32), b"{}", b"permit", "aa" * 32, "file", "x", "y", 1)


@dataclass
class Replica:
    store: Store
    fleet: Fleet
    previews: Previews
    relay: Relay
    sharing: Sharing


@pytest.fixture
def other(store: Store) -> Iterator[Store]:
    made = Store(store.url)
    yield made
    made.close()


def relay(fleet: Fleet) -> Relay:
    def never(*_: object) -> Cosignature:
        raise AssertionError("nobody asks the coordinator itself")

    own = cast(Any, SimpleNamespace(answer=never))
    return Relay("test", fleet, own, lambda _: None, lambda: 0.0)


async def replica(store: Store, name: str) -> Replica:
    fleet = Fleet()
    previews, passed = Previews(fleet), relay(fleet)
    sharing = Sharing(store, fleet, previews, passed, name)
    await sharing.beat()
    return Replica(store, fleet, previews, passed, sharing)


async def arrive(at: Replica, node: str = "RX1") -> Link:
    link = Link(node, Peer("", "", "1"), ready=True)
    at.fleet.attach(link)
    await at.sharing.attach(link)
    return link


def test_each_replica_knows_where_every_node_is(store: Store, other: Store) -> None:
    async def run() -> None:
        a, b = await replica(store, "a:1"), await replica(other, "b:1")
        await arrive(a, "RX1")
        await arrive(b, "RX2")
        for here in (a, b):
            await here.sharing.look()
            assert here.fleet.connected == {"RX1", "RX2"}
        assert sorted(store.fleet.replicas().values()) == ["a:1", "b:1"]
        await b.sharing.leave()
        await a.sharing.look()
        assert a.fleet.connected == {"RX1"}

    asyncio.run(run())


def test_a_node_that_moves_is_let_go_of_where_it_was(
    store: Store, other: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(links, "REPLACED_SECONDS", 0.0)

    async def run() -> None:
        a, b = await replica(store, "a"), await replica(other, "b")
        before = await arrive(a)
        after = await arrive(b)
        await a.sharing.look()
        await b.sharing.look()
        assert await asyncio.wait_for(before.cut, 2) == "replaced"
        assert not after.cut.done()
        assert a.fleet.link("RX1") is None
        # The old stream ends last, and must not take the new one's place with it.
        a.fleet.detach(before)
        await a.sharing.detach(before)
        await a.sharing.look()
        assert set(a.fleet.away) == {"RX1"}

    asyncio.run(run())


def test_the_nodes_of_a_replica_that_died_are_away_after_five_seconds(store: Store, other: Store) -> None:
    async def run() -> None:
        a, b = await replica(store, "a"), await replica(other, "b")
        await arrive(b)
        await a.sharing.look()
        assert a.fleet.connected == {"RX1"}
        with store.transaction() as session:  # as if it had last been seen so long ago
            session.execute(text("UPDATE replicas SET seen = seen - 5001 WHERE name = 'b'"))
        await a.sharing.look()
        assert a.fleet.connected == frozenset()
        await b.sharing.beat()  # it was only slow
        await a.sharing.look()
        assert a.fleet.connected == {"RX1"}

    asyncio.run(run())


def test_a_preview_reaches_a_node_at_the_other_replica_once_and_its_reply_comes_back(
    store: Store, other: Store
) -> None:
    async def run() -> None:
        a, b = await replica(store, "a"), await replica(other, "b")
        link = await arrive(b)
        await a.sharing.look()

        async def elsewhere() -> None:
            while link.outgoing.empty():
                await b.sharing.look()
            message = link.outgoing.get_nowait()
            assert isinstance(message, Preview)
            assert message.model == QUESTION.model
            await b.sharing.look()
            assert link.outgoing.empty(), "asked once"
            await b.previews.on_reply("RX1", PreviewReply(message.preview_id, True))
            await b.previews.on_reply("RX1", PreviewReply(message.preview_id, True, (), (ScopeShare("project", 1, 1),)))
            await a.sharing.look()

        replies, _ = await asyncio.gather(a.previews.ask(QUESTION, ["RX1", "RX9"], 5), elsewhere())
        assert {node: reply.shares for node, reply in replies.items()} == {"RX1": ()}, "the first reply"
        with store.transaction() as session:
            assert session.scalar(text("SELECT count(*) FROM fleet_mail")) == 0, "nothing of it stays"

    asyncio.run(run())


def test_a_witness_at_the_other_replica_is_asked_and_its_line_comes_back(store: Store, other: Store) -> None:
    """Else no quorum could be had across replicas, and nothing would be answered."""

    async def run() -> None:
        a, b = await replica(store, "a"), await replica(other, "b")
        asker, witness = await arrive(a, "RX1"), await arrive(b, "RX2")
        await a.sharing.look()
        asked = WitnessRequest(b"\x01" * 32, node_origin("test", "RX1"), 0, b"checkpoint", (), "RX2")
        await a.relay.asked(asker, asked)
        await b.sharing.look()
        passed = witness.outgoing.get_nowait()
        assert isinstance(passed, WitnessRequest)
        assert (passed.checkpoint, passed.witness) == (b"checkpoint", "")
        assert passed.request_id != asked.request_id
        await b.relay.answered("RX2", Cosignature(passed.request_id, b"line"))
        await a.sharing.look()
        assert asker.outgoing.get_nowait() == Cosignature(asked.request_id, b"line")
        # Another node's reply in its place goes nowhere.
        await a.relay.asked(asker, asked)
        await b.sharing.look()
        again = witness.outgoing.get_nowait()
        assert isinstance(again, WitnessRequest)
        await b.relay.answered("RX3", Cosignature(again.request_id, b"line"))
        await a.sharing.look()
        assert asker.outgoing.empty()

    asyncio.run(run())


def test_one_replica_leads_and_another_takes_over_at_once(store: Store, other: Store) -> None:
    assert store.leader.leads()
    assert not other.leader.leads()
    assert store.leader.leads()
    with store.transaction() as session:  # its process dies: the server sees the connection end
        session.execute(text("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"
                             " AND objid = 1953562626 AND pid <> pg_backend_pid()"))  # fmt: skip
    wait_for(other.leader.leads, 5, "the other one to lead")
    assert not store.leader.leads()


def test_a_word_reaches_the_others_at_once_also_after_the_connection_was_lost(store: Store, other: Store) -> None:
    heard: list[str] = []
    stop = threading.Event()
    listener = threading.Thread(target=other.signals.listen, args=(heard.append, stop))
    listener.start()
    try:
        wait_for(lambda: heard == [""], 5, "the listener")
        store.signals.tell("query abc")
        wait_for(lambda: "query abc" in heard, 2, "the word")
        with store.transaction() as session:
            session.execute(text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'"))
        wait_for(lambda: heard.count("") == 2, 8, "the listener to come back")
        store.signals.tell("query def")
        wait_for(lambda: "query def" in heard, 2, "the word")
    finally:
        stop.set()
        listener.join(5)


def test_replicas_count_one_rate_together(store: Store, other: Store) -> None:
    async def run() -> None:
        rates = [SharedRate(made.fleet, "login", burst=4, per_minute=1, clock=lambda: 0.0) for made in (store, other)]
        for number in range(4):
            await rates[number % 2].count("somebody")
        for rate in rates:
            with pytest.raises(TrustQueryError, match="node-rate"):
                await rate.count("somebody")
        await rates[0].count("somebody else")

    asyncio.run(run())


def test_a_frozen_writer_holds_nobody_up_for_long(store: Store, other: Store) -> None:
    with store.transaction() as session:
        found = session.scalar(text("SELECT current_setting('idle_in_transaction_session_timeout')"))
        assert found == "10s"
        assert session.scalar(text("SELECT current_setting('synchronous_commit')")) == "on"
        assert session.scalar(text("SELECT current_setting('lock_timeout')")) == "10s"

    def freeze() -> None:
        with store.transaction() as session:
            session.execute(text("SET LOCAL idle_in_transaction_session_timeout = '100ms'"))
            assert other.people.find("nobody") is None, "it goes on once the frozen one's time is up"
            session.execute(text("SELECT 1"))

    with pytest.raises(DBAPIError):
        freeze()
