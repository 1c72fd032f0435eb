"""The node's link over real mutual TLS, against a coordinator on strings; behind it the gate with fake ports."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import grpc
import pytest
from websockets import Subprotocol
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from node_agent.config import Home, LinkConfig
from node_agent.enrolment.renewing import Renewal
from node_agent.enrolment.startup import Coordinator, Startup
from node_agent.gate.ports import Ports
from node_agent.link.link import Link
from node_agent.network import DIRECT, Network, Proxy
from node_agent.policy_store import DocumentStore
from tests.factories.trust import key
from tests.lib.connect_proxy import connect_proxy
from tests.lib.gate_world import World
from trustquery.identity import SigningKey, new_secret
from trustquery.identity.certificates import Authority, certificate_request, new_tls_key, spiffe_name
from trustquery.protocol.answers import has_rollback_protection
from trustquery.protocol.frames import SUBPROTOCOL, Transport
from trustquery.protocol.messages import (
    PROTOCOL_VERSION,
    Ack,
    AnswerMessage,
    Cosignature,
    Documents,
    Goodbye,
    Heartbeat,
    Hello,
    Join,
    Message,
    Preview,
    PreviewReply,
    WitnessRequest,
)
from trustquery.protocol.session import MAX_STANCES, Inbound, Outbound
from trustquery.wire import MAX_FRAME_BYTES, SERVICE

CONFIG = LinkConfig(heartbeat_ms=100, keepalive_ms=5_000, reconnect_ms=50, reconnect_max_ms=200)
SECONDS = 20.0
EITHER = pytest.mark.parametrize("over", ["grpc", "websocket"])
BOTH: tuple[Transport, ...] = ("grpc", "websocket")


class _Call:
    """The coordinator's end of a gRPC stream."""

    def __init__(self, context: grpc.aio.ServicerContext[bytes, bytes]) -> None:
        self._context = context
        self.write = context.write

    async def read(self) -> bytes | None:
        frame = await self._context.read()
        return frame if isinstance(frame, bytes) else None


class _Socket:
    """The coordinator's end of a WebSocket."""

    def __init__(self, connection: ServerConnection) -> None:
        self._connection = connection
        self.write = connection.send

    async def read(self) -> bytes | None:
        try:
            frame = await self._connection.recv()
        except ConnectionClosed:
            return None
        assert isinstance(frame, bytes)
        return frame


class Strings:
    """A coordinator that says what a test tells it to.

    Args:
        over: what it listens for; both transports reach the same strings.

    Attributes:
        sessions: one list a stream of what the node said.
        quiet: do not answer heartbeats.
        echo: change the nonce that is repeated.
        deaf: greet, then read nothing, so that what the node writes waits in buffers.
    """

    def __init__(self, authority: Authority, over: tuple[Transport, ...] = ("grpc",)) -> None:
        self.authority = authority
        self.over = over
        self.ports: dict[Transport, int] = {"grpc": 0, "websocket": 0}
        self.sessions: list[list[Message]] = []
        self.carried: list[Transport] = []
        self.quiet = False
        self.echo: Callable[[bytes], bytes] = bytes
        self.say: list[Message] = []
        self.hang_up_after: type[object] | None = None
        self.acknowledge = True
        self.deaf = False
        self._server: grpc.aio.Server | None = None
        self._sockets: Server | None = None

    async def start(self) -> None:
        tls_key = new_tls_key()
        certificate = self.authority.issue_server(tls_key, hosts=["localhost"], now=datetime.datetime.now(datetime.UTC))
        if "websocket" in self.over:
            await self._listen(tls_key, certificate)
        if "grpc" not in self.over:
            return
        self._server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])

        async def session(_: object, context: grpc.aio.ServicerContext[bytes, bytes]) -> None:
            await self._session("grpc", _Call(context))

        handler: grpc.RpcMethodHandler[bytes, bytes] = grpc.stream_stream_rpc_method_handler(session)
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {"Session": handler}),))
        credentials = grpc.ssl_server_credentials(
            [(tls_key, certificate)], self.authority.certificate_pem, require_client_auth=True
        )
        self.ports["grpc"] = self._server.add_secure_port(f"localhost:{self.ports['grpc']}", credentials)
        await self._server.start()

    async def _listen(self, tls_key: bytes, certificate: bytes) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=self.authority.certificate_pem.decode())
        with tempfile.NamedTemporaryFile() as file:
            file.write(certificate + tls_key)
            file.flush()
            context.load_cert_chain(file.name)

        async def session(connection: ServerConnection) -> None:
            with contextlib.suppress(ConnectionClosed):
                await self._session("websocket", _Socket(connection))

        self._sockets = await serve(
            session, "127.0.0.1", self.ports["websocket"], ssl=context, subprotocols=[Subprotocol(SUBPROTOCOL)],
            max_size=MAX_FRAME_BYTES, compression=None, close_timeout=0.2, max_queue=4,
        )  # fmt: skip
        self.ports["websocket"] = next(iter(self._sockets.sockets)).getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            await self._server.stop(0)
        if self._sockets is not None:
            self._sockets.close()
            await self._sockets.wait_closed()

    async def _session(self, over: Transport, context: _Call | _Socket) -> None:
        heard: list[Message] = []
        self.sessions.append(heard)
        self.carried.append(over)
        nonce = new_secret(32)
        inbound, outbound = Inbound(sender="node", nonce=nonce), Outbound()

        async def tell(message: Message) -> None:
            for frame in outbound.frames(message):
                await context.write(frame)

        while (frame := await context.read()) is not None:
            message = inbound.receive(frame)
            if message is None:
                continue
            heard.append(message)
            if isinstance(message, Hello):
                await tell(Hello((PROTOCOL_VERSION,), "coordinator", nonce, self.echo(message.nonce)))
                outbound.begin(inbound.session)
                for line in self.say:
                    await tell(line)
                while self.deaf:
                    await tell(Heartbeat())
                    await asyncio.sleep(0.05)
            elif isinstance(message, Heartbeat) and not self.quiet:
                await tell(Heartbeat())
            elif isinstance(message, AnswerMessage) and self.acknowledge:
                await tell(Ack(message.release_id))
            if self.hang_up_after is not None and isinstance(message, self.hang_up_after):
                return

    def said(self, kind: type[Message]) -> list[Message]:
        """Everything of one kind that the node said, over all sessions."""
        return [message for heard in self.sessions for message in heard if isinstance(message, kind)]


