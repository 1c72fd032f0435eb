"""Opening a node's stream by hand, with whatever certificate."""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.sync.client import ClientConnection, connect

from tests.lib.coordinator import EnrolledNode, LiveCoordinator
from trustquery.identity import new_secret
from trustquery.planning import PLAN_FORMAT
from trustquery.protocol.enrolment import join_message
from trustquery.protocol.frames import SUBPROTOCOL, WEBSOCKET_PATH
from trustquery.protocol.messages import PROTOCOL_VERSION, Hello, Join
from trustquery.protocol.session import Inbound, Outbound

__all__ = ["dial_websocket", "held_stream", "join_frame", "open_stream", "open_websocket"]

HOLD_STREAM = """
import sys, json, threading
from coordinator.config import require_tls13
require_tls13()
import grpc
job = json.loads(sys.stdin.readline())
credentials = grpc.ssl_channel_credentials(job["ca"].encode(), job["key"].encode(), job["cert"].encode())
def requests():
    yield bytes.fromhex(job["hello"])
    yield bytes.fromhex(sys.stdin.readline())
    threading.Event().wait(60)
with grpc.secure_channel(job["target"], credentials) as channel:
    call = channel.stream_stream("/trustquery.v1.NodeLink/Session")(requests())
    try:
        for number, frame in enumerate(call):
            if number < 2:
                print(["greeted", "accepted"][number], frame.hex(), flush=True)
    except grpc.RpcError as error:
        print("ended", error.code().name, error.details(), flush=True)
import os
os._exit(0)
"""
OPEN_STREAM = """
import sys, json
from coordinator.config import require_tls13
require_tls13()
import grpc
job = json.load(sys.stdin)
key, cert = (job[name].encode() or None for name in ("key", "cert"))
credentials = grpc.ssl_channel_credentials(job["ca"].encode(), key, cert)
with grpc.secure_channel(job["target"], credentials) as channel:
    session = channel.stream_stream("/trustquery.v1.NodeLink/Session")
    call = session(iter([bytes.fromhex(job["hello"])]), timeout=10, metadata=job["metadata"])
    try:
        print("accepted " + next(call).hex())
    except grpc.RpcError as error:
        print("refused " + error.code().name)
"""


def join_frame(node: EnrolledNode, hello: Hello, greeting: bytes, outbound: Outbound) -> bytes:
    """The node's second frame, for what the coordinator said to its greeting."""
    inbound = Inbound(sender="coordinator", nonce=hello.nonce)
    reply = inbound.receive(greeting)
    assert isinstance(reply, Hello)
    outbound.begin(inbound.session)
    # Time never goes back, so a later session of the same trust has a larger counter.
    counter = time.time_ns() // 1_000
    proof = node.key.sign(join_message("test", node.ods, reply.nonce, counter))
    (frame,) = outbound.frames(Join(counter, proof))
    return frame


@contextmanager
def held_stream(coordinator: LiveCoordinator, node: EnrolledNode) -> Iterator[subprocess.Popen[str]]:
    """A session that stays open, in a process of its own; its last line says how the coordinator ended it."""
    hello = Hello((PROTOCOL_VERSION,), node.ods, new_secret(32), plan_formats=(PLAN_FORMAT,))
    outbound = Outbound()
    (frame,) = outbound.frames(hello)
    job = {
        "ca": (coordinator.home / "authority.pem").read_text(),
        "key": node.tls_key.decode(),
        "cert": node.certificate.decode(),
        "target": f"localhost:{coordinator.grpc_port}",
        "hello": frame.hex(),
    }
    with subprocess.Popen(
        [sys.executable, "-c", HOLD_STREAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(job) + "\n")
        process.stdin.flush()
        said, _, greeting = process.stdout.readline().partition(" ")
        assert said == "greeted"
        process.stdin.write(join_frame(node, hello, bytes.fromhex(greeting), outbound).hex() + "\n")
        process.stdin.flush()
        assert process.stdout.readline().startswith("accepted ")
        try:
            yield process
        finally:
            process.kill()


def open_stream(
    coordinator: LiveCoordinator, key: bytes | None, cert: bytes | None, hello_node: str = "RX1", token: str = ""
) -> str:
    """Open a session with gRPC, in a process of its own (gRPC reads its TLS settings once); what came of it."""
    hello = Hello((PROTOCOL_VERSION,), hello_node, new_secret(32), plan_formats=(PLAN_FORMAT,))
    (frame,) = Outbound().frames(hello)
    job = {
        "ca": (coordinator.home / "authority.pem").read_text(),
        "key": key.decode() if key else "",
        "cert": cert.decode() if cert else "",
        "target": f"localhost:{coordinator.grpc_port}",
        "hello": frame.hex(),
        "metadata": [["authorization", f"Bearer {token}"]] if token else [],
    }
    done = subprocess.run(
        [sys.executable, "-c", OPEN_STREAM], input=json.dumps(job), capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    answer = done.stdout.strip()
    if answer.startswith("accepted "):
        reply = Inbound(sender="coordinator", nonce=hello.nonce).receive(bytes.fromhex(answer.split()[1]))
        assert isinstance(reply, Hello)
        assert reply.echo == hello.nonce
        return "accepted"
    return answer


def dial_websocket(
    coordinator: LiveCoordinator, key: bytes | None, cert: bytes | None, path: str = WEBSOCKET_PATH, **changed: Any
) -> ClientConnection:
    """Upgrade by hand, with whatever certificate.

    Args:
        changed: other options of the library's ``connect``.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=(coordinator.home / "authority.pem").read_text())
    if key is not None and cert is not None:
        with tempfile.NamedTemporaryFile() as file:
            file.write(cert + b"\n" + key)
            file.flush()
            context.load_cert_chain(file.name)
    options = {"subprotocols": [SUBPROTOCOL], "compression": None, "proxy": None, "open_timeout": 10} | changed
    return connect(f"wss://localhost:{coordinator.websocket_port}{path}", ssl=context, **options)


def open_websocket(
    coordinator: LiveCoordinator, key: bytes | None, cert: bytes | None, hello_node: str = "RX1",
    versions: tuple[int, ...] = (PROTOCOL_VERSION,),
) -> str:  # fmt: skip
    """Open a session on the WebSocket; what came of it: ``accepted``, ``refused REASON`` or ``refused``."""
    hello = Hello(versions, hello_node, new_secret(32), plan_formats=(PLAN_FORMAT,))
    (frame,) = Outbound().frames(hello)
    try:
        with dial_websocket(coordinator, key, cert) as connection:
            connection.send(frame)
            answer = connection.recv(10)
    except ConnectionClosed as error:
        return f"refused {error.rcvd.reason}" if error.rcvd is not None else "refused"
    except (OSError, WebSocketException):
        return "refused"
    assert isinstance(answer, bytes)
    reply = Inbound(sender="coordinator", nonce=hello.nonce).receive(answer)
    assert isinstance(reply, Hello)
    return "accepted"
