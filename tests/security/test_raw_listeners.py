"""TRN-06 and TRN-08, and TRN-05 at the coordinator: its three listeners, spoken to by hand over TLS that is in order.

Whatever is not the one path, the one method and the next right frame gets nothing: default deny.
"""

from __future__ import annotations

import secrets
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import psutil
import pytest
from websockets.exceptions import ConnectionClosed

from coordinator.api.context import token_hash
from coordinator.store import Store
from tests.lib.coordinator import EnrolledNode, LiveCoordinator
from tests.lib.processes import wait_for
from tests.lib.raw_http import GRPC, Heard, connect, grpc_message, http1, http2
from tests.lib.streams import dial_websocket, join_frame
from trustquery.identity import SigningKey, new_secret
from trustquery.protocol.frames import SUBPROTOCOL, WEBSOCKET_PATH
from trustquery.protocol.messages import PROTOCOL_VERSION, AnswerMessage, Documents, Heartbeat, Hello, Renew
from trustquery.protocol.session import Inbound, Outbound
from trustquery.v1 import session_pb2 as pb
from trustquery.wire import SERVICE, SESSION_METHOD

ASKED = "/v1/nodes/waiting"


@dataclass
class World:
    """A coordinator, two nodes and somebody's session."""

    live: LiveCoordinator
    node: EnrolledNode
    store: Store
    token: str

    def log(self) -> str:
        return (self.live.folder / "coordinator.log").read_text()

    def joins(self) -> list[int]:
        """The last join counter that was taken of each node."""
        with sqlite3.connect(self.live.home / "coordinator.sqlite") as found:
            return [row[0] for row in found.execute("SELECT counter FROM node_joins ORDER BY ods")]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    live = LiveCoordinator(tmp_path_factory.mktemp("listeners"))
    node = live.enrol("RX1")
    live.enrol("RX2")
    live.install_roster()
    store = Store(f"sqlite+pysqlite:///{live.home}/coordinator.sqlite")
    user, token, now = store.people.find("olive"), secrets.token_hex(32), int(time.time())
    assert user is not None
    assert store.sessions.open(token_hash(token), user.id, now + 3600, now, level=3, auth_time=now)
    yield World(live, node, store, token)
    store.close()
    live.end()


def greeting(node: str = "RX1") -> tuple[Hello, Outbound, bytes]:
    hello, outbound = Hello((PROTOCOL_VERSION,), node, new_secret(32)), Outbound()
    return hello, outbound, outbound.frames(hello)[0]


# -- the gRPC port -----------------------------------------------------------------------------------------------------


def call(
    world: World, path: str | None, headers: tuple[tuple[str, str], ...] = GRPC, method: str = "POST",
    scheme: str = "https", *body: bytes,
) -> http2:  # fmt: skip
    """A call by hand, which says a greeting that is in order."""
    wire = connect(
        world.live.grpc_port, world.live.home / "authority.pem", "h2", world.node.tls_key, world.node.certificate
    )
    named = () if path is None else ((":path", path),)
    pseudo = ((":method", method), (":scheme", scheme), *named, (":authority", "localhost"))
    return http2(wire, (*pseudo, *headers), body or (grpc_message(greeting()[2]),))


def heard(world: World, *arguments: object) -> Heard:
    found = call(world, *arguments)  # type: ignore[arg-type]
    with found.wire:
        return found.listen()


def denied(found: Heard) -> bool:
    """Nothing was said by the session: no body, and a refusal of HTTP, of gRPC or of the connection."""
    return not found.data and (found.reset or found.status not in ("", "200") or found.grpc_status not in ("", "0"))


PATHS: dict[str, str | None] = {
    "lower-case method": f"/{SERVICE}/session",
    "upper-case method": f"/{SERVICE}/SESSION",
    "lower-case service": SESSION_METHOD.lower(),
    "double slash first": f"/{SESSION_METHOD}",
    "double slash inside": f"/{SERVICE}//Session",
    "no leading slash": SESSION_METHOD[1:],
    "back slash first": "\\" + SESSION_METHOD[1:],
    "slash last": f"{SESSION_METHOD}/",
    "query": f"{SESSION_METHOD}?x=1",
    "fragment": f"{SESSION_METHOD}#x",
    "space last": f"{SESSION_METHOD} ",
    "tab first": f"\t{SESSION_METHOD}",
    "nul last": f"{SESSION_METHOD}\0",
    "semicolon": f"{SESSION_METHOD};x",
    "percent": f"/{SERVICE}/%53ession",
    "encoded slash": f"/{SERVICE}%2fSession",
    "dots": f"/x/..{SESSION_METHOD}",
    "dot": f"/.{SESSION_METHOD}",
    "whole address": f"https://localhost{SESSION_METHOD}",
    "unknown method": f"/{SERVICE}/Sessions",
    "no method": f"/{SERVICE}/",
    "service alone": f"/{SERVICE}",
    "unknown service": "/trustquery.v2.NodeLink/Session",
    "no package": "/NodeLink/Session",
    "reflection": "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "health": "/grpc.health.v1.Health/Check",
    "root": "/",
    "star": "*",
    "empty": "",
    "absent": None,
    "homoglyph": f"/{SERVICE}/S\u0435ssion",
    "long": SESSION_METHOD + "x" * 6_000,
}