class Fixture:
    """A node's link and the coordinator it dials.

    Attributes:
        network: how the node reaches it.
        settings: the link's.
        retry_seconds: as ``Link``.
    """

    def __init__(self, folder: Path, over: tuple[Transport, ...] = ("grpc",)) -> None:
        now = datetime.datetime.now(datetime.UTC)
        self.world = World()
        self.strings = Strings(Authority.generate("test", now), over)
        self.network = DIRECT
        self.settings = CONFIG if "grpc" in over else CONFIG.model_copy(update={"transport": "websocket"})
        self.retry_seconds = 3_600.0
        self.trusted = self.strings.authority
        self.home = Home(folder / "home")
        self.documents = DocumentStore(folder / "documents", self.world.people.root)
        self.connected: list[bool] = []
        self.failures: list[BaseException] = []
        self.stances: tuple[bytes, ...] = ()

    def startup(self) -> Startup:
        now = datetime.datetime.now(datetime.UTC)
        tls_key = new_tls_key()
        certificate = self.strings.authority.issue_node(
            certificate_request(tls_key, "ash"), uri=spiffe_name("test", "ash"), now=now
        )
        address, websocket = (f"localhost:{self.strings.ports[name]}" for name in ("grpc", "websocket"))
        return Startup(
            root=self.world.people.root,
            coordinator=Coordinator(
                format="tq-startup-1",
                node="ash",
                ods="RX1",
                grpc_address=address if "grpc" in self.strings.over else "localhost:9",
                websocket_address=websocket if "websocket" in self.strings.over else "",
            ),
            authority_pem=self.trusted.certificate_pem,
            certificate_pem=certificate,
            key=SigningKey.generate(),
            tls_key_pem=tls_key,
        )

    def ports(self) -> Ports:
        return replace(self.world.ports, send=lambda message: self.link.deliver(message))

    async def run(self, story: Callable[[Fixture], Awaitable[None]]) -> None:
        await self.strings.start()
        self.link = Link(
            Renewal(self.home, self.startup(), time.monotonic, lambda: int(time.time())),
            self.settings,
            self.ports(),
            self.documents,
            self.world.witnessing,
            stances=lambda: self.stances,
            on_change=self.connected.append,
            on_failure=self.failures.append,
            network=self.network,
            retry_seconds=self.retry_seconds,
        )
        dialling = asyncio.create_task(self.link.run())
        try:
            await asyncio.wait_for(story(self), SECONDS)
        finally:
            await self.link.close()
            dialling.cancel()
            await asyncio.gather(dialling, return_exceptions=True)
            await self.strings.stop()

    async def until(self, condition: Callable[[], object]) -> None:
        while not condition():
            await asyncio.sleep(0.01)


