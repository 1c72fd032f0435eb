"""Opening a node's stream by hand, with whatever certificate."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.lib.coordinator import LiveCoordinator
from trustquery.identity import new_secret
from trustquery.planning import PLAN_FORMAT
from trustquery.protocol.messages import PROTOCOL_VERSION, Hello
from trustquery.protocol.session import Inbound, Outbound

__all__ = ["open_stream"]

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
        reply = Inbound(sender="coordinator", echo=hello.nonce).receive(bytes.fromhex(answer.split()[1]))
        assert isinstance(reply, Hello)
        assert reply.echo == hello.nonce
        return "accepted"
    return answer