@pytest.mark.acceptance("TRN-08")
def test_the_one_path_is_served(world: World) -> None:
    """The control: by the same client, the same greeting is greeted."""
    found = call(world, SESSION_METHOD)
    with found.wire:
        assert found.listen().data
        assert (found.heard.status, found.heard.grpc_status) == ("200", "")


@pytest.mark.acceptance("TRN-08")
@pytest.mark.parametrize("path", PATHS)
def test_no_other_path_is_served(world: World, path: str) -> None:
    """TRN-08: odd paths, case, slashes and unknown methods, with a certificate and a greeting that are in order."""
    assert denied(heard(world, PATHS[path]))


@pytest.mark.acceptance("TRN-08")
@pytest.mark.parametrize("method", ["GET", "PUT", "post", "CONNECT", "OPTIONS", ""])
def test_no_other_http_method_is_served(world: World, method: str) -> None:
    assert denied(heard(world, SESSION_METHOD, GRPC, method))


@pytest.mark.acceptance("TRN-08")
@pytest.mark.parametrize(
    "kind", ["application/json", "text/plain", "application/x-protobuf", "Application/Grpc", "", None]
)
def test_another_content_type_is_no_way_in(world: World, kind: str | None) -> None:
    """TRN-08: gRPC's own library lets any content type pass, so nothing may hang on it: the frames decide as ever."""
    headers = (("te", "trailers"),) + ((("content-type", kind),) if kind is not None else ())
    for path in (f"/{SESSION_METHOD}", SESSION_METHOD[1:], SESSION_METHOD.lower()):
        assert denied(heard(world, path, headers))
    for said in (greeting("RX2")[2], b'{"hello":{}}', spoilt(nonce=None)):
        assert denied(heard(world, SESSION_METHOD, headers, "POST", "https", grpc_message(said)))


# -- the port for people and for trusts that enrol ---------------------------------------------------------------------


def ask(world: World, target: str, method: str = "GET", *headers: str, signed_in: bool = True) -> int:
    """The status of one request by hand; 0 where the connection just ended."""
    lines = [f"{method} {target} HTTP/1.1", "Host: localhost", "Connection: close", *headers]
    lines += [f"Authorization: Bearer {world.token}"] if signed_in else []
    with connect(world.live.api_port, world.live.home / "authority.pem", "http/1.1") as wire:
        answer = http1(wire, ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace"))
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.1 ") else 0


TARGETS = {
    "upper case": ASKED.upper(), "one upper letter": "/V1/nodes/waiting", "double slash first": f"/{ASKED}",
    "double slash inside": "/v1//nodes/waiting", "no leading slash": ASKED[1:], "slash last": f"{ASKED}/",
    "back slashes": ASKED.replace("/", "\\"), "semicolon": f"{ASKED};x", "dots": f"/x/..{ASKED}", "dot": f"/.{ASKED}",
    "encoded dots": f"/x/%2e%2e{ASKED}", "encoded slash": "/v1/nodes%2fwaiting%2f", "encoded nul": f"{ASKED}%00",
    "whole address": f"https://localhost{ASKED}", "space last": f"{ASKED}%20", "star": "*", "unknown": "/v1/nodes/all",
    "parent": "/v1/nodes", "documentation": "/docs", "schema": "/openapi.json", "grpc": SESSION_METHOD,
    "websocket": WEBSOCKET_PATH,
}  # fmt: skip


@pytest.mark.acceptance("TRN-08")
def test_the_right_path_is_served_to_whoever_may(world: World) -> None:
    """The control."""
    assert ask(world, ASKED) == 200
    assert ask(world, ASKED, signed_in=False) == 401


@pytest.mark.acceptance("TRN-08")
@pytest.mark.parametrize("target", TARGETS)
def test_no_other_path_of_the_api_is_served(world: World, target: str) -> None:
    """TRN-08: with a session that may; what is not that very path is not found, and nothing is redirected."""
    assert ask(world, TARGETS[target]) in (400, 404, 405)


@pytest.mark.acceptance("TRN-08")
@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "TRACE", "OPTIONS", "get", "FOO", "PRI"])
def test_no_other_method_of_the_api_is_served(world: World, method: str) -> None:
    assert ask(world, ASKED, method) in (400, 404, 405)
    over = (
        "X-HTTP-Method-Override: GET",
        f"X-Original-URL: {ASKED}",
        f"X-Rewrite-URL: {ASKED}",
        "X-Forwarded-For: ::1",
    )
    assert ask(world, "/", method, *over) in (400, 404, 405)