@EITHER
def test_an_offer_is_answered_and_an_acknowledged_answer_is_not_repeated(tmp_path: Path, over: Transport) -> None:
    fixture = Fixture(tmp_path, (over,))
    release_id = fixture.world.people.the_intent().release_id
    fixture.strings.say = [fixture.world.offer()]

    async def story(it: Fixture) -> None:
        await it.until(lambda: it.world.ledger.boxes.get(release_id, (b"", ""))[1] == "acknowledged")
        it.strings.say = []
        await it.strings.stop()
        await it.strings.start()
        await it.until(lambda: it.connected.count(True) == 2)

    asyncio.run(fixture.run(story))
    (message,) = fixture.strings.said(AnswerMessage)
    assert isinstance(message, AnswerMessage)
    assert fixture.world.read(message).status == "answer"
    assert not has_rollback_protection(fixture.world.read(message))
    assert fixture.connected[:3] == [True, False, True]
    assert fixture.failures == []


@EITHER
def test_what_is_not_acknowledged_is_repeated_in_the_same_bytes(tmp_path: Path, over: Transport) -> None:
    fixture = Fixture(tmp_path, (over,))
    fixture.strings.say = [fixture.world.offer()]
    fixture.strings.acknowledge = False
    fixture.strings.hang_up_after = AnswerMessage

    async def story(it: Fixture) -> None:
        await it.until(lambda: len(it.strings.said(AnswerMessage)) >= 3)

    asyncio.run(fixture.run(story))
    assert len(set(fixture.strings.said(AnswerMessage))) == 1
    assert len(fixture.strings.sessions) >= 2
    assert fixture.world.engine.runs == 1


@EITHER
def test_while_the_trust_has_stopped_refusals_leave_and_releases_do_not(tmp_path: Path, over: Transport) -> None:
    """Whatever way they came to the stream: this is the last look, and it knows nothing of how a message was made."""
    fixture = Fixture(tmp_path, (over,))
    fixture.world.ask()
    release = fixture.world.sent[0]
    empty = replace(release, vector=b"")  # an answer may hold no cells, and says so
    fixture.world.marked = True

    async def story(it: Fixture) -> None:
        await it.until(lambda: it.connected)
        for message in (release, empty, replace(empty, envelope=b"{}")):
            it.link.deliver(message)
        it.strings.say = [it.world.offer(it.world.people.the_intent("two"))]
        await it.strings.stop()
        await it.strings.start()
        await it.until(lambda: it.strings.said(AnswerMessage))
        await asyncio.sleep(0.3)

    asyncio.run(fixture.run(story))
    (message,) = fixture.strings.said(AnswerMessage)
    assert isinstance(message, AnswerMessage)
    assert fixture.world.codes(fixture.world.read(message)) == ["policy-stopped"]


@EITHER
def test_a_stop_in_the_middle_of_an_answer_ends_the_stream(tmp_path: Path, over: Transport) -> None:
    fixture = Fixture(tmp_path, (over,))
    fixture.world.ask()
    large = replace(fixture.world.sent[0], vector=bytes(60 * 1024 * 1024))  # more than kernels hold
    fixture.strings.deaf = True

    async def story(it: Fixture) -> None:
        await it.until(lambda: it.connected)
        it.link.deliver(large)
        # The peer reads nothing: part of the answer waits in buffers, the rest has not been written.
        await asyncio.sleep(0.5)
        assert len(it.strings.sessions) == 1
        it.world.marked = True
        await it.until(lambda: any(event == "link down" for event, _ in it.world.logged))
        it.strings.deaf = False
        await it.until(lambda: len(it.strings.sessions) >= 2 and it.strings.said(Heartbeat))
        await asyncio.sleep(0.3)

    asyncio.run(fixture.run(story))
    # The answer as the ledger has it was repeated after the greeting, before the stop: it is small, and has left.
    assert large not in fixture.strings.said(AnswerMessage)
    places = [facts["place"] for event, facts in fixture.world.logged if event == "link down"]
    assert places[0] == "stopped in the middle of an answer"


