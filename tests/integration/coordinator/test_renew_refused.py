"""A stream whose node or certificate was revoked gets no further certificate, also before housekeeping has cut it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import pytest

from coordinator.enrolment import Desk
from coordinator.fleet.links import Fleet
from coordinator.fleet.peers import Peer
from coordinator.fleet.previews import Previews
from coordinator.fleet.session import SessionHandler
from coordinator.fleet.sharing import Sharing
from coordinator.fleet.witnessing import Relay
from coordinator.projects.office import ProjectOffice
from coordinator.queries import QueryService
from coordinator.rosters import Rosters
from coordinator.statements import Statements
from coordinator.store import Store
from tests.factories.documents import NOW, STATEMENT, node_entry, person, roster
from tests.lib.approvals import add_operators, admit
from tests.lib.site import AUTHORITY, HOLDERS, ROOT
from trustquery.identity import Revocations, Revoked, SigningKey
from trustquery.identity.certificates import certificate_request, new_tls_key, public_key_sha256, spiffe_name
from trustquery.identity.federation import RevokedKind
from trustquery.log import coordinator_origin
from trustquery.protocol.enrolment import EnrolmentCode, join_message, proof_message
from trustquery.protocol.messages import PROTOCOL_VERSION, Certificate, Documents, Hello, Join, Message, Renew
from trustquery.protocol.session import Inbound, Outbound
from trustquery.protocol.witnessing import Witnessing

KEY, TLS, NONCE = SigningKey.generate(), new_tls_key(), b"\x05" * 32
REQUEST = certificate_request(TLS, "RX1")


@dataclass
class Held:
    """The node's end of a stream that both transports carry alike: frames are bytes."""

    peer: Peer
    inbox: asyncio.Queue[bytes] = field(default_factory=asyncio.Queue)
    heard: list[Message] = field(default_factory=list)
    reason: str = ""
    where: str = "test:1"
    outbound: Outbound = field(default_factory=Outbound)
    inbound: Inbound = field(default_factory=lambda: Inbound(sender="coordinator", nonce=NONCE))

    def identity(self) -> Peer:
        return self.peer

    async def read(self) -> bytes | None:
        return await self.inbox.get()

    async def write(self, frame: bytes) -> None:
        message = self.inbound.receive(frame)
        if isinstance(message, Hello):
            self.outbound.begin(self.inbound.session)
            proof = KEY.sign(join_message("test", "RX1", message.nonce, 7))
            self.say(Join(7, proof))
        if message is not None:
            self.heard.append(message)

    async def refuse(self, reason: str) -> None:
        self.reason = reason

    def say(self, message: Message) -> None:
        for frame in self.outbound.frames(message):
            self.inbox.put_nowait(frame)

    def count(self, kind: type[Message]) -> int:
        return sum(isinstance(message, kind) for message in self.heard)

    async def has(self, kind: type[Message]) -> None:
        """Wait until one of these was heard."""
        while not self.count(kind):
            await asyncio.sleep(0.01)


@dataclass
class Centre:
    """A coordinator without its housekeeping, and one node that it has admitted."""

    store: Store

    def __post_init__(self) -> None:
        add_operators(self.store, NOW)
        self.desk = Desk(self.store, ROOT, AUTHORITY, "localhost:8443", lambda: NOW)
        self.rosters = Rosters(self.store, ROOT)
        committee = tuple(person(name, SigningKey.generate()) for name in ("ann", "bob"))
        self.rosters.install(roster((node_entry("RX1", KEY),), committee).sign(*HOLDERS[:2]).encode(), NOW)
        code = self.desk.invite("RX1", "Trust", 900)
        proof = KEY.sign(proof_message(EnrolmentCode.parse(code), KEY.public, REQUEST)).hex()
        self.desk.enrol(
            code, ods="RX1", name="Trust", identity_key=KEY.public.hex(), request_pem=REQUEST.decode(), proof=proof
        )
        admit(self.desk, "RX1")
        (self.serial,) = self.store.admissions.serials("RX1", NOW)
        self.statements = Statements(self.store, self.rosters)
        self.statements.refresh()

    def say(self, kind: RevokedKind, identity: str) -> None:
        """Another process takes in a statement."""
        what = Revoked(kind=kind, id=identity, until=0)
        made = Revocations(federation="test", version=1, issued=NOW - 5, expires=NOW + 900, revoked=(what,))
        Statements(self.store, self.rosters).install(made.sign(STATEMENT).encode(), NOW)

    def handler(self) -> SessionHandler:
        fleet = Fleet()
        queries = QueryService(self.store, self.rosters, fleet, lambda: NOW, lambda *_: None)
        stances = ProjectOffice(self.store, self.rosters, "test", lambda: NOW).stances
        own = Witnessing(
            coordinator_origin("test"), SigningKey.generate(), self.store.witnessed, self.rosters.current,
            lambda: False, lambda *_: None, lambda: NOW,
        )  # fmt: skip
        relay = Relay("test", fleet, own, lambda _: None, lambda: 0.0)
        previews = Previews(fleet)
        return SessionHandler(
            "test", self.store, self.rosters, self.statements, fleet, previews, queries, stances,
            lambda _: None, self.desk.renew, relay, Sharing(self.store, fleet, previews, relay, "localhost:1"),
        )  # fmt: skip


WAYS: dict[str, tuple[Callable[[Centre], None], str]] = {
    "the node's key, by a statement": (lambda centre: centre.say("key", KEY.public.hex()), "auth-revoked"),
    "this very certificate, by a statement": (lambda centre: centre.say("certificate", centre.serial), "auth-revoked"),
    "the node, by the operator": (lambda centre: centre.desk.revoke("RX1"), "auth-certificate"),
}


@pytest.mark.acceptance("TRN-01")
@pytest.mark.parametrize("what", WAYS)
def test_what_was_revoked_renews_nothing_and_its_stream_ends_at_once(store: Store, what: str) -> None:
    """Else a stolen certificate could become one with another serial number, which no statement names."""
    revoke, reason = WAYS[what]
    centre = Centre(store)
    stream = Held(Peer(spiffe_name("test", "RX1"), public_key_sha256(REQUEST), centre.serial))

    async def story() -> None:
        stream.say(Hello((PROTOCOL_VERSION,), "RX1", NONCE))
        session = asyncio.create_task(centre.handler().session(stream))
        async with asyncio.timeout(5):
            await stream.has(Documents)
            stream.say(Renew(REQUEST))
            await stream.has(Certificate)
            await asyncio.to_thread(partial(revoke, centre))
            stream.say(Renew(REQUEST))
            await session

    asyncio.run(story())
    assert (stream.reason, stream.count(Certificate)) == (reason, 1)
    assert len(store.admissions.serials("RX1", NOW)) == 2