@pytest.mark.acceptance("TRN-06")
@pytest.mark.parametrize(
    "given",
    ["", "Bearer", "Bearer ", "Bearer  {}", "bearer{}", "Basic {}", "Bearer {}x", "Bearer {},{}", "Token {}", "{}"],
)
def test_an_empty_absent_or_spoilt_token_opens_nothing(world: World, given: str) -> None:
    """TRN-06: the field that says who asks."""
    header = "Authorization: " + given.replace("{}", world.token)
    assert ask(world, ASKED, "GET", header, signed_in=False) in (400, 401)


# -- the WebSocket's port ----------------------------------------------------------------------------------------------

UPGRADE = ("Upgrade: websocket", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", "Sec-WebSocket-Version: 13")


def upgrade(world: World, target: str, method: str = "GET", protocol: str = SUBPROTOCOL) -> int:
    lines = [f"{method} {target} HTTP/1.1", "Host: localhost", "Connection: Upgrade", *UPGRADE,
             f"Sec-WebSocket-Protocol: {protocol}"]  # fmt: skip
    wire = connect(
        world.live.websocket_port, world.live.home / "authority.pem", "http/1.1", world.node.tls_key,
        world.node.certificate,
    )  # fmt: skip
    with wire:
        wire.sendall(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
        try:
            answer = wire.recv(4_096)
        except OSError:
            return 0
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.1 ") else 0


@pytest.mark.acceptance("TRN-08")
def test_the_websocket_has_one_path(world: World) -> None:
    """TRN-08: no other spelling, method or protocol is upgraded."""
    assert upgrade(world, WEBSOCKET_PATH) == 101
    path = WEBSOCKET_PATH
    for target in (
        path.upper(), f"/{path}", path[1:], f"{path}/", f"{path}?x", f"{path}%20", f"/x/..{path}", "/v1//session", "*",
        f"https://localhost{path}", "/v1/%73ession", "/", SESSION_METHOD,
    ):  # fmt: skip
        assert upgrade(world, target) != 101, target
    for method in ("POST", "get", "CONNECT", "FOO"):
        assert upgrade(world, path, method) != 101, method
    for protocol in ("", "chat", SUBPROTOCOL.upper(), SUBPROTOCOL[:-1]):
        assert upgrade(world, path, protocol=protocol) != 101, protocol


@pytest.mark.acceptance("TRN-02")
def test_the_coordinator_listens_on_no_other_port(world: World) -> None:
    """TRN-02: so that a scan of these three is one of every port."""
    listening = {
        item.laddr.port
        for item in psutil.Process(world.live.process.pid).net_connections("inet")
        if item.status == psutil.CONN_LISTEN
    }
    assert listening == {world.live.api_port, world.live.grpc_port, world.live.websocket_port}


# -- the session, over both transports ---------------------------------------------------------------------------------

Frames = Callable[[EnrolledNode, Hello, bytes, Outbound], list[bytes]]


def over_websocket(world: World, first: list[bytes], then: Frames | None, hello: Hello, outbound: Outbound) -> str:
    """Say the first frames, then those that follow the coordinator's greeting; why it ended the stream."""
    with dial_websocket(world.live, world.node.tls_key, world.node.certificate) as connection:
        try:
            for frame in first:
                connection.send(frame)
            said = connection.recv(10)
            assert isinstance(said, bytes)
            for frame in then(world.node, hello, said, outbound) if then else ():
                connection.send(frame)
            while True:
                connection.recv(10)
        except ConnectionClosed as error:
            return error.rcvd.reason if error.rcvd is not None else "cut"


def over_grpc(world: World, first: list[bytes], then: Frames | None, hello: Hello, outbound: Outbound) -> str:
    found = call(world, SESSION_METHOD, GRPC, "POST", "https", *map(grpc_message, first))
    with found.wire:
        heard = found.listen(5)
        if then is not None and len(heard.data) > 5:
            for frame in then(world.node, hello, heard.data[5:], outbound):
                found.say(grpc_message(frame))
        return found.listen(2**20).details


WAYS = {"grpc": over_grpc, "websocket": over_websocket}
NOT_READ, NOT_TRUSTED = "node-message-invalid", "auth-certificate"


def spoilt(**changes: bytes | None) -> bytes:
    """A greeting with one field changed; None takes it away."""
    frame = pb.Frame()
    frame.ParseFromString(greeting()[2])
    for name, value in changes.items():
        if value is None:
            frame.hello.ClearField(name)  # type: ignore[arg-type]
        else:
            setattr(frame.hello, name, value)
    return frame.SerializeToString()


@pytest.mark.acceptance("TRN-06")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("nonce", [None, b"", b"short", bytes(31), bytes(33)])
def test_an_empty_or_absent_nonce_is_closed_at_once(world: World, way: str, nonce: bytes | None) -> None:
    hello, outbound, _ = greeting()
    assert WAYS[way](world, [spoilt(nonce=nonce)], None, hello, outbound) == NOT_READ


@pytest.mark.acceptance("TRN-05", "TRN-06")
@pytest.mark.parametrize("again", WAYS)
def test_a_captured_stream_again_is_closed_at_its_greeting(world: World, again: str) -> None:
    """TRN-05, TRN-06: a whole honest session, greeting and proof, said again over either transport; a reused nonce."""
    hello, outbound, first = greeting()
    said: list[bytes] = [first]
    with dial_websocket(world.live, world.node.tls_key, world.node.certificate) as connection:
        connection.send(first)
        reply = connection.recv(10)
        assert isinstance(reply, bytes)
        said += [join_frame(world.node, hello, reply, outbound), *outbound.frames(Heartbeat())]
        for frame in said[1:]:
            connection.send(frame)
        connection.recv(10)
    before = world.joins()
    assert WAYS[again](world, said, None, hello, outbound) == NOT_READ
    assert world.joins() == before


def stolen(node: EnrolledNode, hello: Hello, reply: bytes, outbound: Outbound) -> list[bytes]:
    """A proof by another key, and then everything that a joined node may say."""
    frames = [join_frame(replace(node, key=SigningKey.generate()), hello, reply, outbound)]
    for message in (
        Heartbeat(),
        Documents(stances=(b"s",)),
        Renew(b"request"),
        AnswerMessage("ab" * 32, b"e", bytes(8)),
    ):
        frames += outbound.frames(message)
    return frames


@pytest.mark.acceptance("TRN-06")
@pytest.mark.parametrize("way", WAYS)
def test_nothing_after_a_refused_proof_is_read(world: World, way: str) -> None:
    """TRN-06: an authentication error, then more frames, which would be in order after a right one."""
    before, connected = world.joins(), world.log().count("node-connected")
    hello, outbound, first = greeting()
    assert WAYS[way](world, [first], stolen, hello, outbound) == NOT_TRUSTED
    assert (world.joins(), world.log().count("node-connected")) == (before, connected)
    assert not [word for word in ("answer-unasked", "stance-refused", "renewal-refused") if word in world.log()]


@pytest.mark.acceptance("TRN-06")
@pytest.mark.parametrize("way", WAYS)
def test_nothing_after_a_name_that_is_not_the_certificates_is_read(world: World, way: str) -> None:
    """TRN-06: said in one breath with the greeting, so that they are here when it is refused."""
    before, connected = world.joins(), world.log().count("node-connected")
    hello, outbound, first = greeting("RX2")
    inbound = Inbound(sender="node", nonce=bytes(32))
    inbound.receive(first)
    more = outbound.frames(Heartbeat()) + outbound.frames(Renew(b"request"))
    assert WAYS[way](world, [first, *more], None, hello, outbound) == NOT_TRUSTED
    assert (world.joins(), world.log().count("node-connected")) == (before, connected)


@pytest.mark.acceptance("TRN-06")
@pytest.mark.parametrize("way", WAYS)
def test_the_refusals_are_in_the_log_once_each(world: World, way: str) -> None:
    """And what is refused names no more than a code to the other end."""
    before = world.log().count("session-refused")
    hello, outbound, _ = greeting()
    assert WAYS[way](world, [b"\xff" * 40], None, hello, outbound) == NOT_READ
    wait_for(lambda: world.log().count("session-refused") == before + 1, 5, "one line")