@EITHER
def test_the_greeting_must_repeat_the_nonce(tmp_path: Path, over: Transport) -> None:
    fixture = Fixture(tmp_path, (over,))
    fixture.strings.echo = lambda nonce: bytes(32)
    fixture.strings.say = [fixture.world.offer()]

    async def story(it: Fixture) -> None:
        await it.until(lambda: len(it.strings.sessions) >= 3)

    asyncio.run(fixture.run(story))
    assert fixture.connected == []
    assert fixture.strings.said(AnswerMessage) == []
    nonces = {message.nonce for message in fixture.strings.said(Hello) if isinstance(message, Hello)}
    assert len(nonces) == len(fixture.strings.sessions)


@EITHER
def test_another_authority_is_not_believed(tmp_path: Path, over: Transport) -> None:
    fixture = Fixture(tmp_path, (over,))
    fixture.trusted = Authority.generate("test", datetime.datetime.now(datetime.UTC))

    async def story(it: Fixture) -> None:
        await it.until(lambda: len([event for event, _ in it.world.logged if event == "link down"]) >= 2)

    asyncio.run(fixture.run(story))
    assert fixture.strings.sessions == []
    assert fixture.connected == []


@EITHER
def test_a_silent_coordinator_is_left(tmp_path: Path, over: Transport) -> None:
    fixture = Fixture(tmp_path, (over,))
    fixture.strings.quiet = True

    async def story(it: Fixture) -> None:
        await it.until(lambda: len(it.strings.sessions) >= 2)

    asyncio.run(fixture.run(story))
    assert fixture.connected[:2] == [True, False]


@EITHER
def test_documents_previews_and_witness_requests(tmp_path: Path, over: Transport) -> None:
    fixture = Fixture(tmp_path, (over,))
    world = fixture.world
    world.clock.wall = lambda: world.people.the_roster.issued + 1  # type: ignore[method-assign]
    permit = world.people.the_permit.sign(key("ann"), key("bob")).encode()
    fixture.strings.say = [
        Documents(world.people.the_roster.sign(key("root0"), key("root1")).encode(), b"", (permit,)),
        Preview(
            bytes(32), world.people.query.payload(), permit, key("ada").key_id, "file", "synthetic-data", "none", 2
        ),
        WitnessRequest(bytes(32), "other", 0, b"x"),
    ]

    async def story(it: Fixture) -> None:
        await it.until(
            lambda: it.documents.projects() and it.strings.said(PreviewReply) and it.strings.said(Cosignature)
        )

    asyncio.run(fixture.run(story))
    (reply,) = fixture.strings.said(PreviewReply)
    assert isinstance(reply, PreviewReply)
    assert len(reply.preview_id) == 32
    (refusal,) = fixture.strings.said(Cosignature)
    assert refusal == Cosignature(bytes(32), b"", "witness-unknown-log")


def test_stances_are_said_after_the_greeting_once_a_session_and_when_they_change(tmp_path: Path) -> None:
    fixture = Fixture(tmp_path)
    many = tuple(b"%d" % number for number in range(MAX_STANCES + 1))

    def heard(session: int) -> list[Message]:
        return [message for message in fixture.strings.sessions[session] if not isinstance(message, Heartbeat | Join)]

    async def story(it: Fixture) -> None:
        it.stances = many
        await it.until(lambda: it.strings.sessions and len(heard(0)) == 3)
        it.link.tell()
        it.stances = (*many[1:], b"new")
        it.link.tell()
        it.link.tell()
        await it.until(lambda: len(heard(0)) == 4)
        it.strings.hang_up_after = Heartbeat
        await it.until(lambda: len(it.strings.sessions) > 1 and len(heard(1)) >= 3)

    asyncio.run(fixture.run(story))
    assert isinstance(heard(0)[0], Hello)
    assert heard(0)[1:4] == [
        Documents(stances=many[:MAX_STANCES]), Documents(stances=many[MAX_STANCES:]), Documents(stances=(b"new",))
    ]  # fmt: skip
    again = [message for message in heard(1) if isinstance(message, Documents)]
    assert [data for message in again for data in message.stances] == [*many[1:], b"new"]


def test_a_node_with_nothing_to_say_sends_no_stances(tmp_path: Path) -> None:
    fixture = Fixture(tmp_path)

    async def story(it: Fixture) -> None:
        await it.until(lambda: len(it.strings.said(Heartbeat)) >= 2)

    asyncio.run(fixture.run(story))
    assert fixture.strings.said(Documents) == []


def test_a_ledger_that_fails_ends_the_service_and_nothing_is_said(tmp_path: Path) -> None:
    fixture = Fixture(tmp_path)
    fixture.world.ledger.fail_on = "commit"
    fixture.strings.say = [fixture.world.offer()]

    async def story(it: Fixture) -> None:
        await it.until(lambda: it.failures)

    asyncio.run(fixture.run(story))
    assert "ledger-unwritable" in str(fixture.failures[0])
    assert fixture.strings.said(AnswerMessage) == []


@EITHER
def test_closing_says_goodbye(tmp_path: Path, over: Transport) -> None:
    fixture = Fixture(tmp_path, (over,))

    async def story(it: Fixture) -> None:
        await it.until(lambda: it.connected)
        await it.link.close()
        await it.until(lambda: it.strings.said(Goodbye))

    asyncio.run(fixture.run(story))
    assert fixture.strings.said(Goodbye) == [Goodbye("restart")]


def through(port: int, user: str = "ann", password: str = "s3cret") -> Network:
    return Network(Proxy(f"127.0.0.1:{port}", user, password))


@EITHER
def test_a_session_through_a_proxy_that_asks_for_a_name(tmp_path: Path, over: Transport) -> None:
    """The proxy opens one tunnel and sees nothing but TLS: the strings' own authority is believed, and no other."""
    with connect_proxy(user="ann", password="s3cret") as proxy:
        fixture = Fixture(tmp_path, (over,))
        # A home whose path is longer than a socket's may be.
        home = tmp_path / ("long" * 40)
        home.mkdir()
        fixture.network = replace(through(proxy.port), folder=home)

        async def story(it: Fixture) -> None:
            await it.until(lambda: len(it.strings.said(Heartbeat)) >= 2)

        asyncio.run(fixture.run(story))
        assert list(home.iterdir()) == []
        assert set(proxy.tunnels) == {f"localhost:{fixture.strings.ports[over]}"}
    assert fixture.strings.carried == [over]


@EITHER
@pytest.mark.parametrize(("user", "password"), [("", ""), ("ann", "wrong")])
def test_a_407_is_named_and_no_password_is_logged(tmp_path: Path, over: Transport, user: str, password: str) -> None:
    with connect_proxy(user="ann", password="s3cret") as proxy:
        fixture = Fixture(tmp_path, (over,))
        fixture.network = through(proxy.port, user, password)

        async def story(it: Fixture) -> None:
            await it.until(lambda: len([event for event, _ in it.world.logged if event == "link down"]) >= 2)

        asyncio.run(fixture.run(story))
    codes = {facts["code"] for event, facts in fixture.world.logged if event == "link down"}
    assert codes == {"node-proxy-auth"}
    assert fixture.strings.sessions == []
    assert "wrong" not in str(fixture.world.logged)


def test_a_proxy_of_the_environment_is_not_read_behind_the_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """gRPC would read these by itself: ``config.py`` alone reads the environment."""
    for name in ("grpc_proxy", "https_proxy", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    fixture = Fixture(tmp_path)

    async def story(it: Fixture) -> None:
        await it.until(lambda: it.connected)

    asyncio.run(fixture.run(story))
    assert fixture.connected[0] is True


def test_a_proxy_that_breaks_http2_is_passed_by_a_websocket_and_nothing_else_changes(tmp_path: Path) -> None:
    with connect_proxy("breaks-http2", "ann", "s3cret") as proxy:
        fixture = Fixture(tmp_path, BOTH)
        fixture.network = through(proxy.port)
        release_id = fixture.world.people.the_intent().release_id
        fixture.strings.say = [fixture.world.offer()]

        async def story(it: Fixture) -> None:
            await it.until(lambda: it.world.ledger.boxes.get(release_id, (b"", ""))[1] == "acknowledged")
            assert (it.link.transport, it.link.fallen_back) == ("websocket", True)
            # What works is dialled again first.
            it.strings.say = []
            await it.strings.stop()
            await it.strings.start()
            await it.until(lambda: len(it.strings.sessions) == 2)

        asyncio.run(fixture.run(story))
        assert proxy.reset >= 3
    assert fixture.strings.carried == ["websocket", "websocket"]
    assert len(fixture.strings.said(AnswerMessage)) == 1
    changes = [facts for event, facts in fixture.world.logged if event == "transport"]
    assert changes == [{"now": "websocket", "fallback": True}]


def test_grpc_is_used_again_once_it_passes(tmp_path: Path) -> None:
    with connect_proxy("breaks-http2") as proxy:
        fixture = Fixture(tmp_path, BOTH)
        fixture.network, fixture.retry_seconds = through(proxy.port, "", ""), 0.5

        async def story(it: Fixture) -> None:
            await it.until(lambda: it.strings.carried == ["websocket"])
            # It is tried now and then, and the session goes on until it passes.
            before = proxy.reset
            await it.until(lambda: proxy.reset > before)
            assert it.strings.carried == ["websocket"]
            proxy.mode = "ok"
            await it.until(lambda: it.strings.carried == ["websocket", "grpc"])

        asyncio.run(fixture.run(story))
    assert (fixture.link.transport, fixture.link.fallen_back) == ("grpc", False)
    assert any(isinstance(message, Goodbye) for message in fixture.strings.sessions[0])


def test_a_coordinator_that_is_away_does_not_send_nodes_to_the_websocket(tmp_path: Path) -> None:
    fixture = Fixture(tmp_path, BOTH)

    async def story(it: Fixture) -> None:
        await it.until(lambda: it.connected)
        await it.strings.stop()
        await asyncio.sleep(1.5)
        await it.strings.start()
        await it.until(lambda: len(it.strings.sessions) == 2)

    asyncio.run(fixture.run(story))
    assert fixture.strings.carried == ["grpc", "grpc"]
    assert len([event for event, _ in fixture.world.logged if event == "link down"]) >= 3


def test_an_inspecting_proxy_is_never_believed_on_the_session(tmp_path: Path) -> None:
    """Whatever ``https_ca_file`` says: that is for enrolment."""
    with connect_proxy("inspects") as proxy:
        fixture = Fixture(tmp_path, BOTH)
        fixture.network = replace(through(proxy.port, "", ""), extra_authorities=proxy.authority_pem.decode())

        async def story(it: Fixture) -> None:
            await it.until(lambda: len([event for event, _ in it.world.logged if event == "link down"]) >= 8)

        asyncio.run(fixture.run(story))
    assert fixture.strings.sessions == []
    assert fixture.connected == []


CLIENT = """
import asyncio, sys
from pathlib import Path
from node_agent.config import LinkConfig, harden_transport
harden_transport()
from types import SimpleNamespace
from node_agent.link.grpc_stream import open_channel
folder, port = Path(sys.argv[1]), sys.argv[2]
startup = SimpleNamespace(
    authority_pem=(folder / "ca.pem").read_bytes(), certificate_pem=(folder / "node.crt").read_bytes(),
    tls_key_pem=(folder / "node.key").read_bytes(), coordinator=SimpleNamespace(grpc_address=f"localhost:{port}"),
)
async def main():
    channel = open_channel(startup, LinkConfig())
    try:
        await asyncio.wait_for(channel.channel_ready(), 3)
    except TimeoutError:
        pass
    await channel.close()
asyncio.run(main())
"""


@pytest.mark.acceptance("TRN-02")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_the_node_speaks_tls_1_3_alone(tmp_path: Path, version: ssl.TLSVersion) -> None:
    now = datetime.datetime.now(datetime.UTC)
    authority = Authority.generate("test", now)
    server_key, node_key = new_tls_key(), new_tls_key()
    node = authority.issue_node(certificate_request(node_key, "ash"), uri=spiffe_name("test", "ash"), now=now)
    for name, content in {
        "ca.pem": authority.certificate_pem,
        "server.key": server_key,
        "server.crt": authority.issue_server(server_key, hosts=["localhost"], now=now),
        "node.key": node_key,
        "node.crt": node,
    }.items():
        (tmp_path / name).write_bytes(content)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = context.maximum_version = version
    context.load_cert_chain(tmp_path / "server.crt", tmp_path / "server.key")
    context.set_alpn_protocols(["h2"])
    outcome: list[str] = []

    def serve(listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            try:
                with context.wrap_socket(connection, server_side=True) as wrapped:
                    outcome.append(wrapped.version() or "")
            except (ssl.SSLError, OSError):
                outcome.append("refused")

    with socket.create_server(("localhost", 0)) as listener:
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        subprocess.run(
            [sys.executable, "-c", CLIENT, tmp_path, str(listener.getsockname()[1])],
            check=True,
            timeout=60,
            stderr=subprocess.DEVNULL,
        )
    assert set(outcome) == {"refused" if version is ssl.TLSVersion.TLSv1_2 else "TLSv1.3"}
